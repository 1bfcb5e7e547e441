//! What tells requests apart that are counted apart.

use std::{borrow::Cow, net::IpAddr, ops::Deref};

use openssl::sha::sha256;
use serde_json::Value;
use tollgate_filter_api::{Call, Credentials, HeaderName, KeyType, Peer, RequestHead};

use crate::limits::{params, tiers};

/// Something of a request by which it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Address,
    Api,
    Operation,
    Subject,
    Client,
    Issuer,
    KeyType,
    Certificate,
    Claim(Box<str>),
    Header(HeaderName),
    Query(Box<str>),
    Path(Box<str>),
    /// The application of a tier: `application.id`.
    Application,
    /// In its place, of a credential that tells of no application: the client, or the subject.
    Other,
}

/// What is known of a request.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub req: &'a RequestHead,
    pub call: &'a Call,
    pub credentials: Credentials<'a>,
    pub peer: &'a Peer,
}

/// Names as they are written, in the order of the manual.
const NAMES: [(&str, Part); 8] = [
    ("client.address", Part::Address),
    ("api", Part::Api),
    ("operation", Part::Operation),
    ("principal.subject", Part::Subject),
    ("principal.client", Part::Client),
    ("principal.issuer", Part::Issuer),
    ("principal.key_type", Part::KeyType),
    ("certificate.sha256", Part::Certificate),
];

impl Part {
    /// The part of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name.split_once('.') {
            Some((_, "")) => return None,
            Some(("claim", name)) => return Some(Self::Claim(name.into())),
            Some(("header", name)) => return HeaderName::from_bytes(name.as_bytes()).ok().map(Self::Header),
            Some(("query", name)) => return Some(Self::Query(name.into())),
            Some(("path", name)) => return Some(Self::Path(name.into())),
            _ => {}
        }
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, part)| part.clone())
    }

    /// Every name, for a hint.
    pub(crate) fn names() -> String {
        let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        format!("{}, claim.NAME, header.NAME, query.NAME, path.NAME", names.join(", "))
    }

    /// Whether a client can have as many of them as it likes.
    pub(crate) fn is_chosen_by_clients(&self) -> bool {
        matches!(self, Self::Address | Self::Header(_) | Self::Query(_) | Self::Path(_))
    }

    /// Whether all requests to an operation have the same.
    pub(crate) fn is_of_operation(&self) -> bool {
        matches!(self, Self::Api | Self::Operation)
    }

    /// What an operator reads of it. What a client sends as it likes may be a secret, so of that a digest is shown: the beginning of its SHA-256.
    pub(crate) fn shown(&self, seen: Seen<'_>) -> String {
        let value = self.of(seen);
        match self {
            Self::Address => seen.call.client.to_canonical().to_string(),
            Self::Header(_) | Self::Query(_) | Self::Certificate => {
                let digest = if matches!(self, Self::Certificate) { value.to_vec() } else { sha256(&value).to_vec() };
                digest.iter().take(6).fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
            }
            _ => String::from_utf8_lossy(&value).into_owned(),
        }
    }

    /// What this request has of it. Without it, the request is counted with all others that have none: who leaves out a header must not get
    /// round a limit.
    pub(crate) fn of<'a>(&'a self, seen: Seen<'a>) -> PartValue<'a> {
        let text = |text: &'a Option<String>| Cow::Borrowed(text.as_deref().unwrap_or_default().as_bytes());
        let (operation, principal) = (&seen.call.operation, seen.credentials.first);
        let application = || seen.credentials.iter().find_map(tiers::application_id);
        PartValue::Text(match self {
            Self::Address => return network(seen.call.client),
            Self::Api => Cow::Borrowed(operation.base_path.as_bytes()),
            Self::Operation => Cow::Borrowed(operation.id.as_bytes()),
            Self::Subject => text(&principal.subject),
            Self::Client => text(&principal.client),
            Self::Issuer => text(&principal.issuer),
            Self::KeyType => Cow::Borrowed(match principal.key_type {
                KeyType::Production => b"production",
                KeyType::Sandbox => b"sandbox",
            }),
            Self::Certificate => match seen.peer {
                Peer::Certified(certificate) => Cow::Borrowed(&certificate.sha256),
                Peer::Anonymous(_) => Cow::Borrowed(&[]),
            },
            Self::Claim(name) => principal.claims.get(&**name).map_or(Cow::Borrowed(&[]), self::text),
            Self::Application => application().map_or(Cow::Borrowed(&[]), self::text),
            Self::Other if application().is_some() => Cow::Borrowed(&[]),
            Self::Other if principal.client.is_some() => text(&principal.client),
            Self::Other => text(&principal.subject),
            Self::Header(name) => joined(seen.req.get_all(name).map(|value| Cow::Borrowed(value.as_bytes()))),
            Self::Query(name) => joined(params::query(seen.req.query(), name)),
            Self::Path(name) => params::path(seen.req.path(), operation, name).unwrap_or_default(),
        })
    }
}

/// What a request has of a part.
pub(crate) enum PartValue<'a> {
    /// As it is known.
    Text(Cow<'a, [u8]>),
    /// The beginning of an address: so many bytes of it.
    Network([u8; 16], usize),
}

impl Deref for PartValue<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Text(text) => text,
            Self::Network(address, length) => &address[..*length],
        }
    }
}

/// An address of IPv4; of IPv6 the network of 64 bits, in which one client has every address.
pub(crate) fn network(address: IpAddr) -> PartValue<'static> {
    let mut bytes = [0; 16];
    match address.to_canonical() {
        IpAddr::V4(address) => {
            bytes[..4].copy_from_slice(&address.octets());
            PartValue::Network(bytes, 4)
        }
        IpAddr::V6(address) => PartValue::Network(address.octets(), 8),
    }
}

/// A claim as text.
pub(crate) fn text(value: &Value) -> Cow<'_, [u8]> {
    match value {
        Value::String(text) => Cow::Borrowed(text.as_bytes()),
        Value::Null => Cow::Borrowed(&[]),
        other => Cow::Owned(other.to_string().into_bytes()),
    }
}

/// All values of a field or a parameter: who sends it twice is not two.
fn joined<'a>(mut values: impl Iterator<Item = Cow<'a, [u8]>>) -> Cow<'a, [u8]> {
    let Some(first) = values.next() else { return Cow::Borrowed(&[]) };
    match values.next() {
        None => first,
        Some(second) => Cow::Owned([first, second].into_iter().chain(values).collect::<Vec<_>>().join(&b","[..])),
    }
}
