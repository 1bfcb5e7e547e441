use std::borrow::Cow;

use serde_json::{Value, json};

use super::*;
use crate::keys::ANONYMOUS;

fn caller(client: &str) -> Caller<'static> {
    Caller {
        user: "ali\"ce".into(),
        application: "7".into(),
        application_name: "App".into(),
        owner: "bob".into(),
        application_tenant: "carbon.super".into(),
        application_tier: "50PerMin".into(),
        subscription_tier: "Gold".into(),
        client: client.parse().unwrap(),
    }
}

fn sent(place: &Place, caller: &Caller<'_>, properties: &[Property<'_>]) -> Value {
    serde_json::from_slice(&Event { id: "id-1", place, caller, properties }.json()).unwrap()
}

#[test]
fn an_event_has_every_field_of_the_reference() {
    let place = Place::new("Pets", "/pets/v1", "1.0.0", "/pets/{id}", "GET").resource_tier("10PerMin");
    let expected = json!({"event": {"metaData": {}, "correlationData": {}, "payloadData": {
        "messageID": "id-1",
        "appKey": "7:ali\"ce", "appTier": "50PerMin",
        "apiKey": "/pets/v1:1.0.0", "apiTier": "Unlimited",
        "subscriptionKey": "7:/pets/v1:1.0.0", "subscriptionTier": "Gold",
        "resourceKey": "/pets/v1/1.0.0/pets/{id}:GET", "resourceTier": "10PerMin",
        "userId": "ali\"ce", "apiContext": "/pets/v1", "apiVersion": "1.0.0", "appTenant": "carbon.super", "apiTenant": "carbon.super",
        "appId": "7", "apiName": "Pets",
        "properties": "{\"ip\":3221225991,\"ipv6\":0}",
    }}});
    assert_eq!(sent(&place, &caller("192.0.2.7"), &[]), expected);
}

#[test]
fn properties_are_a_text_of_json_with_the_address_and_what_else_there_is() {
    let place = Place::default();
    let properties = |caller: &Caller<'_>, properties: &[Property<'_>]| {
        let sent = sent(&place, caller, properties);
        serde_json::from_str::<Value>(sent["event"]["payloadData"]["properties"].as_str().unwrap()).unwrap()
    };
    assert_eq!(properties(&caller("::1"), &[]), json!({"ipv6": "1", "ip": 0}));
    assert_eq!(properties(&caller("127.0.0.1"), &[("X-Kind", "a\"b")]), json!({"ip": 2_130_706_433, "ipv6": 0, "X-Kind": "a\"b"}));
}

#[test]
fn a_caller_without_a_credential_has_its_address_for_an_application() {
    let place = Place::new("Pets", "/pets", "1", "/", "GET").api_tier("Silver");
    let caller = Caller::anonymous("192.0.2.7".parse().unwrap());
    assert!(matches!(caller.user, Cow::Borrowed(ANONYMOUS)));
    let payload = &sent(&place, &caller, &[])["event"]["payloadData"];
    let of = |name: &str| payload[name].as_str().unwrap();
    assert_eq!([of("appKey"), of("subscriptionKey"), of("appId")], ["192.0.2.7:anonymous", "192.0.2.7:/pets:1", "192.0.2.7"]);
    assert_eq!(
        [of("appTier"), of("subscriptionTier"), of("apiTier"), of("resourceTier")],
        ["Unlimited", "Unauthenticated", "Silver", "Silver"]
    );
    assert_eq!([of("apiKey"), of("resourceKey")], ["/pets:1"; 2]);
}
