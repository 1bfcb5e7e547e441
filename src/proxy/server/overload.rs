//! Whom the gateway turns away when memory or open files run short.

use http::{HeaderValue, Version, header};
use pingora::proxy::Session;
use tollgate_filter_api::{Cause, CauseKind, Rule};

use super::pressure::Step;
use crate::{
    chain::gateway as reasons,
    proxy::exchange::{
        answer,
        state::{Ended, Exchange},
    },
    telemetry::Telemetry,
};

/// When somebody who was turned away may ask again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Turns a request away when the gateway is overloaded, and says whether it did. A stream is refused before a request is answered.
///
/// # Errors
/// The connection's.
pub async fn turn_away(telemetry: &Telemetry, session: &mut Session, exchange: &mut Exchange, step: Step) -> pingora::Result<bool> {
    let refused = exchange.version == Version::HTTP_2;
    if step < Step::Unavailable && !refused {
        return Ok(false);
    }
    telemetry.limits.memory.inc();
    let cause = Cause::new(CauseKind::Unavailable, "gateway", Rule::Gateway("/limits/memory"));
    let answer = reasons::OVERLOADED.because(cause.detail("memory or open files are nearly used up"));
    if step < Step::Unavailable {
        exchange.ending.ended = Some(Ended::from(&answer));
        session.as_downstream_mut().shutdown_with_reason(h2::Reason::REFUSED_STREAM);
        return Ok(true);
    }
    session.set_keepalive(None);
    answer::write(session, exchange, answer.header(header::RETRY_AFTER, RETRY_AFTER)).await?;
    Ok(true)
}
