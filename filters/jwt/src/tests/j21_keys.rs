//! J21 and J22: keys come, change, go, and fail to come.

use std::time::Duration;

use serde_json::json;
use tollgate_filter_testkit::{Harness, START};

use super::kit::*;
use crate::Jwt;

fn token(key: &Signing, kid: &str) -> String {
    key.token(json!({ "kid": kid }), none())
}

/// A token without `kid`.
fn nameless(key: &Signing) -> String {
    key.token(json!({ "kid": null }), none())
}

#[test]
fn j21_an_unknown_name_asks_for_the_keys_again() {
    let filter = plain();
    filter.document(SET).stage(set(&[P256.named("k1"), P384.named("k2")]));
    accepted(&filter, &token(&P256, "k1"));
    assert_eq!(filter.document(SET).refreshed(), 0);
    accepted(&filter, &token(&P384, "k2"));
    assert_eq!(filter.document(SET).refreshed(), 1);
    accepted(&filter, &token(&P256, "k1"));
    refused(&filter, &token(&P384, "k3"), "jwt.unknown_key");
    assert_eq!(filter.document(SET).refreshed(), 2);
    assert_eq!(filter.metric("jwt_keys_asked_total", Some(ISSUER)), 2.0);
}

#[test]
fn j21_a_forged_signature_under_a_known_name_asks_for_nothing() {
    let filter = plain();
    let other = Signing::ec(openssl::nid::Nid::X9_62_PRIME256V1);
    refused(&filter, &token(&other, "k1"), "jwt.signature");
    assert_eq!(filter.document(SET).refreshed(), 0);
}

#[test]
fn j21_keys_without_a_name_rotate_as_well() {
    let filter = filter_with(&[P256.jwk()], none(), none());
    filter.document(SET).stage(set(&[P384.jwk(), ED25519.jwk()]));
    accepted(&filter, &nameless(&P256));
    accepted(&filter, &nameless(&ED25519));
    accepted(&filter, &token(&P384, "any"));
    refused(&filter, &nameless(&P256), "jwt.unknown_key");
}

#[test]
fn j21_a_token_without_a_name_is_tried_with_each_key_that_fits() {
    let filter = filter_with(&[OTHER_RSA.named("a"), P256.named("b"), RSA.named("c")], none(), none());
    accepted(&filter, &nameless(&RSA));
    accepted(&filter, &nameless(&P256));
    refused(&filter, &nameless(&P384), "jwt.unknown_key");
}

#[test]
fn j21_one_name_may_belong_to_several_keys() {
    let filter = filter_with(&[OTHER_RSA.named("k1"), P256.named("k1"), RSA.named("k1")], none(), none());
    for key in [&RSA, &OTHER_RSA, &P256] {
        accepted(&filter, &token(key, "k1"));
    }
    refused(&filter, &token(&P384, "k1"), "jwt.unknown_key");
}

#[test]
fn j21_removed_keys_end_with_the_next_version_also_for_remembered_tokens() {
    let filter = filter_with(&[P256.named("k1"), P384.named("k2")], none(), none());
    let (first, second) = (token(&P256, "k1"), token(&P384, "k2"));
    accepted(&filter, &first);
    accepted(&filter, &second);
    filter.document(SET).set(set(&[P384.named("k2")]));
    refused(&filter, &first, "jwt.unknown_key");
    accepted(&filter, &second);
}

/// The source was asked a moment ago, and cannot be asked again to confirm what it said.
#[test]
fn j21_a_removed_key_is_refused_and_an_unknown_one_put_off_where_the_source_cannot_be_asked_now() {
    let filter = filter_with(&[P256.named("k1"), P384.named("k2")], none(), none());
    accepted(&filter, &token(&P256, "k1"));
    filter.document(SET).set(set(&[P384.named("k2")]));
    filter.advance(Duration::from_secs(1));
    refused(&filter, &token(&P256, "k1"), "jwt.unknown_key");
    send(&filter, &token(&P521, "k3")).assert_fault("jwt.keys_unavailable");
    // Back again, it is none that was removed.
    filter.document(SET).set(set(&[P256.named("k1")]));
    accepted(&filter, &token(&P256, "k1"));
    refused(&filter, &token(&P384, "k2"), "jwt.unknown_key");
}

