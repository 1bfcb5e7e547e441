//! Brings a head to its normal form, and holds it against what the wire and the connection say.

use http::header;
use pingora_http::RequestHeader;
use tollgate_filter_api::{Cause, CauseKind, Rule, Shown};

use super::{Facts, Http1, Refusal, Routing, admit};
use crate::{
    chain::gateway as reasons,
    judge::{Judge, framing::Framing},
    routes::{Reading, host, normal},
};

/// Refuses what nobody should forward, and brings the target to its normal form. What its path says once decoded comes
/// back, when that is not its own text.
pub(super) fn normalize(
    req: &mut RequestHeader,
    facts: &Facts<'_>,
    judge: &Judge,
    routing: &mut Routing,
) -> Result<Option<Reading>, Refusal> {
    let gateway = &judge.config.gateway;
    admit::absolute(req)?;
    (routing.host, routing.present) = admit::admit(req, judge.rules(), facts.last_host)?;
    if routing.present.crumbs && req.version == http::Version::HTTP_2 {
        admit::join_crumbs(req)?;
    }
    if let Some(http1) = &facts.http1 {
        framed(http1, req, routing.present.coding)?;
        if admit::has_fragment(http1.head) {
            return Err((&normal::CHARACTER).into());
        }
    }
    let raw = req.raw_path();
    let normal::Normal { path, reading } = normal::normalize(req.uri.path().as_bytes(), &gateway.paths)?;
    let query = req.uri.query().map(|query| normal::query(query.as_bytes())).transpose()?;
    if path != req.uri.path()
        || req.uri.authority().is_some()
        || raw != req.uri.path_and_query().map_or("", |whole| whole.as_str()).as_bytes()
    {
        let whole = query.map_or_else(|| path.to_string(), |query| format!("{path}?{query}"));
        req.set_uri(whole.parse::<http::Uri>().map_err(|_| &normal::CHARACTER)?);
    }
    if facts.strict_host && !is_named(host::name(&routing.host), facts.server_name) {
        let cause = Cause::new(CauseKind::NotAllowed, "host", Rule::Gateway("/listeners")).seen(Shown::sent(&routing.host));
        let wanted = facts.server_name.map_or(Shown::from("an address"), Shown::sent);
        return Err(reasons::MISDIRECTED.because(cause.wanted(wanted)).into());
    }
    Ok(reading)
}

/// Whether a connection's server name covers a host. A client that named nobody may ask for an address only, for which
/// there is no server name (RFC 6066 §3).
fn is_named(host: &str, server_name: Option<&str>) -> bool {
    match server_name {
        Some(name) => host.eq_ignore_ascii_case(name.trim_end_matches('.')),
        None => host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>().is_ok(),
    }
}

/// Refuses a message that has ended elsewhere for the stream than for the engine, or nowhere, and one whose head the engine has
/// rewritten: it escapes what cannot stand in a target, a raw space for instance, when it sees the whole line at once (RFC 9112 §3.2).
fn framed(http1: &Http1<'_>, req: &RequestHeader, coding: bool) -> Result<(), Refusal> {
    let refused = |why: &'static str| Err(admit::misframed(why).into());
    let engine = if coding { Framing::Chunked } else { Framing::Length(declared_length(req)) };
    match http1.framing {
        Framing::Malformed(malformed) => refused(malformed.why()),
        read if read != engine => refused("the stream and the engine read another end of the message"),
        _ if http1.head_bytes != http1.head.len() => refused("a request line that is not three words"),
        _ => Ok(()),
    }
}

/// Refuses a body that says that it is longer than its operation allows.
pub(super) fn length(req: &RequestHeader, routing: &Routing, most: u64) -> Result<(), Refusal> {
    if !routing.present.length || declared_length(req) <= most {
        return Ok(());
    }
    let cause = Cause::new(CauseKind::OverLimit, "body", Rule::Gateway("/limits/body_bytes"));
    let cause = cause.seen(Shown::Bytes(declared_length(req))).wanted(Shown::Bytes(most));
    Err(Refusal::over(&reasons::BODY_BYTES, |limits| &limits.body_bytes, cause))
}

fn declared_length(req: &RequestHeader) -> u64 {
    let value = req.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    value.map_or(0, |text| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::is_named;
    use crate::routes::host;

    #[test]
    fn the_server_name_must_be_the_host_and_only_an_address_goes_without() {
        let cases = [
            ("a.example:8443", Some("A.example"), true),
            ("a.example", Some("a.example."), true),
            ("b.example", Some("a.example"), false),
            ("", Some("a.example"), false),
            ("a.example", None, false),
            ("192.0.2.1:8443", None, true),
            ("[2001:db8::1]:8443", None, true),
            ("[2001:db8::1]", None, true),
            ("192.0.2.1", None, true),
            ("", None, false),
        ];
        for (host, server_name, named) in cases {
            assert_eq!(is_named(host::name(host), server_name), named, "{host} {server_name:?}");
        }
    }
}
