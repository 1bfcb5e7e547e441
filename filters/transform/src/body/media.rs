//! What a head says of its body.

use http::{
    HeaderMap, HeaderValue,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use tollgate_filter_api::essence;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// `application/json` and all `+json`.
    Json,
    /// `application/xml`, `text/xml` and all `+xml`.
    Xml,
}

impl Notation {
    /// Whether a head says that its body is of this notation. Of several types nobody knows which one is meant.
    pub fn is_of(self, fields: &HeaderMap) -> bool {
        let mut types = fields.get_all(CONTENT_TYPE).iter();
        let only = types.next().filter(|_| types.next().is_none());
        only.and_then(|value| value.to_str().ok()).and_then(essence).and_then(Self::of) == Some(self)
    }

    /// That of a media type without parameters.
    pub fn of(essence: &str) -> Option<Self> {
        let (kind, sub) = essence.split_once('/')?;
        let ends =
            |suffix: &str| sub.len() > suffix.len() && sub.as_bytes()[sub.len() - suffix.len()..].eq_ignore_ascii_case(suffix.as_bytes());
        let is_text = kind.eq_ignore_ascii_case("text");
        if !is_text && (sub.eq_ignore_ascii_case("json") || ends("+json")) {
            return Some(Self::Json);
        }
        (sub.eq_ignore_ascii_case("xml") || ends("+xml")).then_some(Self::Xml)
    }

    /// The media types of this notation.
    pub fn media_types(self) -> Vec<String> {
        let types: &[&str] = match self {
            Self::Json => &["application/json", "application/*+json"],
            Self::Xml => &["application/xml", "text/xml", "application/*+xml"],
        };
        types.iter().map(|one| (*one).to_owned()).collect()
    }

    /// The media type of what a conversion writes.
    pub fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml; charset=utf-8",
        })
    }
}

/// The `Content-Encoding` of a body.
pub struct Coding(Option<String>);

impl Coding {
    /// What the head says.
    pub fn of(fields: &HeaderMap) -> Self {
        let mut codings = fields.get_all(CONTENT_ENCODING).iter().peekable();
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Self(codings.peek().is_some().then(|| codings.map(text).collect::<Vec<_>>().join(",")))
    }

    /// Its text.
    pub fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }
}
