//! What nobody should forward: refused before anything else looks at a request.
//!
//! The engine's parser has refused malformed messages by now (RFC 9112), and `proxy::wire` has found the end of the message. What
//! is left is what they accept and an upstream may read otherwise, for instance a second spelling of a field the gateway owns.

use std::sync::Arc;

use http::{HeaderValue, Method, Uri, Version, header};
use pingora_http::RequestHeader;
use tollgate_filter_api::{Answer, Cause, CauseKind, Reason, Rule, Shown};

use super::refusal::Refusal;
use crate::{
    chain::gateway as reasons,
    config::Limits,
    fields::is_plain,
    judge::fields::{
        families::{Families, Kind},
        reserved::ReservedFields,
        via::Via,
    },
    routes::{
        Rejection,
        host::{self, LastHost},
        normal,
    },
};

/// Which fields a head has that need more work later on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldsPresent {
    /// A `Connection`.
    pub connection: bool,
    /// An `Upgrade`.
    pub upgrade: bool,
    /// More than one `Cookie`.
    pub crumbs: bool,
    /// A `Content-Length`.
    pub length: bool,
    /// A `Transfer-Encoding`.
    pub coding: bool,
    /// One that only a proxy can know the value of.
    pub forwarding: bool,
    /// One that a filter owns.
    pub reserved: bool,
}

/// What a head is judged by.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// What it may spend.
    pub limits: &'a Limits,
    /// Fields that filters own.
    pub reserved: &'a ReservedFields,
    /// Fields that only a proxy can know the value of.
    pub families: &'a Families,
    /// The gateway's name among those that the request has passed.
    pub via: &'a Via,
}

/// Judges a head, in one pass over its fields. The host in normal form comes back.
///
/// # Errors
/// Why it is refused.
pub fn admit(req: &RequestHeader, rules: Rules<'_>, last_host: Option<&LastHost>) -> Result<(Arc<str>, FieldsPresent), Refusal> {
    let target = req.raw_path().len();
    let limits = rules.limits;
    if target as u64 > limits.target_bytes.0 {
        let cause = Cause::new(CauseKind::OverLimit, "request target", Rule::Gateway("/limits/target_bytes"));
        let cause = cause.seen(Shown::Bytes(target as u64)).wanted(Shown::Bytes(limits.target_bytes.0));
        return Err(Refusal::over(&reasons::TARGET_BYTES, |limits| &limits.target_bytes, cause));
    }
    let fields = Fields::read(req, rules);
    fields.size(target, limits)?;
    fields.framing(req.version)?;
    if fields.illegal {
        return Err(reasons::FIELD.because(illegal(req, rules)).into());
    }
    if fields.overridden {
        let cause = Cause::new(CauseKind::Ambiguous, "method", Rule::Fixed("the method is not overridden"));
        return Err(reasons::OVERRIDE.because(cause.wanted(Shown::sent(req.method.as_str()))).into());
    }
    if fields.visits > 0 && rules.via.is_circle(fields.visits) {
        let cause = Cause::new(CauseKind::Replayed, "request", Rule::Gateway("/forwarding/returns"));
        return Err(reasons::LOOP.because(cause.detail("`Via` names this gateway").seen(fields.visits)).into());
    }
    fields.expectation()?;
    Ok((host_of(req, &fields.host, last_host)?, fields.present))
}

/// Takes a target in absolute form apart (RFC 9112 §3.2.2): the engine reads every HTTP/1 target as a path.
///
/// # Errors
/// When it is neither a path nor an absolute URI of HTTP.
pub fn absolute(req: &mut RequestHeader) -> Result<(), &'static Rejection> {
    if req.uri.authority().is_some() || req.raw_path().first() == Some(&b'/') {
        return Ok(());
    }
    let uri = Uri::try_from(req.raw_path()).map_err(|_| &normal::FORM)?;
    if uri.authority().is_none() || !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(&normal::FORM);
    }
    req.set_uri(uri);
    Ok(())
}

/// Whether a refusal leaves the connection in doubt, so that it must be closed. One whose certificate is no longer good is of no
/// use: the next handshake is refused.
pub fn closes(reason: &Reason) -> bool {
    matches!(reason.status, 400 | 413 | 414 | 417 | 431) || reason.id == reasons::CERTIFICATE.id
}

/// Whether a reader of HTTP/1.0 could take what follows a request for its body: such a request must tell its length (RFC 1945 §8.3).
pub fn may_end_with_the_connection(req: &RequestHeader) -> bool {
    !matches!(req.method, Method::GET | Method::HEAD) && !req.headers.contains_key(header::CONTENT_LENGTH)
}

