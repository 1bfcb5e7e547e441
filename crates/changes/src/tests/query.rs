use serde_json::json;

use super::*;
use crate::testing::seeing;

fn rules(written: serde_json::Value) -> Result<Rules, Problem> {
    Rules::parse(&serde_json::from_value(written).expect("it has the form"), "/request/query")
}

fn changed(written: serde_json::Value, target: &str) -> Option<String> {
    let rules = rules(written).expect("it can be done");
    seeing(target, None, |seen| rules.apply(seen.head.and_then(|head| head.query()), seen).expect("it is short"))
}

#[test]
fn what_is_not_changed_goes_on_byte_for_byte() {
    let target = "/v1/pets/7?b=%20+x&&a=1&a=2&%63=3&d";
    assert_eq!(changed(json!({}), target).as_deref(), Some("b=%20+x&&a=1&a=2&%63=3&d"));
    assert_eq!(changed(json!({ "remove": ["a", "c"] }), target).as_deref(), Some("b=%20+x&&d"));
    assert_eq!(changed(json!({ "rename": { "c": "e f", "d": "g" } }), target).as_deref(), Some("b=%20+x&&a=1&a=2&e%20f=3&g"));
}

#[test]
fn a_fact_is_one_value() {
    let set = json!({ "set": { "a": "x${query.b}", "id": "${path.id}" }, "add": { "b": "2" } });
    assert_eq!(changed(set.clone(), "/v1/pets/7?a=1&b=%26c%3d+").as_deref(), Some("b=%26c%3d+&a=x%26c%3D%20&id=7&b=2"));
    assert_eq!(changed(set, "/v1/pets/7?a=1").as_deref(), Some("id=7&b=2"), "what is not known is removed");
    assert_eq!(changed(json!({ "remove": ["a"] }), "/v1/pets/7?a=1"), None);
}

#[test]
fn a_problem_names_the_place() {
    let problem = rules(json!({ "set": { "a/b": "x&y=1" } })).expect_err("an ampersand ends a value");
    assert_eq!(problem.pointer, "/request/query/set/a~1b");
    let problem = rules(json!({ "set": { "a": "1" }, "remove": ["a"] })).expect_err("it is changed twice");
    assert!(problem.message.contains("changed twice"), "{problem}");
}
