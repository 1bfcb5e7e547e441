use super::*;
use crate::stores::{
    ServerTrust, SystemClock,
    test_server::{Reply, TestServer},
};
use tollgate_filter_api::Metrics;
use tollgate_traffic_manager::Outbox;

struct Nowhere;

impl Outbox for Nowhere {
    fn put(&self, _: Vec<u8>) {}
}

fn json(body: &str) -> Reply {
    Reply::status("200 OK", "content-type: application/json\r\n", body)
}

struct Fetching {
    manager: Arc<TrafficManager>,
    lists: Arc<Lists>,
    arrived: watch::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Fetching {
    fn start(templates: &str, blocks: Option<&str>) -> Self {
        let settings = serde_json::json!({
            "events": "http://127.0.0.1:1/", "broker": { "url": "stomp://127.0.0.1:1" }, "username": "a", "password": "${env:HOME}",
            "key_templates": templates, "blocks": blocks, "retry": "10ms",
        });
        let settings: config::TrafficManager = serde_json::from_value(settings).unwrap();
        let world = Documents::new("", ServerTrust::System, Arc::new(SystemClock), Metrics::default());
        let manager = Arc::new(TrafficManager::new(Nowhere));
        let lists = Arc::new(Lists::default());
        let (arrived, arrivals) = watch::channel(());
        let asked = Asked::new(&settings, &world).unwrap();
        let task = tokio::spawn(lists.clone().keep(asked, manager.clone(), Arc::new(SystemClock), arrivals));
        Self { manager, lists, arrived, task }
    }

    async fn until(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let wait = async {
            while !is(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(20), wait).await.is_ok(), "waited in vain for {what}");
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn both_lists_are_fetched_and_only_the_one_that_failed_is_asked_for_again() {
    let templates = TestServer::start(|number| if number < 2 { Reply::status("503 No", "", "") } else { json(r#"["$userId"]"#) }).await;
    let blocks = TestServer::start(|_| json(r#"{"user":["alice"],"custom":["x"]}"#)).await;
    let fetching = Fetching::start(&templates.url("/t"), Some(&blocks.url("/b")));
    assert!(!fetching.lists.are_settled());
    fetching.until("both lists", |fetching| fetching.lists.are_settled()).await;
    let decisions = &fetching.manager.decisions;
    assert_eq!((decisions.templates(), decisions.blocked(), decisions.dropped()), (1, 1, 1));
    assert_eq!((templates.requests().len(), blocks.requests().len()), (3, 1));
    let seen = blocks.requests().remove(0);
    assert!(seen.starts_with("GET /b HTTP/1.1\r\n") && seen.contains("authorization: Basic "), "{seen}");
}

#[tokio::test]
async fn after_fifteen_tries_they_count_as_away_until_the_broker_arrives() {
    let server = TestServer::start(|number| if number < 15 { json("{}") } else { json("[\"$appId\"]") }).await;
    let fetching = Fetching::start(&server.url("/"), None);
    fetching.until("the last try", |fetching| fetching.lists.are_settled()).await;
    assert_eq!((server.requests().len(), fetching.manager.decisions.templates()), (15, 0));
    fetching.arrived.send_replace(());
    fetching.until("the list", |fetching| fetching.manager.decisions.templates() == 1).await;
}

#[tokio::test]
async fn a_broker_that_arrives_makes_the_lists_anew() {
    let server = TestServer::start(|number| json(if number == 0 { "[\"$appId\"]" } else { "[\"$userId\", \"$clientIp\"]" })).await;
    let fetching = Fetching::start(&server.url("/"), None);
    fetching.until("the first list", |fetching| fetching.manager.decisions.templates() == 1).await;
    // What was heard in the same millisecond would count as newer.
    let heard = millis(&SystemClock);
    fetching.until("the clock", |_| millis(&SystemClock) > heard).await;
    fetching.arrived.send_replace(());
    fetching.until("the second list", |fetching| fetching.manager.decisions.templates() == 2).await;
}
