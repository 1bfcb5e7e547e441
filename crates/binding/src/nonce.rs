//! Nonces that the gateway chooses for proofs (RFC 9449 §8), so that a proof cannot be made long before it is used.
//!
//! Nothing is remembered: time is cut into periods, and the nonce of a period is a MAC over its number. Every node with the same
//! secret hands out the same ones. That of the period before is accepted too, and the answer then carries the next one, so a
//! client that sends a request in each period is never refused for it. Does not tell clients apart: a nonce is good for
//! everybody, and it is the proof's signature that says whose it is.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::{
    error::ErrorStack,
    hash::MessageDigest,
    memcmp,
    pkey::{PKey, Private},
    sign::Signer,
};
use tollgate_filter_api::{Env, Fault, HeaderName, HeaderValue, Problem};

use crate::{config::NonceConfig, names::Names};

/// The header that offers a nonce.
pub(crate) static NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// Shorter secrets can be guessed: whoever does makes proofs for days to come.
const LEAST_SECRET: usize = 32;
const LEAST_PERIOD: Duration = Duration::from_secs(1);
/// Bytes of a MAC that are sent; so many cannot be guessed.
const SENT: usize = 16;

/// Makes nonces and knows them again.
pub(crate) struct Nonces {
    key: PKey<Private>,
    period: Duration,
    /// Fault of a nonce that could not be made.
    fault: &'static str,
    /// Kept for as long as a configuration has it, so that a reload changes no nonce.
    _made: Option<Arc<[u8; LEAST_SECRET]>>,
}

/// What a proof's nonce is worth.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is the period's.
    Current,
    /// It is that of the period before; this is the next one.
    Previous(HeaderValue),
    /// It is none that is accepted now, or there is none.
    Unknown,
}

impl Nonces {
    /// Nonces under the configured secret, or under one that this process makes once.
    pub(crate) fn new(config: &NonceConfig, names: &Names, env: &Env) -> Result<Self, Problem> {
        let problem = |name: &str, message: String| Problem::setting(format!("/dpop/nonce/{name}"), message);
        if config.period.0 < LEAST_PERIOD {
            return Err(problem("period", "a nonce would have changed before it could be used".to_owned()).hint("for instance `5m`"));
        }
        let made = match &config.secret {
            Some(secret) if secret.expose().len() < LEAST_SECRET => {
                let message = format!("the secret has fewer than {LEAST_SECRET} bytes");
                return Err(problem("secret", message).hint("`openssl rand -base64 32` makes one"));
            }
            Some(_) => None,
            None => Some(env.shared.get_or_make("dpop.nonces", || random().map_err(|error| problem("secret", error.to_string())))?),
        };
        let bytes = match (&config.secret, &made) {
            (Some(secret), _) => secret.expose().as_bytes(),
            (None, Some(made)) => made.as_slice(),
            (None, None) => &[],
        };
        let key = PKey::hmac(bytes).map_err(|error| problem("secret", error.to_string()))?;
        Ok(Self { key, period: config.period.0, fault: names.no_nonce, _made: made })
    }

    /// The nonce of now, as it is offered.
    pub(crate) fn current(&self, now: SystemTime) -> Result<HeaderValue, Fault> {
        let text = self.of(self.number(now))?;
        HeaderValue::try_from(text).map_err(|error| Fault::new(self.fault, error.to_string()))
    }

    /// What the nonce of a proof is worth now.
    pub(crate) fn judge(&self, sent: Option<&str>, now: SystemTime) -> Result<Standing, Fault> {
        let Some(sent) = sent else { return Ok(Standing::Unknown) };
        let number = self.number(now);
        let is = |number: u64| self.of(number).map(|own| own.len() == sent.len() && memcmp::eq(own.as_bytes(), sent.as_bytes()));
        if is(number)? {
            return Ok(Standing::Current);
        }
        if number > 0 && is(number - 1)? {
            return self.current(now).map(Standing::Previous);
        }
        Ok(Standing::Unknown)
    }

    fn number(&self, now: SystemTime) -> u64 {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        since.as_secs() / self.period.as_secs().max(1)
    }

    fn of(&self, number: u64) -> Result<String, Fault> {
        let mac = || -> Result<Vec<u8>, ErrorStack> {
            let mut signer = Signer::new(MessageDigest::sha256(), &self.key)?;
            signer.update(b"tollgate dpop nonce\0")?;
            signer.update(&self.period.as_secs().to_be_bytes())?;
            signer.update(&number.to_be_bytes())?;
            signer.sign_to_vec()
        };
        let mac = mac().map_err(|error| Fault::new(self.fault, error.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(&mac[..SENT]))
    }
}

fn random() -> Result<[u8; LEAST_SECRET], ErrorStack> {
    let mut bytes = [0; LEAST_SECRET];
    openssl::rand::rand_bytes(&mut bytes)?;
    Ok(bytes)
}
