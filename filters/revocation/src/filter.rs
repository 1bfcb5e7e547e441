//! What runs. Decided in this order: a credential that is on the list is refused; then every credential is, while the sources have not said
//! what they held when the gateway began; then where the list is too old.

use std::{sync::Arc, time::Duration};

use tollgate_filter_api::{
    AllCredentials, Cause, CauseKind, Cx, Env, Fault, Filter, Flow, HeaderName, HeaderValue, Posture, Problem, Reason, Revocations,
    RevokedBy, Rule, Shown, Standing, View,
};

use crate::{Config, Stale};

const REVOKED: Reason = Reason::refused(
    "revocation.revoked",
    401,
    900_901,
    "The credential was revoked",
    "The token, its client or its subject is on the revocation list; the log says which. The client has to get a new token.",
);

const STALE: Reason = Reason::refused(
    "revocation.stale",
    503,
    900_900,
    "Whether the credential was revoked is not known at present",
    "The list was last known to be complete longer ago than `max_age`, or never was. See /revocation for the source that is \
     away; `stale: open` goes on without it.",
);

const CATCHING_UP: Reason = Reason::refused(
    "revocation.catching_up",
    503,
    900_900,
    "Whether the credential was revoked is not known yet",
    "The gateway began a moment ago, and a source has not said yet what it held: see /readyz. It is waited for no longer than \
     `stores.revocations.catch_up`; then `max_age` and `stale` decide.",
);

/// Seconds after which a client may try again: most sources have said everything by then.
const SOON: HeaderValue = HeaderValue::from_static("1");

/// Seconds after which a client may try again: a source that comes back is read at once.
const RETRY: HeaderValue = HeaderValue::from_static("10");

const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\", error_description=\"The credential was revoked\"");

const WWW_AUTHENTICATE: HeaderName = HeaderName::from_static("www-authenticate");
const RETRY_AFTER: HeaderName = HeaderName::from_static("retry-after");

/// The `revocation` filter.
pub struct Revocation {
    list: View<Arc<dyn Revocations>>,
    max_age: Duration,
    stale: Stale,
}

impl std::fmt::Debug for Revocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revocation").field("max_age", &self.max_age).field("stale", &self.stale).finish_non_exhaustive()
    }
}

impl Filter for Revocation {
    const ID: &'static str = "revocation";
    const CREDENTIALS_ONLY: bool = true;
    const REASONS: &'static [Reason] = &[REVOKED, CATCHING_UP, STALE];
    const POSTURE: Posture = Posture::Hardened;
    type Config = Config;
    type Declared = ();
    type Needs = AllCredentials;
    type Gives = ();
    type State = ();

    fn build(config: Config, (): (), env: &Env) -> Result<Self, Problem> {
        Ok(Self { list: env.world.revocations()?, max_age: config.max_age.0, stale: config.stale })
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        let now = cx.call.moment();
        for credential in cx.given.iter() {
            if let Some(by) = cx.views.ask(&self.list, credential.filter, |list| list.find(credential, now))? {
                let note = match by {
                    RevokedBy::TokenId => "revoked by its jti",
                    RevokedBy::Signature => "revoked by its signature, or as a whole",
                    RevokedBy::Client => "revoked with everything of its client",
                    RevokedBy::Subject => "revoked with what its subject got before a time",
                };
                let cause = Cause::new(CauseKind::Revoked, "credential", Rule::Gateway("/stores/revocations")).detail(note);
                return Ok(Flow::Stop(REVOKED.because(cause).header(WWW_AUTHENTICATE, CHALLENGE)));
            }
        }
        if cx.given.iter().all(|credential| credential.is_anonymous()) {
            return Ok(Flow::Next(()));
        }
        let Standing { age, has_caught_up } = cx.views.ask(&self.list, "its standing", |list| list.standing(now))?;
        if !has_caught_up {
            let cause = Cause::new(CauseKind::Unavailable, "list of revocations", Rule::Gateway("/stores/revocations/catch_up"));
            return Ok(Flow::Stop(CATCHING_UP.because(cause.detail("a source has not said yet what it held")).header(RETRY_AFTER, SOON)));
        }
        if self.stale == Stale::Open || age.is_some_and(|age| age <= self.max_age) {
            return Ok(Flow::Next(()));
        }
        Ok(Flow::Stop(STALE.because(self.too_old(age)).header(RETRY_AFTER, RETRY)))
    }
}

impl Revocation {
    fn too_old(&self, age: Option<Duration>) -> Cause {
        let cause = Cause::new(CauseKind::Unavailable, "list of revocations", Rule::setting("/max_age"));
        let cause = cause.wanted(Shown::Seconds(self.max_age.as_secs()));
        match age {
            Some(age) => cause.detail("it is too old").seen(Shown::Seconds(age.as_secs())),
            None => cause.detail("it never was complete"),
        }
    }
}
