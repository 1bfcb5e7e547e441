//! Bodies that a filter has for refusals of the gateway.

use bytes::Bytes;
use http::HeaderValue;

use crate::{Call, Filter, Reason, RequestHead};

/// A body for a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What it is.
    pub content_type: HeaderValue,
    /// The bytes.
    pub body: Bytes,
}

/// What a filter has before it in [`Filter::page`].
pub struct PageCx<'a, F: Filter> {
    /// The request, as far as it had come.
    pub req: &'a RequestHead,
    /// The status that the client gets.
    pub status: u16,
    /// Why the request is refused.
    pub reason: &'static Reason,
    /// What is fixed about it.
    pub call: &'a Call,
    /// The filter's scratch.
    pub state: &'a mut F::State,
}
