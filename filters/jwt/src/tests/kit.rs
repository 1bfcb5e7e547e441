//! Makes keys, key sets, certificates and tokens.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, BigNumContext},
    ec::{EcGroup, EcKey},
    ecdsa::EcdsaSig,
    hash::MessageDigest,
    nid::Nid,
    pkey::{Id, PKey, Private},
    rsa::{Padding, Rsa},
    sign::{RsaPssSaltlen, Signer},
    x509::{X509, X509NameBuilder},
};
use serde_json::{Map, Value, json};
use tollgate_filter_testkit::{Harness, Run, START};

use tollgate_jose::Algorithm;

use crate::Jwt;

pub(super) const ISSUER: &str = "https://issuer.example";
pub(super) const AUDIENCE: &str = "https://api.example";
/// Where the tests keep the issuer's key set.
pub(super) const SET: &str = "https://issuer.example/jwks.json";

/// Keys that take long to make, made once for all tests.
pub(super) static RSA: LazyLock<Signing> = LazyLock::new(|| Signing::rsa(2048));
pub(super) static OTHER_RSA: LazyLock<Signing> = LazyLock::new(|| Signing::rsa(2048));
pub(super) static P256: LazyLock<Signing> = LazyLock::new(|| Signing::ec(Nid::X9_62_PRIME256V1));
pub(super) static P384: LazyLock<Signing> = LazyLock::new(|| Signing::ec(Nid::SECP384R1));
pub(super) static P521: LazyLock<Signing> = LazyLock::new(|| Signing::ec(Nid::SECP521R1));
pub(super) static ED25519: LazyLock<Signing> =
    LazyLock::new(|| Signing { private: PKey::generate_ed25519().expect("Ed25519 is built in") });

/// A private key.
pub(super) struct Signing {
    pub private: PKey<Private>,
}

pub(super) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Members of both objects; the second wins, and its nulls remove.
pub(super) fn merged(mut base: Value, change: Value) -> Value {
    let (Value::Object(into), Value::Object(change)) = (&mut base, change) else { panic!("two objects") };
    for (name, value) in change {
        if value.is_null() {
            into.shift_remove(&name)
        } else {
            into.insert(name, value)
        };
    }
    base
}

impl Signing {
    pub(super) fn rsa(bits: u32) -> Self {
        Self { private: PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap() }
    }

    pub(super) fn ec(curve: Nid) -> Self {
        let group = EcGroup::from_curve_name(curve).unwrap();
        Self { private: PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap() }
    }

    /// The algorithm that this key is used with unless a test says otherwise.
    pub(super) fn usual(&self) -> Algorithm {
        match (self.private.id(), self.private.bits()) {
            (Id::RSA, _) => Algorithm::RS256,
            (Id::EC, 256) => Algorithm::ES256,
            (Id::EC, 384) => Algorithm::ES384,
            (Id::EC, 521) => Algorithm::ES512,
            _ => Algorithm::EdDSA,
        }
    }