/// A field that may be sent once.
#[derive(Default)]
struct Single<'h> {
    value: Option<&'h HeaderValue>,
    twice: bool,
}

impl<'h> Single<'h> {
    fn add(&mut self, value: &'h HeaderValue) {
        self.twice |= self.value.replace(value).is_some();
    }
}

/// All that is judged of the fields.
#[derive(Default)]
struct Fields<'h> {
    host: Single<'h>,
    length: Single<'h>,
    coding: Single<'h>,
    expect: Single<'h>,
    /// There was a `Cookie`.
    cookie: bool,
    /// Fields, each cookie one of its own.
    count: usize,
    bytes: usize,
    illegal: bool,
    /// The upstream is told another method than the request's.
    overridden: bool,
    /// How often it has been here before.
    visits: usize,
    present: FieldsPresent,
}

impl<'h> Fields<'h> {
    fn read(req: &'h RequestHeader, rules: Rules<'_>) -> Self {
        let mut fields = Self::default();
        for (name, value) in &req.headers {
            let text = name.as_str();
            fields.count += 1;
            // Name, colon, space, value, line end: what it takes on HTTP/1.
            fields.bytes += text.len() + value.len() + 4;
            match text {
                "host" => fields.host.add(value),
                "content-length" => fields.length.add(value),
                "transfer-encoding" => fields.coding.add(value),
                "expect" => fields.expect.add(value),
                "connection" => fields.present.connection = true,
                "upgrade" => fields.present.upgrade = true,
                "cookie" => {
                    fields.present.crumbs |= std::mem::replace(&mut fields.cookie, true);
                    fields.count += memchr::memchr_iter(b';', value.as_bytes()).count();
                }
                _ => {
                    if let Some(kind) = rules.families.kind_of(text) {
                        fields.special(kind, text, value, req, rules.via);
                    }
                }
            }
            fields.present.reserved |= rules.reserved.holds(name);
            fields.illegal |= is_illegal(value);
        }
        fields.present.length = fields.length.value.is_some();
        fields.present.coding = fields.coding.value.is_some();
        fields
    }

    fn special(&mut self, kind: Kind, name: &str, value: &HeaderValue, req: &RequestHeader, via: &Via) {
        match kind {
            Kind::Own => {
                self.present.forwarding = true;
                self.illegal |= !is_plain(name);
            }
            Kind::Certificate | Kind::Proxy => self.present.forwarding = true,
            Kind::Id | Kind::Framing => self.illegal |= !is_plain(name),
            Kind::Method => self.overridden |= !value.as_bytes().eq_ignore_ascii_case(req.method.as_str().as_bytes()),
            Kind::Via => self.visits += via.visits(value),
        }
    }

    fn size(&self, target: usize, limits: &Limits) -> Result<(), Refusal> {
        if self.count > limits.header_fields {
            let cause = Cause::new(CauseKind::OverLimit, "number of fields", Rule::Gateway("/limits/header_fields"));
            let cause = cause.seen(self.count).wanted(limits.header_fields);
            return Err(Refusal::over(&reasons::HEADER_FIELDS, |limits| &limits.header_fields, cause));
        }
        let bytes = (self.bytes + target) as u64;
        if bytes > limits.header_bytes.0 {
            let cause = Cause::new(CauseKind::OverLimit, "header", Rule::Gateway("/limits/header_bytes"));
            let cause = cause.seen(Shown::Bytes(bytes)).wanted(Shown::Bytes(limits.header_bytes.0));
            return Err(Refusal::over(&reasons::HEADER_BYTES, |limits| &limits.header_bytes, cause));
        }
        Ok(())
    }

    /// RFC 9112 §6: one way to tell where a message ends.
    fn framing(&self, version: Version) -> Result<(), Answer> {
        let number = |value: &HeaderValue| !value.is_empty() && value.as_bytes().iter().all(u8::is_ascii_digit);
        let chunked = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
        let (length, coding) = (&self.length, &self.coding);
        let told_twice = length.twice || coding.twice || (length.value.is_some() && coding.value.is_some());
        let unknown = !length.value.is_none_or(number) || !coding.value.is_none_or(chunked);
        let too_old = coding.value.is_some() && version != Version::HTTP_11;
        match () {
            () if told_twice => Err(misframed("`Content-Length` and `Transfer-Encoding` say it more than once")),
            () if unknown => Err(misframed("a `Content-Length` that is not one number, or another coding than `chunked`")),
            () if too_old => Err(misframed("a `Transfer-Encoding` where HTTP/1.1 is not spoken")),
            () => Ok(()),
        }
    }

