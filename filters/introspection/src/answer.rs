//! What the issuer said, checked by type before meaning. It is untrusted data: anything odd is no answer at all. A member that is null
//! counts as absent, as does a name that is empty; `active` must be there.

use std::{sync::Arc, time::SystemTime};

use serde_json::{Map, Value};
use tollgate_binding::SCHEME;
use tollgate_filter_api::{Answer, Cause, CauseKind, KeyType, Principal, PrincipalParts, RemoteResponse, Rule, Shown, Token};
use tollgate_jose::Jws;

use crate::{
    config::Config,
    reasons::{AUDIENCE, BINDING, Failure, ISSUER, TIME, TYPE},
};

/// A token that its issuer calls active.
#[derive(Debug)]
pub(crate) struct Grant {
    pub principal: Principal,
    /// Seconds since 1970, with fractions (RFC 7519 §2).
    not_before: Option<f64>,
    expires: Option<f64>,
}

/// `None` for a token that is not active; an error when this is no answer.
pub(crate) fn read(response: &RemoteResponse, token: &str, config: &Config) -> Result<Option<Arc<Grant>>, String> {
    let claims = tollgate_jose::members(response.json()?).map_err(|_| "expected one JSON object, no name twice".to_owned())?;
    match claims.get("active") {
        Some(Value::Bool(true)) => grant(claims, token, config).map(Some),
        Some(Value::Bool(false)) => Ok(None),
        _ => Err("expected `active` to be true or false".to_owned()),
    }
}

/// What the claims of an active token come to; an error when they are no answer.
pub(crate) fn grant(claims: Map<String, Value>, token: &str, config: &Config) -> Result<Arc<Grant>, String> {
    let scopes = scopes(claims.get("scope"))?;
    let subject = text(&claims, "sub")?.or(text(&claims, "username")?);
    let issuer = config.issuer.clone().or(text(&claims, "iss")?);
    let (issued, expires) = (time(&claims, "iat")?.map(seconds), time(&claims, "exp")?);
    let token = Some(Token { id: text(&claims, "jti")?, issued, expires: expires.map(|end| end as i64), ..revocable_by(token) });
    let (client, not_before) = (text(&claims, "client_id")?, time(&claims, "nbf")?);
    let key_type = key_type(&claims, &config.key_type_claim)?;
    let parts = PrincipalParts { filter: "introspection", subject, issuer, client, scopes, key_type, claims, token };
    Ok(Arc::new(Grant { principal: Principal::new(parts), not_before, expires }))
}

/// What the token can be revoked by besides: a JWT by its signature, any other as a whole.
fn revocable_by(token: &str) -> Token {
    let twin = Jws::parse(token, false).ok().and_then(|jws| jws.twin());
    Token { signature: Some(Token::signature_part(token).unwrap_or(token).to_owned()), twin, ..Token::default() }
}

impl Grant {
    /// Whether the token may be used now, here, with a proof or without; who brings it is not looked at.
    pub(crate) fn judge(&self, config: &Config, now: SystemTime, proving: bool) -> Result<(), Failure> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        let untimely = |about, seconds: f64, wanted: &'static str| {
            let cause = Cause::new(CauseKind::Time, about, Rule::Fixed("RFC 7662 §2.2"));
            TIME.because(cause.seen(seconds as i64).wanted(wanted))
        };
        if let Some(end) = self.expires.filter(|end| *end <= now) {
            return Err(untimely("`exp` of the issuer's answer", end, "a time after the request's").into());
        }
        if let Some(begin) = self.not_before.filter(|begin| *begin > now) {
            return Err(untimely("`nbf` of the issuer's answer", begin, "a time before the request's").into());
        }
        let claims = &self.principal.claims;
        check_type(claims, config, proving)?;
        if let (Some(wanted), Some(found)) = (&config.issuer, claims.get("iss"))
            && found.as_str() != Some(wanted)
        {
            let cause = Cause::new(CauseKind::NotAllowed, "`iss` of the issuer's answer", Rule::setting("/issuer"));
            let seen = Shown::sent(found.as_str().unwrap_or_default());
            return Err(ISSUER.because(cause.seen(seen).wanted(wanted.clone())).into());
        }
        let ours = |audience: &Value| audience.as_str().is_some_and(|audience| config.audiences.iter().any(|own| own == audience));
        let meant = match claims.get("aud") {
            Some(Value::Array(all)) => all.iter().any(ours),
            Some(one) => ours(one),
            None => false,
        };
        if !config.audiences.is_empty() && !meant {
            return Err(foreign(claims.get("aud")).into());
        }
        Ok(())
    }
}

