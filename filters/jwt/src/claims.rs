//! What the claims of a token say, and whether it may be used now. The signature was checked before.
//!
//! Every claim is checked for its type before its meaning: an `exp` that is a string is no expiry, so the token has none. Claims that are
//! null are not here any more: they count as absent, as does a name that is empty.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};
use tollgate_filter_api::{KeyType, Principal, PrincipalParts, Token};

use crate::{
    config::IssuerConfig,
    reasons::{AUDIENCE, EXPIRED, LIFETIME, MALFORMED, NOT_YET, Refusal, Refuse, TOO_OLD},
};

/// Times beyond this many seconds are as good as never, and a clock can still hold them.
const FAR: f64 = 1e15;
/// An `iat` from here on is milliseconds, when that is allowed: as seconds it would be the year 5138.
const MILLISECONDS: f64 = 1e11;

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
    iat_in_ms: bool,
}

/// The times in a token, in seconds since 1970.
struct Times {
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
}

impl Rules {
    /// Rules as configured.
    pub(crate) fn new(config: IssuerConfig, iat_in_ms: bool) -> Self {
        Self { config, iat_in_ms }
    }

    /// Checks times and audience; the time in which the token may be used.
    pub(crate) fn check(&self, claims: &Map<String, Value>, now: SystemTime) -> Result<Window, Refusal> {
        let times = self.times(claims)?;
        let window = self.window(&times)?;
        if window.from.is_some_and(|from| now < from) {
            return Err(NOT_YET.refusal());
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
        let exp = number(claims, "exp")?.ok_or_else(|| MALFORMED.because("`exp` is missing"))?;
        let iat = number(claims, "iat")?.map(|iat| if self.iat_in_ms && iat >= MILLISECONDS { iat / 1000.0 } else { iat });
        Ok(Times { exp, nbf: number(claims, "nbf")?, iat })
    }

    fn window(&self, times: &Times) -> Result<Window, Refusal> {
        let skew = self.config.clock_skew.0.as_secs_f64();
        let begins = [times.nbf, times.iat].into_iter().flatten().reduce(f64::max);
        let mut until = times.exp + skew;
        if let Some(oldest) = self.config.max_token_age {
            let iat = times.iat.ok_or_else(|| TOO_OLD.because("`max_token_age` is set and the token has no `iat`"))?;
            until = until.min(iat + oldest.0.as_secs_f64() + skew);
        }
        Ok(Window { from: begins.map(|begins| moment(begins - skew)), until: moment(until) })
    }

    /// Which of the two ends of the window it was.
    fn overdue(&self, times: &Times, now: SystemTime) -> Refusal {
        let expired = now >= moment(times.exp + self.config.clock_skew.0.as_secs_f64());
        if expired { EXPIRED.refusal() } else { TOO_OLD.refusal() }
    }

    fn check_lifetime(&self, times: &Times) -> Result<(), Refusal> {
        let Some(longest) = self.config.max_lifetime else { return Ok(()) };
        let iat = times.iat.ok_or_else(|| LIFETIME.because("`max_lifetime` is set and the token has no `iat`"))?;
        if times.exp - iat > longest.0.as_secs_f64() {
            return Err(LIFETIME.refusal());
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
                    return Err(MALFORMED.because("`aud` holds something else than strings"));
                }
                audiences.iter().filter_map(Value::as_str).any(ours)
            }
            Some(_) => return Err(MALFORMED.because("`aud` is neither a string nor a list")),
        };
        if found || self.config.any_audience { Ok(()) } else { Err(AUDIENCE.refusal()) }
    }
}

fn number(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(number.as_f64()),
        Some(_) => Err(MALFORMED.because("`exp`, `nbf` or `iat` is not a number")),
    }
}

fn moment(seconds: f64) -> SystemTime {
    let distance = Duration::from_secs_f64(seconds.abs().min(FAR));
    let moment = if seconds < 0.0 { SystemTime::UNIX_EPOCH.checked_sub(distance) } else { SystemTime::UNIX_EPOCH.checked_add(distance) };
    moment.unwrap_or(SystemTime::UNIX_EPOCH)
}

fn text(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(MALFORMED.because("a claim that names the caller is not a string")),
    }
}

fn first(claims: &Map<String, Value>, names: &[&str]) -> Result<Option<String>, Refusal> {
    names.iter().find_map(|name| text(claims, name).transpose()).transpose()
}

/// Scopes are compared whole, so a string is only ever split at spaces (RFC 6749 §3.3).
fn scopes(claim: Option<&Value>) -> Result<Vec<String>, Refusal> {
    const WRONG: &str = "the scope claim is neither a string nor a list of strings";
    match claim {
        None => Ok(Vec::new()),
        Some(Value::String(scopes)) => Ok(scopes.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect()),
        Some(Value::Array(scopes)) => {
            scopes.iter().map(|scope| scope.as_str().map(str::to_owned).ok_or_else(|| MALFORMED.because(WRONG))).collect()
        }
        Some(_) => Err(MALFORMED.because(WRONG)),
    }
}

fn key_type(claims: &Map<String, Value>, name: &str) -> Result<KeyType, Refusal> {
    match claims.get(name) {
        None => Ok(KeyType::Production),
        Some(Value::String(kind)) if kind.eq_ignore_ascii_case("PRODUCTION") => Ok(KeyType::Production),
        Some(Value::String(kind)) if kind.eq_ignore_ascii_case("SANDBOX") => Ok(KeyType::Sandbox),
        Some(_) => Err(MALFORMED.because("the key type claim is neither PRODUCTION nor SANDBOX")),
    }
}