    fn expectation(&self) -> Result<(), Answer> {
        let known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
        let Some(value) = self.expect.value.filter(|value| self.expect.twice || !known(value)) else { return Ok(()) };
        let cause = Cause::new(CauseKind::NotAllowed, "field `Expect`", Rule::Fixed("RFC 9110 §10.1.1"));
        Err(reasons::EXPECT.because(cause.seen(Shown::bytes_sent(value.as_bytes())).wanted("100-continue, once")))
    }
}

/// Two readers could find different ends of a message.
pub fn misframed(detail: &'static str) -> Answer {
    reasons::FRAMING.because(Cause::new(CauseKind::Ambiguous, "end of the message", Rule::Fixed("RFC 9112 §6.3")).detail(detail))
}

/// The first field that is illegal.
fn illegal(req: &RequestHeader, rules: Rules<'_>) -> Cause {
    let imitates = |name: &str| matches!(rules.families.kind_of(name), Some(Kind::Own | Kind::Id | Kind::Framing)) && !is_plain(name);
    let wrong = req.headers.iter().find(|(name, value)| is_illegal(value) || imitates(name.as_str()));
    let cause = match wrong {
        Some((_, value)) if is_illegal(value) => Cause::new(CauseKind::Malformed, "value of a field", Rule::Fixed("RFC 9110 §5.5")),
        _ => Cause::new(CauseKind::NotAllowed, "name of a field", Rule::Fixed("the gateway owns the field that it imitates")),
    };
    match wrong {
        Some((name, _)) => cause.seen(Shown::sent(name.as_str())),
        None => cause,
    }
}

/// What must not stand in a value (RFC 9110 §5.5). The parsers of both versions refuse control characters; a second look at the three
/// that could split a message costs little. Blanks around a value, which HTTP/1 has no way to say, pass the parser of HTTP/2
/// (RFC 9113 §8.2.1), and an upstream would read another value than a filter.
fn is_illegal(value: &HeaderValue) -> bool {
    let value = value.as_bytes();
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    memchr::memchr3(b'\0', b'\r', b'\n', value).is_some() || blank(value.first()) || blank(value.last())
}

/// Puts the crumbs of a cookie together, as RFC 9113 §8.2.3 wants it where HTTP/2 ends: who reads one field only would miss the rest.
///
/// # Errors
/// Never in practice: what is joined was legal.
pub fn join_crumbs(req: &mut RequestHeader) -> Result<(), Answer> {
    let unfit = |why: String| {
        reasons::FIELD.because(Cause::new(CauseKind::Malformed, "field `Cookie`", Rule::Fixed("RFC 9113 §8.2.3")).detail(why))
    };
    let crumbs: Vec<&[u8]> = req.headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    let joined = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])).map_err(|error| unfit(error.to_string()))?;
    req.insert_header(header::COOKIE, joined).map_err(|error| unfit(error.to_string()))
}

/// Whether the target in a raw head has a fragment (RFC 9112 §3.2 knows none). The engine cuts it off, so a parsed header no longer
/// tells.
pub fn has_fragment(raw: &[u8]) -> bool {
    if memchr::memchr(b'#', raw).is_none() {
        return false;
    }
    let mut lines = raw.split(|byte| *byte == b'\n');
    let line = lines.find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    memchr::memchr(b' ', line).is_some_and(|end| memchr::memchr(b'#', &line[end..]).is_some())
}

/// RFC 9112 §3.2, RFC 9113 §8.3.1: exactly one host, and the authority of the target agrees with it.
fn host_of(req: &RequestHeader, sent: &Single<'_>, last_host: Option<&LastHost>) -> Result<Arc<str>, &'static Rejection> {
    if sent.twice {
        return Err(&host::HOST);
    }
    let field = sent.value.map(HeaderValue::as_bytes);
    let authority = req.uri.authority().map(|authority| authority.as_str().as_bytes());
    if let (Some(field), Some(authority)) = (field, authority)
        && host::normalize(field)? != host::normalize(authority)?
    {
        return Err(&host::HOST);
    }
    match field.or(authority) {
        Some(sent) => last_host.map_or_else(|| host::text(sent), |last| last.text(sent)),
        None if req.version == Version::HTTP_10 => Ok(Arc::default()),
        None => Err(&host::HOST),
    }
}

#[cfg(test)]
#[path = "tests/admit.rs"]
mod tests;
