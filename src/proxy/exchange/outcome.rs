//! How an exchange ended: what an error means, what may be tried again, and the log line.

use std::net::IpAddr;

use http::Method;
use pingora::{Error, ErrorSource, ErrorType, proxy::Session};
use tollgate_filter_api::{Answer, Cause, CauseKind, Former, NoCertificate, Peer, Reason, Rule};

use super::{
    bodies::whole_body,
    state::{Arrival, Exchange, Outbound},
};
use crate::{
    chain::{gateway as reasons, undecided},
    judge::{Place, admit},
    proxy::{client::tls::listener::Lapsed, transport::Flow},
    telemetry::{Line, Telemetry},
};

/// RFC 9110 §9.2.2, and the engine still has the whole body.
pub fn may_repeat(session: &Session) -> bool {
    let method = &session.req_header().method;
    let idempotent = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE | Method::TRACE);
    idempotent && !session.as_ref().retry_buffer_truncated()
}

/// Whether the client's connection has ended.
pub fn client_left(error: &Error) -> bool {
    let ended = matches!(error.etype(), ErrorType::WriteError | ErrorType::ReadError | ErrorType::ConnectionClosed);
    ended && *error.esource() == ErrorSource::Downstream
}

/// What an error of the engine means to the client; `None` when the client is gone.
pub fn answer_to(error: &Error, exchange: &mut Exchange) -> Option<Answer> {
    if let Some(ended) = &exchange.ending.ended {
        return Some(ended.answer());
    }
    let malformed = exchange.arrival.as_ref().and_then(|arrival| arrival.connection.framing().malformed());
    let failed = |reason: &'static Reason, cause: Cause| Some(reason.because(cause.detail(error.to_string())));
    match (error.esource(), error.etype()) {
        _ if malformed.is_none() && client_left(error) => None,
        (ErrorSource::Downstream, _) => Some(match malformed {
            Some(malformed) => admit::misframed(malformed.why()),
            None => whole_body::unreadable(error.to_string()),
        }),
        (ErrorSource::Upstream, ErrorType::ReadTimedout | ErrorType::WriteTimedout) => failed(&reasons::UPSTREAM_TIMEOUT, upstream_time()),
        (ErrorSource::Upstream, ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout) => {
            let rule = Rule::Gateway("/upstream/connect_timeout");
            failed(&reasons::CONNECT_TIMEOUT, Cause::new(CauseKind::OverLimit, "time to connect to the upstream", rule))
        }
        (ErrorSource::Upstream, _) if exchange.outbound().and_then(Outbound::flow).is_some_and(Flow::was_silent) => {
            failed(&reasons::UPSTREAM_TIMEOUT, upstream_time())
        }
        (ErrorSource::Upstream, _) if exchange.outbound().is_none_or(|outbound| outbound.ended.is_none()) => {
            failed(&reasons::CONNECT, Cause::new(CauseKind::Unavailable, "upstream", Rule::Fixed("no endpoint could be connected to")))
        }
        (ErrorSource::Upstream, _) => {
            failed(&reasons::UPSTREAM_BROKEN, Cause::new(CauseKind::Unavailable, "answer of the upstream", Rule::Fixed("RFC 9110 §15.6.3")))
        }
        _ => match exchange.ending.note.take() {
            Some(fault) => Some(reasons::FAULT.because(undecided(fault))),
            None => failed(&reasons::INTERNAL, Cause::new(CauseKind::Internal, "gateway", Rule::Fixed("an error of the gateway"))),
        },
    }
}

fn upstream_time() -> Cause {
    Cause::new(CauseKind::OverLimit, "time of the upstream", Rule::Gateway("/upstream/read_timeout"))
}

