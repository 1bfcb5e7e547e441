//! B6–B10, B13: tokens whose client proves a key at each request (RFC 9449).

use std::time::Duration;

use openssl::sha::sha256;
use serde_json::{Value, json};
use tollgate_filter_testkit::{Harness, Run, START};
use tollgate_jose::Algorithm;

use super::kit::*;
use crate::Jwt;

/// A proof in the making. The client's key is P-256, the request `GET https://api.example.com/`.
pub(super) struct Proof {
    header: Value,
    claims: Value,
}

impl Proof {
    /// The thumbprint of the client's key, made here in another way than in the filter.
    fn thumbprint(key: &Signing) -> String {
        let jwk = key.jwk();
        b64(sha256(format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]).as_bytes()))
    }

    /// A token that is bound to the client's key.
    pub(super) fn token(claims: Value) -> String {
        P256.claims(merged(json!({ "cnf": { "jkt": Self::thumbprint(&P256) } }), claims))
    }

    pub(super) fn new(token: &str) -> Self {
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": P256.jwk() });
        let (htu, ath) = ("https://api.example.com/", b64(sha256(token.as_bytes())));
        Self { header, claims: json!({ "jti": "1", "htm": "GET", "htu": htu, "iat": START, "ath": ath }) }
    }

    pub(super) fn header(mut self, change: Value) -> Self {
        self.header = merged(self.header, change);
        self
    }

    pub(super) fn claims(mut self, change: Value) -> Self {
        self.claims = merged(self.claims, change);
        self
    }

    /// Header and claims.
    pub(super) fn parts(self) -> (Value, Value) {
        (self.header, self.claims)
    }

    pub(super) fn seal(self) -> String {
        P256.seal(Algorithm::ES256, &self.header.to_string(), &self.claims.to_string())
    }
}

pub(super) fn proving(dpop: Value) -> Harness<Jwt> {
    filter(none(), json!({ "dpop": dpop }))
}

#[track_caller]
pub(super) fn send_with(filter: &Harness<Jwt>, token: &str, proof: &str) -> Run {
    filter.request("GET", "/").header("authorization", format!("DPoP {token}")).header("dpop", proof).run()
}

/// The filter refuses the proof with these changes.
#[track_caller]
fn no_proof(header: Value, claims: Value) {
    let token = Proof::token(none());
    let proof = Proof::new(&token).header(header).claims(claims).seal();
    let run = send_with(&proving(none()), &token, &proof).assert_denied(401, "jwt.dpop_proof");
    let challenge = run.answer_header("www-authenticate").unwrap();
    assert!(
        challenge.starts_with("DPoP ") && challenge.contains("error=\"invalid_dpop_proof\"") && challenge.contains("algs=\""),
        "{challenge}"
    );
}

#[test]
fn b06_one_proof_in_one_header_comes_with_the_token() {
    let token = Proof::token(none());
    let proof = || Proof::new(&token).seal();
    send_with(&proving(none()), &token, &proof()).next();
    send_with(&proving(none()), &token, &format!("{}, {}", proof(), proof())).assert_denied(401, "jwt.dpop_proof");
    let request = |filter: &Harness<Jwt>| {
        let request = filter.request("GET", "/").header("authorization", format!("dpop {token}"));
        request.header("dpop", proof()).header("DPoP", proof()).run().assert_denied(401, "jwt.dpop_proof")
    };
    request(&proving(none()));
}

