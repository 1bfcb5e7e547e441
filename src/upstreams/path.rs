//! The request target that an upstream gets.

use super::Upstream;

/// Endpoint path, then the request's path without the API's base path, then both queries, the endpoint's first. There is a
/// slash at its end only when the client sent one, or when nothing else is there.
///
/// `path` is in normal form and begins with the base path, which is `base_len` bytes long (0 for the root API).
pub fn outgoing(upstream: &Upstream, base_len: usize, path: &str, query: Option<&str>) -> String {
    let rest = path.get(base_len..).unwrap_or_default();
    let own_query = upstream.query.as_deref();
    let length = upstream.path.len() + 1 + rest.len() + own_query.map_or(0, |q| q.len() + 1) + query.map_or(0, |q| q.len() + 1);
    let mut out = String::with_capacity(length);
    out.push_str(&upstream.path);
    out.push_str(rest);
    if out.is_empty() {
        out.push('/');
    }
    let mut mark = '?';
    for part in [own_query, query].into_iter().flatten() {
        out.push(mark);
        out.push_str(part);
        mark = '&';
    }
    out
}
