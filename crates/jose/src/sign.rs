//! Private keys, and the tokens they make.
//!
//! A key as weak as would be refused for verifying signs nothing here. Where the key is kept, who may have it used and what
//! the token says is for whoever calls.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::{
    bn::{BigNum, BigNumContext},
    ec::EcKeyRef,
    ecdsa::EcdsaSig,
    error::ErrorStack,
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Padding,
    sign::{RsaPssSaltlen, Signer},
};
use serde_json::{Map, Value, json};

use crate::{
    algorithm::{Algorithm, Family},
    key::Key,
};

/// Why a text is no key to sign with. Says nothing of the key itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableKey {
    /// Not PEM, no private key, or protected by a passphrase.
    #[error("the file {0}")]
    Unreadable(#[from] tollgate_pem::Unusable),
    /// RSA below 2048 or above 8192 bits, or of another kind than RSA, P-256, P-384, P-521 and Ed25519.
    #[error("a key too weak, too long, or of a kind that signs no tokens here")]
    Unfit,
    /// The algorithm needs another kind of key.
    #[error("the key is not of the kind that the algorithm needs")]
    Algorithm,
}

/// The library could not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token could not be signed")]
pub struct SignError;

impl From<ErrorStack> for SignError {
    fn from(_: ErrorStack) -> Self {
        Self
    }
}

/// A private key and the one algorithm it is used with.
pub struct SigningKey {
    private: PKey<Private>,
    family: Family,
    algorithm: Algorithm,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A key in PEM (PKCS#8, PKCS#1 or SEC 1), to be used with that algorithm, or with the usual one of its kind: RS256, ES256,
    /// ES384, ES512, EdDSA.
    ///
    /// # Errors
    /// [`UnusableKey`].
    pub fn from_pem(pem: &[u8], algorithm: Option<Algorithm>) -> Result<Self, UnusableKey> {
        let private = tollgate_pem::private_key(pem)?;
        let public = private.public_key_to_der().and_then(|der| PKey::public_key_from_der(&der)).map_err(|_| UnusableKey::Unfit)?;
        let family = Key::from_public(public).map_err(|_| UnusableKey::Unfit)?.family();
        let algorithm = algorithm.unwrap_or(usual(family));
        if algorithm.family() != family {
            return Err(UnusableKey::Algorithm);
        }
        Ok(Self { private, family, algorithm })
    }

    /// The algorithm that the key signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// A token of these claims; `alg` is put in front of the header's members.
    ///
    /// # Errors
    /// The library could not sign.
    pub fn seal(&self, header: &Map<String, Value>, claims: &Map<String, Value>) -> Result<String, SignError> {
        let mut whole = Map::new();
        whole.insert("alg".to_owned(), Value::String(self.algorithm.name().to_owned()));
        whole.extend(header.iter().filter(|(name, _)| *name != "alg").map(|(name, value)| (name.clone(), value.clone())));
        let part = |object: &Map<String, Value>| serde_json::to_vec(object).map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(|_| SignError);
        let mut token = format!("{}.{}", part(&whole)?, part(claims)?);
        let signature = self.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The signature of these bytes, as JWS carries it.
    ///
    /// # Errors
    /// The library could not sign.
    pub fn sign(&self, input: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = match self.family {
            Family::Ed25519 => Signer::new_without_digest(&self.private)?.sign_oneshot_to_vec(input)?,
            Family::Rsa => self.sign_rsa(input)?,
            Family::P256 => self.sign_ecdsa(input, 32)?,
            Family::P384 => self.sign_ecdsa(input, 48)?,
            Family::P521 => self.sign_ecdsa(input, 66)?,
        };
        Ok(signature)
    }

    /// The public part as a JWK (RFC 7517) with `alg` and `use`, and with that name.
    ///
    /// # Errors
    /// The library could not take the key apart.
    pub fn public_jwk(&self, kid: Option<&str>) -> Result<Map<String, Value>, SignError> {
        let mut jwk = match self.family {
            Family::Rsa => {
                let rsa = self.private.rsa()?;
                json!({ "kty": "RSA", "n": b64(&rsa.n().to_vec()), "e": b64(&rsa.e().to_vec()) })
            }
            Family::P256 => ec_jwk("P-256", 32, &*self.private.ec_key()?)?,
            Family::P384 => ec_jwk("P-384", 48, &*self.private.ec_key()?)?,
            Family::P521 => ec_jwk("P-521", 66, &*self.private.ec_key()?)?,
            Family::Ed25519 => json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(&self.private.raw_public_key()?) }),
        };
        let jwk = jwk.as_object_mut().ok_or(SignError)?;
        jwk.insert("alg".to_owned(), json!(self.algorithm.name()));
        jwk.insert("use".to_owned(), json!("sig"));
        if let Some(kid) = kid {
            jwk.insert("kid".to_owned(), json!(kid));
        }
        Ok(std::mem::take(jwk))
    }

