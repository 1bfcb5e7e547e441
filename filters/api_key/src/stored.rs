//! Keys that are known by their digests. The digest is what is looked for, so that the time a look-up takes says nothing of a key.

use std::{collections::HashMap, time::SystemTime};

use openssl::sha::sha256;
use serde_json::{Map, Value};
use tollgate_filter_api::{Answer, Call, Cause, CauseKind, KeyType, Principal, PrincipalParts, Rule, Shown, Token};

use crate::{
    config::StoredKey,
    reasons::{API, TIME, UNKNOWN},
};

struct Stored {
    parts: PrincipalParts,
    apis: Vec<String>,
    expires: Option<u64>,
    /// Place among the settings.
    place: usize,
}

/// The keys of one configuration.
pub(crate) struct Keys(HashMap<[u8; 32], Stored>);

impl Keys {
    /// # Errors
    /// The number of the first that cannot be used, the member, and why.
    pub(crate) fn new(keys: Vec<StoredKey>) -> Result<Self, (usize, &'static str, &'static str)> {
        let mut all = HashMap::new();
        let mut ids: Vec<String> = Vec::new();
        for (number, key) in keys.into_iter().enumerate() {
            let digest = hex::decode(&key.sha256).ok().and_then(|digest| digest.try_into().ok()).ok_or((
                number,
                "sha256",
                "expected 64 hexadecimal digits",
            ))?;
            if key.apis.is_empty() {
                return Err((number, "apis", "expected at least one API, or `*`"));
            }
            if key.id.is_empty() || ids.contains(&key.id) {
                return Err((number, "id", "expected a name that no other key has"));
            }
            ids.push(key.id.clone());
            if all.insert(digest, Stored::new(key, number)).is_some() {
                return Err((number, "sha256", "expected a key that is listed once"));
            }
        }
        Ok(Self(all))
    }

    pub(crate) fn find(&self, key: &str, call: &Call) -> Result<Principal, Answer> {
        let stored = self.0.get(&sha256(key.as_bytes())).ok_or_else(|| {
            let cause = Cause::new(CauseKind::NotAllowed, "API key", Rule::setting("/keys"));
            UNKNOWN.because(cause.detail("nobody has that key"))
        })?;
        let now = call.now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| now.as_secs());
        if let Some(end) = stored.expires.filter(|end| *end <= now) {
            let cause = Cause::new(CauseKind::Time, "API key", Rule::nth_setting("/keys/*/expires", stored.place));
            return Err(TIME.because(cause.seen(i64::try_from(end).unwrap_or(i64::MAX)).wanted("a time after the request's")));
        }
        let (title, version) = (&call.operation.api, &call.operation.version);
        let named = |api: &String| {
            api == "*" || api == title || api.strip_prefix(title.as_str()).and_then(|rest| rest.strip_prefix(':')) == Some(version)
        };
        if stored.apis.iter().any(named) {
            return Ok(stored.principal(key));
        }
        Err(API.because(Cause::new(CauseKind::NotAllowed, "API", Rule::nth_setting("/keys/*/apis", stored.place)).seen(Shown::sent(title))))
    }
}

impl Stored {
    /// Known by the key itself too: who finds one that leaked and revokes it may know nothing else of it.
    fn principal(&self, key: &str) -> Principal {
        let mut parts = self.parts.clone();
        let token = parts.token.take().unwrap_or_default();
        parts.token = Some(Token { signature: Some(key.to_owned()), ..token });
        Principal::new(parts)
    }

    fn new(key: StoredKey, place: usize) -> Self {
        let token = Token { id: Some(key.id.clone()), expires: key.expires.and_then(|end| i64::try_from(end).ok()), ..Token::default() };
        let subject = key.subject.unwrap_or_else(|| key.id.clone());
        let parts = PrincipalParts {
            filter: "api_key",
            claims: Map::from_iter([("sub".to_owned(), Value::from(subject.as_str()))]),
            subject: Some(subject),
            scopes: key.scopes,
            key_type: if key.sandbox { KeyType::Sandbox } else { KeyType::Production },
            token: Some(token),
            ..PrincipalParts::default()
        };
        Self { parts, apis: key.apis, expires: key.expires, place }
    }
}
