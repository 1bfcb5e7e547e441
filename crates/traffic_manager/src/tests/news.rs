use base64::Engine;
use serde_json::json;

use super::*;

const NOW: u64 = 1_790_000_000_000;

fn of(value: Value) -> Result<Kind, Bad> {
    wire_map(&serde_json::from_value(value).unwrap(), NOW).map(|News(kind)| kind)
}

#[test]
fn a_decision_is_read_typed_and_as_text() {
    for message in [
        json!({"throttleKey": "/a:1", "isThrottled": true, "expiryTimeStamp": NOW + 7}),
        json!({"throttleKey": "/a:1", "isThrottled": "true", "expiryTimeStamp": (NOW + 7).to_string(), "evaluatedConditions": null, "more": [1]}),
    ] {
        let Ok(Kind::Throttled { key, until, groups }) = of(message.clone()) else { panic!("{message}") };
        assert_eq!((key, until, groups.len()), (Key::new("/a:1"), NOW + 7, 0));
    }
    for is_throttled in [json!(false), json!("false")] {
        let Ok(Kind::Released(key)) = of(json!({"throttleKey": 7, "isThrottled": is_throttled})) else { panic!() };
        assert_eq!(key, Key::new("7"), "a text that looks like a number");
    }
}

#[test]
fn a_decision_without_what_it_needs_is_bad() {
    let conditions = base64::engine::general_purpose::STANDARD.encode("[{}]");
    assert!(
        of(json!({"throttleKey": "/a:1_condition_0", "isThrottled": true, "expiryTimeStamp": NOW, "evaluatedConditions": conditions}))
            .is_ok()
    );
    assert!(of(json!({"throttleKey": "/a:1_default", "isThrottled": true, "expiryTimeStamp": NOW})).is_ok());
    for bad in [
        json!({"throttleKey": "/a:1", "isThrottled": true}),
        json!({"throttleKey": "/a:1", "isThrottled": true, "expiryTimeStamp": "soon"}),
        json!({"throttleKey": "/a:1", "isThrottled": true, "expiryTimeStamp": NOW + FURTHEST + 1}),
        json!({"throttleKey": "/a:1", "isThrottled": "maybe", "expiryTimeStamp": NOW}),
        json!({"throttleKey": "/a:1", "expiryTimeStamp": NOW}),
        json!({"throttleKey": "x".repeat(1025), "isThrottled": false}),
        json!({"throttleKey": "", "isThrottled": false}),
        json!({"throttleKey": "/a:1", "isThrottled": true, "expiryTimeStamp": NOW, "evaluatedConditions": 7}),
        json!({"throttleKey": "/a:1", "isThrottled": true, "expiryTimeStamp": NOW, "evaluatedConditions": "!"}),
        json!({"throttleKey": "/a:1_condition_0", "isThrottled": true, "expiryTimeStamp": NOW}),
        json!({}),
        json!({"revokedToken": "x"}),
    ] {
        assert!(of(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn of_several_things_in_a_message_the_first_in_the_reference_s_order_counts() {
    let all = json!({"keyTemplateValue": "$userId", "keyTemplateState": "add", "throttleKey": "/a:1", "isThrottled": false,
        "blockingCondition": "API", "conditionValue": "/a", "state": "true"});
    let Ok(Kind::Template { template, is_there: true }) = of(all.clone()) else { panic!() };
    assert_eq!(template, "$userId");
    let without = |names: &[&str]| {
        let mut map = all.as_object().unwrap().clone();
        names.iter().for_each(|name| drop(map.remove(*name)));
        of(map.into())
    };
    assert!(matches!(without(&["keyTemplateValue"]), Ok(Kind::Released(_))));
    assert!(matches!(without(&["keyTemplateValue", "throttleKey"]), Ok(Kind::Block { kind: BlockKind::Api, is_there: true, .. })));
}

#[test]
fn a_template_is_added_by_one_word_and_removed_by_any_other() {
    for (state, expected) in [("add", true), ("ADD", true), ("remove", false), ("x", false)] {
        let message = json!({"keyTemplateValue": "$userId", "keyTemplateState": state});
        assert!(matches!(of(message), Ok(Kind::Template { is_there, .. }) if is_there == expected), "{state}");
    }
    assert!(of(json!({"keyTemplateValue": "$userId"})).is_err());
}

#[test]
fn a_block_is_set_by_one_word_and_cleared_by_any_other() {
    for (state, expected) in
        [(json!("true"), true), (json!(true), true), (json!("True"), false), (json!("false"), false), (Value::Null, false)]
    {
        let message = json!({"blockingCondition": "user", "conditionValue": "alice", "state": state});
        assert!(matches!(of(message), Ok(Kind::Block { kind: BlockKind::User, is_there, .. }) if is_there == expected), "{state}");
    }
    assert!(of(json!({"blockingCondition": "CUSTOM", "conditionValue": "x", "state": "true"})).is_err());
    assert!(of(json!({"blockingCondition": "API", "state": "true"})).is_err());
}

#[test]
fn blocked_addresses_have_a_number_a_tenant_and_json() {
    let block = |condition: &str, value: Value, state: &str| {
        of(
            json!({"blockingCondition": condition, "conditionValue": value.to_string(), "state": state, "id": "7", "tenantDomain": "carbon.super"}),
        )
    };
    let fixed = || json!({"fixedIp": "192.0.2.7", "invert": false});
    assert!(
        matches!(block("IP", fixed(), "true"), Ok(Kind::Addresses { id: 7, addresses: Some(one) }) if one.addresses.first == one.addresses.last)
    );
    let range = json!({"startingIp": "192.0.2.0", "endingIp": "192.0.2.9", "invert": true});
    assert!(matches!(block("IPRANGE", range.clone(), "true"), Ok(Kind::Addresses { id: 7, addresses: Some(one) }) if one.addresses.invert));
    assert!(matches!(block("IP", json!("what it was does not matter"), "false"), Ok(Kind::Addresses { id: 7, addresses: None })));
    for (condition, value) in
        [("IPRANGE", fixed()), ("IP", range), ("IP", json!([])), ("IP", json!({"fixedIp": "x"})), ("IP", json!({"fixedIp": 7}))]
    {
        assert!(block(condition, value.clone(), "true").is_err(), "{condition} {value}");
    }
    for bad in [
        json!({"blockingCondition": "IP", "conditionValue": fixed().to_string(), "state": "true", "tenantDomain": "x"}),
        json!({"blockingCondition": "IP", "conditionValue": fixed().to_string(), "state": "true", "id": 7}),
        json!({"blockingCondition": "IP", "conditionValue": 7, "state": "true", "id": 7, "tenantDomain": "x"}),
    ] {
        assert!(of(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn a_text_says_the_same_in_its_payload() {
    let read = |message: &str| text(message.as_bytes(), NOW).map(|News(kind)| kind);
    let message = r#"{"event":{"metaData":{},"payloadData":{"throttleKey":"/a:1","isThrottled":true,"expiryTimeStamp":1790000000007}}}"#;
    assert!(matches!(read(message), Ok(Kind::Throttled { until, .. }) if until == NOW + 7));
    let deep = format!(r#"{{"event":{{"payloadData":{{"throttleKey":"a","isThrottled":false,"x":{}{}}}}}}}"#, "[".repeat(6), "]".repeat(6));
    let long = format!(r#"{{"event":{{"payloadData":{{"throttleKey":"a","isThrottled":false,"x":"{}"}}}}}}"#, "x".repeat(LONGEST_MESSAGE));
    for bad in ["", "plain", "{}", r#"{"event":{}}"#, r#"{"throttleKey":"a","isThrottled":false}"#, &deep, &long] {
        assert!(read(bad).is_err(), "{}", &bad[..bad.len().min(80)]);
    }
}
