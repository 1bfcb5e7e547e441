//! What `WWW-Authenticate` says to whoever is refused (RFC 6750 §3, RFC 9449 §7.1).

use http::header::WWW_AUTHENTICATE;
use tollgate_filter_api::{Answer, HeaderValue};

use crate::{DpopConfig, SCHEME};

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

    /// What is wrong with a token, in the scheme that it came with.
    #[must_use]
    pub fn error(&self, answer: Answer, error: &str, proving: bool) -> Answer {
        let scheme = self.dpop.as_ref().filter(|_| proving).unwrap_or(&self.bare);
        let challenge = format!("{scheme}, error=\"{error}\", error_description=\"{}\"", answer.reason().title);
        challenged(answer, &challenge)
    }
}

fn challenged(answer: Answer, challenge: &String) -> Answer {
    match HeaderValue::try_from(challenge) {
        Ok(value) => answer.header(WWW_AUTHENTICATE, value),
        Err(_) => answer,
    }
}