    fn sign_rsa(&self, input: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let mut signer = Signer::new(self.digest(), &self.private)?;
        if self.algorithm.is_pss() {
            signer.set_rsa_padding(Padding::PKCS1_PSS)?;
            signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
            signer.set_rsa_mgf1_md(self.digest())?;
        }
        signer.sign_oneshot_to_vec(input)
    }

    /// The library writes DER; JWS wants r and s side by side, each as long as the curve's order (RFC 7518 §3.4).
    fn sign_ecdsa(&self, input: &[u8], half: i32) -> Result<Vec<u8>, ErrorStack> {
        let der = Signer::new(self.digest(), &self.private)?.sign_oneshot_to_vec(input)?;
        let signature = EcdsaSig::from_der(&der)?;
        Ok([signature.r().to_vec_padded(half)?, signature.s().to_vec_padded(half)?].concat())
    }

    fn digest(&self) -> MessageDigest {
        match self.algorithm.md().type_() {
            Nid::SHA512 => MessageDigest::sha512(),
            Nid::SHA384 => MessageDigest::sha384(),
            _ => MessageDigest::sha256(),
        }
    }
}

/// The algorithm that a key is used with when nobody says otherwise.
fn usual(family: Family) -> Algorithm {
    match family {
        Family::Rsa => Algorithm::RS256,
        Family::P256 => Algorithm::ES256,
        Family::P384 => Algorithm::ES384,
        Family::P521 => Algorithm::ES512,
        Family::Ed25519 => Algorithm::EdDSA,
    }
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn ec_jwk(crv: &str, length: i32, key: &EcKeyRef<Private>) -> Result<Value, ErrorStack> {
    let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
    let mut ctx = BigNumContext::new()?;
    key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut ctx)?;
    Ok(json!({ "kty": "EC", "crv": crv, "x": b64(&x.to_vec_padded(length)?), "y": b64(&y.to_vec_padded(length)?) }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use std::time::SystemTime;

    use openssl::{
        ec::{EcGroup, EcKey},
        rsa::Rsa,
        symm::Cipher,
    };

    use tollgate_pem::{Kind, Unusable};

    use super::*;
    use crate::Jws;

    fn rsa(bits: u32) -> PKey<Private> {
        PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
    }

    fn ec(curve: Nid) -> PKey<Private> {
        PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(curve).unwrap()).unwrap()).unwrap()
    }

    fn pem(key: &PKey<Private>) -> Vec<u8> {
        key.private_key_to_pem_pkcs8().unwrap()
    }

    fn object(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    /// RFC 7518 §3.5: the salt is as long as the hash, and MGF1 uses the same hash.
    #[test]
    fn a_pss_signature_of_other_parameters_is_none() {
        let key = rsa(2048);
        let signing = SigningKey::from_pem(&pem(&key), Some(Algorithm::PS256)).unwrap();
        let public = Key::from_jwk(&signing.public_jwk(None).unwrap()).unwrap();
        let signed = |salt: RsaPssSaltlen, mask: MessageDigest| {
            let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
            signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
            signer.set_rsa_pss_saltlen(salt).unwrap();
            signer.set_rsa_mgf1_md(mask).unwrap();
            signer.sign_oneshot_to_vec(b"text").unwrap()
        };
        let verifies = |signature: &[u8]| public.verify(Algorithm::PS256, b"text", signature);
        assert!(verifies(&signed(RsaPssSaltlen::DIGEST_LENGTH, MessageDigest::sha256())));
        for salt in [RsaPssSaltlen::custom(0), RsaPssSaltlen::custom(20), RsaPssSaltlen::custom(33), RsaPssSaltlen::MAXIMUM_LENGTH] {
            assert!(!verifies(&signed(salt, MessageDigest::sha256())));
        }
        assert!(!verifies(&signed(RsaPssSaltlen::DIGEST_LENGTH, MessageDigest::sha1())));
    }

    #[test]
    fn what_every_algorithm_signs_verifies_with_the_published_key() {
        let keys = [
            (rsa(2048), &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512][..]),
            (ec(Nid::X9_62_PRIME256V1), &[Algorithm::ES256]),
            (ec(Nid::SECP384R1), &[Algorithm::ES384]),
            (ec(Nid::SECP521R1), &[Algorithm::ES512]),
            (PKey::generate_ed25519().unwrap(), &[Algorithm::EdDSA]),
        ];
        for (key, algorithms) in keys {
            for algorithm in algorithms {
                let signing = SigningKey::from_pem(&pem(&key), Some(*algorithm)).unwrap();
                let token = signing.seal(&object(json!({ "kid": "k", "alg": "none" })), &object(json!({ "a": 1 }))).unwrap();
                let jws = Jws::parse(&token, false).unwrap();
                let public = Key::from_jwk(&signing.public_jwk(Some("k")).unwrap()).unwrap();
                assert_eq!((jws.algorithm, jws.kid.as_deref(), public.kid.as_deref()), (*algorithm, Some("k"), Some("k")));
                assert!(public.fits(*algorithm, SystemTime::UNIX_EPOCH) && public.verify(*algorithm, jws.input, &jws.signature));
                assert!(!public.verify(*algorithm, b"another text", &jws.signature), "{algorithm:?}");
            }
        }
    }

    #[test]
    fn a_key_has_the_usual_algorithm_of_its_kind_unless_told() {
        let usual = |key: &PKey<Private>| SigningKey::from_pem(&pem(key), None).unwrap().algorithm();
        assert_eq!(usual(&rsa(2048)), Algorithm::RS256);
        assert_eq!(usual(&ec(Nid::SECP384R1)), Algorithm::ES384);
        assert_eq!(usual(&PKey::generate_ed25519().unwrap()), Algorithm::EdDSA);
    }

    #[test]
    fn keys_that_must_not_sign_are_refused() {
        let unusable = |pem: &[u8], algorithm| SigningKey::from_pem(pem, algorithm).unwrap_err();
        assert_eq!(unusable(b"nothing", None), UnusableKey::Unreadable(Unusable::Nothing(Kind::PrivateKey)));
        assert_eq!(
            unusable(&ec(Nid::SECP256K1).public_key_to_pem().unwrap(), None),
            UnusableKey::Unreadable(Unusable::Nothing(Kind::PrivateKey))
        );
        assert_eq!(unusable(&pem(&rsa(1024)), None), UnusableKey::Unfit);
        assert_eq!(unusable(&pem(&ec(Nid::SECP256K1)), None), UnusableKey::Unfit);
        assert_eq!(unusable(&pem(&ec(Nid::SECP384R1)), Some(Algorithm::ES256)), UnusableKey::Algorithm);
        let locked = rsa(2048).private_key_to_pem_pkcs8_passphrase(Cipher::aes_128_cbc(), b"secret").unwrap();
        assert_eq!(unusable(&locked, None), UnusableKey::Unreadable(Unusable::Locked { line: 1 }));
    }

    #[test]
    fn a_key_is_never_printed() {
        assert_eq!(format!("{:?}", SigningKey::from_pem(&pem(&rsa(2048)), None).unwrap()), "SigningKey { algorithm: RS256, .. }");
    }
}
