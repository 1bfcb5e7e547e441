//! The `validate` filter from outside.

use filter_validate::{KIND, Validate};
use serde_json::json;
use tollgate_filter_testkit::{Harness, conformance};

#[test]
fn it_conforms() {
    conformance::<Validate>(&KIND);
}

#[test]
fn the_most_precise_of_the_modes_of_an_api_counts() {
    let config = "{apis: [{name: Pets, request: off}, {name: Pets, version: '2', request: report, response: report}]}";
    let rules =
        |api: &str, version: &str| json!({ "api": api, "version": version, "template": "/", "body": { "source": "a:1", "content": [] } });
    let idle = |api: &str, version: &str| Harness::<Validate>::setup().declared(rules(api, version)).is_idle(config);
    assert!(idle("Pets", "1"));
    assert!(!idle("Pets", "2"));
    assert!(!idle("Others", "1"));
}
