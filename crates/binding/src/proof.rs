//! Proof of possession at each request (DPoP, RFC 9449 §4.3): the client signs method, URL, time and token with the key that
//! the token is bound to.
//!
//! In order: one header; its length; its form; its type and algorithm; the key's size; the thumbprint that the token names, so
//! that no cryptography is done for a key of the sender's choice; the signature; method, URL, time, token; and last, whether
//! the proof has our nonce where one is demanded and was seen before. Does not protect against a client whose key was stolen, nor against whoever may sign with it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::header::CACHE_CONTROL;
use openssl::sha::sha256;
use serde_json::{Map, Value};
use tollgate_filter_api::{
    Answer, Call, Cause, CauseKind, Counter, Env, Fault, HeaderName, HeaderValue, Problem, RequestHead, ResponseHead, Rule, Shown, View,
    Views,
};
use tollgate_jose::{Jws, Key, normal_type, private_member};

use crate::{
    config::DpopConfig,
    names::Names,
    nonce::{NONCE, Nonces, Standing},
    replay::{ProofName, ProofUse, Replays},
    target::Origins,
    unfit::{Failure, Unfit, Why},
};

/// The header with the proof.
static PROOF: HeaderName = HeaderName::from_static("dpop");
/// Longest member of a key: an RSA modulus of 4096 bits. Longer ones only make the check dear.
const MAX_MEMBER: usize = 684;
/// Longest `jti`: a proof's name needs no more than a UUID.
const MAX_ID: usize = 256;

/// Judges proofs.
pub struct Dpop {
    config: DpopConfig,
    names: &'static Names,
    /// Where clients see this gateway.
    origins: Origins,
    /// Proofs that were used, one store for all operations.
    replays: View<Arc<Replays>>,
    /// Nonces, where they are demanded.
    nonces: Option<Nonces>,
    replayed: Counter,
    full: Counter,
}

/// A key that a request proved to have.
pub(crate) struct Proved {
    /// Its thumbprint.
    pub key: [u8; 32],
    /// The nonce for the next proof, when the one that was used is about to end.
    pub next_nonce: Option<HeaderValue>,
}

impl Dpop {
    /// Which proofs were used is known to all operations with the same names, and over a reload.
    ///
    /// # Errors
    /// When no proof could be accepted, or a setting cannot be read.
    pub fn new(config: DpopConfig, names: &'static Names, env: &Env) -> Result<Self, Problem> {
        if config.algorithms.is_empty() || config.replay_entries == 0 || config.max_age.0.is_zero() {
            return Err(Problem::setting("/dpop", "no proof could be accepted")
                .hint("`algorithms`, `replay_entries` and `max_age` must not be empty or zero"));
        }
        let origins = Origins::parse(&config.origins).map_err(|url| {
            Problem::setting("/dpop/origins", format!("{url:?} is not a URL of `https` or `http`"))
                .hint("for instance `https://api.example.com`")
        })?;
        let store = format!("DPoP proofs of {}", names.replays);
        let replays = env.shared.get_or_make(&store, || Ok(Replays::new(config.replay_entries)))?;
        replays.resize(config.replay_entries);
        let replays = View::new(names.proofs, replays);
        let nonces = config.nonce.as_ref().map(|nonce| Nonces::new(nonce, names, env)).transpose()?;
        let (replayed, full) = (env.metrics.counter(names.replays, None), env.metrics.counter(names.full, None));
        Ok(Self { config, names, origins, replays, nonces, replayed, full })
    }

    /// Takes the proof out of a request that passes, unless it is let through.
    pub fn take_out(&self, req: &mut RequestHead) {
        if !self.config.forward_proof {
            req.remove(&PROOF);
        }
    }

    /// The answer to a proof without our nonce, with the one to use.
    pub(crate) fn offer(&self, answer: Answer, now: SystemTime) -> Result<Answer, Fault> {
        match &self.nonces {
            Some(nonces) => Ok(answer.header(NONCE.clone(), nonces.current(now)?)),
            None => Ok(answer),
        }
    }

