//! What every filter must do, the cases of the manual, and heads that nobody should send.

use serde_json::{Value, json};
use tollgate_filter_testkit::{Conformance, START};

use super::{b06_proofs::Proof, kit::*};
use tollgate_jose::Algorithm::ES256;

use crate::{Jwt, KIND};

/// Tokens by their name in the case files: claims and header that differ from a good one.
fn tokens() -> Vec<(&'static str, String)> {
    let of = |header: Value, claims: Value| {
        let claims = merged(json!({ "azp": "app", "scope": "read list" }), claims);
        P256.token(merged(json!({ "typ": "at+jwt" }), header), claims)
    };
    let good = of(none(), none());
    let (input, _) = good.rsplit_once('.').expect("a token has three parts");
    let stranger = Signing::ec(openssl::nid::Nid::X9_62_PRIME256V1);
    let proved = Proof::token(none());
    vec![
        ("sandbox", of(none(), json!({ "keytype": "SANDBOX" }))),
        ("foreign", of(none(), json!({ "iss": "https://other.example" }))),
        ("bound", of(none(), json!({ "cnf": { "x5t#S256": b64([0; 32]) } }))),
        ("proof", Proof::new(&proved).seal()),
        ("proved", proved),
        ("long", of(none(), json!({ "x": "x".repeat(2048) }))),
        ("unsigned", format!("{}.{}.", b64(r#"{"alg":"none"}"#), b64(good_claims().to_string()))),
        ("critical", of(json!({ "crit": ["exp"] }), none())),
        ("logout", of(json!({ "typ": "logout+jwt" }), none())),
        ("unknown_key", of(json!({ "kid": "k2" }), none())),
        ("forged", format!("{input}.{}", b64(stranger.sign(ES256, input.as_bytes())))),
        ("expired", of(none(), json!({ "iat": START - 700, "exp": START - 100 }))),
        ("not_yet", of(none(), json!({ "nbf": START + 3000 }))),
        ("too_old", of(none(), json!({ "iat": START - 2400 }))),
        ("lasting", of(none(), json!({ "exp": START + 86_400 }))),
        ("elsewhere", of(none(), json!({ "aud": "https://other.example" }))),
        ("good", good),
    ]
}

#[test]
fn the_filter_conforms() {
    let checks = Conformance::<Jwt>::new(&KIND).document(SET, set(&[P256.named("k1")]));
    tokens().into_iter().fold(checks, |checks, (name, token)| checks.value(name, token)).run();
}

#[test]
fn hostile_heads_end_in_an_answer() {
    assert!(tollgate_filter_testkit::hostile::hostile(&KIND, 0x6a77_7421, 40) > 0);
}
