//! J21: keys whose place the issuer's own document names, in every way in which that document can be wrong.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_filter_testkit::{Harness, Run, START, Setup};

use super::kit::*;
use crate::Jwt;

const ABOUT: &str = "https://issuer.example/.well-known/openid-configuration";
const MOVED: &str = "https://keys.example/other.json";

fn about(change: Value) -> String {
    let about = json!({ "issuer": ISSUER, "jwks_uri": SET, "response_types_supported": ["code"] });
    merged(about, change).to_string()
}

fn setup() -> Setup<Jwt> {
    Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")])).document(MOVED, set(&[P384.named("k1")]))
}

fn discovering(setup: &Setup<Jwt>, url: &str) -> Harness<Jwt> {
    setup.yaml(&settings(json!({ "keys": { "discovery": url } }), none()))
}

/// With that document.
fn led(document: impl Into<String>) -> Harness<Jwt> {
    discovering(&setup().document(ABOUT, document.into()), ISSUER)
}

/// 503, and a cause that names whose keys are missing.
#[track_caller]
fn undecided(filter: &Harness<Jwt>) {
    let run: Run = send(filter, &P256.claims(none())).assert_fault("jwt.keys_unavailable");
    let Err(fault) = run.outcome() else { panic!("a fault") };
    assert!(fault.cause.contains(ISSUER) && fault.retry_after.is_some(), "{fault:?}");
}

#[test]
fn j21_the_document_leads_to_the_keys() {
    for url in [ISSUER, "https://issuer.example/"] {
        let filter = discovering(&setup().document(ABOUT, about(none())), url);
        accepted(&filter, &P256.claims(none()));
        refused(&filter, &P384.token(json!({ "kid": "k2" }), none()), "jwt.unknown_key");
    }
    let elsewhere = setup().document("https://op.example/realms/a/.well-known/openid-configuration", about(none()));
    accepted(&discovering(&elsewhere, "https://op.example/realms/a/"), &P256.claims(none()));
}

#[test]
fn j21_a_document_that_is_not_the_issuers_leads_nowhere() {
    let spelled = ["https://issuer.example/", "https://ISSUER.example", "http://issuer.example", "https://evil.example", ""];
    for other in spelled {
        undecided(&led(about(json!({ "issuer": other }))));
    }
    for change in [json!({ "issuer": null }), json!({ "issuer": [ISSUER] }), json!({ "jwks_uri": null }), json!({ "jwks_uri": 1 })] {
        undecided(&led(about(change)));
    }
    for text in ["", "[]", "null", "<html>", "{\"issuer\":\"https://issuer.example\"}"] {
        undecided(&led(text));
    }
    undecided(&led(about(none()).replacen('{', "{\"issuer\":\"https://evil.example\",", 1)));
}

#[test]
fn j21_keys_are_not_fetched_from_where_anybody_can_put_some_in() {
    for uri in ["http://issuer.example/jwks.json", "ftp://issuer.example/jwks.json", "file:///jwks.json", "/jwks.json", "jwks.json", ""] {
        undecided(&discovering(
            &setup().document(ABOUT, about(json!({ "jwks_uri": uri }))).document(uri, set(&[P256.named("k1")])),
            ISSUER,
        ));
    }
}

#[test]
fn j21_a_document_that_changes_is_followed_and_one_that_breaks_is_not() {
    let filter = led(about(none()));
    let (first, second) = (P256.claims(none()), P384.claims(none()));
    accepted(&filter, &first);
    for broken in ["", "{}", &about(json!({ "issuer": "https://evil.example", "jwks_uri": MOVED }))] {
        filter.document(ABOUT).set(broken.to_owned());
        accepted(&filter, &first);
        refused(&filter, &second, "jwt.unknown_key");
    }
    filter.document(ABOUT).set(about(json!({ "jwks_uri": MOVED })));
    accepted(&filter, &second);
    refused(&filter, &first, "jwt.unknown_key");
}

