//! Revocations that a real etcd holds, end to end.

use std::time::Instant;

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Revoking, Settings, Upstream,
    certificates::Authority,
    parts::{Etcd, PASSWORD, Partition, RabbitMq, USER},
    project::{artifact, open_api, operation},
    revoking::percentiles,
    token::Issuer,
    until,
};

const PREFIX: &str = "/tollgate/revocations/";
const CONNECTED: &str = r#"tollgate_revocation_connected{input="etcd"}"#;

fn key(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn at(port: u16) -> Value {
    json!({ "endpoints": [format!("http://127.0.0.1:{port}")], "heartbeat": "1s" })
}

fn world(etcd: &Value) -> Revoking {
    Revoking::start(Folder::new(), json!({ "etcd": etcd }), json!({}))
}

fn passes(world: &Revoking, token: &str) {
    until("the token to pass", || (world.status(token) == 200).then_some(()));
}

#[test]
fn a_token_is_revoked_as_long_as_its_key_is_there_and_no_longer() {
    let etcd = Etcd::start();
    etcd.put(&key("before"), "");
    let world = world(&at(etcd.port));
    let [before, later, leased, of_client, good] = ["before", "later", "leased", "of-client", "good"].map(|jti| world.token(jti));
    assert_eq!(world.status(&before), 401, "what was there is in force with the first request");
    assert_eq!(world.status(&later), 200);
    etcd.put(&key("later"), "3600");
    world.refused(&later);
    etcd.delete(&key("later"));
    passes(&world, &later);

    let grant = etcd.ctl(&["lease", "grant", "5"]);
    let lease = grant.split_whitespace().nth(1).unwrap();
    etcd.ctl(&["put", &key("leased"), "", "--lease", lease]);
    world.refused(&leased);
    etcd.ctl(&["lease", "revoke", lease]);
    passes(&world, &leased);

    etcd.put(&key("rule-1"), r#"{"jti":"of-client"}"#);
    world.refused(&of_client);
    etcd.put(&key("rule-2"), r#"{"unknown":"x"}"#);
    world.shows("etcd", "with a bad entry", |shown| shown["bad_entries"] == 1);
    assert_eq!(world.status(&good), 200);
    assert_eq!(world.shown("etcd")["differences"], 0);
}

#[test]
fn a_revocation_in_etcd_is_in_force_within_a_moment() {
    let etcd = Etcd::start();
    let world = world(&at(etcd.port));
    let mut times = Vec::new();
    for number in 0..200 {
        let (bad, good) = (world.token(&format!("bad-{number}")), world.token(&format!("good-{number}")));
        assert_eq!(world.status(&bad), 200);
        let begun = Instant::now();
        etcd.put(&key(&format!("bad-{number}")), "3600");
        world.refused(&bad);
        times.push(begun.elapsed());
        assert_eq!(world.status(&good), 200);
    }
    let (median, p99) = percentiles(times);
    println!("etcd: from before a revocation is written to the refusal, 200 of them: median {median:?}, p99 {p99:?}");
    assert!(median.as_millis() < 250, "{median:?}");
}

#[test]
fn a_gateway_is_not_ready_and_refuses_until_etcd_was_read_whole() {
    let mut etcd = Etcd::start();
    etcd.put(&key("bad"), "");
    let mut world = world(&at(etcd.port));
    let (bad, good) = (world.token("bad"), world.token("good"));
    assert_eq!((world.status(&bad), world.status(&good)), (401, 200));

    etcd.kill();
    until("the gauge", || world.gateway.metric(CONNECTED).filter(|connected| *connected == 0.0));
    assert_eq!((world.status(&bad), world.status(&good)), (401, 200), "it was complete a moment ago");
    assert!(world.shown("etcd")["cause"].as_str().is_some_and(|cause| cause.contains("127.0.0.1")));

    world.restart();
    let ports = [world.gateway.ports.plain, world.gateway.ports.admin];
    let listens = || ports.iter().all(|port| std::net::TcpStream::connect(("127.0.0.1", *port)).is_ok());
    until("the gateway to listen", || listens().then_some(()));
    assert_eq!((world.status(&bad), world.status(&good)), (503, 503));
    let ready = world.gateway.admin("/readyz");
    assert_eq!(ready.status(), 503);
    assert!(ready.text().contains("etcd"), "{}", ready.text());

    etcd.restart();
    world.ready();
    assert_eq!((world.status(&bad), world.status(&good)), (401, 200));
}

#[test]
fn a_list_that_was_never_read_closes_what_does_not_ask_to_stay_open() {
    let (upstream, folder, issuer) = (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"));
    let key = issuer.write(&folder, "issuer.pem");
    let paths = json!({ "/closed": { "get": operation() }, "/open": { "get": operation() }, "/public": { "get": operation() } });
    let mut definition = open_api("/a", &upstream.url(), paths);
    definition["x-wso2-disable-security"] = false.into();
    definition["paths"]["/open"]["get"]["x-tollgate-revocation"] = json!({ "stale": "open" });
    definition["paths"]["/public"]["get"]["x-wso2-disable-security"] = true.into();
    let built = artifact(&folder, &definition);
    let mut etcd = Etcd::start();
    let stores = json!({ "etcd": at(etcd.port), "revocations": { "journal": folder.join("revocations"), "catch_up": "1s" } });
    let chain = json!([{ "jwt": { "issuers": [issuer.config(&key)] } }, "revocation"]);
    let mut gateway = Gateway::start(&built, Settings::of(json!({ "chain": chain, "stores": stores })));
    let (good, bad) = (issuer.token(json!({ "jti": "good" })), issuer.token(json!({ "jti": "bad" })));
    let revoked = tollgate_tests::send(gateway.ports.admin, "POST", "/revocations", &[], br#"{"jti":"bad"}"#);
    assert_eq!(revoked.status(), 200, "{}", revoked.text());
    etcd.kill();
    gateway.signal("KILL");
    gateway.wait();
    gateway.child = gateway.spawn_beside(&[]);
    until("the next process", || std::net::TcpStream::connect(("127.0.0.1", gateway.ports.plain)).is_ok().then_some(()));
    let ask = |path: &str, token: &str| gateway.send("GET", path, &[&format!("Authorization: Bearer {token}")], b"");
    let open = until("etcd to be waited for no longer", || match ask("/a/open", &good).status() {
        503 => None,
        status => Some(status),
    });
    assert_eq!(open, 200);
    let closed = ask("/a/closed", &good);
    assert_eq!((closed.status(), closed.field("retry-after")), (503, Some("10")));
    assert_eq!([ask("/a/open", &good).status(), ask("/a/public", "").status()], [200, 200]);
    assert_eq!([ask("/a/closed", &bad).status(), ask("/a/open", &bad).status()], [401, 401], "what is known counts all the same");
    gateway.metric_reaches(r#"tollgate_revocation_age_seconds{input="etcd"}"#, -1.0);
    assert_eq!(gateway.admin("/readyz").status(), 200, "what stays open is served");
}

#[test]
fn a_gateway_that_starts_again_accepts_nothing_before_it_has_read_etcd_also_where_an_old_list_would_do() {
    let etcd = Etcd::start();
    let network = Partition::before(etcd.port);
    let mut world = Revoking::start(Folder::new(), json!({ "etcd": at(network.port) }), json!({ "stale": "open" }));
    let (bad, good) = (world.token("bad"), world.token("good"));
    assert_eq!([world.status(&bad), world.status(&good)], [200, 200]);
    network.cut();
    etcd.put(&key("bad"), "");
    world.restart();
    let ports = [world.gateway.ports.plain, world.gateway.ports.admin];
    let listens = || ports.iter().all(|port| std::net::TcpStream::connect(("127.0.0.1", *port)).is_ok());
    until("the gateway to listen", || listens().then_some(()));
    assert_eq!([world.status(&bad), world.status(&good)], [503, 503]);
    assert_eq!(world.gateway.admin("/readyz").status(), 503);
    network.heal();
    world.ready();
    assert_eq!([world.status(&bad), world.status(&good)], [401, 200]);
}

#[test]
fn what_was_revoked_behind_a_partition_is_in_force_after_it() {
    let etcd = Etcd::start();
    let network = Partition::before(etcd.port);
    let world = world(&at(network.port));
    let (bad, good) = (world.token("bad"), world.token("good"));
    assert_eq!(world.status(&bad), 200);
    network.cut();
    etcd.put(&key("bad"), "");
    until("the gauge", || world.gateway.metric(CONNECTED).filter(|connected| *connected == 0.0));
    network.heal();
    world.refused(&bad);
    world.whole("etcd");
    assert_eq!(world.status(&good), 200);
}

#[test]
fn etcd_over_tls_with_certificates_and_users_revokes_and_its_password_may_change() {
    let (authority, folder) = (Authority::new("etcd"), Folder::new());
    let own = authority.issue("n1", 2, &["127.0.0.1", "localhost"]);
    let client = authority.issue("root", 3, &[]);
    let mut etcd = Etcd::secure(&authority, &own, &client);
    etcd.demand_users(USER, PASSWORD, PREFIX);
    let (certificate, private) = client.write(&folder, "client");
    let password = folder.write("password", PASSWORD);
    let settings = json!({
        "endpoints": [etcd.url()], "heartbeat": "1s", "ca": authority.write(&folder, "ca.pem"),
        "client_certificate": { "certificate": certificate, "key": private },
        "username": USER, "password": format!("${{file:{}}}", password.display()),
    });
    let world = world(&settings);
    let (bad, worse) = (world.token("bad"), world.token("worse"));
    assert_eq!(world.status(&bad), 200);
    etcd.ctl(&["put", &key("bad"), ""]);
    world.refused(&bad);

    etcd.ctl(&["user", "delete", USER]);
    etcd.ctl(&["user", "add", &format!("{USER}:next")]);
    etcd.ctl(&["user", "grant-role", USER, "reader"]);
    etcd.restart();
    world.shows("etcd", "refused", |shown| shown["cause"].as_str().is_some_and(|cause| cause.contains("refused the credentials")));
    folder.write("password", "next");
    assert_eq!(world.gateway.reload().status(), 200);
    world.whole("etcd");
    etcd.ctl(&["put", &key("worse"), ""]);
    world.refused(&worse);
    let said = format!("{}{}", world.gateway.stderr(), world.gateway.admin("/revocation").text());
    assert!(!said.contains(PASSWORD) && !said.contains("next\""), "{said}");
}

#[test]
fn what_a_broker_did_not_say_is_made_up_for_by_etcd() {
    let (broker, etcd) = (RabbitMq::start(), Etcd::start());
    etcd.put(&key("missed"), "");
    let folder = Folder::new();
    let password = folder.write("password", PASSWORD);
    let stores = json!({
        "broker": {
            "url": format!("amqp://127.0.0.1:{}", broker.amqp), "topic": "revoked", "heartbeat": "1s", "missed": "etcd",
            "username": USER, "password": format!("${{file:{}}}", password.display()),
        },
        "etcd": at(etcd.port),
    });
    let world = Revoking::start(folder, stores, json!({}));
    let (missed, good) = (world.token("missed"), world.token("good"));
    passes(&world, &good);
    world.whole("broker");
    assert_eq!(world.status(&missed), 401);
    assert_eq!(world.shown("broker")["gap"], false);
}

#[test]
fn settings_of_etcd_are_judged_where_they_stand() {
    let etcd = Etcd::start();
    let world = world(&at(etcd.port));
    let config = world.gateway.folder.join("gateway.yaml");
    let good: Value = serde_json::from_slice(&std::fs::read(&config).unwrap()).unwrap();
    let refused = |what: &str, change: &dyn Fn(&mut Value)| {
        let mut next = good.clone();
        change(&mut next["stores"]);
        std::fs::write(&config, next.to_string()).unwrap();
        let answer = world.gateway.reload();
        assert_ne!(answer.status(), 200, "{what}");
        assert!(answer.text().contains(what), "{what}: {}", answer.text());
    };
    refused("/stores/etcd/endpoints", &|stores| stores["etcd"]["endpoints"] = json!(["etcd:2379"]));
    refused("/stores/etcd/prefix", &|stores| stores["etcd"]["prefix"] = "".into());
    refused("/stores/etcd/ca", &|stores| {
        stores["etcd"]["endpoints"] = json!(["https://127.0.0.1"]);
        stores["etcd"]["ca"] = "no-such-file.pem".into();
    });
    refused("/stores/etcd", &|stores| drop(stores.as_object_mut().unwrap().remove("etcd")));
    world.whole("etcd");
}
