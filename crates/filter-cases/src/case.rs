//! The format of `cases/*.yaml`: settings, and requests with what must come of them. The manual shows the same files.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use tollgate_document::{Document, Limits};
use tollgate_filter_api::{Certificate, Interval, KeyType, NoCertificate, OperationInfo, Peer, Principal, PrincipalParts};

/// One file: settings, and requests that run in order through one filter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// What the file shows, one sentence; a heading of the manual.
    pub about: String,
    /// The filter's settings.
    pub config: Value,
    /// What the definition says to the filter of the operation.
    #[serde(default)]
    pub declared: Value,
    /// What the project says to the filter once for all operations.
    #[serde(default)]
    pub declared_once: Value,
    /// Documents of the world, by path or URL, as text.
    #[serde(default)]
    pub documents: BTreeMap<String, String>,
    /// A world that the filter's tests make, by its name: see [`Conformance::with_world`](crate::Conformance::with_world).
    #[serde(default)]
    pub world: Option<String>,
    /// The operation that the requests of this file are routed to, where it matters.
    #[serde(default)]
    pub operation: CaseOperation,
    /// The requests.
    pub cases: Vec<Case>,
}

/// One request and what must come of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// A sentence.
    pub name: String,
    /// Time that passes before it.
    #[serde(default)]
    pub after: Interval,
    /// The request.
    pub request: CaseRequest,
    /// Facts that earlier filters gave.
    #[serde(default)]
    pub given: Given,
    /// Whether the filter may wait here.
    #[serde(default)]
    pub may_wait: bool,
    /// What must come of it.
    pub expect: Expected,
    /// The answer on its way back, and what the filter makes of it.
    pub response: Option<CaseResponse>,
}

/// A request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseRequest {
    /// The method.
    #[serde(default = "get")]
    pub method: String,
    /// Path and query.
    #[serde(default = "root")]
    pub path: String,
    /// Headers besides `host`.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderText>,
    /// The body, for a filter that reads it.
    pub body: Option<String>,
    /// Address of the client.
    pub client: Option<IpAddr>,
    /// Whether the connection is encrypted; it is unless this says otherwise.
    pub secure: Option<bool>,
}

fn get() -> String {
    "GET".into()
}

fn root() -> String {
    "/".into()
}

/// The operation; what is not written is taken from the request.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseOperation {
    api: Option<String>,
    version: Option<String>,
    base_path: Option<String>,
    id: Option<String>,
    template: Option<String>,
    path_methods: Option<Vec<String>>,
    /// An OPTIONS that the definition does not declare.
    #[serde(default)]
    synthetic: bool,
}

impl CaseOperation {
    pub(crate) fn complete(&self, request: &CaseRequest) -> OperationInfo {
        let path = request.path.split('?').next().unwrap_or_default();
        let template = self.template.clone().unwrap_or_else(|| path.to_owned());
        let method = if self.synthetic { String::new() } else { request.method.clone() };
        OperationInfo {
            api: self.api.clone().unwrap_or_else(|| "Test".into()),
            version: self.version.clone().unwrap_or_else(|| "1.0.0".into()),
            base_path: self.base_path.clone().unwrap_or_else(|| "/".into()),
            id: self.id.clone().unwrap_or_else(|| format!("{} {template}", request.method)),
            path_methods: self.path_methods.clone().unwrap_or_else(|| vec![request.method.clone()]),
            template,
            method,
        }
    }
}

/// One value of a header, several, or none at all.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum HeaderText {
    /// The header is absent.
    Absent,
    /// One value.
    One(String),
    /// Several values, in order.
    Many(Vec<String>),
}

