//! A traffic manager whose events can be read.

#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tollgate_filter_testkit::Setup;
use tollgate_traffic_manager::{NAME, Outbox, Said, TrafficManager, wire_map};

/// Milliseconds at which the clock of the tests starts.
pub const START: u64 = 1_800_000_000_000;

#[derive(Clone, Default)]
pub struct Events(Arc<Mutex<Vec<Value>>>);

impl Events {
    pub fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }
}

impl Outbox for Events {
    fn put(&self, event: Vec<u8>) {
        let event: Value = serde_json::from_slice(&event).unwrap();
        self.0.lock().unwrap().push(event["event"]["payloadData"].clone());
    }
}

pub fn says(manager: &TrafficManager, message: Value) {
    let news = wire_map(&serde_json::from_value(message).unwrap(), START);
    manager.decisions.hear(news, Said { published: None, heard: START }).unwrap();
}

pub fn throttles(manager: &TrafficManager, key: &str, conditions: Option<&str>) {
    says(manager, json!({ "throttleKey": key, "isThrottled": true, "expiryTimeStamp": START + 60_000, "evaluatedConditions": conditions }));
}

/// A world with a traffic manager that has decided something.
pub fn manager(setup: Setup) -> Setup {
    let manager = Arc::new(TrafficManager::new(Events::default()));
    says(&manager, json!({ "blockingCondition": "USER", "conditionValue": "mallory", "state": "true" }));
    throttles(&manager, "7:ann", None);
    throttles(&manager, "192.0.2.7:/pets:1", None);
    // [{"header":{"values":{"x-kind":"trial"}}}]
    throttles(&manager, "/pets/1/x:GET_condition_0", Some("W3siaGVhZGVyIjp7InZhbHVlcyI6eyJ4LWtpbmQiOiJ0cmlhbCJ9fX1d"));
    setup.offering(NAME, &manager)
}
