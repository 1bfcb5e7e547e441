//! What `cnf` says, and whether a request has it.
//!
//! Read when the token is judged, and compared on each use, also of a remembered token: the certificate is that of the
//! connection the request came on. A confirmation that is not understood is not met.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use tollgate_filter_api::{Call, HeaderValue, Peer, RequestHead, Views};

use crate::{
    config::SenderConstrained,
    proof::Dpop,
    unfit::{Failure, Unfit, Why},
};

/// What whoever sends a token must have; nothing for a bearer token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// SHA-256 of the certificate (`x5t#S256`).
    certificate: Option<[u8; 32]>,
    /// Thumbprint of the key (`jkt`, RFC 7638).
    key: Option<[u8; 32]>,
}

/// A request that brings a token.
#[derive(Clone, Copy)]
pub struct Bringer<'a> {
    /// Its head.
    pub req: &'a RequestHead,
    /// What is fixed about it.
    pub call: &'a Call,
    /// The other end of its connection.
    pub peer: &'a Peer,
    /// The token, as it was sent.
    pub token: &'a [u8],
    /// Who judges its proof, when the token came under the scheme `DPoP`.
    pub proving: Option<&'a Dpop>,
}

impl Confirmation {
    /// What the claims say. A `cnf` that is null binds to nothing, and a member of it that is null adds nothing; but one of which nothing
    /// is left is not a token without a binding.
    ///
    /// # Errors
    /// When it is an object with no member, or with one that is not known here.
    pub fn of(claims: &Map<String, Value>) -> Result<Self, Unfit> {
        let Some(cnf) = claims.get("cnf").filter(|cnf| !cnf.is_null()) else { return Ok(Self::default()) };
        let members = cnf.as_object().filter(|members| members.values().any(|value| !value.is_null()));
        let members = members.ok_or_else(|| Why::Malformed.because("`cnf` is not an object with members"))?;
        let mut confirmation = Self::default();
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            let place = match name.as_str() {
                "x5t#S256" => &mut confirmation.certificate,
                "jkt" => &mut confirmation.key,
                _ => return Err(Why::Binding.because("`cnf` has a member that is not understood here")),
            };
            *place = Some(digest(value)?);
        }
        Ok(confirmation)
    }

    /// Whether the request has what the token is bound to. Then comes the nonce for the client's next proof, when there is a new one.
    ///
    /// # Errors
    /// When it has not, or that cannot be told.
    pub fn check(&self, bringer: &Bringer<'_>, rule: SenderConstrained, views: &mut Views) -> Result<Option<HeaderValue>, Failure> {
        let Bringer { req, call, token, .. } = *bringer;
        let proved = bringer.proving.map(|dpop| dpop.prove(req, call, token, self.key, views)).transpose()?;
        self.compare(bringer.peer, proved.as_ref().map(|proved| proved.key), rule)?;
        Ok(proved.and_then(|proved| proved.next_nonce))
    }

    fn compare(&self, peer: &Peer, key: Option<[u8; 32]>, rule: SenderConstrained) -> Result<(), Unfit> {
        if let Some(wanted) = self.certificate {
            match peer {
                Peer::Certified(certificate) if certificate.sha256 == wanted => {}
                Peer::Certified(_) => return Err(Why::Binding.because("the connection has another certificate")),
                Peer::Anonymous(why) => return Err(Why::Binding.because(format!("the connection has no certificate: {why}"))),
            }
        }
        if self.key != key {
            return Err(Why::Binding.because("the token is bound to a key that the request does not prove"));
        }
        if rule == SenderConstrained::Required && *self == Self::default() {
            return Err(Why::NotBound.alone());
        }
        Ok(())
    }
}

/// A SHA-256 as `cnf` carries it: 43 characters of base64url.
fn digest(value: &Value) -> Result<[u8; 32], Unfit> {
    let bytes = value.as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| Why::Malformed.because("a member of `cnf` is not a SHA-256 in base64url"))
}
