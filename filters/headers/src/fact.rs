//! What a value may refer to.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use tollgate_filter_api::{Call, Certificate, KeyType, Peer, Principal};

use crate::text::Text;

/// Something that is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    ClientAddress,
    RequestId,
    OperationId,
    OperationMethod,
    OperationTemplate,
    ApiTitle,
    ApiVersion,
    ApiBasePath,
    Subject,
    Issuer,
    Client,
    Scopes,
    KeyType,
    Claim(Box<str>),
    CertificateSubject,
    CertificateIssuer,
    CertificateDigest,
    CertificateWhole,
}

/// Who sends a request, and what was shown for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller<'a> {
    /// By the credential.
    pub principal: &'a Principal,
    /// By the connection.
    pub peer: &'a Peer,
}

/// Names as they are written, in the order of the manual; `claim.NAME` comes on top.
const NAMES: [(&str, Fact); 17] = [
    ("client.address", Fact::ClientAddress),
    ("request.id", Fact::RequestId),
    ("operation.id", Fact::OperationId),
    ("operation.method", Fact::OperationMethod),
    ("operation.template", Fact::OperationTemplate),
    ("api.title", Fact::ApiTitle),
    ("api.version", Fact::ApiVersion),
    ("api.base_path", Fact::ApiBasePath),
    ("principal.subject", Fact::Subject),
    ("principal.issuer", Fact::Issuer),
    ("principal.client", Fact::Client),
    ("principal.scopes", Fact::Scopes),
    ("principal.key_type", Fact::KeyType),
    ("certificate.subject", Fact::CertificateSubject),
    ("certificate.issuer", Fact::CertificateIssuer),
    ("certificate.sha256", Fact::CertificateDigest),
    ("certificate.rfc9440", Fact::CertificateWhole),
];

impl Fact {
    /// The fact of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if let Some(claim) = name.strip_prefix("claim.") {
            return (!claim.is_empty()).then(|| Self::Claim(claim.into()));
        }
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, fact)| fact.clone())
    }

    /// Every name, for a hint.
    pub(crate) fn names() -> String {
        let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        format!("{}, claim.NAME", names.join(", "))
    }

    /// Whether it is about the caller.
    pub(crate) fn is_of_caller(&self) -> bool {
        use Fact::*;
        match self {
            ClientAddress | RequestId | OperationId | OperationMethod | OperationTemplate | ApiTitle | ApiVersion | ApiBasePath => false,
            Subject | Issuer | Client | Scopes | KeyType | Claim(_) => true,
            CertificateSubject | CertificateIssuer | CertificateDigest | CertificateWhole => true,
        }
    }

    /// Writes it; `false` when it is not known.
    pub(crate) fn write(&self, call: &Call, caller: Option<Caller<'_>>, text: &mut Text) -> bool {
        let operation = &call.operation;
        match self {
            Self::ClientAddress => text.value(&call.client.to_string()),
            Self::RequestId => text.value(&call.request_id.to_string()),
            Self::OperationId => text.value(&operation.id),
            Self::OperationMethod => text.value(&operation.method),
            Self::OperationTemplate => text.value(&operation.template),
            Self::ApiTitle => text.value(&operation.api),
            Self::ApiVersion => text.value(&operation.version),
            Self::ApiBasePath => text.value(&operation.base_path),
            _ => caller.is_some_and(|caller| match caller.peer {
                Peer::Certified(certificate) if self.of_certificate(certificate, text) => true,
                _ => self.of_principal(caller.principal, text),
            }),
        }
    }

    fn of_certificate(&self, certificate: &Certificate, text: &mut Text) -> bool {
        match self {
            Self::CertificateSubject => text.value(&certificate.subject),
            Self::CertificateIssuer => text.value(&certificate.issuer),
            Self::CertificateDigest => text.value(&hex::encode(certificate.sha256)),
            Self::CertificateWhole => text.value(&format!(":{}:", STANDARD.encode(&certificate.der))),
            _ => false,
        }
    }

    fn of_principal(&self, principal: &Principal, text: &mut Text) -> bool {
        if principal.is_anonymous() {
            return false;
        }
        let known = |value: &Option<String>, text: &mut Text| value.as_ref().is_some_and(|value| text.value(value));
        match self {
            Self::Subject => known(&principal.subject, text),
            Self::Issuer => known(&principal.issuer, text),
            Self::Client => known(&principal.client, text),
            Self::Scopes => text.list(principal.scopes.iter().map(String::as_str)),
            Self::KeyType => text.value(match principal.key_type {
                KeyType::Production => "production",
                KeyType::Sandbox => "sandbox",
            }),
            Self::Claim(name) => principal.claims.get(&**name).is_some_and(|value| claim(value, text)),
            _ => false,
        }
    }
}

/// Text, a number, a boolean, or a list of those. An object has no form that an upstream could expect in a header.
fn claim(value: &Value, text: &mut Text) -> bool {
    match value {
        Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(scalar).collect();
            items.is_some_and(|items| text.list(items.iter().map(String::as_str)))
        }
        value => scalar(value).is_some_and(|value| text.value(&value)),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
