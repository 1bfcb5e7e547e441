//! Keys that are signed: the reference product's, RFC 7519.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::{Map, Value};
use tollgate_filter_api::{Answer, Call, Cause, CauseKind, KeyType, Principal, PrincipalParts, Rule, Shown, Token};
use tollgate_jose::{Format, Jws, Key, Unreadable, members, normal_type, parse};
use tollgate_pem::Unusable;

use crate::{
    config::Signed,
    reasons::{API, TIME, UNKNOWN},
};

/// Who signs keys.
pub(crate) struct Signer {
    issuer: String,
    keys: Arc<[Arc<Key>]>,
    any_api: bool,
    skew: f64,
    padded: bool,
}

/// Whether a text is a signed key rather than an opaque one.
pub(crate) fn is_signed(key: &str) -> bool {
    key.split('.').count() == 3
}

/// What a signed key must be like.
const FORM: Rule = Rule::Fixed("RFC 7519 §7.2");

fn unknown(kind: CauseKind, about: &'static str, rule: Rule, detail: &'static str) -> Answer {
    UNKNOWN.because(Cause::new(kind, about, rule).detail(detail))
}

fn malformed(detail: &'static str) -> Answer {
    unknown(CauseKind::Malformed, "API key", FORM, detail)
}

impl Signer {
    /// # Errors
    /// Why no signature could be verified with what the file holds: certificates, or else public keys.
    pub(crate) fn new(settings: &Signed, pem: &[u8]) -> Result<Self, String> {
        let read = match parse(Format::Certificate, pem) {
            Err(Unreadable::Pem(Unusable::Nothing(_))) => parse(Format::Pem, pem),
            read => read,
        };
        let keys = read.map_err(|why| why.to_string())?.keys;
        if keys.is_empty() {
            return Err("none of them is fit for that".to_owned());
        }
        let skew = settings.clock_skew.0.as_secs_f64();
        Ok(Self { issuer: settings.issuer.clone(), keys, any_api: settings.any_api, skew, padded: settings.padded })
    }

    pub(crate) fn find(&self, key: &str, call: &Call) -> Result<Principal, Answer> {
        let jws = Jws::parse(key, self.padded).map_err(|_| malformed("it is no JWS that can be read"))?;
        if jws.typ.as_deref().is_some_and(|typ| normal_type(typ) != "jwt") {
            return Err(unknown(CauseKind::NotAllowed, "`typ` of the API key", FORM, "it is another type of token"));
        }
        let signed = |key: &Arc<Key>| key.fits(jws.algorithm, call.now) && key.verify(jws.algorithm, jws.input, &jws.signature);
        if !self.keys.iter().any(signed) {
            let rule = Rule::setting("/signed/certificate");
            return Err(unknown(CauseKind::Unverified, "signature of the API key", rule, "no key of the issuer made it"));
        }
        let claims = members(&jws.payload).map_err(|_| malformed("the claims are no strict JSON object"))?;
        let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
        if issuer != self.issuer {
            let cause = Cause::new(CauseKind::NotAllowed, "claim `iss`", Rule::setting("/signed/issuer"));
            return Err(UNKNOWN.because(cause.seen(Shown::sent(issuer)).wanted(self.issuer.clone())));
        }
        // A security event, a logout token for instance (RFC 8417 §2.2), that the issuer signed with the same key.
        if claims.get("events").is_some_and(Value::is_object) {
            return Err(unknown(CauseKind::NotAllowed, "claim `events`", FORM, "it is a security event, and no key"));
        }
        self.time(&claims, call.now)?;
        if !self.names(&claims, call) {
            let cause = Cause::new(CauseKind::NotAllowed, "API", Rule::setting("/signed/any_api"));
            return Err(API.because(cause.detail("it is not among those the key names").seen(Shown::sent(&call.operation.api))));
        }
        principal(claims, key, jws.twin())
    }

    fn time(&self, claims: &Map<String, Value>, now: SystemTime) -> Result<(), Answer> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64();
        let at = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| malformed("a time is no number of seconds")),
        };
        let untimely = |about, seconds: f64, wanted: &'static str| {
            let cause = Cause::new(CauseKind::Time, about, Rule::setting("/signed/clock_skew"));
            TIME.because(cause.seen(seconds as i64).wanted(wanted))
        };
        if let Some(end) = at("exp")?.filter(|end| end + self.skew <= now) {
            return Err(untimely("claim `exp`", end, "a time after the request's"));
        }
        for (name, about) in [("nbf", "claim `nbf`"), ("iat", "claim `iat`")] {
            if let Some(begin) = at(name)?.filter(|begin| *begin > now + self.skew) {
                return Err(untimely(about, begin, "a time before the request's"));
            }
        }
        Ok(())
    }

    /// Whether the key is for this API: it names it, or names none and need not.
    fn names(&self, claims: &Map<String, Value>, call: &Call) -> bool {
        let said: Vec<&Value> =
            ["allowedAPIs", "subscribedAPIs"].iter().filter_map(|name| claims.get(*name)).filter(|said| !said.is_null()).collect();
        // What is no list says something that nobody understands, not nothing.
        let Some(lists) = said.into_iter().map(Value::as_array).collect::<Option<Vec<_>>>() else { return false };
        let is_ours = |api: &Value| {
            let text = |name: &str| api.get(name).and_then(Value::as_str);
            text("name") == Some(&call.operation.api)
                && text("version").is_some_and(|version| version == "*" || version == call.operation.version)
        };
        if lists.iter().all(|list| list.is_empty()) { self.any_api } else { lists.into_iter().flatten().any(is_ours) }
    }
}

fn principal(claims: Map<String, Value>, key: &str, twin: Option<String>) -> Result<Principal, Answer> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let key_type = match claims.get("keytype").map(Value::as_str) {
        None | Some(Some("PRODUCTION")) => KeyType::Production,
        Some(Some("SANDBOX")) => KeyType::Sandbox,
        Some(_) => return Err(unknown(CauseKind::Malformed, "claim `keytype`", FORM, "it is neither PRODUCTION nor SANDBOX")),
    };
    // The conversion cuts fractions off, and holds at both ends.
    let time = |name: &str| claims.get(name).and_then(Value::as_f64).map(|seconds| seconds as i64);
    let signature = key.rsplit('.').next().map(str::to_owned);
    let token = Token { id: text("jti"), signature, twin, issued: time("iat"), expires: time("exp") };
    let parts = PrincipalParts {
        filter: "api_key",
        subject: Some(text("sub").ok_or_else(|| unknown(CauseKind::Missing, "claim `sub`", FORM, "the key names nobody"))?),
        issuer: text("iss"),
        client: text("consumerKey"),
        key_type,
        token: Some(token),
        claims,
        ..PrincipalParts::default()
    };
    Ok(Principal::new(parts))
}