#[test]
fn j21_a_key_that_is_away_with_its_source_was_not_removed() {
    let second = "https://issuer.example/second";
    let keys = json!({ "keys": [{ "jwks": SET }, { "jwks": second }], "max_age": "10m" });
    let setup = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")])).document(second, set(&[P384.named("k2")]));
    let filter = setup.yaml(&settings(keys, none()));
    accepted(&filter, &token(&P384, "k2"));
    filter.advance(Duration::from_secs(601));
    filter.document(SET).set(set(&[P521.named("k3")]));
    accepted(&filter, &token(&P521, "k3"));
    send(&filter, &token(&P384, "k2")).assert_fault("jwt.keys_unavailable");
}

#[test]
fn j21_a_key_replaced_under_its_name_ends_at_once() {
    let filter = plain();
    let old = token(&P256, "k1");
    accepted(&filter, &old);
    filter.document(SET).set(set(&[P384.named("k1")]));
    refused(&filter, &old, "jwt.unknown_key");
    accepted(&filter, &token(&P384, "k1"));
}

#[test]
fn j21_a_key_that_one_of_two_sources_replaced_ends_for_remembered_tokens_too() {
    let second = "https://issuer.example/second";
    let keys = json!({ "keys": [{ "jwks": SET }, { "jwks": second }] });
    let setup = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")])).document(second, set(&[P384.named("k2")]));
    let filter = setup.yaml(&settings(keys, none()));
    let (kept, replaced) = (token(&P256, "k1"), token(&P384, "k2"));
    accepted(&filter, &kept);
    accepted(&filter, &replaced);
    filter.document(second).set(set(&[P521.named("k3")]));
    refused(&filter, &replaced, "jwt.unknown_key");
    accepted(&filter, &kept);
}

#[test]
fn j21_overlapping_sets_refuse_nobody() {
    let filter = plain();
    for keys in
        [vec![P256.named("k1"), P384.named("k2")], vec![P384.named("k2"), P521.named("k3")], vec![P521.named("k3"), P256.named("k1")]]
    {
        let names: Vec<String> = keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
        filter.document(SET).set(set(&keys));
        for (name, key) in [("k1", &P256), ("k2", &P384), ("k3", &P521)] {
            if names.contains(&name.to_owned()) {
                accepted(&filter, &token(key, name));
            }
        }
    }
}

#[test]
fn j21_keys_of_unknown_kinds_do_no_harm_to_their_set() {
    let strange = [
        json!({ "kty": "AKP", "alg": "ML-DSA-65", "kid": "k1", "pub": "AAAA" }),
        json!({ "kty": "OKP", "crv": "Ed448", "kid": "k1", "x": "AAAA" }),
        json!({ "kty": "EC", "crv": "secp256k1", "kid": "k1", "x": "AAAA", "y": "AAAA" }),
        json!({ "kty": "RSA", "kid": "k1" }),
        json!({ "kty": "RSA", "kid": "k1", "n": "!", "e": "AQAB" }),
        json!({ "kty": 1 }),
        json!({}),
        json!("key"),
        json!(null),
        P256.named("k1"),
    ];
    accepted(&filter_with(&strange, none(), none()), &token(&P256, "k1"));
}

#[test]
fn j21_a_set_that_was_confirmed_unchanged_keeps_what_is_remembered() {
    let filter = filter(json!({ "max_age": "10m" }), none());
    let token = token(&P256, "k1");
    accepted(&filter, &token);
    for _ in 0..5 {
        filter.advance(Duration::from_secs(500));
        filter.document(SET).confirm();
        accepted(&filter, &token);
    }
    assert_eq!(filter.metric("jwt_cache_misses_total", None), 1.0);
}

