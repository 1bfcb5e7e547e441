//! An access token of the gateway's own, for issuers that tell about another client's tokens only to who has one (RFC 7662 §2.1).
//!
//! It is got by the client credentials grant (RFC 6749 §4.4) when a question needs it, once for all questions that wait, and kept
//! until a tenth of its time is left, or the issuer refuses it.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::{Either, FutureExt, Shared, WeakShared, ready};
use serde_json::Value;
use tollgate_filter_api::{Clock, HeaderValue, Remote, RemoteRequest, RemoteResponse};

/// How long a token is kept whose issuer does not say; also the longest.
const HOUR: Duration = Duration::from_secs(3600);
/// A younger token is not exchanged for another: an issuer that refuses a new one refuses the next as well.
const LEAST_AGE: Duration = Duration::from_secs(10);

/// The value of `Authorization`, or why there is none.
type Got = Result<HeaderValue, String>;
type Flight = Pin<Box<dyn Future<Output = Got> + Send>>;

/// The token, and where it comes from.
pub(crate) struct OwnToken {
    remote: Arc<dyn Remote>,
    request: RemoteRequest,
    /// The token endpoint's URL, for the log.
    place: String,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    flight: Option<WeakShared<Flight>>,
}

struct Held {
    value: HeaderValue,
    since: Instant,
    until: Instant,
}

impl OwnToken {
    /// Asks with that request; nothing is sent yet.
    pub(crate) fn new(remote: Arc<dyn Remote>, request: RemoteRequest, place: String, clock: Arc<dyn Clock>) -> Self {
        Self { remote, request, place, clock, state: Mutex::default() }
    }

    /// The token at hand, else the one on its way, else a new one.
    pub(crate) fn get(self: &Arc<Self>) -> impl Future<Output = Got> + Send + use<> {
        let now = self.clock.instant();
        let mut state = self.state();
        if let Some(held) = state.held.as_ref().filter(|held| now < held.until) {
            return Either::Left(ready(Ok(held.value.clone())));
        }
        if let Some(flight) = state.flight.as_ref().and_then(WeakShared::upgrade) {
            return Either::Right(flight);
        }
        let (own, call) = (self.clone(), self.remote.call(self.request.clone()));
        let flight: Flight = Box::pin(async move {
            let response = call.await.map_err(|error| format!("no token of our own: {error}"))?;
            own.take(&response).map_err(|why| format!("no token of our own: {}: {why}", own.place))
        });
        let flight: Shared<Flight> = flight.shared();
        state.flight = flight.downgrade();
        Either::Right(flight)
    }

    /// Takes leave of a token that was refused; whether another may be got in its place now.
    pub(crate) fn forget(&self, refused: &HeaderValue) -> bool {
        let now = self.clock.instant();
        let mut state = self.state();
        match &state.held {
            Some(held) if held.value == refused => {
                let old = now.duration_since(held.since) >= LEAST_AGE;
                if old {
                    state.held = None;
                }
                old
            }
            // Somebody else was faster.
            _ => true,
        }
    }

    fn take(&self, response: &RemoteResponse) -> Got {
        let (value, lasts) = read(response)?;
        let since = self.clock.instant();
        let mut state = self.state();
        state.held = Some(Held { value: value.clone(), since, until: since + lasts });
        state.flight = None;
        Ok(value)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RFC 6749 §5.1: the token, and how long it is kept.
fn read(response: &RemoteResponse) -> Result<(HeaderValue, Duration), String> {
    let answer = tollgate_jose::members(response.json()?).map_err(|_| "expected one JSON object, no name twice")?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    if !text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("Bearer")) {
        return Err("expected `token_type` to be Bearer".to_owned());
    }
    let token = text("access_token").filter(|token| !token.is_empty()).ok_or("expected `access_token` to be a string")?;
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| "`access_token` holds characters that no token has")?;
    value.set_sensitive(true);
    let lasts = match answer.get("expires_in") {
        None => HOUR,
        Some(seconds) => {
            let seconds = seconds.as_f64().filter(|seconds| *seconds >= 0.0).ok_or("expected `expires_in` to be seconds")?;
            Duration::from_secs_f64(seconds.min(HOUR.as_secs_f64()))
        }
    };
    Ok((value, lasts - lasts / 10))
}

#[cfg(test)]
#[path = "own_token_tests.rs"]
mod tests;
