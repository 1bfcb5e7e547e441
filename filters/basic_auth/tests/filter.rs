//! The `basic_auth` filter from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use filter_basic_auth::{BasicAuth, KIND};
use tollgate_filter_api::{Carrier, Principal};
use tollgate_filter_testkit::{Conformance, Harness, Run};

#[test]
fn it_conforms() {
    Conformance::<BasicAuth>::new(&KIND).document("users.htpasswd", format!("alice:{BCRYPT}\n")).run();
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
    h.advance(Duration::from_secs(61));
    ask(&h, "alice", "wrong").assert_denied(401, "basic_auth.wrong");
    ask(&h, "alice", "password").next();
    assert_eq!(paid(), 3, "a wrong password is remembered for a minute at most");
    h.advance(Duration::from_secs(240));
    ask(&h, "alice", "password").next();
    ask(&h, "alice", "wrong").assert_denied(401, "basic_auth.wrong");
    assert_eq!(paid(), 5);
}

#[test]
fn a_name_ends_at_the_first_colon_and_the_rest_is_the_password() {
    let digest = "@sha256:{ae1aa8be6984de68fd8c00c1eb9e909457f66ed3b6ef09dac170579fe6cf6d70}";
    let h = Harness::<BasicAuth>::yaml(&with(digest));
    ask(&h, "alice", "pass:word").next();
    ask(&h, "alice", "pass").assert_denied(401, "basic_auth.wrong");
}

#[test]
fn a_credential_that_is_too_long_is_not_looked_at() {
    let h = Harness::<BasicAuth>::yaml(&with(ARGON2ID));
    ask(&h, "alice", &"x".repeat(4000)).assert_denied(401, "basic_auth.wrong");
    ask(&h, "alice", &"x".repeat(4200)).assert_denied(401, "basic_auth.malformed");
}

#[test]
fn the_credential_stays_in_the_gateway_unless_it_is_let_through() {
    let (h, forwarding) = (
        Harness::<BasicAuth>::yaml(&with(ARGON2ID)),
        Harness::<BasicAuth>::yaml(&with(ARGON2ID).replace("{users", "{forward: true, users")),
    );
    assert_eq!(ask(&h, "alice", "password").next().header("authorization"), None);
    assert_eq!(ask(&forwarding, "alice", "password").next().header("authorization"), Some("Basic YWxpY2U6cGFzc3dvcmQ="));
    assert_eq!(h.carrier(), Some(Carrier::Header("authorization".parse().unwrap())));
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
    for name in ["'a:b'", "''", "\"a\\nb\""] {
        assert_eq!(problem(&with(ARGON2ID).replace("alice", name)).pointer, "/users", "{name}");
    }
    for realm in ["a\"b", "a\\b", "é"] {
        assert_eq!(problem(&with(ARGON2ID).replace("{users", &format!("{{realm: '{realm}', users"))).pointer, "/realm", "{realm}");
    }
    Harness::<BasicAuth>::yaml(&with(ARGON2ID).replace("{users", "{realm: 'two words', users"));
    assert_eq!(problem(&with(ARGON2ID).replace("{users", "{header: 'a b', users")).pointer, "/header");
    let plain = problem(&with("hunter2"));
    assert_eq!(plain.pointer, "/users/alice/hash");
    assert!(plain.to_string().contains("expected a hash") && !plain.to_string().contains("hunter2"), "{plain}");
}

/// OpenBSD's hashes of `U*U` and of nothing.
const BCRYPT: &str = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
const OF_NOTHING: &str = "$2y$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy";

#[test]
fn a_new_version_of_the_file_decides_at_once_whatever_was_remembered() {
    let setup = Harness::<BasicAuth>::setup().document("users", format!("alice:{BCRYPT}\n"));
    let h = setup.yaml("{htpasswd: {file: users}}");
    let paid = || h.metric("basic_auth_hashes_total", None) as u64;
    ask(&h, "alice", "U*U").next();
    ask(&h, "alice", "U*U").next();
    ask(&h, "bob", "U*U").assert_denied(401, "basic_auth.wrong");
    assert_eq!(paid(), 2, "a name that nobody has is compared too");
    h.document("users").set(format!("alice:{OF_NOTHING}\nbob:{BCRYPT}\n"));
    ask(&h, "alice", "U*U").assert_denied(401, "basic_auth.wrong");
    ask(&h, "bob", "U*U").next();
    h.document("users").set(format!("bob:{BCRYPT}\n"));
    ask(&h, "alice", "").assert_denied(401, "basic_auth.wrong");
}

#[test]
fn a_version_of_the_file_that_cannot_be_read_changes_nothing() {
    let setup = Harness::<BasicAuth>::setup().document("users", format!("alice:{BCRYPT}\n"));
    let h = setup.yaml("{htpasswd: {file: users}}");
    for broken in ["", "alice:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n", "alice\n"] {
        h.document("users").set(broken);
        ask(&h, "alice", "U*U").next();
        ask(&h, "alice", "").assert_denied(401, "basic_auth.wrong");
    }
}

#[test]
fn a_file_that_names_nobody_who_can_be_compared_with_does_not_start() {
    for (text, part) in [
        ("", "no user"),
        ("# nobody\n", "no user"),
        ("alice:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n", "line 1"),
        ("\nalice:hunter2\n", "line 2"),
    ] {
        let problem = Harness::<BasicAuth>::setup().document("users", text).problem("{htpasswd: {file: users}}");
        assert_eq!(problem.pointer, "/htpasswd/file", "{text}");
        assert!(problem.message.contains(part) && problem.hint.contains("htpasswd -B"), "{problem}");
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
    }
    assert_eq!(Harness::<BasicAuth>::problem("{htpasswd: {file: none}}").pointer, "/htpasswd/file");
    assert_eq!(Harness::<BasicAuth>::problem("{}").pointer, "/users");
}