/// Counts a request that has ended.
pub fn count(telemetry: &Telemetry, exchange: &Exchange) {
    let Some(Arrival { snapshot, routing, .. }) = &exchange.arrival else { return };
    let metrics = match routing.place {
        Place::Operation(index) => snapshot.metrics.operation(index),
        Place::Api(index) => snapshot.metrics.api(index),
        Place::Nowhere => snapshot.metrics.nowhere(),
    };
    let ending = &exchange.ending;
    metrics.ended(ending.status, exchange.begun.elapsed(), exchange.outbound().and_then(Outbound::duration));
    let is_of_upstream = ending.ended.is_none() && ending.status > 0 && exchange.outbound().is_some();
    metrics.statuses().ended(is_of_upstream.then_some(ending.status));
    if let Some(ended) = &exchange.ending.ended {
        telemetry.refused(ended.reason.id);
    }
}

/// The log line of a request that has ended.
pub fn line(session: &Session, exchange: &Exchange) -> Line {
    let req = session.req_header();
    let former = Former::of(req);
    let (certificate, untrusted_certificate) = certificates(session, exchange);
    let (arrival, admitted, outbound, ending) = (exchange.arrival.as_ref(), exchange.admitted(), exchange.outbound(), &exchange.ending);
    let address = || arrival.map_or(IpAddr::from([0, 0, 0, 0]), |arrival| arrival.connection.address);
    Line {
        time: exchange.time,
        request_id: exchange.id,
        configuration: arrival.map(|arrival| arrival.snapshot.id.text()),
        client: admitted.map_or_else(address, |admitted| admitted.call.client),
        method: former.map_or(&req.method, |former| &former.method).clone(),
        host: arrival.map(|arrival| arrival.routing.host.clone()).unwrap_or_default(),
        path: former.map_or(&req.uri, |former| &former.target).path().to_owned(),
        operation: exchange.served().map(|served| served.info.clone()),
        status: ending.status,
        grpc_status: ending.grpc_status,
        reason: ending.ended.as_ref().map(|ended| ended.reason),
        cause: ending.ended.as_ref().and_then(|ended| ended.cause.clone()),
        explanation: exchange.explain(),
        detail: ending.note.clone(),
        bytes_in: exchange.body_in,
        bytes_out: session.body_bytes_sent() as u64,
        duration: exchange.begun.elapsed(),
        upstream_duration: outbound.and_then(Outbound::duration),
        upstream: outbound.and_then(|outbound| outbound.address),
        attempts: outbound.map_or(0, |outbound| outbound.attempts),
        protocol: match exchange.version {
            http::Version::HTTP_2 => "HTTP/2",
            http::Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        },
        tls: session.digest().and_then(|digest| digest.ssl_digest.as_ref()).map(|tls| tls_version(&tls.version)),
        principal: exchange.principal().cloned(),
        refused_client: ending.refused_client.clone(),
        claimed_client: ending.claimed_client.clone(),
        certificate,
        untrusted_certificate,
    }
}

/// The digest of the certificate that the chain saw, or of the one that it did not believe; for a request that met no chain, of the
/// one that it would have seen.
fn certificates(session: &Session, exchange: &Exchange) -> (Option<[u8; 32]>, Option<[u8; 32]>) {
    let seen = exchange.admitted().and_then(|admitted| admitted.run.facts.get::<Peer>()).cloned();
    let would_see = || {
        let Arrival { connection, snapshot, .. } = exchange.arrival.as_ref()?;
        let peer = snapshot.peer(connection, &session.req_header().headers);
        Some(peer.unwrap_or_else(|Lapsed(why)| Peer::Anonymous(why)))
    };
    match seen.or_else(would_see) {
        Some(Peer::Certified(certificate)) => (Some(certificate.sha256), None),
        Some(Peer::Anonymous(NoCertificate::NotTrusted { sha256 })) => (None, sha256),
        _ => (None, None),
    }
}

fn tls_version(version: &str) -> &'static str {
    match version {
        "TLSv1.3" => "TLSv1.3",
        "TLSv1.2" => "TLSv1.2",
        _ => "TLS",
    }
}