#[test]
fn j22_the_last_keys_are_used_up_to_their_age_and_then_nobody_is_refused() {
    let filter = filter(json!({ "max_age": "10m" }), none());
    let token = token(&P256, "k1");
    accepted(&filter, &token);
    filter.advance(Duration::from_secs(599));
    accepted(&filter, &token);
    filter.advance(Duration::from_secs(1));
    let fault = send(&filter, &token).assert_fault("jwt.keys_unavailable");
    assert_eq!(fault.outcome().as_ref().unwrap_err().retry_after, Some(Duration::from_secs(10)));
    filter.document(SET).set(set(&[P256.named("k1")]));
    accepted(&filter, &token);
}

#[test]
fn j22_keys_that_never_came_are_a_fault_until_they_come() {
    let filter = Harness::<Jwt>::setup().unfetched(SET).yaml(&settings(none(), none()));
    send(&filter, &token(&P256, "k1")).assert_fault("jwt.keys_unavailable");
    filter.document(SET).stage(set(&[P256.named("k1")]));
    accepted(&filter, &token(&P256, "k1"));
    refused(&filter, &token(&P384, "k1"), "jwt.unknown_key");
}

#[test]
fn j22_a_version_that_cannot_be_read_leaves_the_keys_before_it_up_to_their_age() {
    let token = token(&P256, "k1");
    let twice = r#"{"keys":[],"keys":[]}"#.to_owned();
    let crowd: Vec<_> = (0..65).map(|i| P256.named(&i.to_string())).collect();
    for broken in ["", "<html>", "{}", "[]", r#"{"keys":{}}"#, r#"{"keys":null}"#, &twice, &set(&crowd)] {
        let filter = filter(json!({ "max_age": "10m" }), none());
        accepted(&filter, &token);
        filter.document(SET).set(broken.to_owned());
        accepted(&filter, &token);
        filter.advance(Duration::from_secs(500));
        filter.document(SET).confirm();
        filter.document(SET).set("still broken");
        filter.advance(Duration::from_secs(99));
        accepted(&filter, &token);
        filter.advance(Duration::from_secs(1));
        send(&filter, &token).assert_fault("jwt.keys_unavailable");
        assert_eq!(filter.metric("jwt_keys_unreadable_total", Some(ISSUER)), 2.0);
    }
}

#[test]
fn j22_a_set_without_a_usable_key_does_not_take_the_place_of_the_last_good_one() {
    let encrypting = set(&[merged(P384.named("k1"), json!({ "use": "enc" })), json!(null)]);
    for unusable in [set(&[]), encrypting] {
        let filter = filter(json!({ "max_age": "10m" }), none());
        let token = token(&P256, "k1");
        accepted(&filter, &token);
        filter.document(SET).set(unusable);
        accepted(&filter, &token);
        assert_eq!((filter.metric("jwt_keys", Some(ISSUER)), filter.metric("jwt_keys_unreadable_total", Some(ISSUER))), (1.0, 1.0));
        assert!(filter.missing().is_empty(), "keys are there");
        // It confirms nothing, so the keys age.
        filter.advance(Duration::from_secs(599));
        filter.document(SET).confirm();
        accepted(&filter, &token);
        filter.advance(Duration::from_secs(1));
        send(&filter, &token).assert_fault("jwt.keys_unavailable");
        filter.document(SET).set(set(&[P384.named("k2")]));
        accepted(&filter, &self::token(&P384, "k2"));
        refused(&filter, &token, "jwt.unknown_key");
    }
}

#[test]
fn j22_a_first_set_without_a_usable_key_counts_as_not_loaded_and_is_asked_for_again() {
    let setup = Harness::<Jwt>::setup().document(SET, set(&[]));
    let filter = setup.yaml(&settings(none(), none()));
    send(&filter, &token(&P256, "k1")).assert_fault("jwt.keys_unavailable");
    let asked = filter.document(SET).refreshed();
    let missing = filter.missing();
    assert!(missing.len() == 1 && missing[0].contains(ISSUER) && missing[0].contains(SET), "{missing:?}");
    assert_eq!(filter.document(SET).refreshed(), asked + 1, "who looks whether it is there asks for it");
    filter.document(SET).stage(set(&[P256.named("k1")]));
    accepted(&filter, &token(&P256, "k1"));
    assert!(filter.missing().is_empty());
}

