//! What the service decided, whichever way it was asked.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};
use tollgate_filter_api::reserved;

use crate::lists::List;

/// A decision, reduced to what the settings let through.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Allowed(Box<Allowed>),
    Denied(Denied),
}

/// What comes with a request that may pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowed {
    /// For the upstream.
    pub upstream: Vec<(HeaderName, HeaderValue)>,
    /// Fields of the request that go.
    pub removed: Vec<HeaderName>,
    /// For the client, beside the upstream's.
    pub client: Vec<(HeaderName, HeaderValue)>,
    /// Parameters of the query: those that go, and those that come with a value.
    pub query_removed: Vec<String>,
    pub query_set: Vec<(String, String)>,
}

/// What the client of a refused request gets.
#[derive(Clone, Debug)]
pub(crate) struct Denied {
    pub status: u16,
    pub fields: Vec<(HeaderName, HeaderValue)>,
    pub body: Bytes,
}

impl Denied {
    /// `None` for a status that no answer of ours can have.
    pub fn new(status: u16, fields: &HeaderMap, client: &List, body: Bytes) -> Option<Self> {
        if !(200..=599).contains(&status) {
            return None;
        }
        let body = if matches!(status, 204 | 205 | 304) { Bytes::new() } else { body };
        let is_for_client = |name: &HeaderName| client.has(name.as_str()) || (*name == CONTENT_TYPE && !body.is_empty());
        let fields = fields.iter().filter(|(name, _)| is_for_client(name) && reserved(name.as_str()).is_none());
        let fields = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
        Some(Self { status, fields, body })
    }
}

/// Fields of a list, without reserved ones.
pub(crate) fn listed(fields: &HeaderMap, is_listed: impl Fn(&HeaderName) -> bool) -> Vec<(HeaderName, HeaderValue)> {
    let allowed = fields.iter().filter(|(name, _)| is_listed(name) && reserved(name.as_str()).is_none());
    allowed.map(|(name, value)| (name.clone(), value.clone())).collect()
}
