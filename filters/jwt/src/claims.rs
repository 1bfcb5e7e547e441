//! What the claims of a token say, and whether it may be used now. The signature was checked before.
//!
//! Every claim is checked for its type before its meaning: an `exp` that is a string is no expiry, so the token has none. Claims that are
//! null are not here any more: they count as absent, as does a name that is empty.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::{Map, Value};
use tollgate_filter_api::{Cause, CauseKind, Interval, KeyType, Principal, PrincipalParts, Rule, Shown, Token};

use crate::{
    config::IssuerConfig,
    reasons::{AUDIENCE, EXPIRED, LIFETIME, MALFORMED, NOT_YET, Refusal, Refuse, TOO_OLD, malformed},
};

/// Times beyond this many seconds are as good as never, and a clock can still hold them.
const FAR: f64 = 1e15;
/// An `iat` from here on is milliseconds, when that is allowed: as seconds it would be the year 5138.
const MILLISECONDS: f64 = 1e11;

/// A token without an end is good for ever.
const EXP: Rule = Rule::Fixed("RFC 9068 §2.2");

/// The time during which a token may be used; clock skew is in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// First moment.
    pub from: Option<SystemTime>,
    /// First moment at which it may not be used any more.
    pub until: SystemTime,
}

/// What an issuer's tokens must say.
pub(crate) struct Rules {
    config: IssuerConfig,
    /// Place of the issuer among the settings.
    place: usize,
    iat_in_ms: bool,
    /// The audiences, for the operator.
    audiences: Arc<str>,
}

/// The times in a token, in seconds since 1970.
struct Times {
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
}

impl Rules {
    /// Rules as configured for the issuer at that place among the settings.
    pub(crate) fn new(config: IssuerConfig, place: usize, iat_in_ms: bool) -> Self {
        let audiences = config.audiences.iter().map(|audience| format!("{audience:?}")).collect::<Vec<_>>().join(" or ").into();
        Self { config, place, iat_in_ms, audiences }
    }

    /// A setting of the issuer; `*` stands for its place.
    pub(crate) fn setting(&self, pattern: &'static str) -> Rule {
        Rule::nth_setting(pattern, self.place)
    }

    /// Checks times and audience; the time in which the token may be used.
    pub(crate) fn check(&self, claims: &Map<String, Value>, now: SystemTime) -> Result<Window, Refusal> {
        let times = self.times(claims)?;
        let window = self.window(&times)?;
        if window.from.is_some_and(|from| now < from) {
            return Err(self.early(&times));
        }
        if now >= window.until {
            return Err(self.overdue(&times, now));
        }
        self.check_lifetime(&times)?;
        self.check_audience(claims)?;
        Ok(window)
    }

    /// Who the token speaks of, and by what it can be revoked; `signature` is the token's last part as it was sent, `twin` the other one
    /// that would be as good.
    pub(crate) fn principal(
        &self,
        claims: Map<String, Value>,
        signature: Option<&str>,
        twin: Option<String>,
    ) -> Result<Principal, Refusal> {
        let config = &self.config;
        let client = self.client(&claims)?;
        let scopes = match &config.scope_claim {
            Some(name) => scopes(claims.get(name))?,
            None => scopes(claims.get("scope").or_else(|| claims.get("scp")))?,
        };
        let times = self.times(&claims)?;
        let token = Token {
            id: text(&claims, "jti")?,
            signature: signature.map(str::to_owned),
            twin,
            issued: times.iat.map(|iat| iat as i64),
            expires: Some(times.exp as i64),
        };
        Ok(Principal::new(PrincipalParts {
            filter: "jwt",
            subject: text(&claims, &config.subject_claim)?,
            issuer: Some(config.issuer.clone()),
            client,
            scopes,
            key_type: key_type(&claims, &config.key_type_claim)?,
            claims,
            token: Some(token),
        }))
    }

    /// The client application that the token was made for.
    pub(crate) fn client(&self, claims: &Map<String, Value>) -> Result<Option<String>, Refusal> {
        match &self.config.client_claim {
            Some(name) => text(claims, name),
            None => first(claims, &["azp", "client_id", "consumerKey"]),
        }
    }

    fn times(&self, claims: &Map<String, Value>) -> Result<Times, Refusal> {
        let exp = number(claims, "exp")?.ok_or_else(|| MALFORMED.refuse(Cause::new(CauseKind::Missing, "claim `exp`", EXP)))?;
        let iat = number(claims, "iat")?.map(|iat| if self.iat_in_ms && iat >= MILLISECONDS { iat / 1000.0 } else { iat });
        Ok(Times { exp, nbf: number(claims, "nbf")?, iat })
    }

    fn window(&self, times: &Times) -> Result<Window, Refusal> {
        let skew = self.config.clock_skew.0.as_secs_f64();
        let begins = [times.nbf, times.iat].into_iter().flatten().reduce(f64::max);
        let mut until = times.exp + skew;
        if let Some(oldest) = self.config.max_token_age {
            let iat = times.iat.ok_or_else(|| TOO_OLD.refuse(self.no_iat("/issuers/*/max_token_age")))?;
            until = until.min(iat + oldest.0.as_secs_f64() + skew);
        }
        Ok(Window { from: begins.map(|begins| moment(begins - skew)), until: moment(until) })
    }

