//! B6–B11 for tokens that only their issuer can read: bound to a key (RFC 9449 §6.2), a certificate (RFC 8705 §3.2), or nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;

use std::time::Duration;

use client::{proof, thumbprint};
use filter_introspection::Introspection;
use serde_json::{Value, json};
use tollgate_filter_api::{NoCertificate, Peer, RemoteError, RemoteRequest, RemoteResponse};
use tollgate_filter_testkit::{Harness, Run};

/// What the issuer says of each token: its type, and what it is bound to.
fn issuer(request: &RemoteRequest) -> Result<RemoteResponse, RemoteError> {
    let body = String::from_utf8_lossy(&request.body);
    let key = json!({ "jkt": thumbprint() });
    let (kind, cnf) = match body.strip_prefix("token=").and_then(|rest| rest.split('&').next()).unwrap_or_default() {
        "proved" => ("DPoP", key),
        "lower" => ("dpop", key),
        "mistyped" => ("Bearer", key),
        "refresh" => ("refresh_token", key),
        "both" => ("DPoP", json!({ "jkt": thumbprint(), "x5t#S256": "A".repeat(43) })),
        "stranger" => ("DPoP", json!({ "jkt": "A".repeat(43) })),
        "unknown" => ("DPoP", json!({ "jkt": thumbprint(), "kid": "1" })),
        "unbound" => ("DPoP", Value::Null),
        _ => ("Bearer", Value::Null),
    };
    let mut answer = json!({ "active": true, "sub": "alice", "client_id": "app", "token_type": kind });
    if !cnf.is_null() {
        answer["cnf"] = cnf;
    }
    Ok(RemoteResponse::of_type(200, "application/json", answer.to_string()))
}

/// A filter with further settings.
fn filter(more: &str) -> Harness<Introspection> {
    let setup = Harness::<Introspection>::setup();
    setup.answer_with(issuer);
    setup.yaml(&format!("{{url: 'https://a.example/i', client: {{id: g, secret: '${{env:PATH}}'}}, {more}}}"))
}

#[track_caller]
fn send(h: &Harness<Introspection>, authorization: &str, proof: &str) -> Run {
    let request = h.request("GET", "/").header("authorization", authorization).header("dpop", proof);
    request.given(Peer::Anonymous(NoCertificate::NotSent)).may_wait().run()
}

/// The token under the scheme `DPoP` with a good proof.
#[track_caller]
fn prove(h: &Harness<Introspection>, token: &str) -> Run {
    send(h, &format!("DPoP {token}"), &proof(token, &json!({})))
}

#[test]
fn b06_a_bound_token_passes_with_a_proof_of_its_key_and_neither_goes_upstream() {
    for token in ["proved", "lower"] {
        let run = prove(&filter("dpop: {}"), token).next();
        assert_eq!((run.header("authorization"), run.header("dpop")), (None, None));
    }
    let run = prove(&filter("dpop: {forward_proof: true}"), "proved").next();
    assert!(run.header("dpop").is_some());
}

#[test]
fn b06_scheme_type_and_binding_belong_together() {
    let h = filter("dpop: {}");
    for token in ["good", "mistyped", "unbound", "stranger", "unknown", "both"] {
        let run = prove(&h, token).assert_denied(401, "introspection.binding");
        let challenge = run.answer_header("www-authenticate").unwrap();
        assert!(challenge.starts_with("DPoP ") && challenge.contains("error=\"invalid_token\""), "{token}: {challenge}");
        assert_eq!(run.answer().get_client(), Some("app"));
    }
    prove(&h, "refresh").assert_denied(401, "introspection.type");
    for token in ["proved", "mistyped", "unbound"] {
        let run = send(&h, &format!("Bearer {token}"), &proof(token, &json!({}))).assert_denied(401, "introspection.binding");
        assert!(run.answer_header("www-authenticate").unwrap().starts_with("Bearer "), "{token}");
    }
    send(&h, "Bearer good", "").next();
}

#[test]
fn b06_without_the_setting_the_scheme_is_somebody_elses_and_the_token_is_refused() {
    let h = filter("forward: true");
    prove(&h, "proved").assert_denied(401, "introspection.scheme");
    send(&h, "Bearer proved", &proof("proved", &json!({}))).assert_denied(401, "introspection.binding");
}

#[test]
fn b08_to_b10_the_proof_is_for_this_request_and_this_token() {
    let h = filter("dpop: {}");
    for changes in [json!({ "htm": "POST" }), json!({ "htu": "https://api.example.com/x" }), json!({ "iat": 1 }), json!({ "ath": "x" })] {
        let run = send(&h, "DPoP proved", &proof("proved", &changes)).assert_denied(401, "introspection.dpop_proof");
        assert!(run.answer_header("www-authenticate").unwrap().contains("error=\"invalid_dpop_proof\""), "{changes}");
    }
    send(&h, "DPoP proved", "x").assert_denied(401, "introspection.dpop_proof");
}

#[test]
fn b09_a_proof_is_used_once_also_with_an_answer_that_is_remembered() {
    let h = filter("dpop: {}");
    prove(&h, "proved").next();
    prove(&h, "proved").assert_denied(401, "introspection.dpop_replay");
    send(&h, "DPoP proved", &proof("proved", &json!({ "jti": "2" }))).next();
    assert_eq!(h.metric("introspection_dpop_replays_total", None), 1.0);
    assert_eq!(h.metric("introspection_cache_misses_total", None), 1.0);
}

#[test]
fn b09_without_room_nobody_passes() {
    let h = filter("dpop: {replay_entries: 1}");
    prove(&h, "proved").next();
    send(&h, "DPoP proved", &proof("proved", &json!({ "jti": "2" }))).assert_fault("introspection.replay_store_full");
}

#[test]
fn b11_a_nonce_is_demanded_and_announced() {
    let h = filter("dpop: {nonce: {period: 5m}}");
    let run = prove(&h, "proved").assert_denied(401, "introspection.dpop_nonce");
    assert!(run.answer_header("www-authenticate").unwrap().contains("error=\"use_dpop_nonce\""));
    let nonce = run.answer_header("dpop-nonce").unwrap().to_owned();
    send(&h, "DPoP proved", &proof("proved", &json!({ "nonce": nonce }))).next();
    h.advance(Duration::from_secs(300));
    let late = json!({ "nonce": nonce, "jti": "2", "iat": tollgate_filter_testkit::START + 300 });
    let mut run = send(&h, "DPoP proved", &proof("proved", &late)).next();
    let response = run.response_with(200, &[("cache-control", "max-age=60")]);
    assert!(response.fields().contains_key("dpop-nonce") && response.fields()["cache-control"] == "no-store");
}

#[test]
fn b03_where_tokens_must_be_bound_a_bearers_is_refused() {
    let h = filter("dpop: {}, sender_constrained: required");
    prove(&h, "proved").next();
    send(&h, "Bearer good", "").assert_denied(401, "introspection.not_bound");
}

#[test]
fn proofs_that_could_not_be_taken_do_not_start() {
    let settings = "{url: 'https://a.example/', client: {id: g, secret: '${env:PATH}'}, dpop: {algorithms: []}}";
    let problem = Harness::<Introspection>::problem(settings);
    assert_eq!((problem.code, problem.pointer.as_str()), ("introspection.settings", "/dpop"));
}
