//! Request and response heads without the proxy's own header types.
//!
//! A header changed through the plain map of the proxy's type is lost on HTTP/1, and one removed that way panics when it is
//! written. These wrappers are the only way to a header, and they always change both of its places.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, uri::PathAndQuery};
use pingora_http::{RequestHeader, ResponseHeader};
use ref_cast::RefCast;

/// A header name or value that HTTP does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IllegalHeader;

impl std::fmt::Display for IllegalHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a legal header name or value")
    }
}

impl std::error::Error for IllegalHeader {}

/// Method, target and fields of a request. The path is in normal form.
#[derive(Debug, RefCast)]
#[repr(transparent)]
pub struct RequestHead(RequestHeader);

/// What a request asked for before a filter had it ask for something else.
#[derive(Clone, Debug)]
pub struct Former {
    /// The method.
    pub method: Method,
    /// The target, its path in normal form.
    pub target: Uri,
}

impl Former {
    /// What a request asked for at first, when a filter changed that.
    pub fn of(header: &RequestHeader) -> Option<&Self> {
        header.extensions.get()
    }
}

/// Status and fields of a response.
#[derive(Debug, RefCast)]
#[repr(transparent)]
pub struct ResponseHead(ResponseHeader);

/// A [`ResponseHead`] whose body has not gone out yet, so that its status may still change.
#[derive(Debug, RefCast)]
#[repr(transparent)]
pub struct AnswerHead(ResponseHead);

/// A status that no final answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IllegalStatus;

impl std::fmt::Display for IllegalStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not the status of a final answer: 200 to 599")
    }
}

impl std::error::Error for IllegalStatus {}

impl AnswerHead {
    /// Wraps the proxy's header for change.
    pub fn wrap_mut(header: &mut ResponseHeader) -> &mut Self {
        Self::ref_cast_mut(ResponseHead::wrap_mut(header))
    }

    /// A head of its own, for tests.
    ///
    /// # Errors
    /// When the status is not legal.
    pub fn build(status: u16) -> Result<Self, IllegalHeader> {
        ResponseHead::build(status).map(Self)
    }

    /// Another status. One without a body, such as 204, leaves the body out.
    ///
    /// # Errors
    /// When it is not from 200 to 599; the status then stays.
    pub fn set_status(&mut self, status: u16) -> Result<(), IllegalStatus> {
        let legal = (200..600).contains(&status);
        if legal { self.0.0.set_status(status).map_err(|_| IllegalStatus) } else { Err(IllegalStatus) }
    }
}

impl std::ops::Deref for AnswerHead {
    type Target = ResponseHead;

    fn deref(&self) -> &ResponseHead {
        &self.0
    }
}

impl std::ops::DerefMut for AnswerHead {
    fn deref_mut(&mut self) -> &mut ResponseHead {
        &mut self.0
    }
}

impl RequestHead {
    /// Wraps the proxy's header.
    pub fn wrap(header: &RequestHeader) -> &Self {
        Self::ref_cast(header)
    }

    /// Wraps the proxy's header for change.
    pub fn wrap_mut(header: &mut RequestHeader) -> &mut Self {
        Self::ref_cast_mut(header)
    }

    /// A head of its own, for tests.
    ///
    /// # Errors
    /// When method or path are not legal.
    pub fn build(method: &str, path: &str) -> Result<Self, IllegalHeader> {
        RequestHeader::build(method, path.as_bytes(), None).map(Self).map_err(|_| IllegalHeader)
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    /// The path in normal form, percent-encoded, with a leading slash.
    pub fn path(&self) -> &str {
        self.0.uri.path()
    }

    /// The query as sent, without the question mark.
    pub fn query(&self) -> Option<&str> {
        self.0.uri.query()
    }

    /// Another query, or none; the path stays.
    ///
    /// # Errors
    /// When it holds what no query may hold.
    pub fn set_query(&mut self, query: Option<&str>) -> Result<(), IllegalHeader> {
        let path = self.0.uri.path();
        let target = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        self.set_target(target.parse().map_err(|_| IllegalHeader)?)
    }

    /// Another path; the query stays. The operation stays too, and so does what was decided by it. What begins with the base path of the
    /// API goes upstream without it, as every path does; any other goes there whole. The gateway judges it when the chain is through.
    ///
    /// # Errors
    /// When it does not begin with a slash, or holds what no path may hold.
    pub fn set_path(&mut self, path: &str) -> Result<(), IllegalHeader> {
        if !path.starts_with('/') || path.contains(['?', '#']) {
            return Err(IllegalHeader);
        }
        let target = self.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        let target = target.parse().map_err(|_| IllegalHeader)?;
        self.remember();
        self.set_target(target)
    }

    /// Another method.
    ///
    /// # Errors
    /// For those that say how the answer is framed, HEAD and CONNECT, before and after.
    pub fn set_method(&mut self, method: Method) -> Result<(), IllegalHeader> {
        let frames = |method: &Method| matches!(*method, Method::HEAD | Method::CONNECT);
        if frames(&method) || frames(&self.0.method) {
            return Err(IllegalHeader);
        }
        self.remember();
        self.0.set_method(method);
        Ok(())
    }

    fn set_target(&mut self, target: PathAndQuery) -> Result<(), IllegalHeader> {
        let mut parts = self.0.uri.clone().into_parts();
        parts.path_and_query = Some(target);
        self.0.set_uri(Uri::from_parts(parts).map_err(|_| IllegalHeader)?);
        Ok(())
    }

    /// Keeps what is asked for, once.
    fn remember(&mut self) {
        if Former::of(&self.0).is_none() {
            let former = Former { method: self.0.method.clone(), target: self.0.uri.clone() };
            self.0.extensions_mut().insert(former);
        }
    }
}

impl ResponseHead {
    /// Wraps the proxy's header.
    pub fn wrap(header: &ResponseHeader) -> &Self {
        Self::ref_cast(header)
    }