fn foreign(audience: Option<&Value>) -> Answer {
    let cause = |kind| Cause::new(kind, "`aud` of the issuer's answer", Rule::setting("/audiences"));
    let first = match audience {
        Some(Value::Array(all)) => all.first(),
        other => other,
    };
    AUDIENCE.because(match first.and_then(Value::as_str) {
        Some(first) => cause(CauseKind::NotAllowed).seen(Shown::sent(first)),
        None => cause(CauseKind::Missing),
    })
}

/// Whether it is an access token, of the type that belongs to the scheme it came under (RFC 9449 §6.2).
fn check_type(claims: &Map<String, Value>, config: &Config, proving: bool) -> Result<(), Failure> {
    let other = |about, seen: &str| {
        let cause = Cause::new(CauseKind::NotAllowed, about, Rule::setting("/token_types"));
        Failure::from(TYPE.because(cause.seen(Shown::sent(seen))))
    };
    let kind = claims.get("token_type").map_or(Some(""), Value::as_str).ok_or_else(|| other("`token_type` of the issuer's answer", ""))?;
    let is = |other: &str| kind.eq_ignore_ascii_case(other);
    let access = claims.get("token_use").is_none_or(|kind| kind == "access_token");
    if !access {
        return Err(other("`token_use` of the issuer's answer", claims.get("token_use").and_then(Value::as_str).unwrap_or_default()));
    }
    if !(is(SCHEME) || config.token_types.iter().any(|accepted| is(accepted))) {
        return Err(other("`token_type` of the issuer's answer", kind));
    }
    if (is(SCHEME) && !proving) || (is("Bearer") && proving) {
        let cause = Cause::new(CauseKind::Unbound, "token", Rule::Fixed("RFC 9449 §6.2"));
        return Err(BINDING.because(cause.detail("`token_type` of the answer is that of another scheme")).into());
    }
    Ok(())
}

fn text(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(format!("expected `{name}` to be a string")),
    }
}

fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, String> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or_else(|| format!("expected `{name}` to be seconds since 1970")),
    }
}

/// `iat` that is in milliseconds: as seconds it would be later than any time before which a subject's tokens are revoked.
fn seconds(issued: f64) -> i64 {
    const MILLISECONDS: f64 = 1e11;
    // The conversion cuts fractions off, and holds at both ends.
    (if issued >= MILLISECONDS { issued / 1000.0 } else { issued }) as i64
}

fn key_type(claims: &Map<String, Value>, name: &str) -> Result<KeyType, String> {
    match text(claims, name)?.as_deref().map(str::to_ascii_uppercase).as_deref() {
        None | Some("PRODUCTION") => Ok(KeyType::Production),
        Some("SANDBOX") => Ok(KeyType::Sandbox),
        Some(_) => Err(format!("expected `{name}` to be PRODUCTION or SANDBOX")),
    }
}

fn scopes(claim: Option<&Value>) -> Result<Vec<String>, String> {
    let wrong = || "expected `scope` to be a string or a list of strings".to_owned();
    match claim {
        None => Ok(Vec::new()),
        Some(Value::String(scopes)) => Ok(scopes.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect()),
        Some(Value::Array(scopes)) => scopes.iter().map(|scope| scope.as_str().map(str::to_owned).ok_or_else(wrong)).collect(),
        Some(_) => Err(wrong()),
    }
}