    /// Which of the two ends of the window it was.
    fn overdue(&self, times: &Times, now: SystemTime) -> Refusal {
        let oldest = self.config.max_token_age.filter(|_| now < moment(times.exp + self.config.clock_skew.0.as_secs_f64()));
        match oldest {
            None => EXPIRED.refuse(self.untimely("claim `exp`", times.exp, "a time after the request's")),
            Some(Interval(oldest)) => {
                let cause = Cause::new(CauseKind::OverLimit, "age of the token by `iat`", self.setting("/issuers/*/max_token_age"));
                let age = since_1970(now) - times.iat.unwrap_or_default();
                TOO_OLD.refuse(cause.seen(Shown::Seconds(age as u64)).wanted(Shown::Seconds(oldest.as_secs())))
            }
        }
    }

    /// The later one of the two times at which the token begins.
    fn early(&self, times: &Times) -> Refusal {
        let (name, begins) = match (times.nbf, times.iat) {
            (Some(nbf), iat) if iat.is_none_or(|iat| iat <= nbf) => ("claim `nbf`", nbf),
            (_, iat) => ("claim `iat`", iat.unwrap_or_default()),
        };
        NOT_YET.refuse(self.untimely(name, begins, "a time before the request's"))
    }

    fn untimely(&self, about: &'static str, seconds: f64, wanted: &'static str) -> Cause {
        Cause::new(CauseKind::Time, about, self.setting("/issuers/*/clock_skew")).seen(seconds as i64).wanted(wanted)
    }

    fn no_iat(&self, pattern: &'static str) -> Cause {
        Cause::new(CauseKind::Missing, "claim `iat`", self.setting(pattern))
    }

    fn check_lifetime(&self, times: &Times) -> Result<(), Refusal> {
        let Some(longest) = self.config.max_lifetime else { return Ok(()) };
        let iat = times.iat.ok_or_else(|| LIFETIME.refuse(self.no_iat("/issuers/*/max_lifetime")))?;
        if times.exp - iat > longest.0.as_secs_f64() {
            let cause = Cause::new(CauseKind::OverLimit, "time from `iat` to `exp`", self.setting("/issuers/*/max_lifetime"));
            let (seen, wanted) = (Shown::Seconds((times.exp - iat) as u64), Shown::Seconds(longest.0.as_secs()));
            return Err(LIFETIME.refuse(cause.seen(seen).wanted(wanted)));
        }
        Ok(())
    }

    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), Refusal> {
        let ours = |audience: &str| self.config.audiences.iter().any(|own| own == audience);
        let found = match claims.get("aud") {
            None => false,
            Some(Value::String(audience)) => ours(audience),
            Some(Value::Array(audiences)) => {
                if !audiences.iter().all(Value::is_string) {
                    return Err(malformed("claim `aud`", "it holds something else than strings"));
                }
                audiences.iter().filter_map(Value::as_str).any(ours)
            }
            Some(_) => return Err(malformed("claim `aud`", "it is neither a string nor a list")),
        };
        if found || self.config.any_audience { Ok(()) } else { Err(self.foreign(claims.get("aud"))) }
    }

    fn foreign(&self, audience: Option<&Value>) -> Refusal {
        let cause = |kind| Cause::new(kind, "claim `aud`", self.setting("/issuers/*/audiences")).wanted(self.audiences.clone());
        let first = match audience {
            Some(Value::Array(audiences)) => audiences.first(),
            other => other,
        };
        AUDIENCE.refuse(match first.and_then(Value::as_str) {
            Some(first) => cause(CauseKind::NotAllowed).seen(Shown::sent(first)),
            None => cause(CauseKind::Missing),
        })
    }
}

fn number(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(number.as_f64()),
        Some(_) => Err(malformed("time of the token", "`exp`, `nbf` or `iat` is not a number")),
    }
}

fn moment(seconds: f64) -> SystemTime {
    let distance = Duration::from_secs_f64(seconds.abs().min(FAR));
    let moment = if seconds < 0.0 { SystemTime::UNIX_EPOCH.checked_sub(distance) } else { SystemTime::UNIX_EPOCH.checked_add(distance) };
    moment.unwrap_or(SystemTime::UNIX_EPOCH)
}

fn since_1970(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn text(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(malformed("claim that names the caller", "it is not a string")),
    }
}

fn first(claims: &Map<String, Value>, names: &[&str]) -> Result<Option<String>, Refusal> {
    names.iter().find_map(|name| text(claims, name).transpose()).transpose()
}

/// Scopes are compared whole, so a string is only ever split at spaces (RFC 6749 §3.3).
fn scopes(claim: Option<&Value>) -> Result<Vec<String>, Refusal> {
    let wrong = || malformed("scope claim", "it is neither a string nor a list of strings");
    match claim {
        None => Ok(Vec::new()),
        Some(Value::String(scopes)) => Ok(scopes.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect()),
        Some(Value::Array(scopes)) => scopes.iter().map(|scope| scope.as_str().map(str::to_owned).ok_or_else(wrong)).collect(),
        Some(_) => Err(wrong()),
    }
}

fn key_type(claims: &Map<String, Value>, name: &str) -> Result<KeyType, Refusal> {
    match claims.get(name) {
        None => Ok(KeyType::Production),
        Some(Value::String(kind)) if kind.eq_ignore_ascii_case("PRODUCTION") => Ok(KeyType::Production),
        Some(Value::String(kind)) if kind.eq_ignore_ascii_case("SANDBOX") => Ok(KeyType::Sandbox),
        Some(_) => Err(malformed("key type claim", "it is neither PRODUCTION nor SANDBOX")),
    }
}
