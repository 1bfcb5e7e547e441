//! From a request's head to its endpoint group, or to an answer.

use bytes::Bytes;
use http::header;
use pingora::{http::RequestHeader, proxy::Session};
use tollgate_filter_api::{Answer, Call, Reason, RequestHead};
use tollgate_plan::Target;

use super::{
    admit, forward,
    phases::Phases,
    state::{Exchange, Place},
    whole_body,
};
use crate::{
    chain::{self, Run, Verdict, gateway as reasons},
    proxy::{client::connection::Connection, running::snapshot::Snapshot, wire::Framing},
    routes::{Found, Reading, normal},
};

/// How a request ends early.
pub(super) type Early = Box<Answer>;

impl Phases {
    /// From head to endpoint group, or to an answer.
    pub(super) async fn decide(&self, session: &mut Session, exchange: &mut Exchange, snapshot: &Snapshot) -> Result<(), Early> {
        let trusted = || exchange.connection.as_ref().is_some_and(|connection| forward::is_trusted(connection, &snapshot.config.proxies));
        exchange.id = snapshot.ids.of(&session.req_header().headers, exchange.id.value, trusted);
        let reading = self.admitted(session, exchange, snapshot)?;
        let (index, base_len) = routed(session, exchange, snapshot, reading.as_ref())?;
        exchange.base_len = base_len;
        self.chained(session, exchange, snapshot, index).await?;
        targeted(exchange)
    }

    /// Refuses what nobody should forward, and brings the target to its normal form. What its path says once decoded comes
    /// back, when that is not its own text.
    fn admitted(&self, session: &mut Session, exchange: &mut Exchange, snapshot: &Snapshot) -> Result<Option<Reading>, Early> {
        let gateway = &snapshot.config.gateway;
        let telemetry = &self.0.kernel.telemetry;
        let early = |reason: &'static Reason| Box::new(reason.answer());
        let req = session.req_header_mut();
        admit::absolute(req).map_err(early)?;
        let connection = exchange.connection.as_deref();
        let admitted = admit::admit(req, snapshot.rules(), connection, &telemetry.limits);
        let (host, seen) = admitted.map_err(early)?;
        (exchange.host, exchange.seen) = (host, seen);
        if seen.crumbs && exchange.version == http::Version::HTTP_2 {
            admit::join_crumbs(req).map_err(early)?;
        }
        if let Some(http1) = session.as_downstream().as_http1() {
            let raw = http1.get_headers_raw_bytes();
            framed(exchange, session.req_header(), &raw)?;
            if admit::has_fragment(&raw) {
                return Err(early(&normal::CHARACTER));
            }
        }
        let req = session.req_header_mut();
        let raw = req.raw_path();
        let normal::Normal { path, reading } = normal::normalize(req.uri.path().as_bytes(), &gateway.paths).map_err(early)?;
        let query = req.uri.query().map(|query| normal::query(query.as_bytes())).transpose().map_err(early)?;
        if path != req.uri.path()
            || req.uri.authority().is_some()
            || raw != req.uri.path_and_query().map_or("", |whole| whole.as_str()).as_bytes()
        {
            let whole = query.map_or_else(|| path.to_string(), |query| format!("{path}?{query}"));
            let uri = whole.parse::<http::Uri>().map_err(|_| early(&normal::CHARACTER))?;
            req.set_uri(uri);
        }
        if let Some(connection) = &exchange.connection
            && connection.strict_host
            && !is_named(host_name(&exchange.host), connection.server_name.as_deref())
            && !is_balancer(snapshot, connection)
        {
            return Err(early(&reasons::MISDIRECTED));
        }
        if seen.length && declared_length(req) > gateway.limits.body_bytes.0 {
            telemetry.limits.body_bytes.inc();
            return Err(early(&reasons::BODY_BYTES));
        }
        Ok(reading)
    }

