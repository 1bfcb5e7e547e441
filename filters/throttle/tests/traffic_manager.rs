//! The `throttle` filter beside WSO2's traffic manager.

mod common;

use std::sync::Arc;

use common::{Events, says, throttles};
use filter_throttle::Throttle;
use serde_json::{Value, json};
use tollgate_filter_api::{Principal, PrincipalParts};
use tollgate_filter_testkit::{Harness, principal};
use tollgate_traffic_manager::{NAME, TrafficManager};

/// A filter of these settings, and the events that it publishes.
fn beside(settings: &str) -> (Harness<Throttle>, Arc<TrafficManager>, Events) {
    let events = Events::default();
    let manager = Arc::new(TrafficManager::new(events.clone()));
    let harness = Harness::<Throttle>::setup().offering(NAME, &manager).yaml(settings);
    (harness, manager, events)
}

#[test]
fn limits_of_the_gateway_are_a_ceiling_or_none_and_only_what_passes_is_told() {
    let limits = "policies: { one: { requests: 1, per: 1m } }, limits: [{ policy: one, key: [api] }]";
    for (settings, local, passed) in [
        (format!("{{ {limits} }}"), true, 1),
        (format!("{{ {limits}, traffic_manager: {{ local: ceiling }} }}"), true, 1),
        (format!("{{ {limits}, traffic_manager: {{ local: 'off' }} }}"), false, 2),
    ] {
        let (harness, _manager, events) = beside(&settings);
        let run = || harness.request("GET", "/").given(principal("one")).run();
        run().next();
        if local {
            drop(run().assert_denied(429, "throttle.limit"))
        } else {
            drop(run().next())
        }
        assert_eq!(events.all().len(), passed, "{settings}");
    }
}

#[test]
fn what_it_decides_is_only_counted_in_shadow_and_whom_it_blocks_is_refused_all_the_same() {
    let (harness, manager, events) = beside("{ shadow: true }");
    throttles(&manager, "/:1.0.0", None);
    let run = || harness.request("GET", "/").given(principal("one")).run();
    run().next();
    assert_eq!((events.all().len(), harness.metric("throttle_decided_total", Some("api"))), (1, 1.0));
    says(&manager, json!({ "blockingCondition": "API", "conditionValue": "/", "state": "true" }));
    run().assert_denied(403, "throttle.blocked");
}

#[test]
fn an_operation_without_any_limit_is_told_and_decided_too() {
    let (harness, manager, events) = beside("{ traffic_manager: { properties: { headers: [X-Kind], query: [page], claims: [plan] } } }");
    assert!(manager.is_used());
    let ask = || harness.request("GET", "/a?page=1&page=2").given(principal("one")).header("x-kind", "new").run();
    ask().next();
    let event = events.all()[0].clone();
    let properties: Value = serde_json::from_str(event["properties"].as_str().unwrap()).unwrap();
    assert_eq!((&properties["X-Kind"], &properties["page"], &properties["plan"]), (&json!("new"), &json!("2"), &Value::Null));
    assert_eq!((&event["resourceKey"], &event["resourceTier"]), (&json!("//1.0.0/a:GET"), &json!("Unlimited")));
    throttles(&manager, "//1.0.0/a:GET", None);
    let refused = ask().assert_denied(429, "throttle.operation");
    let wait: u64 = refused.answer_header("retry-after").unwrap().parse().unwrap();
    assert!((60..=66).contains(&wait), "{wait}");
}

#[test]
fn settings_about_a_traffic_manager_that_is_not_there_or_names_that_are_none_do_not_start() {
    let problem = Harness::<Throttle>::problem("{ traffic_manager: { local: 'off' }, blocks: [{ user: a }] }");
    assert_eq!(problem.pointer, "/traffic_manager");
    assert!(problem.hint.contains("stores.traffic_manager"), "{problem}");
    let manager = Arc::new(TrafficManager::new(Events::default()));
    let problem = Harness::<Throttle>::setup()
        .offering(NAME, &manager)
        .problem("{ traffic_manager: { properties: { headers: [fine, 'not fine'] } } }");
    assert_eq!(problem.pointer, "/traffic_manager/properties/headers/1");
    let many: Vec<String> = (0..17).map(|number| format!("x-{number}")).collect();
    let settings = format!("{{ traffic_manager: {{ properties: {{ headers: [{}] }} }} }}", many.join(", "));
    let problem = Harness::<Throttle>::setup().offering(NAME, &manager).problem(&settings);
    assert_eq!(problem.pointer, "/traffic_manager/properties");
}

#[test]
fn no_client_can_make_its_events_too_long_to_be_sent() {
    let names: Vec<String> = (0..16).map(|number| format!("p{number}")).collect();
    let (harness, _manager, events) = beside(&format!("{{ traffic_manager: {{ properties: {{ query: [{}] }} }} }}", names.join(", ")));
    // Control characters take most room in JSON, and twice so in a text of JSON.
    let query: Vec<String> = names.iter().map(|name| format!("{name}={}", "%01".repeat(1000))).collect();
    harness.request("GET", &format!("/?{}", query.join("&"))).given(principal("one")).run().next();
    let event = &events.all()[0];
    let properties: Value = serde_json::from_str(event["properties"].as_str().unwrap()).unwrap();
    assert_eq!(properties["p15"], "\u{1}".repeat(512));
    assert!(event.to_string().len() < 64 << 10, "{}", event.to_string().len());
}

#[test]
fn an_application_is_blocked_by_owner_and_name_whatever_else_its_credentials_leave_out() {
    let (harness, manager, _events) = beside("{}");
    says(&manager, json!({ "blockingCondition": "APPLICATION", "conditionValue": "ann:shop", "state": "true" }));
    let credential = |application: Value| {
        let claims = json!({ "application": application }).as_object().unwrap().clone();
        Principal::new(PrincipalParts { filter: "jwt", subject: Some("ann".to_owned()), claims, ..PrincipalParts::default() })
    };
    let says_nothing = json!({ "id": null, "name": null });
    for (application, is_blocked) in
        [(json!({ "owner": "ann", "name": "shop" }), true), (json!({ "owner": "ann", "name": "other" }), false)]
    {
        let both = [credential(says_nothing.clone()), credential(application)];
        let asked = harness.request("GET", "/").credentials(both).run();
        if is_blocked { drop(asked.assert_denied(403, "throttle.blocked")) } else { drop(asked.next()) }
    }
}

#[test]
fn nothing_that_a_client_chooses_is_told_under_another_ones_name() {
    let setup = || Harness::<Throttle>::setup().offering(NAME, &Arc::new(TrafficManager::new(Events::default())));
    for (properties, pointer) in
        [("{ headers: [ip] }", "headers/0"), ("{ claims: [ipv6] }", "claims/0"), ("{ headers: [x-plan], query: [q, x-plan] }", "query/1")]
    {
        let problem = setup().problem(&format!("{{ traffic_manager: {{ properties: {properties} }} }}"));
        assert_eq!(problem.pointer, format!("/traffic_manager/properties/{pointer}"));
    }
    setup().yaml("{ traffic_manager: { properties: { headers: [x-plan], query: [q], claims: [plan] } } }");
}
