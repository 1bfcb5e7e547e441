//! B7, B13: keys of every kind in proofs.

use openssl::sha::sha256;
use serde_json::{Value, json};
use tollgate_filter_testkit::{Run, START};
use tollgate_jose::Algorithm::{self, *};

use super::{b06_proofs::proving, kit::*};

/// RFC 7638, made here in another way than in the filter.
fn thumbprint(jwk: &Value) -> String {
    let mut members: Vec<(&str, &Value)> =
        ["crv", "e", "kty", "n", "x", "y"].iter().filter_map(|name| Some((*name, jwk.get(name)?))).collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    let members: Vec<String> = members.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    b64(sha256(format!("{{{}}}", members.join(",")).as_bytes()))
}

/// Sends a token that is bound to `jwk`, with a proof by `key` that says `said` and shows `jwk`.
fn prove(key: &Signing, jwk: &Value, said: &str, done: Algorithm) -> Run {
    let token = P256.claims(json!({ "cnf": { "jkt": thumbprint(jwk) } }));
    let header = json!({ "typ": "dpop+jwt", "alg": said, "jwk": jwk }).to_string();
    let claims = json!({ "jti": "1", "htm": "GET", "htu": "https://api.example.com/", "iat": START, "ath": b64(sha256(token.as_bytes())) });
    let proof = key.seal(done, &header, &claims.to_string());
    let filter = proving(none());
    filter.request("GET", "/").header("authorization", format!("DPoP {token}")).header("dpop", proof).run()
}

#[test]
fn b07_a_key_of_every_kind_can_be_proved_by_its_algorithms_and_by_no_other() {
    let kinds: [(&Signing, &[Algorithm]); 5] = [
        (&RSA, &[RS256, RS384, RS512, PS256, PS384, PS512]),
        (&P256, &[ES256]),
        (&P384, &[ES384]),
        (&P521, &[ES512]),
        (&ED25519, &[EdDSA]),
    ];
    for (key, own) in kinds {
        for done in own {
            prove(key, &key.jwk(), &format!("{done:?}"), *done).next();
            for said in Algorithm::ALL.iter().filter(|said| *said != done) {
                prove(key, &key.jwk(), &format!("{said:?}"), *done).assert_denied(401, "jwt.dpop_proof");
            }
        }
    }
    for said in ["HS256", "none", "None", "es256", "ES256K", ""] {
        prove(&P256, &P256.jwk(), said, ES256).assert_denied(401, "jwt.dpop_proof");
    }
}

#[test]
fn b07_a_key_under_which_anybody_could_sign_proves_nothing() {
    let small = Signing::rsa(1024);
    prove(&small, &small.jwk(), "RS256", RS256).assert_denied(401, "jwt.dpop_proof");
    let exponent = merged(RSA.jwk(), json!({ "e": "AQ" }));
    prove(&RSA, &exponent, "RS256", RS256).assert_denied(401, "jwt.dpop_proof");
    let neutral = json!({ "kty": "OKP", "crv": "Ed25519", "x": b64([&[1][..], &[0; 31]].concat()) });
    prove(&ED25519, &neutral, "EdDSA", EdDSA).assert_denied(401, "jwt.dpop_proof");
    let off = merged(P256.jwk(), json!({ "y": b64([7; 32]) }));
    prove(&P256, &off, "ES256", ES256).assert_denied(401, "jwt.dpop_proof");
}

#[test]
fn b07_what_the_key_says_it_is_for_counts() {
    for own in [json!({ "key_ops": ["verify"] }), json!({ "alg": "ES256" }), json!({ "use": "sig" })] {
        prove(&P256, &merged(P256.jwk(), own), "ES256", ES256).next();
    }
    for other in [json!({ "key_ops": ["encrypt"] }), json!({ "use": "enc" })] {
        prove(&P256, &merged(P256.jwk(), other), "ES256", ES256).assert_denied(401, "jwt.dpop_proof");
    }
    prove(&RSA, &merged(RSA.jwk(), json!({ "alg": "PS256" })), "RS256", RS256).assert_denied(401, "jwt.dpop_proof");
}

#[test]
fn b07_a_private_or_shared_key_is_never_shown() {
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let shown = merged(P256.jwk(), json!({ name: "AA" }));
        prove(&P256, &shown, "ES256", ES256).assert_denied(401, "jwt.dpop_proof");
    }
    let shared = json!({ "kty": "oct", "k": b64([7; 32]) });
    prove(&P256, &shared, "ES256", ES256).assert_denied(401, "jwt.dpop_proof");
}

#[test]
fn b13_a_key_that_is_dear_to_use_is_not_used() {
    for (change, why) in [(json!({ "n": b64([0xff; 514]) }), "too large"), (json!({ "e": b64([0xff; 9]) }), "weak")] {
        let run = prove(&RSA, &merged(RSA.jwk(), change), "RS256", RS256).assert_denied(401, "jwt.dpop_proof");
        assert!(run.answer().cause().unwrap().to_string().contains(why), "{why}");
    }
}