#[test]
fn j21_a_document_that_comes_late_is_asked_for() {
    let filter = discovering(&setup().unfetched(ABOUT), ISSUER);
    undecided(&filter);
    let asked = filter.document(ABOUT).refreshed();
    assert!(filter.missing()[0].contains(ISSUER));
    assert_eq!(filter.document(ABOUT).refreshed(), asked + 1, "who looks whether the gateway is ready has it asked for");
    filter.document(ABOUT).stage(about(none()));
    accepted(&filter, &P256.claims(none()));
    assert!(filter.missing().is_empty());
}

/// Their old place is gone: asked for them, it confirms nothing.
#[test]
fn j21_keys_that_moved_are_found_by_the_first_token_that_needs_them() {
    let filter = led(about(none()));
    accepted(&filter, &P256.claims(none()));
    filter.advance(Duration::from_secs(11));
    filter.document(MOVED).set(set(&[P384.named("k2")]));
    filter.document(ABOUT).stage(about(json!({ "jwks_uri": MOVED })));
    accepted(&filter, &P384.token(json!({ "kid": "k2" }), none()));
    refused(&filter, &P256.claims(none()), "jwt.unknown_key");
    assert_eq!((filter.document(SET).refreshed(), filter.document(ABOUT).refreshed()), (1, 1));
}

#[test]
fn j21_keys_that_moved_and_are_left_at_their_old_place_are_followed_with_the_next_regular_fetch() {
    let filter = led(about(none()));
    filter.document(MOVED).set(set(&[P384.named("k2")]));
    let moved = P384.token(json!({ "kid": "k2" }), none());
    refused(&filter, &moved, "jwt.unknown_key");
    filter.document(ABOUT).set(about(json!({ "jwks_uri": MOVED })));
    accepted(&filter, &moved);
}

#[test]
fn j21_an_unknown_name_costs_one_fetch_while_the_keys_are_where_they_were() {
    let filter = led(about(none()));
    for round in 1..=5 {
        filter.advance(Duration::from_secs(10));
        filter.document(SET).stage(set(&[P256.named("k1")]));
        refused(&filter, &P384.token(json!({ "kid": "made-up" }), none()), "jwt.unknown_key");
        assert_eq!((filter.document(SET).refreshed(), filter.document(ABOUT).refreshed()), (round, 0));
    }
    // Until the document's regular fetch is overdue.
    filter.advance(Duration::from_secs(300));
    filter.document(SET).stage(set(&[P256.named("k1")]));
    send(&filter, &P384.token(json!({ "kid": "made-up" }), none())).assert_fault("jwt.keys_unavailable");
}

#[test]
fn j21_a_new_key_of_the_same_set_is_asked_for() {
    let filter = led(about(none()));
    filter.document(SET).stage(set(&[P256.named("k1"), P384.named("k2")]));
    accepted(&filter, &P384.token(json!({ "kid": "k2" }), none()));
}

#[test]
fn j21_only_document_and_keys_together_confirm_the_keys() {
    let filter = led(about(none()));
    let (known, unknown) = (P256.claims(json!({ "exp": START + 1_000_000 })), P384.token(json!({ "kid": "k2" }), none()));
    let (document, keys) = (filter.document(ABOUT), filter.document(SET));
    accepted(&filter, &known);
    // The two are not fetched in the same moment, nor in every moment.
    filter.advance(Duration::from_secs(10));
    keys.confirm();
    refused(&filter, &unknown, "jwt.unknown_key");
    let half_a_day = Duration::from_secs(43_200);
    filter.advance(half_a_day);
    // The document is not confirmed: the key may be at another place by now.
    keys.confirm();
    send(&filter, &unknown).assert_fault("jwt.keys_unavailable");
    document.confirm();
    filter.advance(Duration::from_secs(60));
    accepted(&filter, &known);
    // Another issuer's counts as little.
    filter.advance(half_a_day);
    document.set(about(json!({ "issuer": "https://evil.example" })));
    keys.confirm();
    accepted(&filter, &known);
    filter.advance(half_a_day);
    keys.confirm();
    document.confirm();
    send(&filter, &known).assert_fault("jwt.keys_unavailable");
    document.set(about(none()));
    filter.advance(Duration::from_secs(2));
    accepted(&filter, &known);
}