    async fn chained(&self, session: &mut Session, exchange: &mut Exchange, snapshot: &Snapshot, index: u32) -> Result<(), Early> {
        let served = &snapshot.operations[index as usize];
        let proxies = &snapshot.config.proxies;
        let Some(connection) = exchange.connection.clone() else { return Err(Box::new(reasons::INTERNAL.answer())) };
        let peer = snapshot.peer(&connection, &session.req_header().headers).map_err(|_| {
            // The next handshake is refused; this connection is of no use any more.
            session.set_keepalive(None);
            let challenge = http::HeaderValue::from_static("MutualTLS realm=\"api\"");
            Box::new(reasons::CERTIFICATE.answer().header(header::WWW_AUTHENTICATE, challenge))
        })?;
        let client = forward::client(&session.req_header().headers, &connection, proxies);
        let client = client.ok_or_else(|| Box::new(reasons::FORWARDED.answer()))?;
        let forwarded = forward::take(session.req_header_mut(), exchange.seen, &connection, proxies, &snapshot.families);
        let forwarded = forwarded.map_err(|_| Box::new(reasons::FIELD.answer()))?;
        let (operation, host, has_body) = (served.info.clone(), exchange.host.clone(), !session.is_body_empty());
        let (secure, now, instant, request_id) = (connection.secure, exchange.time, exchange.begun, exchange.id);
        let call = Call { operation, client, secure, host, has_body, now, instant, request_id, forwarded };
        let mut run = Run::new(&served.chain, peer);
        let mut body: Option<Bytes> = None;
        let verdict = loop {
            let head = RequestHead::wrap_mut(session.req_header_mut());
            match run.request(&served.chain, head, &call, body.as_ref()).await {
                Verdict::NeedBody(limit) => match self.whole_body(session, limit, snapshot).await {
                    Ok(read) => {
                        exchange.body_in = read.len() as u64;
                        body = Some(read);
                    }
                    Err(reason) => {
                        let answer = reason.answer();
                        break Err(Box::new(match connection.framing().malformed() {
                            Some(malformed) => answer.log(malformed.why()),
                            None => answer,
                        }));
                    }
                },
                Verdict::Pass => break Ok(()),
                Verdict::Stop(answer) => break Err(Box::new(answer)),
                Verdict::Fault(fault) => {
                    served.faults.tell(&served.info, &fault, self.0.kernel.env.clock.instant());
                    break Err(Box::new(chain::render_fault(&fault)));
                }
            }
        };
        exchange.body = body;
        exchange.run = Some(run);
        exchange.call = Some(call);
        exchange.hop_by_hop = forward::is_hop_by_hop(&session.req_header().headers);
        verdict
    }

    async fn whole_body(&self, session: &mut Session, limit: usize, snapshot: &Snapshot) -> Result<Bytes, &'static Reason> {
        let counters = &self.0.kernel.telemetry.limits;
        let pace = snapshot.config.gateway.limits.body_pace.0;
        whole_body::read(session, limit.min(snapshot.body_limit()), pace, counters).await
    }

    pub(super) fn count(&self, exchange: &Exchange) {
        let Some(snapshot) = &exchange.snapshot else { return };
        let metrics = match exchange.place {
            Place::Operation(index) => snapshot.metrics.operation(index),
            Place::Api(index) => snapshot.metrics.api(index),
            Place::Nowhere => snapshot.metrics.nowhere(),
        };
        metrics.ended(exchange.status, exchange.begun.elapsed(), exchange.upstream_duration());
        if let Some(reason) = exchange.reason {
            self.0.kernel.telemetry.refused(reason.id);
        }
    }
}

