//! Which endpoint a request tries next, and what is remembered of how that went.

use std::time::{Duration, Instant};

use pingora::{
    Error, ErrorSource, ErrorType,
    http::{RequestHeader, ResponseHeader},
    protocols::l4::socket::SocketAddr as EngineAddr,
    proxy::Session,
    upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy},
};
use tollgate_filter_api::{Cause, CauseKind, Rule};

use super::{
    outcome::may_repeat,
    patience::Spent,
    state::{Ended, Ending, Exchange, Going, Outbound},
};
use crate::{
    chain::gateway as reasons,
    proxy::{
        running::gateway::Gateway,
        transport::{Dial, Flow, ticks::gathered},
    },
    upstreams::{Nowhere, Report},
};

/// How often one request may meet a pooled connection that the upstream has closed meanwhile.
const STALE_TRIES: u32 = 8;

/// The next endpoint of the request's order, ready to be connected to.
///
/// # Errors
/// When no endpoint is left.
pub async fn next_peer(gateway: &Gateway, req: &RequestHeader, exchange: &mut Exchange) -> pingora::Result<Box<HttpPeer>> {
    let Going { id, connection: client, routing, outbound, .. } = exchange.going()?;
    let begun = outbound.begun;
    outbound.ended = None;
    let limit = outbound.selection.set().endpoints().first().and_then(|endpoint| endpoint.upstream.timeouts.request);
    outbound.patience.begin(begun, limit);
    if let Some(pause) = outbound.pause.take().filter(|pause| !pause.is_zero()) {
        tokio::time::sleep(outbound.patience.shortened(pause)).await;
    }
    loop {
        let turn = (id.value as usize).wrapping_add(outbound.attempts as usize + 1);
        let now = if outbound.attempts == 0 { begun } else { Instant::now() };
        let address = match outbound.selection.next_with_room(turn, now, outbound.patience.end()).await {
            Ok(address) => address,
            Err(nowhere) => {
                return Err(match outbound.patience.piece() {
                    Err(spent) => exchange.spent(spent),
                    Ok(()) => none_left(nowhere, &mut exchange.ending),
                });
            }
        };
        let Some(endpoint) = outbound.selection.endpoint() else { return Err(none_left(Nowhere::None, &mut exchange.ending)) };
        outbound.attempts += 1;
        let found = match address {
            Some(address) => Ok(address),
            None => endpoint.upstream.look_up(turn).await,
        };
        match found {
            Ok(address) => {
                outbound.address = Some(address);
                let mut peer = endpoint.connection.http.clone();
                let pool = endpoint.connection.pool.as_ref();
                outbound.dial = pool.map(|pool| Dial::new(pool.clone(), client.clone()));
                if let Some(dial) = outbound.dial.clone() {
                    peer.options.custom_l4 = Some(dial);
                }
                peer._address = EngineAddr::Inet(address);
                let since_start = begun.saturating_duration_since(gateway.begun);
                for limit in [&mut peer.options.read_timeout, &mut peer.options.idle_timeout] {
                    *limit = limit.map(|limit| gathered(limit, since_start));
                }
                if !routing.hop_by_hop {
                    // There is nothing for the engine to look for.
                    peer.options.http_upstream_request_policy = HttpUpstreamRequestPolicy::preserve();
                }
                let timeouts = &endpoint.upstream.timeouts;
                let upgrade = timeouts.request.is_some() && req.headers.contains_key(http::header::UPGRADE);
                let attempt = outbound.patience.attempt(begun, timeouts, &mut peer.options, upgrade);
                return attempt.map(|()| Box::new(peer)).map_err(|spent| exchange.spent(spent));
            }
            Err(error) => {
                gateway.kernel.telemetry.upstream_failures.resolve.inc();
                log::warn!("cannot resolve {}: {error}", endpoint.upstream.host);
                outbound.selection.report(Report::Unresolved);
            }
        }
    }
}

/// No endpoint may be tried.
pub fn none_left(nowhere: Nowhere, ending: &mut Ending) -> Box<Error> {
    let unavailable = |about| Cause::new(CauseKind::Unavailable, about, Rule::Fixed("the endpoint group has no other"));
    let answer = match nowhere {
        Nowhere::Full => reasons::FULL.because(unavailable("endpoint with room for a request")),
        Nowhere::Open => reasons::CIRCUIT_OPEN.because(unavailable("endpoint whose circuit breaker is closed")),
        Nowhere::None => reasons::CONNECT.because(unavailable("endpoint that does well")),
    };
    ending.ended = Some(Ended::from(&answer));
    Error::explain(ErrorType::ConnectError, answer.reason().title).into_up()
}

