//! Keys of every kind that signs tokens and proofs, made on the spot.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use openssl::{
    bn::{BigNum, BigNumContext},
    ecdsa::EcdsaSig,
    hash::MessageDigest,
    pkey::{Id, PKey, Private},
    rsa::{Padding, Rsa},
    sha::sha256,
    sign::{RsaPssSaltlen, Signer as Signing},
};
use serde_json::{Value, json};

use crate::{certificates::ec_key, token::signing_input};

/// A key that signs by one algorithm.
#[derive(Clone)]
pub struct Signer {
    pub kid: String,
    pub algorithm: &'static str,
    key: PKey<Private>,
}

impl Signer {
    /// A new key for `RS256`, `PS256`, `ES256` or `EdDSA`.
    pub fn new(algorithm: &'static str, kid: &str) -> Self {
        let key = match algorithm {
            "ES256" => ec_key(),
            "EdDSA" => PKey::generate_ed25519().unwrap(),
            "RS256" | "PS256" => PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(),
            other => panic!("no key is made for {other}"),
        };
        Self { kid: kid.to_owned(), algorithm, key }
    }

    /// The same key under another algorithm.
    #[must_use]
    pub fn as_algorithm(&self, algorithm: &'static str) -> Self {
        Self { kid: self.kid.clone(), algorithm, key: self.key.clone() }
    }

    /// The public key, with nothing beside what makes it.
    pub fn jwk(&self) -> Value {
        match self.key.id() {
            Id::RSA => {
                let rsa = self.key.rsa().unwrap();
                json!({ "kty": "RSA", "n": BASE64.encode(rsa.n().to_vec()), "e": BASE64.encode(rsa.e().to_vec()) })
            }
            Id::EC => {
                let key = self.key.ec_key().unwrap();
                let (mut x, mut y, mut context) = (BigNum::new().unwrap(), BigNum::new().unwrap(), BigNumContext::new().unwrap());
                key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context).unwrap();
                let [x, y] = [x, y].map(|number| BASE64.encode(number.to_vec_padded(32).unwrap()));
                json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y })
            }
            _ => json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64.encode(self.key.raw_public_key().unwrap()) }),
        }
    }

    /// The public key as an issuer publishes it.
    pub fn published(&self) -> Value {
        let mut jwk = self.jwk();
        jwk["kid"] = self.kid.as_str().into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// RFC 7638, for a key on P-256.
    pub fn thumbprint(&self) -> String {
        let jwk = self.jwk();
        BASE64.encode(sha256(format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]).as_bytes()))
    }

    /// A token with these claims, and what is added to its header.
    pub fn seal(&self, header: Value, claims: &Value) -> String {
        let mut whole = json!({ "alg": self.algorithm, "kid": self.kid });
        for (name, value) in header.as_object().unwrap() {
            whole[name] = value.clone();
        }
        let input = signing_input(&whole, claims);
        format!("{input}.{}", BASE64.encode(self.sign(input.as_bytes())))
    }

    fn sign(&self, input: &[u8]) -> Vec<u8> {
        if self.key.id() == Id::ED25519 {
            return Signing::new_without_digest(&self.key).unwrap().sign_oneshot_to_vec(input).unwrap();
        }
        let mut signer = Signing::new(MessageDigest::sha256(), &self.key).unwrap();
        if self.algorithm == "PS256" {
            signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
            signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
        }
        let signature = signer.sign_oneshot_to_vec(input).unwrap();
        if self.key.id() != Id::EC {
            return signature;
        }
        let parsed = EcdsaSig::from_der(&signature).unwrap();
        [parsed.r().to_vec_padded(32).unwrap(), parsed.s().to_vec_padded(32).unwrap()].concat()
    }
}