/// The operation, and how many bytes of the path are its base path.
fn routed(session: &Session, exchange: &mut Exchange, snapshot: &Snapshot, reading: Option<&Reading>) -> Result<(u32, usize), Early> {
    let secure = exchange.connection.as_ref().is_some_and(|connection| connection.secure);
    let req = session.req_header();
    match snapshot.router.find(req.uri.path(), reading, req.method.as_str(), secure) {
        Found::Operation { index, base_len } => {
            exchange.place = Place::Operation(index);
            Ok((index, base_len))
        }
        Found::MethodNotAllowed { allow } => {
            let value = http::HeaderValue::from_str(allow).map_err(|_| Box::new(reasons::INTERNAL.answer()))?;
            Err(Box::new(reasons::METHOD.answer().header(header::ALLOW, value)))
        }
        Found::NoResource { api } => {
            exchange.place = Place::Api(api);
            Err(Box::new(reasons::NO_RESOURCE.answer()))
        }
        Found::Ambiguous { api } => {
            exchange.place = Place::Api(api);
            Err(Box::new(normal::AMBIGUOUS.answer()))
        }
        Found::NoApi => Err(Box::new(reasons::NOT_FOUND.answer())),
    }
}

/// The endpoint group for the caller's key, or the answer of a synthetic OPTIONS.
fn targeted(exchange: &mut Exchange) -> Result<(), Early> {
    let key_type = exchange.key_type();
    let Some(served) = exchange.served() else { return Err(Box::new(reasons::INTERNAL.answer())) };
    let index = match &served.target {
        Target::Endpoints { production, sandbox } => match key_type {
            tollgate_filter_api::KeyType::Production => *production,
            tollgate_filter_api::KeyType::Sandbox => *sandbox,
        },
        Target::Options { .. } => {
            let answer = reasons::OPTIONS.answer();
            return Err(Box::new(
                served.allow.clone().map_or_else(|| reasons::OPTIONS.answer(), |allow| answer.header(header::ALLOW, allow)),
            ));
        }
    };
    let group = index.and_then(|index| Some((exchange.snapshot.as_ref()?.upstreams.group(index).clone(), index)));
    let Some((group, index)) = group else { return Err(Box::new(reasons::NO_ENDPOINT.answer())) };
    exchange.order = Some(group.order());
    exchange.group = Some((group, index));
    Ok(())
}

fn host_name(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host.ends_with(']') => &host[..colon],
        _ => host,
    }
}

/// Whether a connection's server name covers a host. A client that named nobody may ask for an address only, for which
/// there is no server name (RFC 6066 §3).
fn is_named(host: &str, server_name: Option<&str>) -> bool {
    match server_name {
        Some(name) => host.eq_ignore_ascii_case(name.trim_end_matches('.')),
        None => host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>().is_ok(),
    }
}

/// Whether a connection brings the requests of others: its server name says nothing of their hosts.
fn is_balancer(snapshot: &Snapshot, connection: &Connection) -> bool {
    snapshot.endpoints[connection.listener].as_ref().is_some_and(|endpoint| endpoint.is_balancer(connection.presented.as_ref()))
}

/// Refuses a message that has ended elsewhere for the stream than for the engine, or nowhere, and one whose head the engine has
/// rewritten: it escapes what cannot stand in a target, a raw space for instance, when it sees the whole line at once (RFC 9112 §3.2).
fn framed(exchange: &Exchange, req: &RequestHeader, raw: &[u8]) -> Result<(), Early> {
    let refused = |why: &'static str| Err(Box::new(reasons::FRAMING.answer().log(why)));
    let Some(connection) = &exchange.connection else { return refused("nobody has read the message but the engine") };
    let engine = if exchange.seen.coding { Framing::Chunked } else { Framing::Length(declared_length(req)) };
    match connection.framing() {
        Framing::Malformed(malformed) => refused(malformed.why()),
        read if read != engine => refused("the stream and the engine read another end of the message"),
        _ if connection.head_bytes() != raw.len() => refused("a request line that is not three words"),
        _ => Ok(()),
    }
}

fn declared_length(req: &RequestHeader) -> u64 {
    let value = req.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    value.map_or(0, |text| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{host_name, is_named};

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
            assert_eq!(is_named(host_name(host), server_name), named, "{host} {server_name:?}");
        }
    }
}
