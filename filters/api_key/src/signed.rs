//! Keys that are signed: the reference product's, RFC 7519.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::{Map, Value};
use tollgate_filter_api::{Call, KeyType, Principal, PrincipalParts, Reason, Token};
use tollgate_jose::{Format, Jws, Key, Unreadable, members, normal_type, parse};
use tollgate_pem::Unusable;

use crate::{
    config::Signed,
    reasons::{API, TIME, UNKNOWN},
};

/// Why a key is refused, and what only the log is told.
pub(crate) type Refusal = (&'static Reason, &'static str);

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

fn unknown(note: &'static str) -> Refusal {
    (&UNKNOWN, note)
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

    pub(crate) fn find(&self, key: &str, call: &Call) -> Result<Principal, Refusal> {
        let jws = Jws::parse(key, self.padded).map_err(|_| unknown("no JWS that can be read"))?;
        if jws.typ.as_deref().is_some_and(|typ| normal_type(typ) != "jwt") {
            return Err(unknown("another type of token"));
        }
        let signed = |key: &Arc<Key>| key.fits(jws.algorithm, call.now) && key.verify(jws.algorithm, jws.input, &jws.signature);
        if !self.keys.iter().any(signed) {
            return Err(unknown("no key of the issuer made the signature"));
        }
        let claims = members(&jws.payload).map_err(|_| unknown("the claims are no strict JSON object"))?;
        if claims.get("iss").and_then(Value::as_str) != Some(self.issuer.as_str()) {
            return Err(unknown("another issuer"));
        }
        // A security event, a logout token for instance (RFC 8417 §2.2), that the issuer signed with the same key.
        if claims.get("events").is_some_and(Value::is_object) {
            return Err(unknown("a security event, and no key"));
        }
        self.time(&claims, call.now)?;
        if !self.names(&claims, call) {
            return Err((&API, "the API is not among those the key names"));
        }
        principal(claims, key, jws.twin())
    }

    fn time(&self, claims: &Map<String, Value>, now: SystemTime) -> Result<(), Refusal> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64();
        let at = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| unknown("a time that is no number of seconds")),
        };
        if at("exp")?.is_some_and(|end| end + self.skew <= now) {
            return Err((&TIME, "`exp` has passed"));
        }
        for name in ["nbf", "iat"] {
            if at(name)?.is_some_and(|begin| begin > now + self.skew) {
                return Err((&TIME, "`nbf` or `iat` is yet to come"));
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

fn principal(claims: Map<String, Value>, key: &str, twin: Option<String>) -> Result<Principal, Refusal> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let key_type = match claims.get("keytype").map(Value::as_str) {
        None | Some(Some("PRODUCTION")) => KeyType::Production,
        Some(Some("SANDBOX")) => KeyType::Sandbox,
        Some(_) => return Err(unknown("`keytype` is neither PRODUCTION nor SANDBOX")),
    };
    // The conversion cuts fractions off, and holds at both ends.
    let time = |name: &str| claims.get(name).and_then(Value::as_f64).map(|seconds| seconds as i64);
    let signature = key.rsplit('.').next().map(str::to_owned);
    let token = Token { id: text("jti"), signature, twin, issued: time("iat"), expires: time("exp") };
    let parts = PrincipalParts {
        filter: "api_key",
        subject: Some(text("sub").ok_or_else(|| unknown("no `sub`"))?),
        issuer: text("iss"),
        client: text("consumerKey"),
        key_type,
        token: Some(token),
        claims,
        ..PrincipalParts::default()
    };
    Ok(Principal::new(parts))
}