    /// Puts the nonce for the next proof into a response, when the one that was used is about to end. Where nonces are demanded, only
    /// ours count.
    pub fn announce(&self, next: Option<&HeaderValue>, resp: &mut ResponseHead) {
        if self.nonces.is_some() {
            resp.remove(&NONCE);
        }
        if let Some(nonce) = next {
            resp.set(NONCE.clone(), nonce.clone());
            // A cache would hand it out when it is long over (RFC 9449 §8.2).
            resp.set(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }

    /// Checks the proof of a request against the key that its token is bound to.
    pub(crate) fn prove(
        &self,
        req: &RequestHead,
        call: &Call,
        token: &[u8],
        key: Option<[u8; 32]>,
        views: &mut Views,
    ) -> Result<Proved, Failure> {
        let key = key.ok_or_else(|| Why::Binding.because("the token is bound to no key, and came under the scheme `DPoP`"))?;
        let proof = self.only(req)?;
        let jws = Jws::parse(proof, false).map_err(|malformed| Why::Proof.because(malformed.to_string()))?;
        self.check_signature(&jws, key, call.now)?;
        let claims = tollgate_jose::members(&jws.payload).map_err(|_| Why::Proof.because("the payload is not one strict JSON object"))?;
        let (id, until) = self.check_claims(&claims, req, call, token)?;
        let next_nonce = self.check_nonce(&claims, call.now)?;
        let (name, now) = (ProofName::of(&key, id), call.moment());
        let use_of = views.take(&self.replays, "its use", |known, takes| known.use_of(name, takes.then_some(until), now));
        match use_of.map_err(Failure::Undecided)? {
            ProofUse::First => Ok(Proved { key, next_nonce }),
            ProofUse::Replay => {
                self.replayed.inc();
                Err(Why::Replay.alone().into())
            }
            ProofUse::NoRoom => {
                self.full.inc();
                let fault = Fault::new(self.names.no_room, "`dpop.replay_entries` proofs are remembered, and none has expired");
                Err(Failure::Undecided(fault.retry_after(Duration::from_secs(1))))
            }
        }
    }

    fn only<'a>(&self, req: &'a RequestHead) -> Result<&'a str, Unfit> {
        let mut values = req.get_all(&PROOF);
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Why::Proof.because("the header `DPoP` does not occur exactly once"));
        };
        if value.len() as u64 > self.config.max_proof_bytes.0 {
            let cause = Cause::new(CauseKind::OverLimit, "DPoP proof", Rule::setting("/dpop/max_proof_bytes"));
            let (seen, wanted) = (Shown::Bytes(value.len() as u64), Shown::Bytes(self.config.max_proof_bytes.0));
            return Err(Why::Proof.unfit(cause.seen(seen).wanted(wanted)));
        }
        value.to_str().map_err(|_| Why::Proof.because("the proof is not ASCII"))
    }

    fn check_signature(&self, jws: &Jws<'_>, wanted: [u8; 32], now: SystemTime) -> Result<(), Unfit> {
        if normal_type(jws.typ.as_deref().unwrap_or_default()) != "dpop+jwt" {
            return Err(Why::Proof.because("`typ` is not `dpop+jwt`"));
        }
        if !self.config.algorithms.contains(&jws.algorithm) {
            let cause = Cause::new(CauseKind::NotAllowed, "`alg` of the DPoP proof", Rule::setting("/dpop/algorithms"));
            return Err(Why::Proof.unfit(cause.seen(jws.algorithm.name())));
        }
        let jwk = jws.header.get("jwk").and_then(Value::as_object).ok_or_else(|| Why::Proof.because("`jwk` is not an object"))?;
        if private_member(jwk).is_some() {
            return Err(Why::Proof.because("`jwk` holds a private key"));
        }
        if jwk.values().any(|value| value.as_str().is_some_and(|text| text.len() > MAX_MEMBER)) {
            return Err(Why::Proof.because("the key is too large"));
        }
        if thumbprint(jwk) != Some(wanted) {
            return Err(Why::Binding.because("the proof's key is not the one that the token is bound to"));
        }
        let key = Key::from_jwk(jwk).ok().filter(|key| key.fits(jws.algorithm, now));
        let key = key.ok_or_else(|| Why::Proof.because("the key is weak, or of another kind than `alg`"))?;
        if key.verify(jws.algorithm, jws.input, &jws.signature) { Ok(()) } else { Err(Why::Proof.because("the signature is wrong")) }
    }

    /// The proof's name, and until when it could be used again.
    fn check_claims<'c>(
        &self,
        claims: &'c Map<String, Value>,
        req: &RequestHead,
        call: &Call,
        token: &[u8],
    ) -> Result<(&'c str, SystemTime), Unfit> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("htm") != Some(req.method().as_str()) {
            return Err(Why::Proof.because("`htm` is not the method"));
        }
        if !text("htu").is_some_and(|url| self.origins.is_target(url, req, call)) {
            let cause = Cause::new(CauseKind::Unverified, "`htu` of the DPoP proof", Rule::setting("/dpop/origins"));
            return Err(Why::Proof.unfit(cause.detail("it is not the URL; behind a proxy that ends TLS, set `dpop.origins`")));
        }
        let until = self.window(claims, call.now)?;
        if text("ath") != Some(URL_SAFE_NO_PAD.encode(sha256(token)).as_str()) {
            return Err(Why::Proof.because("`ath` is not the token's SHA-256"));
        }
        let id = text("jti").filter(|id| !id.is_empty() && id.len() <= MAX_ID);
        Ok((id.ok_or_else(|| Why::Proof.because("`jti` is not a text of 1 to 256 bytes"))?, until))
    }

    /// The next nonce, when the one in the proof is about to end.
    fn check_nonce(&self, claims: &Map<String, Value>, now: SystemTime) -> Result<Option<HeaderValue>, Failure> {
        let Some(nonces) = &self.nonces else { return Ok(None) };
        match nonces.judge(claims.get("nonce").and_then(Value::as_str), now).map_err(Failure::Undecided)? {
            Standing::Current => Ok(None),
            Standing::Previous(next) => Ok(Some(next)),
            Standing::Unknown => Err(Why::Nonce.alone().into()),
        }
    }

    fn window(&self, claims: &Map<String, Value>, now: SystemTime) -> Result<SystemTime, Unfit> {
        let iat = claims.get("iat").and_then(Value::as_f64).filter(|iat| (0.0..1e12).contains(iat));
        let iat = SystemTime::UNIX_EPOCH + Duration::from_secs_f64(iat.ok_or_else(|| Why::Proof.because("`iat` is not a time"))?);
        let until = iat + self.config.max_age.0;
        if until < now || iat > now + self.config.clock_skew.0 {
            let cause = Cause::new(CauseKind::Time, "`iat` of the DPoP proof", Rule::setting("/dpop/max_age"));
            return Err(Why::Proof.unfit(cause.detail("it is outside `max_age` and `clock_skew`")));
        }
        Ok(until)
    }
}