    /// Wraps the proxy's header for change.
    pub fn wrap_mut(header: &mut ResponseHeader) -> &mut Self {
        Self::ref_cast_mut(header)
    }

    /// A head of its own, for tests.
    ///
    /// # Errors
    /// When the status is not legal.
    pub fn build(status: u16) -> Result<Self, IllegalHeader> {
        ResponseHeader::build(status, None).map(Self).map_err(|_| IllegalHeader)
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.0.status.as_u16()
    }

    /// Another status, of an answer whose body is on its way.
    ///
    /// # Errors
    /// When it, or the one before, is not that of a final answer with a body; the status then stays.
    pub fn set_status(&mut self, status: u16) -> Result<(), IllegalStatus> {
        let has_body = |status: u16| (200..600).contains(&status) && !matches!(status, 204 | 205 | 304);
        let legal = has_body(status) && has_body(self.status());
        if legal { self.0.set_status(status).map_err(|_| IllegalStatus) } else { Err(IllegalStatus) }
    }
}

/// Fields that speak of the bytes of a body.
const OF_BODY: [&str; 6] = ["content-length", "accept-ranges", "content-md5", "content-digest", "digest", "repr-digest"];

impl ResponseHead {
    /// Readies the head, in [`Filter::on_response`](crate::Filter::on_response), for a body that [`Filter::on_chunk`](crate::Filter::on_chunk)
    /// makes another one of: what speaks of its bytes goes, and a strong entity tag becomes a weak one (RFC 9110 §8.8.1). The gateway sees to the
    /// framing for a filter that [says](crate::Rewrites::heads) that it does so. Not for an answer that the gateway made, whose body does not stream.
    pub fn reframe(&mut self) {
        OF_BODY.into_iter().for_each(|name| self.remove(&HeaderName::from_static(name)));
        let strong = self.get(&header::ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""));
        if let Some(weak) = strong.and_then(|tag| HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()).ok()) {
            self.set(header::ETAG, weak);
        }
    }
}

macro_rules! fields {
    ($head:ty) => {
        impl $head {
            /// The first value of a field.
            pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
                self.0.headers.get(name)
            }

            /// Every value of a field, in order.
            pub fn get_all(&self, name: &HeaderName) -> impl Iterator<Item = &HeaderValue> {
                self.0.headers.get_all(name).iter()
            }

            /// Every field, in order of first appearance.
            pub fn fields(&self) -> &HeaderMap {
                &self.0.headers
            }

            /// Replaces every value of a field by this one.
            pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
                // Name and value are legal already; the size limit of the map cannot be reached by one more field.
                let _ = self.0.insert_header(name, value);
            }

            /// As [`set`](Self::set), by a name that HTTP/1 readers see as it is written. Cheaper, because nothing is copied.
            ///
            /// A name that is not legal sets nothing.
            pub fn set_named(&mut self, name: &'static str, value: HeaderValue) {
                let _ = self.0.insert_header(name, value);
            }

            /// Adds a value to a field.
            pub fn append(&mut self, name: HeaderName, value: HeaderValue) {
                let _ = self.0.append_header(name, value);
            }

            /// Removes every value of a field.
            pub fn remove(&mut self, name: &HeaderName) {
                self.0.remove_header(name);
            }
        }
    };
}

fields!(RequestHead);
fields!(ResponseHead);

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> RequestHead {
        RequestHead::build("POST", "/v1/a?x=1").expect("it is legal")
    }

    #[test]
    fn a_changed_request_remembers_what_it_asked_for_first() {
        let mut req = head();
        assert!(Former::of(&req.0).is_none());
        req.set_path("/v1/b").expect("it is legal");
        req.set_method(Method::PUT).expect("it is legal");
        req.set_path("/c").expect("it is legal");
        assert_eq!((req.method(), req.path(), req.query()), (&Method::PUT, "/c", Some("x=1")));
        let former = Former::of(&req.0).expect("it was changed");
        assert_eq!((&former.method, former.target.to_string().as_str()), (&Method::POST, "/v1/a?x=1"));
    }

    #[test]
    fn what_is_no_path_or_frames_the_answer_is_refused() {
        let mut req = head();
        for path in ["", "a", "/a?b", "/a#b", "/a b", "/a\r\n"] {
            assert!(req.set_path(path).is_err(), "{path:?}");
        }
        assert!(req.set_method(Method::HEAD).is_err() && req.set_method(Method::CONNECT).is_err());
        assert!(RequestHead::build("HEAD", "/").expect("it is legal").set_method(Method::GET).is_err());
        assert_eq!((req.method(), req.path()), (&Method::POST, "/v1/a"));
    }

    #[test]
    fn an_answer_on_its_way_keeps_having_a_body() {
        let mut resp = ResponseHead::build(200).expect("it is legal");
        assert!([100, 204, 205, 304, 600].iter().all(|status| resp.set_status(*status).is_err()));
        resp.set_status(404).expect("it is legal");
        assert_eq!(resp.status(), 404);
        assert!(ResponseHead::build(204).expect("it is legal").set_status(200).is_err());
    }
}
