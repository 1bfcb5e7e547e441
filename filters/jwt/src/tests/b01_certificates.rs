//! B1–B5: tokens that are bound to a client certificate (RFC 8705 §3).

use std::sync::Arc;

use serde_json::{Value, json};
use tollgate_filter_api::{Certificate, NoCertificate, Peer};
use tollgate_filter_testkit::{Harness, Run};

use super::kit::*;
use crate::Jwt;

fn certified(sha256: [u8; 32], forwarded: bool) -> Peer {
    Peer::Certified(Arc::new(Certificate { sha256, forwarded, ..Certificate::default() }))
}

#[track_caller]
fn send_over(filter: &Harness<Jwt>, token: &str, peer: Peer) -> Run {
    filter.request("GET", "/").header("authorization", format!("Bearer {token}")).given(peer).run()
}

fn bound(cnf: Value) -> String {
    P256.claims(json!({ "cnf": cnf }))
}

#[test]
fn b01_the_certificate_of_the_connection_must_be_the_tokens() {
    let filter = plain();
    let token = bound(json!({ "x5t#S256": b64([7; 32]) }));
    send_over(&filter, &token, certified([7; 32], false)).next();
    let run = send_over(&filter, &token, certified([8; 32], false)).assert_denied(401, "jwt.binding");
    assert!(run.answer_header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
}

#[test]
fn b01_another_spelling_of_the_digest_is_refused() {
    let good = b64([0xff; 32]);
    let hex = "ff".repeat(32);
    let plain_base64 = good.replace('_', "/").replace('-', "+");
    let stray = format!("{}9", &good[..42]);
    let spellings = [format!("{good}="), hex, plain_base64, stray, good[..42].to_owned(), format!(" {good}"), String::new()];
    for spelling in spellings {
        let token = bound(json!({ "x5t#S256": spelling }));
        send_over(&plain(), &token, certified([0xff; 32], false)).assert_denied(401, "jwt.malformed");
    }
    for wrong in [json!(null), json!(7), json!([good]), json!({ "x": good })] {
        let token = P256.seal(
            tollgate_jose::Algorithm::ES256,
            r#"{"alg":"ES256","kid":"k1"}"#,
            &{
                let mut claims = good_claims();
                claims["cnf"] = json!({ "x5t#S256": wrong });
                claims
            }
            .to_string(),
        );
        send_over(&plain(), &token, certified([0xff; 32], false)).assert_denied(401, "jwt.malformed");
    }
}

#[test]
fn b02_without_a_certificate_a_bound_token_is_refused() {
    let token = bound(json!({ "x5t#S256": b64([7; 32]) }));
    for why in [NoCertificate::Plain, NoCertificate::NotAsked, NoCertificate::NotSent, NoCertificate::NotTrusted { sha256: None }] {
        send_over(&plain(), &token, Peer::Anonymous(why)).assert_denied(401, "jwt.binding");
    }
}

#[test]
fn b02_a_certificate_that_a_verified_load_balancer_forwarded_counts_and_a_clients_header_does_not() {
    let filter = plain();
    let token = bound(json!({ "x5t#S256": b64([7; 32]) }));
    send_over(&filter, &token, certified([7; 32], true)).next();
    let request = filter.request("GET", "/").header("authorization", format!("Bearer {token}"));
    let request = request.header("client-cert", ":AAAA:").header("x-client-cert-sha256", b64([7; 32]));
    request.run().assert_denied(401, "jwt.binding");
}

#[test]
fn b03_a_token_without_a_binding_is_refused_where_one_is_required() {
    let required = filter(none(), json!({ "sender_constrained": "required" }));
    let token = P256.claims(none());
    send_over(&required, &token, certified([7; 32], false)).assert_denied(401, "jwt.not_bound");
    send_over(&plain(), &token, certified([7; 32], false)).next();
}

#[test]
fn b04_a_confirmation_that_is_not_understood_is_not_met() {
    let digest = b64([7; 32]);
    for cnf in [json!({ "jwk": P256.jwk() }), json!({ "kid": "k1" }), json!({ "x5t#S256": digest, "new": 1 }), json!({ "x5t": digest })] {
        send_over(&plain(), &bound(cnf), certified([7; 32], false)).assert_denied(401, "jwt.binding");
    }
    for cnf in [json!("x"), json!([]), json!(true), json!({})] {
        send_over(&plain(), &bound(cnf), certified([7; 32], false)).assert_denied(401, "jwt.malformed");
    }
}

#[test]
fn b05_a_remembered_token_is_compared_with_each_connection() {
    let filter = plain();
    let token = bound(json!({ "x5t#S256": b64([7; 32]) }));
    send_over(&filter, &token, certified([7; 32], false)).next();
    send_over(&filter, &token, certified([8; 32], false)).assert_denied(401, "jwt.binding");
    send_over(&filter, &token, Peer::Anonymous(NoCertificate::NotSent)).assert_denied(401, "jwt.binding");
    send_over(&filter, &token, certified([7; 32], false)).next();
    assert_eq!(filter.metric("jwt_cache_hits_total", None), 3.0);
}

#[test]
fn b06_a_token_bound_to_a_key_is_no_bearer_token() {
    let thumbprint = b64([7; 32]);
    send_over(&plain(), &bound(json!({ "jkt": thumbprint })), certified([7; 32], false)).assert_denied(401, "jwt.binding");
    let both = bound(json!({ "jkt": thumbprint, "x5t#S256": thumbprint }));
    send_over(&plain(), &both, certified([7; 32], false)).assert_denied(401, "jwt.binding");
}
