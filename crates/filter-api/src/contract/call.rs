//! What is fixed about a request before the first filter sees it.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Instant, SystemTime},
};

use http::HeaderValue;

use crate::{Moment, RequestId};

/// The operation a request was routed to. One for each operation, made at load.
#[derive(Clone, Debug, Default)]
pub struct OperationInfo {
    /// `info.title` of the API.
    pub api: String,
    /// `info.version` of the API.
    pub version: String,
    /// Base path of the API.
    pub base_path: String,
    /// `operationId`, or method and template.
    pub id: String,
    /// Path template below the base path.
    pub template: String,
    /// Method; empty for a synthetic one.
    pub method: String,
    /// Methods declared on the same path, sorted.
    pub path_methods: Vec<String>,
}

/// What is below a base path: the path without as many segments as that has.
pub fn below<'p>(path: &'p str, base_path: &str) -> &'p str {
    let segments = base_path.split('/').filter(|segment| !segment.is_empty()).count();
    let slash = path.char_indices().filter(|(_, c)| *c == '/').nth(segments);
    slash.map_or("", |(at, _)| &path[at..])
}

/// The request as the gateway sees it, beside its header.
#[derive(Clone, Debug)]
pub struct Call {
    /// The operation.
    pub operation: Arc<OperationInfo>,
    /// Address of the client: the connection's, or what a trusted proxy says.
    pub client: IpAddr,
    /// Whether the client's connection is encrypted.
    pub secure: bool,
    /// Host that the request asks for, with a port if it has one, in normal form. Empty for HTTP/1.0 without a host.
    pub host: Arc<str>,
    /// Whether the request has a body, be it an empty one whose end was not announced.
    pub has_body: bool,
    /// Wall-clock time at which the request came, for comparison with times that others wrote down.
    pub now: SystemTime,
    /// The same moment on the clock that never steps, for ages.
    pub instant: Instant,
    /// The request's id, in the log and in error answers.
    pub request_id: RequestId,
    /// What trusted proxies say of it. The fields that say so are not in the header that filters see: the gateway writes them anew
    /// when the request goes upstream.
    pub forwarded: Option<Box<Forwarded>>,
}

impl Call {
    /// When the request came.
    pub fn moment(&self) -> Moment {
        Moment { wall: self.now, instant: self.instant }
    }
}

/// A request as it was before it came through trusted proxies, in their words.
#[derive(Clone, Debug, Default)]
pub struct Forwarded {
    /// The addresses it came by, that of the last proxy included.
    pub addresses: Option<HeaderValue>,
    /// `http` or `https`.
    pub scheme: Option<HeaderValue>,
    /// The host that the client asked for.
    pub host: Option<HeaderValue>,
}
