//! B11, B12: nonces that the gateway chooses (RFC 9449 §8), and what refusals say (§7.1).

use std::{fs, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use tollgate_filter_testkit::{Harness, Run, START};

use super::{
    b06_proofs::{Proof, proving, send_with},
    kit::*,
};
use crate::Jwt;

const PERIOD: u64 = 300;

/// A filter that demands nonces, as another process has it.
fn demanding(nonce: Value) -> Harness<Jwt> {
    proving(json!({ "nonce": nonce }))
}

/// Sends a proof of now with this nonce.
#[track_caller]
fn with_nonce(filter: &Harness<Jwt>, id: &str, passed: u64, nonce: Value) -> Run {
    let token = Proof::token(none());
    let claims = json!({ "jti": id, "iat": START + passed, "nonce": nonce });
    send_with(filter, &token, &Proof::new(&token).claims(claims).seal())
}

/// The nonce that a refusal offers.
#[track_caller]
fn offered(run: Run) -> String {
    let run = run.assert_denied(401, "jwt.dpop_nonce");
    let challenge = run.answer_header("www-authenticate").unwrap();
    assert!(challenge.starts_with("DPoP ") && challenge.contains("error=\"use_dpop_nonce\""), "{challenge}");
    run.answer_header("dpop-nonce").unwrap().to_owned()
}

/// What an answer offers for the next proof.
fn next_nonce(run: &mut Run) -> Option<String> {
    let response = run.response_with(200, &[("dpop-nonce", "the upstream's"), ("cache-control", "max-age=60")]);
    let nonce = response.fields().get("dpop-nonce").map(|nonce| nonce.to_str().unwrap().to_owned());
    let stored = response.fields()["cache-control"] != "no-store";
    assert_ne!(nonce.is_some(), stored, "an answer with a nonce is stored by nobody, any other as the upstream says");
    nonce
}

/// A file with a secret; gone when dropped.
struct SecretFile(PathBuf);

impl SecretFile {
    fn new(name: &str, secret: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tollgate-nonce-{}-{name}", std::process::id()));
        fs::write(&path, secret).unwrap();
        Self(path)
    }

    fn reference(&self) -> String {
        format!("${{file:{}}}", self.0.display())
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn b11_without_the_setting_no_nonce_is_demanded_or_offered() {
    let mut run = with_nonce(&proving(none()), "1", 0, json!(null)).next();
    let response = run.response_with(200, &[("dpop-nonce", "the upstream's")]);
    assert_eq!(response.fields()["dpop-nonce"], "the upstream's");
}

#[test]
fn b11_a_proof_without_a_nonce_is_answered_with_one_that_then_passes() {
    let filter = demanding(none());
    let nonce = offered(with_nonce(&filter, "1", 0, json!(null)));
    // The proof that lacked it was not used up.
    let mut run = with_nonce(&filter, "1", 0, json!(nonce)).next();
    assert_eq!(next_nonce(&mut run), None);
    with_nonce(&filter, "1", 0, json!(nonce)).assert_denied(401, "jwt.dpop_replay");
}

#[test]
fn b11_the_nonce_before_is_accepted_for_one_period_and_the_next_is_offered() {
    let filter = demanding(json!({ "period": "5m" }));
    let nonce = offered(with_nonce(&filter, "1", 0, json!(null)));
    filter.advance(Duration::from_secs(PERIOD - 1));
    assert_eq!(next_nonce(&mut with_nonce(&filter, "2", PERIOD - 1, json!(nonce)).next()), None);
    filter.advance(Duration::from_secs(1));
    let mut late = with_nonce(&filter, "3", PERIOD, json!(nonce)).next();
    let next = next_nonce(&mut late).expect("the next nonce is offered");
    assert_eq!(next_nonce(&mut late), Some(next.clone()), "also when the answer is made anew");
    assert_ne!(next, nonce);
    assert_eq!(next_nonce(&mut with_nonce(&filter, "4", PERIOD, json!(next)).next()), None);
    filter.advance(Duration::from_secs(PERIOD - 1));
    with_nonce(&filter, "5", 2 * PERIOD - 1, json!(nonce)).next();
    filter.advance(Duration::from_secs(1));
    let third = offered(with_nonce(&filter, "6", 2 * PERIOD, json!(nonce)));
    assert!(third != nonce && third != next);
    with_nonce(&filter, "7", 2 * PERIOD, json!(next)).next();
}

#[test]
fn b11_without_a_secret_each_process_makes_one_of_its_own() {
    let nonce = |filter: &Harness<Jwt>| offered(with_nonce(filter, "1", 0, json!(null)));
    let (one, other) = (demanding(none()), demanding(none()));
    assert_ne!(nonce(&one), nonce(&other));
    // Not that of a secret that everybody knows.
    let zeros = SecretFile::new("zeros", &"\0".repeat(32));
    assert_ne!(nonce(&one), nonce(&demanding(json!({ "secret": zeros.reference() }))));
}

#[test]
fn b11_nothing_but_the_nonce_is_the_nonce() {
    let filter = demanding(none());
    let nonce = offered(with_nonce(&filter, "1", 0, json!(null)));
    let mut spellings: Vec<Value> = vec![json!(""), json!(0), json!(true), json!([nonce]), json!({ "nonce": nonce })];
    let texts = [
        format!("{nonce}="),
        format!(" {nonce}"),
        format!("{nonce} "),
        format!("{nonce}{nonce}"),
        format!("{nonce}\0"),
        nonce[1..].to_owned(),
        nonce[..nonce.len() - 1].to_owned(),
        nonce.chars().rev().collect(),
    ];
    spellings.extend(texts.map(Value::from));
    for at in 0..nonce.len() {
        let mut other = nonce.clone().into_bytes();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        spellings.push(String::from_utf8(other).unwrap().into());
    }
    for spelling in spellings {
        assert_eq!(offered(with_nonce(&filter, "2", 0, spelling.clone())), nonce, "{spelling}");
    }
    with_nonce(&filter, "2", 0, json!(nonce)).next();
}

#[test]
fn b11_nodes_know_each_others_nonces_when_they_share_a_secret_and_a_period() {
    let (secret, other) = (SecretFile::new("a", &"s".repeat(32)), SecretFile::new("b", &"t".repeat(32)));
    let of = |secret: &SecretFile, period: &str| demanding(json!({ "secret": secret.reference(), "period": period }));
    let nonce = offered(with_nonce(&of(&secret, "5m"), "1", 0, json!(null)));
    with_nonce(&of(&secret, "5m"), "2", 0, json!(nonce)).next();
    for stranger in [of(&other, "5m"), of(&secret, "10m"), demanding(none()), demanding(none())] {
        assert_ne!(offered(with_nonce(&stranger, "3", 0, json!(nonce))), nonce);
    }
}

#[test]
fn b11_a_reload_changes_no_nonce() {
    let setup = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")]));
    let demanding = |entries: usize| setup.yaml(&settings(none(), json!({ "dpop": { "nonce": {}, "replay_entries": entries } })));
    let before = demanding(500);
    let nonce = offered(with_nonce(&before, "1", 0, json!(null)));
    let after = demanding(501);
    drop(before);
    with_nonce(&after, "2", 0, json!(nonce)).next();
}

#[test]
fn b11_who_proves_nothing_gets_no_nonce() {
    let filter = demanding(none());
    let token = Proof::token(none());
    let forged = format!("{}x", Proof::new(&token).seal());
    let old = Proof::new(&token).claims(json!({ "iat": START - 301 })).seal();
    let expired = Proof::token(json!({ "iat": START - 700, "exp": START - 100 }));
    for (run, reason) in [
        (send_with(&filter, &token, &forged), "jwt.dpop_proof"),
        (send_with(&filter, &token, &old), "jwt.dpop_proof"),
        (send_with(&filter, &expired, &Proof::new(&expired).seal()), "jwt.expired"),
        (send(&filter, &token), "jwt.binding"),
    ] {
        assert_eq!(run.assert_denied(401, reason).answer_header("dpop-nonce"), None, "{reason}");
    }
}

#[test]
fn b11_bearer_tokens_need_no_nonce_and_learn_none() {
    let filter = demanding(none());
    assert_eq!(next_nonce(&mut accepted(&filter, &P256.claims(none()))), None);
}

#[test]
fn b11_nonces_that_could_be_guessed_or_never_used_do_not_start() {
    let short = SecretFile::new("short", &"s".repeat(31));
    for (nonce, pointer) in [
        (json!({ "period": "0s" }), "/dpop/nonce/period"),
        (json!({ "period": "999ms" }), "/dpop/nonce/period"),
        (json!({ "secret": short.reference() }), "/dpop/nonce/secret"),
        (json!({ "secret": "s".repeat(32) }), "/dpop/nonce/secret"),
    ] {
        let setup = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")]));
        assert_eq!(setup.problem(&settings(none(), json!({ "dpop": { "nonce": nonce } }))).pointer, pointer);
    }
}

#[test]
fn b12_a_refusal_names_scheme_algorithms_and_one_error() {
    let filter = proving(json!({ "algorithms": ["ES256", "PS256"] }));
    let token = Proof::token(none());
    let proof = |token: &str| Proof::new(token).seal();
    let (expired, free) = (Proof::token(json!({ "iat": START - 700, "exp": START - 100 })), P256.claims(none()));
    let unproved = Proof::new(&token).claims(json!({ "htm": "POST" })).seal();
    let stranger = token.replace('.', "..");
    let runs = [
        (send_with(&filter, &token, &unproved), "invalid_dpop_proof"),
        (send_with(&filter, &token, ""), "invalid_dpop_proof"),
        (send_with(&filter, &expired, &proof(&expired)), "invalid_token"),
        (send_with(&filter, &free, &proof(&free)), "invalid_token"),
        (send_with(&filter, &stranger, &proof(&token)), "invalid_token"),
    ];
    for (run, error) in runs {
        let (status, challenges) = (run.answer().status(), run.answer().headers().iter().filter(|(name, _)| name == "www-authenticate"));
        let challenges: Vec<&str> = challenges.map(|(_, value)| value.to_str().unwrap()).collect();
        let [challenge] = challenges.as_slice() else { panic!("{challenges:?}") };
        let begins = format!("DPoP realm=\"api\", algs=\"ES256 PS256\", error=\"{error}\", error_description=\"");
        assert!(status == 401 && challenge.starts_with(&begins), "{challenge}");
        assert_eq!(challenge.matches("error=").count(), 1, "{challenge}");
    }
    let again = proof(&token);
    send_with(&filter, &token, &again).next();
    let run = send_with(&filter, &token, &again).assert_denied(401, "jwt.dpop_replay");
    assert!(run.answer_header("www-authenticate").unwrap().contains("error=\"invalid_dpop_proof\""));
}

#[test]
fn b12_without_a_token_both_schemes_are_named_and_no_error() {
    let filter = proving(json!({ "algorithms": ["ES256"] }));
    let challenges = |run: &Run| -> Vec<String> {
        let all = run.answer().headers().iter().filter(|(name, _)| name == "www-authenticate");
        all.map(|(_, value)| value.to_str().unwrap().to_owned()).collect()
    };
    let none = filter.request("GET", "/").run().assert_denied(401, "jwt.missing");
    assert_eq!(challenges(&none), [r#"Bearer realm="api""#, r#"DPoP realm="api", algs="ES256""#]);
    let bearer = send(&filter, &Proof::token(super::kit::none())).assert_denied(401, "jwt.binding");
    assert!(matches!(challenges(&bearer).as_slice(), [one] if one.starts_with("Bearer ") && one.contains("error=\"invalid_token\"")));
}
