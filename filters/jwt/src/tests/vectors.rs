//! Published vectors: Wycheproof's JWS and JWK tests, and the cookbook of RFC 7520 and RFC 8037.
//!
//! They lie beside the repository and not in it; without them these tests say so and check nothing.

use std::{fs, path::PathBuf, pin::pin, sync::Arc, task::Context, time::Duration};

use serde_json::{Value, json};
use tollgate_filter_api::{Counter, DocumentPolicy, Gauge, Location, Metrics};
use tollgate_filter_testkit::Harness;

use super::kit::{SET, merged};
use tollgate_jose::{Algorithm, Format, Jws};

use crate::{
    Jwt,
    keyset::KeyRing,
    source::{Meters, Source},
};

fn vectors(folder: &str) -> Option<PathBuf> {
    tollgate_testkit::shared_case(&format!("03-jose/{folder}"))
}

fn read(path: PathBuf) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Whether a key of the set made the token's signature. The payload may be anything.
fn verifies(keys: &Value, token: &str) -> bool {
    let Ok(jws) = Jws::parse(token, false) else { return false };
    let env = Harness::<Jwt>::setup().document(SET, keys.to_string()).env();
    let second = Duration::from_secs(1);
    let policy = DocumentPolicy { refresh: second, least_gap: second, timeout: second, max_bytes: 1 << 20 };
    let document = env.world.document(&Location::Url(SET.to_owned()), policy).unwrap();
    let meters =
        Meters { keys: Gauge::default(), unreadable: Counter::default(), refreshes: Counter::default(), metrics: Metrics::default() };
    let now = env.clock.moment();
    let source = Source { document, format: Format::Jwks, place: SET.to_owned() };
    let ring = Arc::new(KeyRing::new("issuer", vec![source], Duration::from_secs(100), meters, now.instant));
    let mut proof = pin!(ring.prove(&jws, now));
    let mut cx = Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(proof) = proof.as_mut().poll(&mut cx) {
            return proof.is_ok();
        }
    }
}

/// Whether the token names an algorithm that exists here.
fn is_ours(token: &str) -> bool {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let header = token.split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok()).unwrap_or_default();
    let header: Value = serde_json::from_slice(&header).unwrap_or_default();
    header["alg"].as_str().and_then(Algorithm::parse).is_some()
}

#[test]
fn wycheproof_verdicts_are_ours() {
    let Some(folder) = vectors("wycheproof") else { return };
    let (mut good, mut bad, mut stricter) = (0, 0, Vec::new());
    for file in ["json_web_signature_test.json", "json_web_key_test.json", "json_web_crypto_test.json"] {
        let groups = read(folder.join(file))["testGroups"].take();
        for group in groups.as_array().unwrap() {
            let key = if group["public"].is_null() { &group["private"] } else { &group["public"] };
            let keys = if key["keys"].is_array() { key.clone() } else { json!({ "keys": [key] }) };
            for test in group["tests"].as_array().unwrap() {
                let token = test["jws"].as_str().map_or_else(|| test["jws"].to_string(), str::to_owned);
                let verdict = verifies(&keys, &token);
                match (test["result"] == "valid", verdict) {
                    (true, true) => good += 1,
                    (false, false) => bad += 1,
                    (true, false) if !is_ours(&token) => {}
                    (true, false) => stricter.push(test["tcId"].as_u64().unwrap()),
                    (false, true) => panic!("{file} {}: {} is accepted", test["tcId"], test["comment"]),
                }
            }
        }
    }
    println!("Wycheproof: {good} good ones verify, {bad} bad ones do not");
    // Its key says `alg: PS256` and the token says PS384; a key is used only with what it was published for (J2).
    assert_eq!(stricter, [346]);
    assert!(good > 15 && bad > 50);
}

#[test]
fn the_cookbook_verifies_and_one_changed_character_does_not() {
    let Some(folder) = vectors("rfc7520") else { return };
    let files = ["jws/4_1.rsa_v15_signature", "jws/4_2.rsa-pss_signature", "jws/4_3.ecdsa_signature", "curve25519/jws"];
    for file in files {
        let vector = read(folder.join(format!("{file}.json")));
        let public = merged(vector["input"]["key"].clone(), json!({ "d": null, "p": null, "q": null, "dp": null, "dq": null, "qi": null }));
        let keys = json!({ "keys": [public] });
        let token = vector["output"]["compact"].as_str().unwrap();
        assert!(verifies(&keys, token), "{file}");
        let (input, signature) = token.rsplit_once('.').unwrap();
        let other = if signature.starts_with('A') { 'B' } else { 'A' };
        assert!(!verifies(&keys, &format!("{input}.{other}{}", &signature[1..])), "{file}");
    }
}

#[test]
fn the_cookbook_s_other_forms_are_refused() {
    let Some(folder) = vectors("rfc7520") else { return };
    let files = [
        "jws/4_4.hmac-sha2_integrity_protection",
        "jws/4_5.signature_with_detached_content",
        "jws/4_6.protecting_specific_header_fields",
        "jws/4_7.protecting_content_only",
        "jws/4_8.multiple_signatures",
        "rfc7797/4.2.hmac-sha2_b64_false",
        "rfc7797/hmac-sha2_b64_false",
    ];
    for file in files {
        let vector = read(folder.join(format!("{file}.json")));
        let key = &vector["input"]["key"];
        let keys = if key.is_array() { json!({ "keys": key }) } else { json!({ "keys": [key] }) };
        for (form, token) in vector["output"].as_object().unwrap() {
            let token = token.as_str().map_or_else(|| token.to_string(), str::to_owned);
            assert!(!verifies(&keys, &token), "{file} {form}");
        }
    }
}
