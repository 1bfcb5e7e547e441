//! The `revocation` filter from outside.

use filter_revocation::{KIND, Revocation};
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
