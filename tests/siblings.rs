//! Endpoints beside those of a group: a canary for a part of its requests, and a mirror for copies.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate_tests::{Gateway, Reply, Settings, Upstream, h2_upstream::H2Upstream, project::everything, project::open_api, until};

use crate::endpoints::gateway;

fn named(name: &'static str) -> Upstream {
    Upstream::answering(move |_| Reply::new(200, name))
}

fn asked(gateway: &Gateway, fields: &[&str]) -> String {
    gateway.send("GET", "/a/x", fields, b"").text()
}

#[test]
fn a_canary_takes_its_part_of_the_requests_and_a_header_decides_alone() {
    let (stable, canary) = (named("stable"), named("canary"));
    let settings = json!({ "production": [canary.url()], "percent": 20, "header": { "name": "X-Canary" } });
    let gateway = gateway(&[stable.url()], json!({ "canary": settings }));
    let mut client = gateway.connect();
    let mut count = |fields: &[&str]| (0..1000).filter(|_| client.ask("GET", "/a/x", fields, b"").unwrap().text() == "canary").count();
    let drawn = count(&[]);
    assert!((140..260).contains(&drawn), "{drawn} of 1000");
    assert_eq!([count(&["X-Canary: always"]), count(&["X-Canary: never"])], [1000, 0]);
    let other = count(&["X-Canary: perhaps"]);
    assert!((140..260).contains(&other), "{other} of 1000");
    let page: Value = serde_json::from_str(&gateway.admin("/upstreams").text()).unwrap();
    assert_eq!((&page[0]["group"], &page[1]["group"]), (&json!("pets"), &json!("pets@canary")));
}

#[test]
fn with_a_key_the_same_callers_are_in_the_canary() {
    let (stable, canary) = (named("stable"), named("canary"));
    let balance = json!({ "strategy": "hash", "key": { "header": "X-User" } });
    let gateway = gateway(&[stable.url()], json!({ "balance": balance, "canary": { "production": [canary.url()], "percent": 50 } }));
    let mut seen = Vec::new();
    for user in 0..40 {
        let field = format!("X-User: {user}");
        let answers: Vec<_> = (0..5).map(|_| asked(&gateway, &[&field])).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        seen.push(answers[0].clone());
    }
    let canaries = seen.iter().filter(|name| *name == "canary").count();
    assert!((8..32).contains(&canaries), "{canaries} of 40");
}

#[test]
fn while_no_canary_is_ready_the_group_takes_all_requests() {
    let (stable, canary) = (named("stable"), Upstream::answering(|_| Reply::new(200, "canary")));
    let gone = Upstream::answering(|_| Reply::new(500, "ill"));
    let check = json!({ "probe": { "http": { "path": "/health" } }, "interval": "100ms", "unhealthy": 1 });
    let settings = json!({ "canary": { "production": [gone.url()], "percent": 100 }, "check": check });
    let gateway = gateway(&[stable.url()], settings);
    until("the canary to be out", || (asked(&gateway, &[]) == "stable").then_some(()));
    assert!((0..20).all(|_| asked(&gateway, &[]) == "stable"));
    drop(canary);
}

#[test]
fn a_mirror_gets_what_goes_upstream_and_its_answer_is_nobodys() {
    let (stable, mirror) = (named("stable"), Upstream::answering(|_| Reply::new(500, "mirror")));
    let gateway = gateway(&[stable.url()], json!({ "mirror": { "production": [format!("{}/base", mirror.url())] } }));
    let body = vec![b'x'; 50_000];
    assert_eq!(gateway.send("POST", "/a/x?y=1", &["X-Own: 1"], &body).text(), "stable");
    // Copies are made beside requests, and may pass each other.
    until("the first copy", || (mirror.count() == 1).then_some(()));
    assert_eq!(gateway.send("GET", "/a/z", &[], b"").text(), "stable");
    until("both copies", || (mirror.count() == 2).then_some(()));
    let copies = mirror.requests();
    assert!(copies[0].message.start.starts_with("POST /base/x?y=1 "), "{}", copies[0].message.start);
    assert_eq!((copies[0].message.body.len(), copies[0].message.field("x-own")), (50_000, Some("1")));
    assert_eq!(copies[0].message.field("host").unwrap(), mirror.url().trim_start_matches("http://"));
    assert!(copies[1].message.start.starts_with("GET /base/z "));
    gateway.metric_reaches(r#"tollgate_mirror_copies_total{group="pets@mirror/production"}"#, 2.0);
}

#[test]
fn no_request_waits_for_a_mirror_and_no_more_copies_are_made_than_may_be() {
    let stable = named("stable");
    let slow = Upstream::answering(|_| Reply::raw("").then(Duration::from_secs(20), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let settings = json!({ "production": [slow.url()], "pending": 3, "timeout": "1s", "body": "1KiB" });
    let gateway = gateway(&[stable.url()], json!({ "mirror": settings }));
    let mut client = gateway.connect();
    let begun = Instant::now();
    (0..50).for_each(|_| assert_eq!(client.ask("GET", "/a/x", &[], b"").unwrap().text(), "stable"));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let series = |name: &str| format!(r#"tollgate_mirror_{name}_total{{group="pets@mirror/production"}}"#);
    assert!(gateway.metric(&series("dropped")) >= Some(40.0));
    gateway.metric_reaches(&series("failures"), 3.0);
    assert!(slow.count() <= 10);
    let dropped = gateway.metric(&series("dropped"));
    assert_eq!(gateway.send("POST", "/a/x", &[], &[b'x'; 2000]).text(), "stable");
    assert_eq!(gateway.metric(&series("dropped")), dropped.map(|dropped| dropped + 1.0));
}

#[test]
fn a_mirror_may_speak_http2() {
    let (stable, mirror) = (H2Upstream::start(None), H2Upstream::start(None));
    let mut definition = open_api("/a", "", everything());
    definition["x-wso2-endpoints"] = json!([{ "pets": { "urls": [format!("http://127.0.0.1:{}", stable.port)] } }]);
    definition["x-wso2-production-endpoints"] = "#/x-wso2-endpoints/pets".into();
    let pets = json!({ "http": "2", "mirror": { "production": [format!("http://127.0.0.1:{}", mirror.port)] } });
    let gateway = Gateway::serving(&definition, Settings::of(json!({ "endpoints": { "pets": pets } })));
    assert_eq!(gateway.send("POST", "/a/x", &[], b"order").status(), 200);
    gateway.metric_reaches(r#"tollgate_mirror_copies_total{group="pets@mirror/production"}"#, 1.0);
}
