//! A wall clock that is stepped: ages are taken from the other clock, and times that others wrote down from this one.

use std::time::Duration;

use serde_json::json;
use tollgate_filter_testkit::{Harness, START};

use super::{b06_proofs::*, kit::*};
use crate::Jwt;

const DAY: Duration = Duration::from_secs(25 * 3600);
const MINUTE: Duration = Duration::from_secs(60);

fn token() -> String {
    P256.claims(json!({ "exp": START + 100 * 86_400 }))
}

#[test]
fn a_clock_that_jumps_a_day_ahead_and_back_refuses_nobody_for_good() {
    let filter = plain();
    let known = token();
    accepted(&filter, &known);
    filter.clock().step_ahead(DAY);
    accepted(&filter, &known);
    // Looked at, and fetched, while the clock is wrong.
    filter.advance(MINUTE);
    filter.document(SET).confirm();
    accepted(&filter, &known);
    filter.clock().step_back(DAY);
    accepted(&filter, &known);
    filter.advance(MINUTE);
    accepted(&filter, &known);
    filter.document(SET).confirm();
    refused(&filter, &P384.token(json!({ "kid": "k9" }), none()), "jwt.unknown_key");
}

#[test]
fn a_clock_that_jumps_back_prolongs_the_age_of_no_key() {
    let filter = filter(json!({ "max_age": "10m" }), none());
    let known = token();
    accepted(&filter, &known);
    filter.advance(Duration::from_secs(300));
    filter.clock().step_back(Duration::from_secs(300));
    filter.advance(Duration::from_secs(299));
    accepted(&filter, &known);
    filter.advance(Duration::from_secs(1));
    send(&filter, &known).assert_fault("jwt.keys_unavailable");
    filter.document(SET).set(set(&[P256.named("k1"), P384.named("k2")]));
    accepted(&filter, &known);
}

#[test]
fn times_in_a_token_are_times_on_the_wall() {
    let filter = plain();
    let token = P256.claims(none());
    accepted(&filter, &token);
    filter.clock().step_ahead(DAY);
    refused(&filter, &token, "jwt.expired");
    filter.clock().step_back(DAY);
    accepted(&filter, &token);
    filter.clock().step_back(DAY);
    refused(&filter, &token, "jwt.not_yet");
}

#[test]
fn a_verdict_is_remembered_no_longer_than_its_token_seemed_to_last() {
    let filter = filter(json!({ "clock_skew": "0s" }), none());
    let token = P256.claims(json!({ "iat": null, "exp": START + 100 }));
    accepted(&filter, &token);
    filter.advance(Duration::from_secs(99));
    accepted(&filter, &token);
    assert_eq!(filter.metric("jwt_cache_misses_total", None), 1.0);
    filter.advance(Duration::from_secs(1));
    filter.clock().step_back(Duration::from_secs(50));
    accepted(&filter, &token);
    assert_eq!(filter.metric("jwt_cache_misses_total", None), 2.0, "it is judged anew");
}

#[test]
fn b09_a_clock_that_jumps_makes_no_proof_good_again() {
    let filter = proving(none());
    let token = Proof::token(json!({ "exp": START + 100 * 86_400 }));
    let proof = Proof::new(&token).seal();
    send_with(&filter, &token, &proof).next();
    filter.clock().step_ahead(DAY);
    let later = Proof::new(&token).claims(json!({ "jti": "2", "iat": START + DAY.as_secs() })).seal();
    send_with(&filter, &token, &later).next();
    filter.clock().step_back(DAY);
    send_with(&filter, &token, &proof).assert_denied(401, "jwt.dpop_replay");
    // Long over by the one clock, and still good by the other.
    filter.advance(Duration::from_secs(1000));
    filter.clock().step_back(Duration::from_secs(1000));
    send_with(&filter, &token, &proof).assert_denied(401, "jwt.dpop_replay");
}

#[test]
fn keys_whose_place_the_issuer_names_age_by_the_same_clock() {
    let about = "https://issuer.example/.well-known/openid-configuration";
    let text = json!({ "issuer": ISSUER, "jwks_uri": SET }).to_string();
    let setup = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")])).document(about, text);
    let filter = setup.yaml(&settings(json!({ "keys": { "discovery": ISSUER }, "max_age": "10m", "refresh": "1m" }), none()));
    let known = token();
    accepted(&filter, &known);
    filter.clock().step_ahead(DAY);
    filter.advance(MINUTE);
    [SET, about].iter().for_each(|place| filter.document(place).confirm());
    accepted(&filter, &known);
    filter.clock().step_back(DAY);
    filter.advance(MINUTE);
    accepted(&filter, &known);
    filter.advance(Duration::from_secs(600));
    send(&filter, &known).assert_fault("jwt.keys_unavailable");
}
