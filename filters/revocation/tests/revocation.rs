//! The `revocation` filter from outside.

use filter_revocation::{KIND, Revocation};
use tollgate_filter_api::{Principal, PrincipalParts, Token};
use tollgate_filter_testkit::{Harness, conformance, principal};

#[test]
fn it_conforms() {
    conformance::<Revocation>(&KIND);
}

#[test]
fn it_refuses_without_any_setting() {
    let h = Harness::<Revocation>::setup().document("revocations", "age 900\nsubject mallory").yaml("{}");
    h.request("GET", "/").given(principal("alice")).run().next();
    h.request("GET", "/").given(principal("mallory")).run().assert_denied(401, "revocation.revoked");
    h.document("revocations").set("age 901");
    h.request("GET", "/").given(principal("alice")).run().assert_denied(503, "revocation.stale");
}

#[test]
fn the_age_counts_up_to_the_second() {
    let h = Harness::<Revocation>::setup().document("revocations", "age 60").yaml("{max_age: 60s}");
    h.request("GET", "/").given(principal("alice")).run().next();
    h.document("revocations").set("age 61");
    h.request("GET", "/").given(principal("alice")).run().assert_denied(503, "revocation.stale");
}

#[test]
fn an_open_operation_goes_on_with_what_is_known() {
    let h = Harness::<Revocation>::setup().document("revocations", "age never\nsubject mallory").yaml("{max_age: 1s, stale: open}");
    h.request("GET", "/").given(principal("alice")).run().next();
    h.request("GET", "/").given(principal("mallory")).run().assert_denied(401, "revocation.revoked");
}

#[test]
fn a_revocation_is_in_force_for_the_next_request() {
    let h = Harness::<Revocation>::yaml("{max_age: 1m}");
    h.request("GET", "/").given(principal("alice")).run().next();
    h.document("revocations").set("subject alice");
    h.request("GET", "/").given(principal("alice")).run().assert_denied(401, "revocation.revoked");
}

#[test]
fn every_credential_of_a_request_is_looked_up() {
    let h = Harness::<Revocation>::setup().document("revocations", "subject mallory").yaml("{}");
    let run = |subjects: [&str; 3]| h.request("GET", "/").credentials(subjects.map(principal)).run();
    run(["alice", "bob", "carol"]).next();
    for revoked in [["mallory", "bob", "carol"], ["alice", "mallory", "carol"], ["alice", "bob", "mallory"]] {
        run(revoked).assert_denied(401, "revocation.revoked");
    }
}

fn holding(id: Option<&str>, signature: &str) -> Principal {
    let token = Token { id: id.map(str::to_owned), signature: Some(signature.to_owned()), ..Token::default() };
    Principal::new(PrincipalParts { filter: "jwt", subject: Some("alice".into()), token: Some(token), ..PrincipalParts::default() })
}

#[test]
fn j17_a_verified_token_is_looked_up_by_its_jti_and_by_its_signature() {
    let h = Harness::<Revocation>::setup().document("revocations", "jti bad\nsignature c2ln").yaml("{max_age: 15m}");
    for (id, signature, good) in [
        (Some("good"), "Z29vZA", true),
        (Some("bad"), "Z29vZA", false),
        (None, "c2ln", false),
        (Some("good"), "c2ln", false),
        (None, "Z29vZA", true),
        (None, "bad", true),
        (Some("c2ln"), "Z29vZA", true),
        (Some("BAD"), "Z29vZA", true),
    ] {
        let run = h.request("GET", "/").given(holding(id, signature)).run();
        if good {
            run.next()
        } else {
            run.assert_denied(401, "revocation.revoked")
        };
    }
}