#[test]
fn a_gateway_waits_for_the_keys_of_each_issuer_once() {
    let second = "https://issuer.example/second";
    let keys = json!({ "keys": [{ "jwks": SET }, { "jwks": second }], "max_age": "10m" });
    let filter = Harness::<Jwt>::setup().unfetched(SET).unfetched(second).yaml(&settings(keys, none()));
    assert!(filter.missing()[0].contains(SET) && filter.missing()[0].contains(second));
    filter.document(SET).set(set(&[P256.named("k1")]));
    assert!(!filter.missing()[0].contains(SET) && filter.missing()[0].contains(second));
    filter.document(second).set(set(&[P384.named("k2")]));
    assert!(filter.missing().is_empty());
    filter.advance(Duration::from_secs(3600));
    send(&filter, &token(&P256, "k1")).assert_fault("jwt.keys_unavailable");
    assert!(filter.missing().is_empty(), "that its issuers are away is no reason to leave it out");
}

#[test]
fn j22_one_source_that_is_down_hides_no_key_of_another() {
    let second = "https://issuer.example/second";
    let keys = json!({ "keys": [{ "jwks": SET }, { "jwks": second }] });
    let filter = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")])).unfetched(second).yaml(&settings(keys, none()));
    accepted(&filter, &token(&P256, "k1"));
    send(&filter, &token(&P384, "k2")).assert_fault("jwt.keys_unavailable");
    let forged = Signing::ec(openssl::nid::Nid::X9_62_PRIME256V1);
    refused(&filter, &token(&forged, "k1"), "jwt.signature");
    filter.document(second).set(set(&[P384.named("k2")]));
    accepted(&filter, &token(&P384, "k2"));
    accepted(&filter, &token(&P256, "k1"));
}

#[test]
fn j22_while_one_source_is_down_a_token_that_it_may_know_is_not_refused() {
    let second = "https://issuer.example/second";
    let keys = json!({ "keys": [{ "jwks": SET }, { "jwks": second }] });
    // The first has a key without a name, which may be the one that the token names; and was confirmed just now.
    let setup = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1"), P256.jwk()])).unfetched(second);
    let filter = setup.yaml(&settings(keys, none()));
    send(&filter, &token(&P384, "k2")).assert_fault("jwt.keys_unavailable");
    send(&filter, &nameless(&P384)).assert_fault("jwt.keys_unavailable");
    filter.document(second).set(set(&[P384.named("k2")]));
    accepted(&filter, &token(&P384, "k2"));
    // Since then nobody heard of the second.
    filter.advance(Duration::from_secs(60));
    filter.document(SET).set(set(&[P256.named("k1")]));
    send(&filter, &token(&P521, "k3")).assert_fault("jwt.keys_unavailable");
    filter.document(second).confirm();
    refused(&filter, &token(&P521, "k3"), "jwt.unknown_key");
}

#[test]
fn j21_a_forged_token_without_a_name_is_refused_also_when_nobody_can_be_asked() {
    let filter = plain();
    filter.advance(Duration::from_secs(60));
    refused(&filter, &nameless(&P384), "jwt.unknown_key");
    let mixed = filter_with(&[P256.named("k1"), P256.jwk()], none(), none());
    mixed.advance(Duration::from_secs(60));
    refused(&mixed, &token(&P384, "k2"), "jwt.unknown_key");
}

#[test]
fn keys_come_from_a_set_in_a_file() {
    let setup = Harness::<Jwt>::setup().document("keys/set.json", set(&[P256.named("k1")]));
    let filter = setup.yaml(&settings(json!({ "keys": { "jwks": "keys/set.json" } }), none()));
    accepted(&filter, &token(&P256, "k1"));
    refused(&filter, &token(&P384, "k1"), "jwt.unknown_key");
}

