use serde_json::json;

use super::*;
use crate::testing::seeing;

fn rules(written: serde_json::Value) -> Result<Rules, Problem> {
    Rules::parse(&serde_json::from_value(written).expect("it has the form"), "/request/cookies")
}

fn changed(written: serde_json::Value, cookie: &'static str) -> Option<String> {
    let rules = rules(written).expect("it can be done");
    let value = seeing("/v1/pets/a;b?x=1", Some(cookie), |seen| rules.render(seen).expect("it is short"));
    value.map(|value| value.to_str().expect("it is ASCII").to_owned())
}

#[test]
fn cookies_are_removed_and_set_and_the_others_stay_as_they_were() {
    let cookie = "a=1; b=\"x y\";c=3; a=4; d";
    assert_eq!(changed(json!({ "remove": ["a"] }), cookie).as_deref(), Some("b=\"x y\"; c=3; d"));
    let set = json!({ "set": { "c": "${path.id}", "e": "${query.none}" } });
    assert_eq!(changed(set, cookie).as_deref(), Some("a=1; b=\"x y\"; a=4; d; c=a%3Bb"));
    assert_eq!(changed(json!({ "remove": ["a", "b", "c", "d"] }), cookie), None);
}

#[test]
fn a_name_or_a_value_that_no_cookie_has_is_refused() {
    for wrong in
        [json!({ "remove": ["a b"] }), json!({ "remove": [""] }), json!({ "set": { "a": "b;c" } }), json!({ "remove": ["a", "a"] })]
    {
        assert!(rules(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn cookies_that_an_answer_sets_are_taken_out_by_name() {
    let mut head = ResponseHead::build(200).expect("it is legal");
    for value in ["sid=1; Path=/", "side=2", " sid = 3", "sid"] {
        head.append(header::SET_COOKIE, HeaderValue::from_static(value));
    }
    unset(&mut head, &["sid".to_owned()]);
    let left: Vec<_> = head.get_all(&header::SET_COOKIE).collect();
    assert_eq!(left, ["side=2"]);
}
