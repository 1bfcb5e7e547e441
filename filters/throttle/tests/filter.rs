//! The `throttle` filter from outside.

use filter_throttle::{KIND, Throttle};
use tollgate_filter_testkit::{Harness, conformance};

#[test]
fn it_conforms() {
    conformance::<Throttle>(&KIND);
}

fn problem(settings: &str) -> (String, String) {
    let problem = Harness::<Throttle>::problem(settings);
    (problem.pointer, format!("{} {}", problem.message, problem.hint))
}

#[test]
fn what_cannot_be_counted_does_not_start_and_the_place_is_named() {
    for (settings, pointer, word) in [
        ("{ policies: { a: { requests: 0, per: 1m } } }", "/policies/a", "at least 1"),
        ("{ policies: { a: { requests: 1, per: 0s } } }", "/policies/a", "0 seconds"),
        ("{ policies: { a: { requests: 1, per: 500ms } } }", "/policies/a/per", "whole seconds"),
        ("{ policies: { a: { requests: 1, per: 400d } } }", "/policies/a", "366 days"),
        ("{ policies: { a: { requests: 10000000000000000, per: 1m } } }", "/policies/a", "999999999999999"),
        ("{ policies: { a: { requests: 1, per: 1m, burst: 2 } } }", "/policies/a/burst", "`gcra`"),
        ("{ policies: { a: { requests: 1, per: 1m, algorithm: gcra, burst: 0 } } }", "/policies/a", "burst"),
        (
            "{ policies: { gold: { requests: 1, per: 1m } }, limits: [{ policy: glod, key: [api] }] }",
            "/limits/0/policy",
            "did you mean `gold`?",
        ),
        ("{ policies: { a: { requests: 1, per: 1m } }, limits: [{ policy: a, key: [] }] }", "/limits/0/key", "one to 4"),
        ("{ policies: { a: { requests: 1, per: 1m } }, limits: [{ policy: a, key: [clientip] }] }", "/limits/0/key/0", "client.address"),
        ("{ policies: { a: { requests: 1, per: 1m } }, limits: [{ key: [api] }] }", "/limits/0", "either"),
        ("{ anonymous: guests }", "/anonymous", "guests"),
        ("{ anonymous: guests, max_keys: 0 }", "/max_keys", "without a counter"),
    ] {
        let (at, said) = problem(settings);
        assert_eq!(at, pointer, "{settings}: {said}");
        assert!(said.contains(word), "{settings}: {said}");
    }
}
