//! What `WWW-Authenticate` says to whoever is refused (RFC 6750 §3, RFC 9449 §7.1).

use std::time::SystemTime;

use http::header::WWW_AUTHENTICATE;
use tollgate_filter_api::{Answer, Fault, HeaderValue};

use crate::{DpopConfig, SCHEME, proof::Dpop, unfit::Why};

/// The challenges of a filter.
pub struct Challenge {
    /// Scheme and realm.
    bare: String,
    /// The same for the scheme `DPoP`, with the algorithms of proofs, when it is accepted.
    dpop: Option<String>,
}

impl Challenge {
    /// For tokens of that scheme in that realm; both must be good for a header.
    pub fn new(scheme: &str, realm: &str, dpop: Option<&DpopConfig>) -> Self {
        let dpop = dpop.map(|dpop| {
            let algorithms: Vec<&str> = dpop.algorithms.iter().map(|algorithm| algorithm.name()).collect();
            format!("{SCHEME} realm=\"{realm}\", algs=\"{}\"", algorithms.join(" "))
        });
        Self { bare: format!("{scheme} realm=\"{realm}\""), dpop }
    }

    /// Every scheme that is accepted, when no token was sent.
    #[must_use]
    pub fn all(&self, answer: Answer) -> Answer {
        [Some(&self.bare), self.dpop.as_ref()].into_iter().flatten().fold(answer, challenged)
    }

    /// What is wrong with a token, in the scheme that it came with; `why`, when it is what it is bound to. `proving` has judged its proof.
    ///
    /// # Errors
    /// When the nonce that the client is to use cannot be made.
    pub fn error(&self, answer: Answer, why: Option<Why>, proving: Option<&Dpop>, now: SystemTime) -> Result<Answer, Fault> {
        let error = match why {
            Some(Why::Proof | Why::Replay) => "invalid_dpop_proof",
            Some(Why::Nonce) => "use_dpop_nonce",
            _ if answer.status() == 400 => "invalid_request",
            _ => "invalid_token",
        };
        let scheme = self.dpop.as_ref().filter(|_| proving.is_some()).unwrap_or(&self.bare);
        let challenge = format!("{scheme}, error=\"{error}\", error_description=\"{}\"", answer.reason().title);
        let answer = challenged(answer, &challenge);
        match proving.filter(|_| why == Some(Why::Nonce)) {
            Some(dpop) => dpop.offer(answer, now),
            None => Ok(answer),
        }
    }
}

fn challenged(answer: Answer, challenge: &String) -> Answer {
    match HeaderValue::try_from(challenge) {
        Ok(value) => answer.header(WWW_AUTHENTICATE, value),
        Err(_) => answer,
    }
}
