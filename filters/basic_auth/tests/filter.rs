//! The `basic_auth` filter from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use filter_basic_auth::{BasicAuth, KIND};
use tollgate_filter_api::Principal;
use tollgate_filter_testkit::{Harness, Run, conformance};

#[test]
fn it_conforms() {
    conformance::<BasicAuth>(&KIND);
}

/// Of the reference implementation's tests: `password`.
const ARGON2ID: &str = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

fn ask(h: &Harness<BasicAuth>, name: &str, password: &str) -> Run {
    let credential = STANDARD.encode(format!("{name}:{password}"));
    h.request("GET", "/").header("authorization", format!("Basic {credential}")).run()
}

fn with(password: &str) -> String {
    format!("{{users: {{alice: {{hash: '{password}', scopes: [read]}}}}}}")
}

#[test]
fn a_slow_hash_is_paid_once_for_each_password_until_it_is_forgotten() {
    let h = Harness::<BasicAuth>::yaml(&with(ARGON2ID));
    let paid = || h.metric("basic_auth_hashes_total", None) as u64;
    for _ in 0..3 {
        assert_eq!(ask(&h, "alice", "password").next().fact::<Principal>().subject.as_deref(), Some("alice"));
    }
    assert_eq!(paid(), 1);
    for _ in 0..3 {
        ask(&h, "alice", "wrong").assert_denied(401, "basic_auth.wrong");
    }
    assert_eq!(paid(), 2);
    h.advance(Duration::from_secs(301));
    ask(&h, "alice", "password").next();
    ask(&h, "alice", "wrong").assert_denied(401, "basic_auth.wrong");
    assert_eq!(paid(), 4);
}

#[test]
fn a_name_that_nobody_has_costs_a_comparison_too_and_never_passes() {
    let h = Harness::<BasicAuth>::yaml(&with(ARGON2ID));
    for name in ["eve", "", "Alice"] {
        ask(&h, name, "password").assert_denied(401, "basic_auth.wrong");
    }
    assert_eq!(h.metric("basic_auth_hashes_total", None) as u64, 3);
    ask(&h, "eve", "password").assert_denied(401, "basic_auth.wrong");
    assert_eq!((h.metric("basic_auth_hashes_total", None) as u64, h.metric("basic_auth_wrong_total", None) as u64), (3, 4));
}

#[test]
fn a_plain_digest_beside_a_slow_hash_costs_as_much_as_a_name_that_nobody_has() {
    let digest = "@sha256:{5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8}";
    let h = Harness::<BasicAuth>::yaml(&with(ARGON2ID).replace("{alice", &format!("{{bob: {{hash: '{digest}'}}, alice")));
    let paid = || h.metric("basic_auth_hashes_total", None) as u64;
    ask(&h, "bob", "wrong").assert_denied(401, "basic_auth.wrong");
    ask(&h, "eve", "wrong").assert_denied(401, "basic_auth.wrong");
    assert_eq!(paid(), 2);
    for _ in 0..2 {
        assert_eq!(ask(&h, "bob", "password").next().fact::<Principal>().subject.as_deref(), Some("bob"));
    }
    assert_eq!(paid(), 3);
}

#[test]
fn where_a_name_ends_and_a_password_begins_is_not_confused_by_what_is_remembered() {
    let h = Harness::<BasicAuth>::yaml(&with(ARGON2ID));
    ask(&h, "alice", "password").next();
    ask(&h, "alic", "epassword").assert_denied(401, "basic_auth.wrong");
    ask(&h, "alice", "password:").assert_denied(401, "basic_auth.wrong");
}

#[test]
fn settings_that_enforce_nothing_are_refused_and_no_password_is_repeated() {
    let problem = |settings: &str| Harness::<BasicAuth>::problem(settings);
    assert_eq!(problem("{users: {}}").pointer, "/users");
    assert_eq!(problem(&with(ARGON2ID).replace("alice", "'a:b'")).pointer, "/users");
    assert_eq!(problem(&with(ARGON2ID).replace("{users", "{realm: 'a\"b', users")).pointer, "/realm");
    assert_eq!(problem(&with(ARGON2ID).replace("{users", "{header: 'a b', users")).pointer, "/header");
    let plain = problem(&with("hunter2"));
    assert_eq!(plain.pointer, "/users/alice/hash");
    assert!(plain.to_string().contains("expected a hash") && !plain.to_string().contains("hunter2"), "{plain}");
}
