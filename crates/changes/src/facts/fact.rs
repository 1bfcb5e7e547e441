//! What a value may refer to.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderName;
use serde_json::Value;
use tollgate_filter_api::{Call, Certificate, KeyType, Peer, Principal, RequestHead};

use super::{asked::Asked, request, text::Text};

/// Something that is known of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    ClientAddress,
    RequestId,
    Asked(Asked),
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
    Path(Box<str>),
    Query(Box<str>),
    Header(HeaderName),
    Cookie(Box<str>),
}

/// What a request shows.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What is fixed about it.
    pub call: &'a Call,
    /// Its head; `None` where that is gone.
    pub head: Option<&'a RequestHead>,
    /// Who sends it; `None` where he is not known any more.
    pub caller: Option<Caller<'a>>,
}

/// Who sends a request, and what was shown for it.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// By the credential.
    pub principal: &'a Principal,
    /// By the connection.
    pub peer: &'a Peer,
}

/// Names as they are written, in the order of the manual; those of [`Fact::NAMED`] come on top.
const NAMES: [(&str, Fact); 25] = [
    ("client.address", Fact::ClientAddress),
    ("request.id", Fact::RequestId),
    ("request.scheme", Fact::Asked(Asked::Scheme)),
    ("request.host", Fact::Asked(Asked::Host)),
    ("request.port", Fact::Asked(Asked::Port)),
    ("request.path", Fact::Asked(Asked::Path)),
    ("request.rest", Fact::Asked(Asked::Rest)),
    ("request.query", Fact::Asked(Asked::Query)),
    ("request.search", Fact::Asked(Asked::Search)),
    ("request.target", Fact::Asked(Asked::Target)),
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
    /// What is behind the dot is a name of the client's or of the definition's.
    const NAMED: &'static str = "claim.NAME, path.NAME, query.NAME, header.NAME, cookie.NAME";

    /// The fact of that name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let named = name.split_once('.').filter(|(_, named)| !named.is_empty());
        match named {
            Some(("claim", name)) => return Some(Self::Claim(name.into())),
            Some(("path", name)) => return Some(Self::Path(name.into())),
            Some(("query", name)) => return Some(Self::Query(name.into())),
            Some(("cookie", name)) => return Some(Self::Cookie(name.into())),
            Some(("header", name)) => return name.parse().ok().map(Self::Header),
            _ => {}
        }
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, fact)| fact.clone())
    }

    /// The names of what was asked for, behind `request.`.
    pub(super) fn asked() -> impl Iterator<Item = (&'static str, Asked)> {
        NAMES.iter().filter_map(|(name, fact)| match fact {
            Self::Asked(asked) => name.strip_prefix("request.").map(|name| (name, *asked)),
            _ => None,
        })
    }

    /// Every name, for a hint.
    pub(super) fn names() -> String {
        let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        format!("{}, {}", names.join(", "), Self::NAMED)
    }

    /// Whether it is about the caller or his request, and is not known any more when the answer comes.
    pub(super) fn is_of_request(&self) -> bool {
        use Fact::*;
        match self {
            ClientAddress | RequestId | OperationId | OperationMethod | OperationTemplate | ApiTitle | ApiVersion | ApiBasePath => false,
            Asked(asked) => asked.is_of_head(),
            Path(_) | Query(_) | Header(_) | Cookie(_) => true,
            _ => self.is_of_caller(),
        }
    }

    /// Whether it is about who is calling.
    pub(super) fn is_of_caller(&self) -> bool {
        use Fact::*;
        let of_principal = matches!(self, Subject | Issuer | Client | Scopes | KeyType | Claim(_));
        of_principal || matches!(self, CertificateSubject | CertificateIssuer | CertificateDigest | CertificateWhole)
    }

    /// Writes it; `false` when it is not known.
    pub(super) fn write(&self, seen: &Seen<'_>, text: &mut Text) -> bool {
        let Seen { call, head, caller } = seen;
        let operation = &call.operation;
        let mut found = |value: Option<std::borrow::Cow<'_, [u8]>>| value.is_some_and(|value| text.value(value));
        match self {
            Self::Path(name) => return found(head.and_then(|head| request::path(call, head, name))),
            Self::Query(name) => return found(head.and_then(|head| request::query(head, name))),
            Self::Header(name) => return found(head.and_then(|head| request::header(head, name))),
            Self::Cookie(name) => return found(head.and_then(|head| request::cookie(head, name))),
            Self::Asked(asked) => return asked.write(call, *head, text),
            _ => {}
        }
        match self {
            Self::ClientAddress => text.value(call.client.to_string()),
            Self::RequestId => text.value(call.request_id.to_string()),
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
            Self::CertificateDigest => text.value(hex::encode(certificate.sha256)),
            Self::CertificateWhole => text.value(format!(":{}:", STANDARD.encode(&certificate.der))),
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
        value => scalar(value).is_some_and(|value| text.value(value)),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