#[test]
fn b06_scheme_and_token_belong_together() {
    let (filter, bound) = (proving(none()), Proof::token(none()));
    let bearer = filter.request("GET", "/").header("authorization", format!("Bearer {bound}"));
    bearer.header("dpop", Proof::new(&bound).seal()).run().assert_denied(401, "jwt.binding");
    let free = P256.claims(none());
    let run = send_with(&filter, &free, &Proof::new(&free).seal()).assert_denied(401, "jwt.binding");
    assert!(run.answer_header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    accepted(&filter, &free);
}

#[test]
fn b06_without_the_setting_the_scheme_is_somebody_elses() {
    let token = Proof::token(none());
    send_with(&plain(), &token, &Proof::new(&token).seal()).assert_denied(401, "jwt.scheme");
}

#[test]
fn b07_type_algorithm_and_key_are_those_of_a_proof() {
    for typ in [json!(null), json!("JWT"), json!("at+jwt"), json!("dpop")] {
        no_proof(json!({ "typ": typ }), none());
    }
    no_proof(json!({ "alg": "HS256" }), none());
    no_proof(json!({ "alg": "none" }), none());
    no_proof(json!({ "jwk": null }), none());
    no_proof(json!({ "jwk": "x" }), none());
    no_proof(json!({ "jwk": merged(P256.jwk(), json!({ "d": "AA" })) }), none());
    no_proof(json!({ "crit": ["x"] }), none());
    let token = Proof::token(none());
    send_with(&proving(json!({ "algorithms": ["PS256"] })), &token, &Proof::new(&token).seal()).assert_denied(401, "jwt.dpop_proof");
}

#[test]
fn b07_the_signature_is_of_the_key_in_the_proof() {
    let token = Proof::token(none());
    let proof = Proof::new(&token);
    let stranger = Signing::ec(openssl::nid::Nid::X9_62_PRIME256V1);
    let forged = stranger.seal(Algorithm::ES256, &proof.header.to_string(), &proof.claims.to_string());
    send_with(&proving(none()), &token, &forged).assert_denied(401, "jwt.dpop_proof");
}

#[test]
fn b08_method_and_url_are_those_of_the_request() {
    for (name, values) in [
        ("htm", vec![json!(null), json!("POST"), json!("get"), json!(["GET"])]),
        (
            "htu",
            ["", "/", "http://api.example.com/", "https://api.example.com:8443/", "https://api.example.com/x", "https://other.example/"]
                .into_iter()
                .chain(["https://api.example.com@other.example/", "https://api.example.com/x/..", "https://a@api.example.com/"])
                .map(Value::from)
                .chain([json!(null)])
                .collect(),
        ),
    ] {
        for value in values {
            no_proof(none(), json!({ name: value }));
        }
    }
}

#[test]
fn b08_every_spelling_of_the_url_is_the_url() {
    let token = Proof::token(none());
    for url in ["HTTPS://API.example.com:443/%61b%2fc?x=1#y", "https://api.example.com./ab%2Fc"] {
        let proof = Proof::new(&token).claims(json!({ "htu": url })).seal();
        let filter = proving(none());
        let request = filter.request("GET", "/ab%2Fc?other=2").header("authorization", format!("DPoP {token}"));
        request.header("dpop", proof).run().next();
    }
}

#[test]
fn b08_another_url_is_not_the_url_however_it_is_escaped() {
    let token = Proof::token(none());
    let ask = |filter: &Harness<Jwt>, path: &str, url: &str| {
        let request = filter.request("GET", path).header("authorization", format!("DPoP {token}"));
        request.header("dpop", Proof::new(&token).claims(json!({ "htu": url })).seal()).run()
    };
    ask(&proving(none()), "/a~b", "https://api.example.com/%61%7Eb").next();
    for (path, url) in [
        ("/ab/c", "https://api.example.com/ab%2Fc"),
        ("/ab%2fc", "https://api.example.com/ab/c"),
        // A target that has no one form is nobody's.
        ("/a/../b", "https://api.example.com/a/../b"),
        ("/a/./b", "https://api.example.com/a/./b"),
        ("/%2e%2e/b", "https://other.example/b"),
        ("/a/../b", "https://other.example/b"),
    ] {
        ask(&proving(none()), path, url).assert_denied(401, "jwt.dpop_proof");
    }
    let outside = json!({ "origins": ["https://outside.example", "https://second.example/base"] });
    ask(&proving(outside.clone()), "/x", "https://second.example/base/x").next();
    for url in ["https://other.example/x", "http://outside.example/x", "https://outside.example/base/x", "https://second.example/x"] {
        ask(&proving(outside.clone()), "/x", url).assert_denied(401, "jwt.dpop_proof");
    }
    ask(&proving(outside), "/a/../b", "https://outside.example/a/../b").assert_denied(401, "jwt.dpop_proof");
}

#[test]
fn b08_without_encryption_the_url_says_so() {
    let token = Proof::token(none());
    let ask = |url: &str| {
        let filter = proving(none());
        let request = filter.request("GET", "/").secure(false).header("authorization", format!("DPoP {token}"));
        request.header("dpop", Proof::new(&token).claims(json!({ "htu": url })).seal()).run()
    };
    ask("http://api.example.com:80/").next();
    ask("https://api.example.com/").assert_denied(401, "jwt.dpop_proof");
}

#[test]
fn b08_behind_a_proxy_the_outside_url_is_configured_and_forwarding_fields_say_nothing() {
    let token = Proof::token(none());
    let ask = |filter: &Harness<Jwt>| {
        let request = filter.request("GET", "/x").secure(false).header("authorization", format!("DPoP {token}"));
        let request = request.header("x-forwarded-proto", "https").header("x-forwarded-host", "outside.example");
        request.header("dpop", Proof::new(&token).claims(json!({ "htu": "https://outside.example/base/x" })).seal()).run()
    };
    ask(&proving(none())).assert_denied(401, "jwt.dpop_proof");
    ask(&proving(json!({ "origins": ["https://outside.example"] }))).assert_denied(401, "jwt.dpop_proof");
    ask(&proving(json!({ "origins": ["https://api.example.com", "https://outside.example/base/"] }))).next();
}

#[test]
fn b09_a_proof_is_good_for_its_time() {
    for iat in [json!(null), json!("1"), json!(START - 301), json!(START + 61), json!(-1), json!(1e300)] {
        no_proof(none(), json!({ "iat": iat }));
    }
    let token = Proof::token(none());
    for iat in [START - 300, START + 60] {
        send_with(&proving(none()), &token, &Proof::new(&token).claims(json!({ "iat": iat })).seal()).next();
    }
}

#[test]
fn b09_a_proof_is_used_once_also_after_a_reload_and_at_the_end_of_its_time() {
    let setup = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")]));
    let before = setup.yaml(&settings(none(), json!({ "dpop": {} })));
    let token = Proof::token(none());
    let proof = Proof::new(&token).claims(json!({ "iat": START + 60 })).seal();
    send_with(&before, &token, &proof).next();
    let after = setup.yaml(&settings(none(), json!({ "dpop": { "replay_entries": 500 } })));
    send_with(&after, &token, &proof).assert_denied(401, "jwt.dpop_replay");
    after.advance(Duration::from_secs(360));
    send_with(&after, &token, &proof).assert_denied(401, "jwt.dpop_replay");
    after.advance(Duration::from_secs(1));
    send_with(&after, &token, &proof).assert_denied(401, "jwt.dpop_proof");
    assert_eq!(after.metric("jwt_dpop_replays_total", None), 2.0);
}

#[test]
fn b09_without_room_nobody_passes() {
    let filter = proving(json!({ "replay_entries": 1 }));
    let token = Proof::token(none());
    send_with(&filter, &token, &Proof::new(&token).seal()).next();
    send_with(&filter, &token, &Proof::new(&token).claims(json!({ "jti": "2" })).seal()).assert_fault("jwt.replay_store_full");
    assert_eq!(filter.metric("jwt_dpop_store_full_total", None), 1.0);
}

#[test]
fn b09_the_room_is_that_of_the_latest_settings() {
    let setup = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")]));
    let with = |entries: usize| setup.yaml(&settings(none(), json!({ "dpop": { "replay_entries": entries } })));
    let token = Proof::token(none());
    let send = |filter: &Harness<Jwt>, id: &str| send_with(filter, &token, &Proof::new(&token).claims(json!({ "jti": id })).seal());
    let (first, larger) = (with(16), with(32));
    send(&first, "1").next();
    send(&larger, "2").next();
    let _smaller = with(16);
    send(&larger, "3").assert_fault("jwt.replay_store_full");
}

#[test]
fn b09_a_proof_has_a_name() {
    for id in [json!(null), json!(""), json!(1), json!("x".repeat(257))] {
        no_proof(none(), json!({ "jti": id }));
    }
}

#[test]
fn b10_the_proof_is_for_this_token_and_its_key() {
    no_proof(none(), json!({ "ath": null }));
    no_proof(none(), json!({ "ath": b64(sha256(b"another token")) }));
    let stranger = Signing::ec(openssl::nid::Nid::X9_62_PRIME256V1);
    let token = Proof::token(none());
    let proof = Proof::new(&token).header(json!({ "jwk": stranger.jwk() }));
    let sealed = stranger.seal(Algorithm::ES256, &proof.header.to_string(), &proof.claims.to_string());
    send_with(&proving(none()), &token, &sealed).assert_denied(401, "jwt.binding");
}

#[test]
fn b06_a_proof_is_written_without_padding() {
    use base64::{Engine, engine::general_purpose::URL_SAFE};
    let token = Proof::token(none());
    let proof = Proof::new(&token).header(json!({ "x": "a" }));
    let header = [proof.header.to_string(), proof.header.to_string() + " "].into_iter().find(|header| header.len() % 3 != 0).unwrap();
    let input = format!("{}.{}", URL_SAFE.encode(header), b64(proof.claims.to_string()));
    let padded = format!("{input}.{}", b64(P256.sign(Algorithm::ES256, input.as_bytes())));
    assert!(padded.contains("=."));
    send_with(&proving(none()), &token, &padded).assert_denied(401, "jwt.dpop_proof");
}

#[test]
fn without_the_setting_what_others_say_of_proofs_goes_through() {
    let filter = plain();
    let request = filter.request("GET", "/").header("authorization", format!("Bearer {}", P256.claims(none())));
    let mut run = request.header("dpop", "another's").run().next();
    assert_eq!(run.header("dpop"), Some("another's"));
    assert_eq!(run.response_with(200, &[("dpop-nonce", "the upstream's")]).fields()["dpop-nonce"], "the upstream's");
}

#[test]
fn b13_what_is_too_large_is_not_looked_at() {
    no_proof(json!({ "x": "x".repeat(4096) }), none());
    no_proof(json!({ "jwk": merged(P256.jwk(), json!({ "n": "x".repeat(700) })) }), none());
}

#[test]
fn the_proof_stays_in_the_gateway_unless_it_is_let_through() {
    let token = Proof::token(none());
    let proof = Proof::new(&token).seal();
    assert_eq!(send_with(&proving(none()), &token, &proof).next().header("dpop"), None);
    let forwarding = proving(json!({ "forward_proof": true }));
    assert_eq!(send_with(&forwarding, &token, &proof).next().header("dpop"), Some(proof.as_str()));
}

#[test]
fn proofs_that_could_not_be_told_or_taken_do_not_start() {
    for (change, pointer) in [
        (json!({ "scheme": "", "dpop": {} }), "/dpop"),
        (json!({ "dpop": { "algorithms": [] } }), "/dpop"),
        (json!({ "dpop": { "replay_entries": 0 } }), "/dpop"),
        (json!({ "dpop": { "max_age": "0s" } }), "/dpop"),
        (json!({ "dpop": { "origins": ["api.example.com"] } }), "/dpop/origins"),
    ] {
        let setup = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")]));
        assert_eq!(setup.problem(&settings(none(), change)).pointer, pointer);
    }
}