#[test]
fn keys_come_from_pem_whatever_the_token_calls_them() {
    let pem = [RSA.public_pem(), b"a comment\n".to_vec(), P256.public_pem(), ED25519.public_pem()].concat();
    let settings = settings(json!({ "keys": { "pem": "keys.pem" } }), none());
    let filter = Harness::<Jwt>::setup().document("keys.pem", pem).yaml(&settings);
    for key in [&RSA, &P256, &ED25519] {
        accepted(&filter, &token(key, "anything"));
        accepted(&filter, &nameless(key));
    }
    refused(&filter, &token(&OTHER_RSA, "anything"), "jwt.signature");
    refused(&filter, &nameless(&P384), "jwt.unknown_key");
}

#[test]
fn what_is_shown_of_a_key_sets_url_has_no_query() {
    let url = "https://issuer.example/jwks.json?key=hunter2";
    let filter = Harness::<Jwt>::setup().unfetched(url).yaml(&settings(json!({ "keys": { "jwks": url } }), none()));
    assert!(filter.missing()[0].ends_with("from https://issuer.example/jwks.json"), "{:?}", filter.missing());
    for url in ["http://issuer.example/?key=hunter2", "https://u:hunter2@issuer.example/"] {
        let problem = Harness::<Jwt>::problem(&settings(json!({ "keys": { "jwks": url } }), none()));
        assert!(problem.pointer == "/issuers/0/keys/0" && !problem.to_string().contains("hunter2"), "{problem}");
    }
}

#[test]
fn a_file_with_a_damaged_key_is_refused_and_the_block_is_named() {
    let pem = [P256.public_pem(), b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n".to_vec()].concat();
    let settings = settings(json!({ "keys": { "pem": "keys.pem" } }), none());
    let problem = Harness::<Jwt>::setup().document("keys.pem", pem).problem(&settings);
    let line = 1 + P256.public_pem().iter().filter(|byte| **byte == b'\n').count();
    assert!(problem.message.contains(&format!("block 2 (PUBLIC KEY, line {line}) cannot be read")), "{problem}");
}

#[test]
fn a_certificate_counts_within_its_validity_only() {
    let certificate = RSA.certificate(START + 100, START + 200);
    let settings = settings(json!({ "keys": { "certificate": "c.pem" } }), none());
    let filter = Harness::<Jwt>::setup().document("c.pem", certificate).yaml(&settings);
    let token = RSA.claims(none());
    refused(&filter, &token, "jwt.unknown_key");
    filter.advance(Duration::from_secs(100));
    accepted(&filter, &token);
    filter.advance(Duration::from_secs(99));
    accepted(&filter, &token);
    filter.advance(Duration::from_secs(2));
    refused(&filter, &token, "jwt.unknown_key");
}

#[test]
fn several_sources_are_one_set() {
    let keys = json!({ "keys": [{ "jwks": SET }, { "pem": "k.pem" }, { "certificate": "c.pem" }] });
    let setup = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")])).document("k.pem", P384.public_pem());
    let filter = setup.document("c.pem", ED25519.certificate(0, START + 1_000_000)).yaml(&settings(keys, none()));
    for key in [&P256, &P384, &ED25519] {
        accepted(&filter, &token(key, "k1"));
    }
    assert_eq!(filter.metric("jwt_keys", Some(ISSUER)), 3.0);
}

#[test]
fn operations_with_the_same_issuer_share_its_keys() {
    let setup = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")]));
    let first = setup.yaml(&settings(none(), none()));
    let second = setup.yaml(&settings(json!({ "audiences": ["other"] }), none()));
    first.document(SET).set("broken");
    accepted(&first, &token(&P256, "k1"));
    refused(&second, &token(&P256, "k1"), "jwt.audience");
    assert_eq!(second.metric("jwt_keys_unreadable_total", Some(ISSUER)), 1.0);
}

#[test]
fn one_issuer_with_other_sources_has_other_keys() {
    let setup = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")])).document("k.pem", P384.public_pem());
    let (first, second) = (setup.yaml(&settings(none(), none())), setup.yaml(&settings(json!({ "keys": { "pem": "k.pem" } }), none())));
    accepted(&first, &token(&P256, "k1"));
    refused(&second, &token(&P256, "k1"), "jwt.unknown_key");
    accepted(&second, &token(&P384, "k1"));
}