/// RFC 7638: SHA-256 of the required members in the order of the alphabet. Text that JSON would escape is in no good key.
fn thumbprint(jwk: &Map<String, Value>) -> Option<[u8; 32]> {
    let names: &[&str] = match jwk.get("kty")?.as_str()? {
        "RSA" => &["e", "kty", "n"],
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        _ => return None,
    };
    let mut text = String::from("{");
    for name in names {
        let value = jwk.get(*name)?.as_str()?;
        if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return None;
        }
        let comma = if text.len() > 1 { "," } else { "" };
        text.push_str(&format!("{comma}\"{name}\":\"{value}\""));
    }
    text.push('}');
    Some(sha256(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::json;

    #[test]
    fn b10_the_thumbprint_is_that_of_rfc_7638_and_rfc_8037() {
        let of = |jwk: serde_json::Value| super::thumbprint(jwk.as_object().unwrap()).map(|digest| URL_SAFE_NO_PAD.encode(digest));
        let key = json!({ "crv": "Ed25519", "kty": "OKP", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "ignored" });
        assert_eq!(of(key).as_deref(), Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
        assert_eq!(of(json!({ "kty": "oct", "k": "AA" })), None);
        assert_eq!(of(json!({ "kty": "OKP", "crv": "Ed25519", "x": "a\"b" })), None);
    }
}
