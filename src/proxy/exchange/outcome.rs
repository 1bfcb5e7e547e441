//! How an exchange ended: what an error means, what may be tried again, and the log line.

use http::Method;
use pingora::{Error, ErrorSource, ErrorType, proxy::Session};
use tollgate_filter_api::{Answer, Cause, CauseKind, Fault, NoCertificate, Peer, Reason, Rule};

use super::{state::Exchange, whole_body};
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

/// An error for a fault, which is noted for the log.
pub fn faulted(note: &mut Option<std::borrow::Cow<'static, str>>, fault: &Fault) -> Box<Error> {
    *note = Some(fault.to_string().into());
    Error::explain(ErrorType::InternalError, "a filter could not decide").into_in()
}

/// Whether the client's connection has ended.
pub fn client_left(error: &Error) -> bool {
    let ended = matches!(error.etype(), ErrorType::WriteError | ErrorType::ReadError | ErrorType::ConnectionClosed);
    ended && *error.esource() == ErrorSource::Downstream
}

/// What an error of the engine means to the client; `None` when the client is gone.
pub fn answer_to(error: &Error, exchange: &mut Exchange) -> Option<Answer> {
    if let Some(ended) = &exchange.ended {
        return Some(ended.answer());
    }
    let malformed = exchange.connection.as_ref().and_then(|connection| connection.framing().malformed());
    let failed = |reason: &'static Reason, cause: Cause| Some(reason.because(cause.detail(error.to_string())));
    match (error.esource(), error.etype()) {
        _ if malformed.is_none() && client_left(error) => None,
        (ErrorSource::Downstream, _) => Some(match malformed {
            Some(malformed) => admit::misframed(malformed.why()),
            None => whole_body::unreadable(error.to_string()),
        }),
        (ErrorSource::Upstream, ErrorType::ReadTimedout | ErrorType::WriteTimedout | ErrorType::ConnectTimedout) => {
            failed(&reasons::UPSTREAM_TIMEOUT, upstream_time())
        }
        (ErrorSource::Upstream, _) if exchange.flow().is_some_and(Flow::was_silent) => failed(&reasons::UPSTREAM_TIMEOUT, upstream_time()),
        (ErrorSource::Upstream, _) if exchange.upstream_ended.is_none() => {
            failed(&reasons::CONNECT, Cause::new(CauseKind::Unavailable, "upstream", Rule::Fixed("no endpoint could be connected to")))
        }
        (ErrorSource::Upstream, _) => {
            failed(&reasons::UPSTREAM_BROKEN, Cause::new(CauseKind::Unavailable, "answer of the upstream", Rule::Fixed("RFC 9110 §15.6.3")))
        }
        _ => match exchange.note.take() {
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
    let Some(snapshot) = &exchange.snapshot else { return };
    let metrics = match exchange.place {
        Place::Operation(index) => snapshot.metrics.operation(index),
        Place::Api(index) => snapshot.metrics.api(index),
        Place::Nowhere => snapshot.metrics.nowhere(),
    };
    metrics.ended(exchange.status, exchange.begun.elapsed(), exchange.upstream_duration());
    if let Some(ended) = &exchange.ended {
        telemetry.refused(ended.reason.id);
    }
}

/// The log line of a request that has ended.
pub fn line(session: &Session, exchange: &Exchange) -> Line {
    let req = session.req_header();
    let (certificate, untrusted_certificate) = certificates(session, exchange);
    Line {
        time: exchange.time,
        request_id: exchange.id,
        configuration: exchange.snapshot.as_ref().map(|snapshot| snapshot.id.text()),
        client: exchange
            .call
            .as_ref()
            .map(|call| call.client)
            .or_else(|| Some(exchange.connection.as_ref()?.address))
            .unwrap_or(std::net::IpAddr::from([0, 0, 0, 0])),
        method: req.method.clone(),
        host: exchange.host.clone(),
        path: req.uri.path().to_owned(),
        operation: exchange.served().map(|served| served.info.clone()),
        status: exchange.status,
        reason: exchange.ended.as_ref().map(|ended| ended.reason),
        cause: exchange.ended.as_ref().and_then(|ended| ended.cause.clone()),
        explanation: exchange.explain(),
        detail: exchange.note.clone(),
        bytes_in: exchange.body_in,
        bytes_out: session.body_bytes_sent() as u64,
        duration: exchange.begun.elapsed(),
        upstream_duration: exchange.upstream_duration(),
        upstream: exchange.upstream,
        attempts: exchange.attempts,
        protocol: match exchange.version {
            http::Version::HTTP_2 => "HTTP/2",
            http::Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        },
        tls: session.digest().and_then(|digest| digest.ssl_digest.as_ref()).map(|tls| tls_version(&tls.version)),
        principal: exchange.principal().cloned(),
        refused_client: exchange.refused_client.clone(),
        claimed_client: exchange.claimed_client.clone(),
        certificate,
        untrusted_certificate,
    }
}

/// The digest of the certificate that the chain saw, or of the one that it did not believe; for a request that met no chain, of the
/// one that it would have seen.
fn certificates(session: &Session, exchange: &Exchange) -> (Option<[u8; 32]>, Option<[u8; 32]>) {
    let seen = exchange.run.as_ref().and_then(|run| run.facts.get::<Peer>()).cloned();
    let would_see = || {
        let peer = exchange.snapshot.as_ref()?.peer(exchange.connection.as_ref()?, &session.req_header().headers);
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