    /// The public part as a JWK without `kid` and `alg`.
    pub(super) fn jwk(&self) -> Value {
        match self.private.id() {
            Id::RSA => {
                let rsa = self.private.rsa().unwrap();
                json!({ "kty": "RSA", "n": b64(rsa.n().to_vec()), "e": b64(rsa.e().to_vec()) })
            }
            Id::EC => self.ec_jwk(),
            _ => json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(self.private.raw_public_key().unwrap()) }),
        }
    }

    fn ec_jwk(&self) -> Value {
        let key = self.private.ec_key().unwrap();
        let (crv, length) = match self.private.bits() {
            256 => ("P-256", 32),
            384 => ("P-384", 48),
            _ => ("P-521", 66),
        };
        let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
        let mut ctx = BigNumContext::new().unwrap();
        key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut ctx).unwrap();
        let part = |n: &BigNum| b64(n.to_vec_padded(length).unwrap());
        json!({ "kty": "EC", "crv": crv, "x": part(&x), "y": part(&y) })
    }

    /// The JWK under a name.
    pub(super) fn named(&self, kid: &str) -> Value {
        merged(self.jwk(), json!({ "kid": kid }))
    }

    pub(super) fn public_pem(&self) -> Vec<u8> {
        self.private.public_key_to_pem().unwrap()
    }

    /// A certificate signed by itself, valid between two times in seconds since 1970.
    pub(super) fn certificate(&self, from: u64, until: u64) -> Vec<u8> {
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_nid(Nid::COMMONNAME, "issuer.example").unwrap();
        let name = name.build();
        let time = |seconds: u64| Asn1Time::from_unix(seconds.cast_signed()).unwrap();
        let mut builder = X509::builder().unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(&name).unwrap();
        builder.set_pubkey(&self.private).unwrap();
        builder.set_not_before(&time(from)).unwrap();
        builder.set_not_after(&time(until)).unwrap();
        let digest = if self.private.id() == Id::ED25519 { MessageDigest::null() } else { MessageDigest::sha256() };
        builder.sign(&self.private, digest).unwrap();
        builder.build().to_pem().unwrap()
    }

    /// A signature as JWS carries it.
    pub(super) fn sign(&self, algorithm: Algorithm, input: &[u8]) -> Vec<u8> {
        let digest = match format!("{algorithm:?}") {
            name if name.ends_with("256") => MessageDigest::sha256(),
            name if name.ends_with("384") => MessageDigest::sha384(),
            name if name.ends_with("512") => MessageDigest::sha512(),
            _ => return Signer::new_without_digest(&self.private).unwrap().sign_oneshot_to_vec(input).unwrap(),
        };
        let mut signer = Signer::new(digest, &self.private).unwrap();
        if matches!(algorithm, Algorithm::PS256 | Algorithm::PS384 | Algorithm::PS512) {
            signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
            signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
            signer.set_rsa_mgf1_md(digest).unwrap();
        }
        let signature = signer.sign_oneshot_to_vec(input).unwrap();
        if self.private.id() != Id::EC {
            return signature;
        }
        let half = self.private.bits().div_ceil(8).cast_signed();
        let parsed = EcdsaSig::from_der(&signature).unwrap();
        [parsed.r().to_vec_padded(half).unwrap(), parsed.s().to_vec_padded(half).unwrap()].concat()
    }

    /// A token of exactly these bytes.
    pub(super) fn seal(&self, algorithm: Algorithm, header: &str, payload: &str) -> String {
        let input = format!("{}.{}", b64(header), b64(payload));
        let signature = b64(self.sign(algorithm, input.as_bytes()));
        format!("{input}.{signature}")
    }

    /// A good token, with changes to its header and its claims.
    pub(super) fn token(&self, header: Value, claims: Value) -> String {
        let algorithm = self.usual();
        let header = merged(json!({ "alg": format!("{algorithm:?}"), "kid": "k1" }), header);
        self.seal(algorithm, &header.to_string(), &merged(good_claims(), claims).to_string())
    }

    /// A good token with changes to its claims.
    pub(super) fn claims(&self, claims: Value) -> String {
        self.token(json!({}), claims)
    }
}

pub(super) fn good_claims() -> Value {
    json!({ "iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "exp": START + 3600, "iat": START, "scope": "read write" })
}

pub(super) fn set(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

/// Settings with one issuer whose keys are at [`SET`], with changes to the issuer's and to the rest.
pub(super) fn settings(issuer: Value, rest: Value) -> String {
    let issuer = merged(json!({ "issuer": ISSUER, "audiences": [AUDIENCE], "keys": { "jwks": SET } }), issuer);
    merged(json!({ "issuers": [issuer] }), rest).to_string()
}

/// A filter that trusts these keys.
pub(super) fn filter_with(keys: &[Value], issuer: Value, rest: Value) -> Harness<Jwt> {
    Harness::<Jwt>::setup().document(SET, set(keys)).yaml(&settings(issuer, rest))
}

/// A filter that trusts P-256 key `k1`.
pub(super) fn filter(issuer: Value, rest: Value) -> Harness<Jwt> {
    filter_with(&[P256.named("k1")], issuer, rest)
}

pub(super) fn plain() -> Harness<Jwt> {
    filter(json!({}), json!({}))
}

/// Runs a request with that token. Keys that are not at hand may be waited for.
#[track_caller]
pub(super) fn send(filter: &Harness<Jwt>, token: &str) -> Run {
    filter.request("GET", "/").header("authorization", format!("Bearer {token}")).may_wait().run()
}

#[track_caller]
pub(super) fn accepted(filter: &Harness<Jwt>, token: &str) -> Run {
    send(filter, token).next()
}

#[track_caller]
pub(super) fn refused(filter: &Harness<Jwt>, token: &str, reason: &str) -> Run {
    send(filter, token).assert_denied(401, reason)
}

/// An empty object.
pub(super) fn none() -> Value {
    Value::Object(Map::new())
}
