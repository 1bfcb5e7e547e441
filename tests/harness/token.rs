//! Tokens and keys made on the spot.

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use openssl::{
    hash::MessageDigest,
    pkey::{PKey, Private},
    sign::Signer,
};
use serde_json::{Value, json};

use crate::{
    Folder,
    certificates::ec_key,
    jwk::{es256, p256},
};

/// An issuer with one EC key.
pub struct Issuer {
    pub name: String,
    key: PKey<Private>,
    kid: Option<String>,
}

impl Issuer {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), key: ec_key(), kid: None }
    }

    /// With a key that has a name.
    pub fn with_kid(name: &str, kid: &str) -> Self {
        Self { kid: Some(kid.to_owned()), ..Self::new(name) }
    }

    /// Writes the public key in PEM.
    pub fn write(&self, folder: &Folder, name: &str) -> PathBuf {
        folder.write(name, self.key.public_key_to_pem().unwrap())
    }

    /// The public key as a JSON Web Key Set.
    pub fn jwks(&self) -> Value {
        let mut jwk = p256(&self.key);
        jwk["alg"] = "ES256".into();
        jwk["use"] = "sig".into();
        if let Some(kid) = &self.kid {
            jwk["kid"] = kid.as_str().into();
        }
        json!({ "keys": [jwk] })
    }

    /// An entry of `issuers:` of the `jwt` filter.
    pub fn config(&self, key: &std::path::Path) -> Value {
        json!({ "issuer": self.name, "audiences": ["tests"], "keys": { "pem": key } })
    }

    /// Claims that are good for an hour.
    pub fn claims(&self) -> Value {
        json!({ "iss": self.name, "aud": "tests", "sub": "alice", "iat": now(), "exp": now() + 3600 })
    }

    /// An ES256 token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        let mut header = json!({ "alg": "ES256", "typ": "at+jwt" });
        if let Some(kid) = &self.kid {
            header["kid"] = kid.as_str().into();
        }
        es256(&self.key, &signing_input(&header, claims))
    }

    /// A good token, with further claims.
    pub fn token(&self, more: Value) -> String {
        let mut claims = self.claims();
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.sign(&claims)
    }
}

/// Header and payload, encoded and joined.
pub fn signing_input(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()))
}

/// A token whose HMAC key is `secret`: the confusion of a public key with a shared secret.
pub fn hmac_token(claims: &Value, secret: &[u8]) -> String {
    let input = signing_input(&json!({ "alg": "HS256", "typ": "at+jwt" }), claims);
    let key = PKey::hmac(secret).unwrap();
    let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
    signer.update(input.as_bytes()).unwrap();
    format!("{input}.{}", BASE64.encode(signer.sign_to_vec().unwrap()))
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
