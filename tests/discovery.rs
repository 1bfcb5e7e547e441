//! Endpoints that a real etcd holds: a write moves requests, and whatever else becomes of etcd, no request is lost.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder, Gateway, Reply, Settings, Upstream,
    parts::Etcd,
    project::{everything, open_api},
    revoking::percentiles,
    until,
};

pub const PREFIX: &str = "/services/pets/";

pub fn key(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// An upstream that answers with its name.
pub fn named(name: &'static str) -> Upstream {
    Upstream::answering(move |_| Reply::new(200, name))
}

pub fn at(port: u16) -> Value {
    json!({ "discovery": { "endpoints": [format!("http://127.0.0.1:{port}")], "heartbeat": "1s" } })
}

/// A definition with a group `pets`.
pub fn pets(endpoint: &str) -> Value {
    let mut definition = open_api("/a", "", everything());
    definition["x-wso2-endpoints"] = json!([{ "pets": { "urls": [endpoint], "type": "http" } }]);
    definition["x-wso2-production-endpoints"] = "#/x-wso2-endpoints/pets".into();
    definition
}

/// A gateway over one definition with a group `pets`, which is looked up as `discovery` says.
pub fn gateway(endpoint: &str, stores: &Value, discovery: &Value) -> Gateway {
    let mut config = json!({ "stores": stores });
    if !discovery.is_null() {
        config["endpoints"] = json!({ "pets": { "discovery": { "production": discovery } } });
    }
    Gateway::serving(&pets(endpoint), Settings::of(config))
}

/// Who answered.
pub fn who(client: &mut Client) -> String {
    let answer = client.ask("GET", "/a/x", &[], b"").unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.text()
}

/// Who says what endpoints `pets` has, as the admin port shows it.
pub fn by(gateway: &Gateway) -> Value {
    let page: Value = serde_json::from_slice(&gateway.admin("/upstreams").body).unwrap();
    page.as_array().unwrap().iter().find(|group| group["group"] == "pets").unwrap()["by"].clone()
}

pub fn reaches(gateway: &Gateway, name: &str) {
    let mut client = gateway.connect();
    until(&format!("an answer of `{name}`"), || (who(&mut client) == name).then_some(()));
}

#[test]
fn a_write_to_etcd_moves_requests_within_a_moment_and_loses_none() {
    let etcd = Etcd::start();
    let [default, one, two] = ["default", "one", "two"].map(named);
    let gateway = gateway(&default.url(), &at(etcd.port), &json!({ "etcd": PREFIX }));
    let mut client = gateway.connect();
    gateway.metric_reaches("tollgate_discovery_connected", 1.0);
    assert_eq!(who(&mut client), "default", "what was never there is not known to be empty");
    let mut times = Vec::new();
    for (name, upstream) in [("one", &one), ("two", &two)].into_iter().cycle().take(100) {
        let begun = Instant::now();
        etcd.put(&key("1"), &upstream.url());
        until("the next endpoint", || (who(&mut client) == name).then_some(()));
        times.push(begun.elapsed());
    }
    let (median, p99) = percentiles(times);
    println!("from before a write to etcd to the first request at the new endpoint, 100 of them: median {median:?}, p99 {p99:?}");
    assert!(median < Duration::from_millis(100), "{median:?}");
}

#[test]
fn a_key_that_a_definition_names_replaces_its_url_alone_as_long_as_it_is_there() {
    let etcd = Etcd::start();
    let [default, other, found] = ["default", "other", "found"].map(named);
    let mut definition = open_api("/a", "", everything());
    definition["x-wso2-production-endpoints"] =
        json!({ "urls": [format!("etcd(pets,{})", default.url()), other.url()], "type": "load_balance" });
    let gateway = Gateway::serving(&definition, Settings::of(json!({ "stores": at(etcd.port) })));
    let mut client = gateway.connect();
    let mut pairs = |first: &str| {
        until("the endpoint", || {
            let mut pair = [who(&mut client), who(&mut client)];
            pair.sort();
            let mut expected = [first.to_owned(), "other".to_owned()];
            expected.sort();
            (pair == expected).then_some(())
        });
    };
    pairs("default");
    etcd.put("pets", &found.url());
    pairs("found");
    etcd.put("pets", "nonsense");
    gateway.metric_reaches("tollgate_discovery_bad_values_total", 1.0);
    assert_eq!(gateway.metric("tollgate_discovery_bad_keys"), Some(1.0));
    pairs("found");
    etcd.delete("pets");
    pairs("default");
    assert_eq!(gateway.metric("tollgate_discovery_bad_keys"), Some(0.0));
}

#[test]
fn a_reload_begins_with_what_was_found() {
    let etcd = Etcd::start();
    let [default, found] = ["default", "found"].map(named);
    etcd.put(&key("1"), &found.url());
    let gateway = gateway(&default.url(), &at(etcd.port), &json!({ "etcd": PREFIX }));
    reaches(&gateway, "found");
    let before = default.count();
    for _ in 0..5 {
        assert_eq!(gateway.reload().status(), 200);
        assert_eq!(who(&mut gateway.connect()), "found");
    }
    assert_eq!(default.count(), before);
}

#[test]
fn the_last_endpoints_serve_on_when_their_keys_are_gone_unless_the_group_may_be_empty() {
    let etcd = Etcd::start();
    let [default, found, next] = ["default", "found", "next"].map(named);
    etcd.put(&key("1"), &found.url());
    let keeping = gateway(&default.url(), &at(etcd.port), &json!({ "etcd": PREFIX }));
    let emptied = gateway(&default.url(), &at(etcd.port), &json!({ "etcd": PREFIX, "allow_empty": true }));
    [&keeping, &emptied].into_iter().for_each(|gateway| reaches(gateway, "found"));
    etcd.delete(&key("1"));
    keeping.metric_reaches("tollgate_discovery_held", 1.0);
    until("the group to be empty", || (emptied.get("/a/x").status() == 502).then_some(()));
    assert_eq!(who(&mut keeping.connect()), "found");
    assert_eq!(keeping.reload().status(), 200);
    assert_eq!(who(&mut keeping.connect()), "found", "a reload keeps them too");
    etcd.put(&key("2"), &next.url());
    [&keeping, &emptied].into_iter().for_each(|gateway| reaches(gateway, "next"));
    until("nothing to be held", || (keeping.metric("tollgate_discovery_held") == Some(0.0)).then_some(()));
}

#[test]
fn what_a_group_cannot_use_keeps_its_last_good_value_and_one_key_does_not_touch_another() {
    let etcd = Etcd::start();
    let [default, one, two] = ["default", "one", "two"].map(named);
    let gateway = gateway(&default.url(), &at(etcd.port), &json!({ "etcd": PREFIX }));
    etcd.put(&key("1"), &one.url());
    etcd.put(&key("2"), &two.url());
    let seen = || {
        let mut client = gateway.connect();
        let mut seen: Vec<_> = (0..4).map(|_| who(&mut client)).collect();
        seen.sort();
        seen.dedup();
        seen
    };
    until("both endpoints", || (seen() == ["one", "two"]).then_some(()));
    // A certificate cannot be verified for an address.
    etcd.put(&key("2"), "https://127.0.0.1:1/hunter2");
    until("a line in the log", || gateway.stderr().contains("the last good value stays").then_some(()));
    assert_eq!(seen(), ["one", "two"]);
    etcd.put(&key("1"), r#"{"url":"http://127.0.0.1:1","hunter2":1}"#);
    gateway.metric_reaches("tollgate_discovery_bad_values_total", 1.0);
    assert_eq!(seen(), ["one", "two"]);
    etcd.delete(&key("2"));
    until("one endpoint", || (seen() == ["one"]).then_some(()));
    assert!(!gateway.stderr().contains("hunter2"));
}

#[test]
fn while_etcd_is_away_at_start_the_default_serves_and_what_it_holds_as_soon_as_it_is_there() {
    let mut etcd = Etcd::start();
    let [default, found] = ["default", "found"].map(named);
    etcd.put(&key("1"), &found.url());
    etcd.kill();
    let gateway = gateway(&default.url(), &at(etcd.port), &json!({ "etcd": PREFIX }));
    assert_eq!(who(&mut gateway.connect()), "default");
    assert_eq!(gateway.metric("tollgate_discovery_connected"), Some(0.0));
    assert_eq!(gateway.metric("tollgate_discovery_contact_timestamp_seconds"), Some(0.0));
    etcd.restart();
    reaches(&gateway, "found");
    gateway.metric_reaches("tollgate_discovery_connected", 1.0);
    etcd.kill();
    until("the gauge", || (gateway.metric("tollgate_discovery_connected") == Some(0.0)).then_some(()));
    assert_eq!(who(&mut gateway.connect()), "found");
    assert!(gateway.metric("tollgate_discovery_contact_timestamp_seconds") > Some(0.0));
}

#[test]
fn a_start_without_etcd_begins_with_the_last_good_endpoints_of_the_file_and_a_broken_file_is_told() {
    let mut etcd = Etcd::start();
    let [default, found, next] = ["default", "found", "next"].map(named);
    let folder = Folder::new();
    let file = folder.join("endpoints.json");
    let mut stores = at(etcd.port);
    stores["discovery"]["file"] = file.to_str().into();
    let start = || gateway(&default.url(), &stores, &json!({ "etcd": PREFIX }));
    let first = start();
    etcd.put(&key("1"), &found.url());
    reaches(&first, "found");
    until("the file", || std::fs::read_to_string(&file).is_ok_and(|text| text.contains(&found.url())).then_some(()));
    drop(first);
    etcd.kill();
    let again = start();
    assert_eq!((who(&mut again.connect()).as_str(), by(&again)), ("found", "file".into()));
    drop(again);

    let second = start();
    etcd.restart();
    etcd.put(&key("1"), &next.url());
    reaches(&second, "next");
    assert_eq!(by(&second), "etcd");
    drop(second);
    etcd.kill();
    std::fs::write(&file, r#"{"version":1,"known":[{"etcd":"/services/pets/1","#).unwrap();
    let third = start();
    assert_eq!((who(&mut third.connect()).as_str(), by(&third)), ("default", "definition".into()));
    assert!(third.stderr().contains("nothing of it is used"), "{}", third.stderr());
}
