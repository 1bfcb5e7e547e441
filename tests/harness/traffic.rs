//! WSO2's traffic manager: its HTTP side as a stub that records events, and decisions that a JMS client publishes over a real broker.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::{
    Folder, Message, Reply, Upstream,
    parts::{ActiveMq, PASSWORD, USER, activemq::Publisher},
    until,
};

const EVENTS: &str = "/endpoints/throttleEventReceiver";
/// `gw:pa:ss word`.
const AUTHORIZATION: &str = "Basic Z3c6cGE6c3Mgd29yZA==";

/// The stub, and the broker.
pub struct TrafficManager {
    http: Upstream,
    mode: Arc<Mode>,
    pub broker: ActiveMq,
    publisher: Publisher,
}

/// How the HTTP side answers.
#[derive(Default)]
struct Mode {
    /// Events are answered after so many milliseconds.
    pause: AtomicUsize,
    /// What the lists are; without them the answer is 503.
    lists: Mutex<Option<[Value; 2]>>,
}

impl TrafficManager {
    /// One that has these key templates and blocks.
    pub fn start(key_templates: Value, blocks: Value) -> Self {
        let manager = Self::without_lists();
        manager.has(key_templates, blocks);
        manager
    }

    /// One that does not say yet what it has.
    pub fn without_lists() -> Self {
        let mode = Arc::new(Mode::default());
        let answers = mode.clone();
        let broker = ActiveMq::start();
        let publisher = broker.publisher("throttleData");
        Self { http: Upstream::answering(move |request| answers.answer(request)), mode, broker, publisher }
    }

    /// It has these from now on.
    pub fn has(&self, key_templates: Value, blocks: Value) {
        *self.mode.lists.lock().unwrap() = Some([key_templates, blocks]);
    }

    /// Events are answered after so long from now on.
    pub fn pauses(&self, pause: Duration) {
        self.mode.pause.store(usize::try_from(pause.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// What `stores.traffic_manager` says of it; the password is in a file of the folder.
    pub fn settings(&self, folder: &Folder) -> Value {
        let password = format!("${{file:{}}}", folder.write("password", PASSWORD).display());
        let list = |name: &str| format!("{}/internal/data/v1/{name}", self.http.url());
        json!({
            "events": format!("{}{EVENTS}", self.http.url()), "key_templates": list("keyTemplates"), "blocks": list("block"),
            "username": USER, "password": password, "retry": "100ms",
            "broker": {
                "url": format!("stomp://127.0.0.1:{}", self.broker.stomp),
                "username": USER, "password": password, "heartbeat": "10s",
            },
        })
    }

    /// The payloads of all events so far.
    pub fn events(&self) -> Vec<Value> {
        let events = self.http.requests().into_iter().filter(|request| request.message.target() == EVENTS);
        events.map(|request| payload(&request.message)).collect()
    }

    /// The payloads of so many events, once they are there.
    pub fn has_events(&self, count: usize) -> Vec<Value> {
        until("the events", || Some(self.events()).filter(|events| events.len() >= count))
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.http.connections()
    }

    /// A key is throttled for so long.
    pub fn throttles(&mut self, key: &str, time: Duration) {
        let until = format!("long:{}", (SystemTime::now() + time).duration_since(UNIX_EPOCH).unwrap().as_millis());
        self.says(&[("throttleKey", key), ("isThrottled", "boolean:true"), ("expiryTimeStamp", &until)]);
    }

    /// A key is throttled no more.
    pub fn releases(&mut self, key: &str) {
        self.says(&[("throttleKey", key), ("isThrottled", "boolean:false"), ("expiryTimeStamp", "long:0")]);
    }

    /// A caller or an API is blocked, or no more.
    pub fn blocks(&mut self, condition: &str, value: &str, state: bool) {
        let state = state.to_string();
        let fields = [("id", "int:7"), ("blockingCondition", condition), ("conditionValue", value), ("state", &state)];
        self.says(&[&fields[..], &[("tenantDomain", "carbon.super")]].concat());
    }

    /// A MapMessage.
    pub fn says(&mut self, fields: &[(&str, &str)]) {
        self.publisher.map(fields);
    }

    /// A TextMessage with this payload, as API Manager 4 sends it.
    pub fn writes(&mut self, payload: &Value) {
        self.publisher.text(&json!({ "event": { "metaData": {}, "payloadData": payload } }).to_string());
    }
}

fn payload(event: &Message) -> Value {
    assert_eq!((event.method(), event.field("authorization")), ("POST", Some(AUTHORIZATION)));
    assert_eq!(event.field("content-type"), Some("application/json"));
    let event: Value = serde_json::from_slice(&event.body).unwrap();
    assert_eq!((&event["event"]["metaData"], &event["event"]["correlationData"]), (&json!({}), &json!({})));
    event["event"]["payloadData"].clone()
}

impl Mode {
    fn answer(&self, request: &Message) -> Reply {
        if request.field("authorization") != Some(AUTHORIZATION) {
            return Reply::new(401, "");
        }
        let json = |value: &Value| Reply::with(200, &["Content-Type: application/json"], value.to_string());
        let lists = self.lists.lock().unwrap().clone();
        match (request.target(), lists) {
            (EVENTS, _) => {
                let pause = Duration::from_millis(self.pause.load(Ordering::SeqCst) as u64);
                let mut reply = Reply::new(200, "");
                reply.pieces.iter_mut().for_each(|(before, _)| *before = pause);
                reply
            }
            ("/internal/data/v1/keyTemplates", Some([templates, _])) => json(&templates),
            ("/internal/data/v1/block", Some([_, blocks])) => json(&blocks),
            (_, Some(_)) => Reply::new(404, ""),
            (_, None) => Reply::new(503, ""),
        }
    }
}
