//! Public keys, parsed once: from a JWK, from PEM, from a certificate.
//!
//! A key that is weak, for another use, or of a kind unknown here is left out and does no harm to its set. Who issued a
//! certificate is not checked: the operator put the file there.

use std::time::{Duration, SystemTime};

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use openssl::{
    asn1::{Asn1Time, Asn1TimeRef},
    bn::BigNum,
    ec::{EcGroup, EcKey},
    error::ErrorStack,
    nid::Nid,
    pkey::{Id, PKey, Public},
    rsa::Rsa,
    x509::X509Ref,
};
use serde_json::{Map, Value};

use crate::{
    algorithm::{Algorithm, Family},
    strength::family,
    unusable::Unusable::{self, Malformed, Missing, Private, Purpose},
};

/// Members that only a private or a symmetric key has (RFC 7518 §6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Issuers write numbers with and without padding; nothing hangs on the spelling of public numbers.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&URL_SAFE, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// A public key of an issuer.
#[derive(Debug)]
pub struct Key {
    /// Its name in a JWKS.
    pub kid: Option<String>,
    /// The only algorithm it is for, when it says so.
    algorithm: Option<Algorithm>,
    family: Family,
    public: PKey<Public>,
    /// Validity of the certificate it came in.
    pub validity: Option<(SystemTime, SystemTime)>,
}

impl Key {
    /// Whether the algorithm is one this key may be used with at that time.
    pub fn fits(&self, algorithm: Algorithm, now: SystemTime) -> bool {
        self.family == algorithm.family()
            && self.algorithm.is_none_or(|only| only == algorithm)
            && self.validity.is_none_or(|(from, until)| from <= now && now <= until)
    }

    /// What it can be used for.
    pub(crate) fn family(&self) -> Family {
        self.family
    }

    /// Whether this key made the signature. Ask [`Key::fits`] first.
    pub fn verify(&self, algorithm: Algorithm, input: &[u8], signature: &[u8]) -> bool {
        self.family == algorithm.family() && algorithm.verify(&self.public, input, signature)
    }

    /// A key without a name, of a public key file.
    ///
    /// # Errors
    /// When it is weak or of no use here.
    pub fn from_public(public: PKey<Public>) -> Result<Self, Unusable> {
        let family = family(&public)?;
        Ok(Self { kid: None, algorithm: None, family, public, validity: None })
    }

    /// The key of a certificate, good for as long as that is.
    ///
    /// # Errors
    /// When it is weak or of no use here, or the certificate's times cannot be read.
    pub fn from_certificate(certificate: &X509Ref) -> Result<Self, Unusable> {
        let moment = |read: &Asn1TimeRef, name| time(read).ok_or(Malformed(name));
        let validity = (moment(certificate.not_before(), "notBefore")?, moment(certificate.not_after(), "notAfter")?);
        let key = Self::from_public(certificate.public_key().map_err(|_| Unusable::Kind)?)?;
        Ok(Self { validity: Some(validity), ..key })
    }

    /// A key of a JWKS. A member that is null or empty counts as absent.
    ///
    /// # Errors
    /// When it is not one that may verify tokens here.
    pub fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, Unusable> {
        if let Some(name) = private_member(jwk) {
            return Err(Private(name));
        }
        check_purpose(jwk)?;
        let algorithm = match text(jwk, "alg")? {
            None => None,
            Some(name) => Some(Algorithm::parse(name).ok_or(Unusable::Algorithm)?),
        };
        let kid = text(jwk, "kid")?.map(str::to_owned);
        let key = Self::from_public(public(jwk)?)?;
        if algorithm.is_some_and(|algorithm| algorithm.family() != key.family) {
            return Err(Unusable::Algorithm);
        }
        Ok(Self { kid, algorithm, ..key })
    }
}

/// A member that says something; null, an empty text and an empty list say nothing.
fn member<'a>(jwk: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    jwk.get(name).filter(|value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    })
}

/// The first member by which a JWK is a private or a symmetric key.
pub fn private_member(jwk: &Map<String, Value>) -> Option<&'static str> {
    PRIVATE.into_iter().find(|name| member(jwk, name).is_some())
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, Unusable> {
    member(jwk, name).map(|value| value.as_str().ok_or(Malformed(name))).transpose()
}

fn check_purpose(jwk: &Map<String, Value>) -> Result<(), Unusable> {
    if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err(Purpose("use"));
    }
    match member(jwk, "key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => Ok(()),
        Some(Value::Array(_)) => Err(Purpose("key_ops")),
        Some(_) => Err(Malformed("key_ops")),
    }
}

fn public(jwk: &Map<String, Value>) -> Result<PKey<Public>, Unusable> {
    let needed = |name| text(jwk, name)?.ok_or(Missing(name));
    let bytes = |name| LENIENT.decode(needed(name)?).map_err(|_| Malformed(name));
    match needed("kty")? {
        "RSA" => rsa(&bytes("n")?, &bytes("e")?).map_err(|_| Malformed("n")),
        "EC" => {
            let curve = match needed("crv")? {
                "P-256" => Nid::X9_62_PRIME256V1,
                "P-384" => Nid::SECP384R1,
                "P-521" => Nid::SECP521R1,
                _ => return Err(Unusable::Kind),
            };
            ec(curve, &bytes("x")?, &bytes("y")?).map_err(|_| Malformed("x"))
        }
        "OKP" if needed("crv")? == "Ed25519" => PKey::public_key_from_raw_bytes(&bytes("x")?, Id::ED25519).map_err(|_| Malformed("x")),
        _ => Err(Unusable::Kind),
    }
}

fn rsa(n: &[u8], e: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    PKey::from_rsa(Rsa::from_public_components(BigNum::from_slice(n)?, BigNum::from_slice(e)?)?)
}

fn ec(curve: Nid, x: &[u8], y: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    let group = EcGroup::from_curve_name(curve)?;
    let (x, y) = (BigNum::from_slice(x)?, BigNum::from_slice(y)?);
    PKey::from_ec_key(EcKey::from_public_key_affine_coordinates(&group, &x, &y)?)
}

fn time(time: &Asn1TimeRef) -> Option<SystemTime> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    let seconds = i64::from(since.days) * 86_400 + i64::from(since.secs);
    match u64::try_from(seconds) {
        Ok(after) => SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(after)),
        Err(_) => SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(seconds.unsigned_abs())),
    }
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
