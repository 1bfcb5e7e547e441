//! A token in, a principal out: the issuers of one configuration and the tokens that were verified for them.
//!
//! Does not look at scopes, which differ between operations, nor at where the token was found.

use std::sync::Arc;

use ref_cast::RefCast;
use serde_json::{Map, Value};
use tollgate_binding::Confirmation;
use tollgate_filter_api::{Cause, CauseKind, Counter, Moment, Principal, Rule, Shown, View, Views};
use tollgate_jose::{Algorithm, Jws, normal_type};

use crate::{
    cache::{Cache, Entry, Kept, Wanted},
    claims::Rules,
    keyset::KeyRing,
    kinds,
    reasons::{ALGORITHM, Failure, Refusal, Refuse, TOO_LONG, TYPE, UNKNOWN_ISSUER, malformed},
    snapshot::{NotProved, Proof},
};

/// An issuer, ready to judge.
pub(crate) struct Issuer {
    /// `iss`.
    pub name: String,
    /// Algorithms accepted.
    pub algorithms: Vec<Algorithm>,
    /// Values of `typ` accepted, in normal form.
    pub types: Vec<String>,
    /// Its keys, shared with every verifier that has the same sources.
    pub keys: View<Arc<KeyRing>>,
    /// What its tokens must say.
    pub rules: Rules,
}

/// Judges tokens. One for all operations with the same issuers.
pub(crate) struct Verifier {
    /// Each with another name.
    pub issuers: Vec<Issuer>,
    /// Tokens that were good.
    pub cache: Cache,
    /// Longest token looked at.
    pub max_token_bytes: usize,
    /// Whether base64url may be padded.
    pub padded: bool,
    /// Tokens found in the cache and still good.
    pub hits: Counter,
    /// Tokens verified anew, whatever came of it.
    pub misses: Counter,
}

/// A good token: who it speaks of, and what its sender must have, which is still to be compared.
#[derive(Debug)]
pub(crate) struct Verified {
    /// Who it speaks of.
    pub principal: Principal,
    /// What its sender must have.
    pub confirmation: Confirmation,
}

/// What the keys say of a signature.
type Said = Result<Proof, NotProved>;

/// The `typ` that only an access token has (RFC 9068 §2.1).
const ACCESS_TOKEN: &str = "at+jwt";

fn kind(jws: &Jws<'_>) -> String {
    normal_type(jws.typ.as_deref().unwrap_or_default())
}

impl Verifier {
    /// What a good token says. Waits only when a key is not at hand.
    pub(crate) async fn verify(&self, token: &[u8], now: Moment, views: &mut Views) -> Result<Verified, Failure> {
        if token.len() > self.max_token_bytes {
            let cause = Cause::new(CauseKind::OverLimit, "token", Rule::setting("/max_token_bytes"));
            let (seen, wanted) = (Shown::Bytes(token.len() as u64), Shown::Bytes(self.max_token_bytes as u64));
            return Err(TOO_LONG.refuse(cause.seen(seen).wanted(wanted)).into());
        }
        if let Some(verified) = self.remembered(token, now, views) {
            self.hits.inc();
            return Ok(verified);
        }
        self.misses.inc();
        let entry = self.examine(token, now, views).await?;
        let verified = Verified { principal: entry.principal.clone(), confirmation: entry.confirmation };
        self.cache.put(Kept(token.into()), entry);
        Ok(verified)
    }

    fn remembered(&self, token: &[u8], now: Moment, views: &mut Views) -> Option<Verified> {
        let entry = self.cache.get(Wanted::ref_cast(token))?;
        let issuer = self.issuers.get(entry.issuer)?;
        let (window, wall) = (entry.window, now.wall);
        let in_time = wall < window.until && window.from.is_none_or(|from| from <= wall) && now.instant < entry.until;
        if !in_time {
            return None;
        }
        let holds = |ring: &Arc<KeyRing>| (ring.generation(now.instant) == entry.proof.generation).then_some(Said::Ok(entry.proof));
        views.recall(&issuer.keys, &issuer.name, holds)?.ok()?;
        Some(Verified { principal: entry.principal, confirmation: entry.confirmation })
    }

    async fn examine(&self, token: &[u8], now: Moment, views: &mut Views) -> Result<Entry, Failure> {
        let token = str::from_utf8(token).ok().filter(|token| token.is_ascii());
        let token = token.ok_or_else(|| malformed("token", "the header is not ASCII"))?;
        let jws = Jws::parse(token, self.padded)?;
        let claims = tollgate_jose::members(&jws.payload).map_err(|_| malformed("token", "the payload is not one strict JSON object"))?;
        let (place, issuer) = self.issuer(&claims)?;
        let client = || issuer.rules.client(&claims).ok().flatten();
        issuer.check_header(&jws).map_err(|refusal| refusal.claimed_by(client()))?;
        let said: Said = views
            .await_answer(&issuer.keys, &issuer.name, |ring| ring.prove(&jws, now), Said::clone, |said| said)
            .await
            .map_err(Failure::Undecided)?;
        let proof = said.map_err(|not| not.failure(&jws, issuer.rules.setting("/issuers/*/keys")).claimed_by(client()))?;
        // From here on the issuer's word is known to be its own.
        let judged = issuer.rules.check(&claims, now.wall).and_then(|window| {
            kinds::check(&claims, kind(&jws) == ACCESS_TOKEN)?;
            Ok((window, Confirmation::of(&claims)?))
        });
        let (mut window, confirmation) = judged.map_err(|refusal| refusal.of(client().as_deref()))?;
        if let Some(end) = proof.until {
            window.until = window.until.min(end);
        }
        let principal = issuer.rules.principal(claims, token.rsplit('.').next(), jws.twin())?;
        let until = now.when(window.until);
        Ok(Entry { principal, confirmation, window, until, issuer: place, proof })
    }

    fn issuer(&self, claims: &Map<String, Value>) -> Result<(usize, &Issuer), Refusal> {
        let name = match claims.get("iss") {
            None => return Err(UNKNOWN_ISSUER.refuse(Cause::new(CauseKind::Missing, "claim `iss`", Rule::setting("/issuers")))),
            Some(Value::String(name)) => name,
            Some(_) => return Err(malformed("claim `iss`", "it is not a string")),
        };
        self.issuers.iter().enumerate().find(|(_, issuer)| issuer.name == *name).ok_or_else(|| {
            let cause = Cause::new(CauseKind::NotAllowed, "claim `iss`", Rule::setting("/issuers"));
            UNKNOWN_ISSUER.refuse(cause.seen(Shown::sent(name)))
        })
    }
}

impl Issuer {
    fn check_header(&self, jws: &Jws<'_>) -> Result<(), Refusal> {
        if !self.algorithms.contains(&jws.algorithm) {
            let cause = Cause::new(CauseKind::NotAllowed, "`alg` of the token", self.rules.setting("/issuers/*/algorithms"));
            return Err(ALGORITHM.refuse(cause.seen(jws.algorithm.name())));
        }
        if !self.types.contains(&kind(jws)) {
            let cause = Cause::new(CauseKind::NotAllowed, "`typ` of the token", self.rules.setting("/issuers/*/typ"));
            return Err(TYPE.refuse(cause.seen(Shown::sent(jws.typ.as_deref().unwrap_or_default()))));
        }
        Ok(())
    }
}
