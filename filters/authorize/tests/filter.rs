//! The `authorize` filter from outside.

use filter_authorize::{Authorize, KIND};
use serde_json::{Value, json};
use tollgate_filter_api::{Principal, PrincipalParts};
use tollgate_filter_testkit::{Harness, Run, conformance};

#[test]
fn it_conforms() {
    conformance::<Authorize>(&KIND);
}

/// What a filter vouches for, with one scope at most.
fn vouched(filter: &'static str, scope: Option<&str>) -> Principal {
    Principal::new(PrincipalParts { filter, scopes: scope.map(str::to_owned).into_iter().collect(), ..PrincipalParts::default() })
}

/// The filter of an operation that asks for these scopes.
fn harness(alternatives: Value) -> Harness<Authorize> {
    Harness::<Authorize>::setup().declared(json!({ "alternatives": alternatives })).yaml("{}")
}

#[test]
fn an_alternative_counts_only_with_exactly_its_filters_and_each_needs_its_own_scopes() {
    let h = harness(
        json!([[{"filter": "jwt", "scopes": ["read"]}, {"filter": "mtls", "scopes": ["pay"]}], [{"filter": "jwt", "scopes": ["admin"]}]]),
    );
    let run = |credentials: &[Principal]| -> Run { h.request("GET", "/").credentials(credentials.to_vec()).run() };
    run(&[vouched("jwt", Some("read")), vouched("mtls", Some("pay"))]).next();
    run(&[vouched("jwt", Some("admin"))]).next();
    for lacking in [
        vec![vouched("jwt", Some("read")), vouched("mtls", None)],
        vec![vouched("jwt", Some("pay")), vouched("mtls", Some("read"))],
        vec![vouched("jwt", Some("admin")), vouched("mtls", Some("pay"))],
        vec![vouched("jwt", Some("read"))],
        vec![vouched("mtls", Some("admin"))],
    ] {
        run(&lacking).assert_denied(403, "authorize.scope");
    }
}

#[test]
fn the_challenge_names_the_scopes_of_the_first_alternative() {
    let h = harness(json!([[{"filter": "jwt", "scopes": ["read"]}], [{"filter": "jwt", "scopes": ["admin"]}]]));
    let run = h.request("GET", "/").credentials([vouched("jwt", None)]).run().assert_denied(403, "authorize.scope");
    assert_eq!(run.answer_header("www-authenticate"), Some("Bearer error=\"insufficient_scope\", scope=\"read\""));
}

#[test]
fn where_no_scopes_are_asked_for_every_known_caller_may() {
    let h = Harness::<Authorize>::yaml("{}");
    h.request("GET", "/").credentials([vouched("jwt", None), vouched("mtls", None)]).run().next();
}