impl HeaderText {
    /// The values.
    pub fn values(&self) -> &[String] {
        match self {
            Self::Absent => &[],
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

/// Facts that earlier filters gave. A new kind of fact gets its field here.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    #[serde(default, deserialize_with = "principal")]
    /// Who is known to call.
    pub principal: Option<Principal>,
    #[serde(default, deserialize_with = "peer")]
    /// What TLS knows of the client.
    pub peer: Option<Peer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PrincipalText {
    filter: String,
    subject: Option<String>,
    issuer: Option<String>,
    client: Option<String>,
    scopes: Vec<String>,
    sandbox: bool,
    claims: Map<String, Value>,
}

impl Default for PrincipalText {
    fn default() -> Self {
        let (scopes, claims) = (Vec::new(), Map::new());
        Self { filter: "test".into(), subject: None, issuer: None, client: None, scopes, sandbox: false, claims }
    }
}

/// `anonymous`, or what a filter vouches for.
fn principal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Principal>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    if value == "anonymous" {
        return Ok(Some(Principal::anonymous()));
    }
    let text: PrincipalText = serde_json::from_value(value).map_err(serde::de::Error::custom)?;
    Ok(Some(Principal::new(PrincipalParts {
        // Few and short, and gone with the test.
        filter: text.filter.leak(),
        subject: text.subject,
        issuer: text.issuer,
        client: text.client,
        scopes: text.scopes,
        key_type: if text.sandbox { KeyType::Sandbox } else { KeyType::Production },
        claims: text.claims,
        ..PrincipalParts::default()
    })))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum PeerText {
    Anonymous(String),
    Certified(CertificateText),
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CertificateText {
    subject: String,
    issuer: String,
    dns: Vec<String>,
    uri: Vec<String>,
    email: Vec<String>,
    ip: Vec<IpAddr>,
    forwarded: bool,
}

impl CertificateText {
    /// The digest is made up: as different as the texts are.
    fn certificate(self) -> Certificate {
        let mut sha256 = [0; 32];
        for (at, byte) in self.subject.bytes().chain(self.issuer.bytes()).enumerate() {
            let digit: &mut u8 = &mut sha256[at % 32];
            *digit = digit.wrapping_mul(31).wrapping_add(byte);
        }
        Certificate {
            der: Vec::new(),
            sha256,
            subject: self.subject,
            issuer: self.issuer,
            dns_names: self.dns,
            uri_names: self.uri,
            email_names: self.email,
            ip_names: self.ip,
            forwarded: self.forwarded,
        }
    }
}

/// Why there is no certificate, or what a verified one says.
fn peer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Peer>, D::Error> {
    let why = match PeerText::deserialize(deserializer)? {
        PeerText::Certified(text) => return Ok(Some(Peer::Certified(Arc::new(text.certificate())))),
        PeerText::Anonymous(why) => why,
    };
    let why = match why.as_str() {
        "plain" => NoCertificate::Plain,
        "not_asked" => NoCertificate::NotAsked,
        "not_sent" => NoCertificate::NotSent,
        "not_trusted" => NoCertificate::NotTrusted { sha256: None },
        other => return Err(serde::de::Error::custom(format_args!("expected plain, not_asked, not_sent or not_trusted, found {other:?}"))),
    };
    Ok(Some(Peer::Anonymous(why)))
}

/// What must come of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Expected {
    /// It goes upstream.
    Pass(Passed),
    /// It is refused.
    Refused(Refused),
    /// It is answered in place of the upstream.
    Reply(Refused),
    /// The filter cannot decide.
    Fault(String),
}

/// A request that goes upstream.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passed {
    /// Every header that the filter changed on the way upstream, `null` for one that is gone. No other may change.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderText>,
    /// Parts of the principal that is known then: `subject`, `issuer`, `client`, `scopes`, `sandbox`.
    #[serde(default)]
    pub principal: BTreeMap<String, Value>,
    /// The body, when the filter puts another in its place.
    pub body: Option<String>,
    /// The method, when the filter puts another in its place.
    pub method: Option<String>,
    /// Path and query, when the filter puts others in their place.
    pub path: Option<String>,
}

/// A request that ends in the gateway.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// ID of the reason.
    pub reason: String,
    /// Headers of the answer; others may be there.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderText>,
}

/// An answer on its way to the client.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseResponse {
    /// Its status.
    #[serde(default = "ok")]
    pub status: u16,
    /// Headers that the upstream, or the gateway, sent.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderText>,
    /// Every header that the filter changed, `null` for one that is gone. No other may change.
    #[serde(default)]
    pub expect: BTreeMap<String, HeaderText>,
    /// The gateway made it, to refuse the request, and asks the filter for its body.
    #[serde(default)]
    pub own: bool,
    /// The upstream's body, for a filter that reads such an answer whole.
    pub body: Option<String>,
    /// What the filter makes of status and body. What is not listed stays as it is.
    #[serde(default)]
    pub becomes: Becomes,
    /// The filter refuses the answer.
    pub refused: Option<Refused>,
    /// The filter cannot decide about the answer.
    pub fault: Option<String>,
}

/// What a filter makes of an answer that it reads whole.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Becomes {
    /// Another status.
    pub status: Option<u16>,
    /// Another body.
    pub body: Option<String>,
}

fn ok() -> u16 {
    200
}

impl CaseFile {
    /// Reads a file.
    ///
    /// # Errors
    /// A sentence that names file and line.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let document = Document::parse(name, text.as_bytes(), &Limits::default()).map_err(|problems| problems.to_string())?;
        document.decode("").map_err(|problem| problem.to_string())
    }
}
