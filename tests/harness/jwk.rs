//! Signing keys of issuers and clients, as JSON Web Keys.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use openssl::{
    bn::{BigNum, BigNumContext, BigNumRef},
    ecdsa::EcdsaSig,
    pkey::{PKey, Private},
    rsa::Rsa,
    sha::sha256,
};
use serde_json::{Value, json};

use crate::{
    certificates::ec_key,
    token::{now, signing_input},
};

/// A private key with a name and an algorithm.
#[derive(Clone)]
pub struct SigningKey {
    pub kid: String,
    alg: &'static str,
    key: PKey<Private>,
}

impl SigningKey {
    /// For ES256, RS256 or EdDSA.
    pub fn new(alg: &'static str, kid: &str) -> Self {
        let key = match alg {
            "ES256" => ec_key(),
            "RS256" => PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(),
            "EdDSA" => PKey::generate_ed25519().unwrap(),
            other => panic!("no key for {other}"),
        };
        Self { kid: kid.to_owned(), alg, key }
    }

    /// The private key.
    pub fn jwk(&self) -> Value {
        let mut jwk = self.public();
        match self.alg {
            "ES256" => jwk["d"] = fixed(self.key.ec_key().unwrap().private_key()),
            "EdDSA" => jwk["d"] = encode(&self.key.raw_private_key().unwrap()),
            _ => {
                let rsa = self.key.rsa().unwrap();
                let factors = [rsa.p(), rsa.q(), rsa.dmp1(), rsa.dmq1(), rsa.iqmp()].map(|number| number.unwrap().to_vec());
                jwk["d"] = encode(&rsa.d().to_vec());
                for (name, number) in ["p", "q", "dp", "dq", "qi"].into_iter().zip(&factors) {
                    jwk[name] = encode(number);
                }
            }
        }
        jwk["kid"] = self.kid.as_str().into();
        jwk["alg"] = self.alg.into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// What RFC 7638 makes the thumbprint of.
    fn public(&self) -> Value {
        match self.alg {
            "ES256" => p256(&self.key),
            "EdDSA" => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(&self.key.raw_public_key().unwrap()) }),
            _ => {
                let rsa = self.key.rsa().unwrap();
                json!({ "kty": "RSA", "n": encode(&rsa.n().to_vec()), "e": encode(&rsa.e().to_vec()) })
            }
        }
    }

    /// A proof of possession of this key, of ES256, for a request (RFC 9449 §4.2); `token` is the one that goes with it.
    pub fn proof(&self, method: &str, url: &str, token: Option<&str>) -> String {
        let mut claims = json!({ "jti": unique(), "htm": method, "htu": url, "iat": now() });
        if let Some(token) = token {
            claims["ath"] = encode(&sha256(token.as_bytes()));
        }
        es256(&self.key, &signing_input(&json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.public() }), &claims))
    }

    /// An access token of ES256 with these claims (RFC 9068).
    pub fn token(&self, claims: &Value) -> String {
        es256(&self.key, &signing_input(&json!({ "typ": "at+jwt", "alg": "ES256", "kid": self.kid }), claims))
    }

    /// The same token, signed by this key, of ES256, in place of its issuer's.
    pub fn forge(&self, token: &str) -> String {
        es256(&self.key, token.rsplit_once('.').unwrap().0)
    }
}

/// The public members of a key on P-256.
pub fn p256(key: &PKey<Private>) -> Value {
    let key = key.ec_key().unwrap();
    let (mut x, mut y, mut context) = (BigNum::new().unwrap(), BigNum::new().unwrap(), BigNumContext::new().unwrap());
    key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context).unwrap();
    json!({ "kty": "EC", "crv": "P-256", "x": fixed(&x), "y": fixed(&y) })
}

/// A token, without its signature, and the one that a key on P-256 makes.
pub fn es256(key: &PKey<Private>, input: &str) -> String {
    let signature = EcdsaSig::sign(&sha256(input.as_bytes()), &key.ec_key().unwrap()).unwrap();
    let raw = [signature.r().to_vec_padded(32).unwrap(), signature.s().to_vec_padded(32).unwrap()].concat();
    format!("{input}.{}", BASE64.encode(raw))
}

/// The private keys as a set; the first one signs.
pub fn key_set(keys: &[&SigningKey]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() })
}

fn encode(bytes: &[u8]) -> Value {
    BASE64.encode(bytes).into()
}

fn fixed(number: &BigNumRef) -> Value {
    encode(&number.to_vec_padded(32).unwrap())
}

fn unique() -> String {
    let mut bytes = [0; 16];
    openssl::rand::rand_bytes(&mut bytes).unwrap();
    BASE64.encode(bytes)
}
