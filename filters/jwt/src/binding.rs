//! What a token is bound to (`cnf`, RFC 7800): a client certificate (RFC 8705), a key the client proves with DPoP (RFC 9449).
//!
//! Read once, when the token is verified, and compared on each use, also of a remembered token: the certificate is that of
//! the connection the request came on. A confirmation that is not understood is not met.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use tollgate_filter_api::Peer;

use crate::{
    config::SenderConstrained,
    reasons::{BINDING, MALFORMED, NOT_BOUND, Refusal, Refuse},
};

/// What whoever sends a token must have; nothing for a bearer token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Confirmation {
    /// SHA-256 of the certificate (`x5t#S256`).
    certificate: Option<[u8; 32]>,
    /// Thumbprint of the key (`jkt`, RFC 7638).
    key: Option<[u8; 32]>,
}

impl Confirmation {
    /// What the claims say. An object with no member, or with one that is not known here, is refused.
    pub(crate) fn of(claims: &Map<String, Value>) -> Result<Self, Refusal> {
        let Some(cnf) = claims.get("cnf") else { return Ok(Self::default()) };
        let members = cnf.as_object().filter(|members| !members.is_empty());
        let members = members.ok_or_else(|| MALFORMED.because("`cnf` is not an object with members"))?;
        let mut confirmation = Self::default();
        for (name, value) in members {
            let place = match name.as_str() {
                "x5t#S256" => &mut confirmation.certificate,
                "jkt" => &mut confirmation.key,
                _ => return Err(BINDING.because("`cnf` has a member that is not understood here")),
            };
            *place = Some(digest(value)?);
        }
        Ok(confirmation)
    }

    /// Thumbprint of the key that a request must prove.
    pub(crate) fn key(&self) -> Option<[u8; 32]> {
        self.key
    }

    /// Whether the token may be used over this connection. `key` is the thumbprint of the key that the request proved.
    pub(crate) fn check(&self, peer: &Peer, key: Option<[u8; 32]>, rule: SenderConstrained) -> Result<(), Refusal> {
        if let Some(wanted) = self.certificate {
            match peer {
                Peer::Certified(certificate) if certificate.sha256 == wanted => {}
                Peer::Certified(_) => return Err(BINDING.because("the connection has another certificate")),
                Peer::Anonymous(why) => return Err(BINDING.because(format!("the connection has no certificate: {why:?}"))),
            }
        }
        if self.key != key {
            return Err(BINDING.because("the token is bound to a key that the request does not prove"));
        }
        if rule == SenderConstrained::Required && *self == Self::default() {
            return Err(NOT_BOUND.refusal());
        }
        Ok(())
    }
}

/// A SHA-256 as `cnf` carries it: 43 characters of base64url.
fn digest(value: &Value) -> Result<[u8; 32], Refusal> {
    let bytes = value.as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| MALFORMED.because("a member of `cnf` is not a SHA-256 in base64url"))
}