/// Nothing of the request has gone out: the next endpoint may have it, whatever the method.
pub fn not_connected(gateway: &Gateway, exchange: &mut Exchange, mut error: Box<Error>) -> Box<Error> {
    let failures = &gateway.kernel.telemetry.upstream_failures;
    match error.etype() {
        ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout => failures.timeout.inc(),
        ErrorType::TLSHandshakeFailure | ErrorType::InvalidCert | ErrorType::HandshakeError => failures.tls.inc(),
        _ => failures.connect.inc(),
    }
    let Some(outbound) = exchange.outbound_mut() else {
        error.set_retry(false);
        return error;
    };
    if let Some(spent) = outbound.patience.spent() {
        // What was left of the exchange's time says nothing of the endpoint.
        error = exchange.spent(spent);
        error.set_retry(false);
        return error;
    }
    // The engine's word for a socket that this machine has not got: that says nothing of the endpoint.
    let own_fault = matches!(error.etype(), ErrorType::InternalError | ErrorType::SocketError | ErrorType::BindError);
    let address = outbound.address.filter(|_| !own_fault);
    let report = address.map_or(Report::NotTried, |address| Report::Unreachable { address, at: Instant::now() });
    outbound.selection.report(report);
    let again = outbound.selection.has_more() || outbound.retry();
    error.set_retry(again);
    error
}

/// Whether an answer gives way to that of another attempt: the next endpoint's, where its status is that of one that failed over, or one that
/// the group's retries pay for. An endpoint that says when to come again is not asked sooner.
pub fn is_tried_again(gateway: &Gateway, session: &Session, outbound: &mut Outbound, resp: &ResponseHeader) -> bool {
    let status = resp.status.as_u16();
    let failover = outbound.selection.is_failure(status);
    if failover {
        gateway.kernel.telemetry.upstream_failures.status.inc();
    }
    if !(failover || outbound.selection.is_tried_again(status)) || !may_repeat(session) {
        return false;
    }
    if failover && outbound.selection.has_more() {
        return true;
    }
    let asked = resp.headers.get(http::header::RETRY_AFTER).map(retry_after);
    match asked {
        // It is somebody else's turn, whom that does not concern.
        Some(_) if outbound.selection.has_more() => outbound.retry(),
        Some(Some(wait)) if outbound.may_pause(wait) => {
            let again = outbound.retry();
            outbound.pause = outbound.pause.map(|pause| pause.max(wait));
            again
        }
        Some(_) => false,
        None => outbound.retry(),
    }
}

/// Whether a group that fails over has tried everybody, and the last one failed with that status too.
pub fn has_failed_over(session: &Session, outbound: &Outbound, status: u16) -> bool {
    outbound.selection.is_failure(status) && !outbound.selection.has_more() && may_repeat(session)
}

/// How long an endpoint wants to be left alone (RFC 9110 §10.2.3); `None` when it says a date, or nothing that can be read.
fn retry_after(value: &http::HeaderValue) -> Option<Duration> {
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Something of the request has gone out: only what may be repeated is repeated, on the next endpoint, or on the same one when
/// the connection was a used one that had gone stale. Leaving the question open would end in a panic of the engine.
pub fn broke_off(gateway: &Gateway, session: &Session, exchange: &mut Exchange, mut error: Box<Error>, reused: bool) -> Box<Error> {
    if *error.etype() == ErrorType::InvalidCert {
        return not_connected(gateway, exchange, error);
    }
    let is_ended = exchange.ending.ended.is_some();
    // What a client or a filter has ended says nothing of the endpoint.
    let is_its_own = exchange.ending.ended.as_ref().is_none_or(|ended| ended.reason.id.starts_with("upstream."));
    let Some(outbound) = exchange.outbound_mut() else {
        error.set_retry(false);
        return error;
    };
    outbound.ended = Some(Instant::now());
    let status_retry = std::mem::take(&mut outbound.status_retry);
    let of_upstream = *error.esource() == ErrorSource::Upstream;
    let failures = &gateway.kernel.telemetry.upstream_failures;
    let silent = outbound.flow().is_some_and(Flow::was_silent);
    let timed_out = silent || matches!(error.etype(), ErrorType::ReadTimedout | ErrorType::WriteTimedout);
    let reused = reused || outbound.dial.as_ref().is_some_and(|dial| dial.was_kept());
    // A kept connection that ends before it answers was closed meanwhile, which any server may do.
    let closed = reused && !timed_out && session.response_written().is_none();
    let spent = outbound.patience.spent().filter(|_| of_upstream && !is_ended);
    if of_upstream && !status_retry && !closed && is_its_own && spent != Some(Spent::Deadline) {
        outbound.selection.report(Report::Broke);
    }
    if let Some(spent) = spent {
        failures.timeout.inc();
        error = exchange.spent(spent);
        error.set_retry(false);
        return error;
    }
    if of_upstream && !status_retry {
        if timed_out { failures.timeout.inc() } else { failures.broken.inc() }
    }
    if !of_upstream && *error.etype() == ErrorType::WriteTimedout {
        gateway.kernel.telemetry.limits.write_time.inc();
    }
    let untouched = session.response_written().is_none() && may_repeat(session);
    let more = outbound.selection.has_more();
    let stale = reused && !timed_out && outbound.attempts < STALE_TRIES;
    let free = status_retry || (more && !timed_out) || stale;
    let again = of_upstream && untouched && !is_ended && (free || outbound.retry());
    if again && !outbound.selection.has_more() {
        outbound.selection.restart();
    }
    error.set_retry(again);
    error
}
