//! Revocations that a real message broker delivers, end to end: ActiveMQ with a JMS publisher, RabbitMQ over both AMQPs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Revoking,
    parts::{ActiveMq, PASSWORD, Partition, RabbitMq, USER, rabbitmq},
    revoking::percentiles,
    until,
};

/// Settings of `stores`; the password is in a file of the folder.
fn stores(folder: &Folder, url: &str, topic: &str, subscription: Option<&str>) -> Value {
    let file = folder.write("password", PASSWORD);
    let mut broker = json!({
        "url": url, "topic": topic, "heartbeat": "1s",
        "username": USER, "password": format!("${{file:{}}}", file.display()),
    });
    if let Some(name) = subscription {
        broker["subscription"] = name.into();
    }
    json!({ "broker": broker })
}

fn world(url: &str, topic: &str, subscription: Option<&str>, filter: Value) -> Revoking {
    let folder = Folder::new();
    let stores = stores(&folder, url, topic, subscription);
    Revoking::start(folder, stores, filter)
}

/// Kills the gateway, revokes much and the token last, and starts the gateway again: from the first answer on the token is not accepted.
fn never_accepts_what_was_revoked_meanwhile(world: &mut Revoking, mut publish: impl FnMut(&str)) {
    let (revoked, good) = (world.token("revoked"), world.token("good"));
    assert_eq!([world.status(&revoked), world.status(&good)], [200, 200]);
    world.gateway.signal("KILL");
    world.gateway.wait();
    (0..500).for_each(|number| publish(&format!("other-{number}")));
    publish("revoked");
    world.gateway.child = world.gateway.spawn_beside(&[]);
    let listens = || std::net::TcpStream::connect(("127.0.0.1", world.gateway.ports.plain)).is_ok();
    until("the gateway to listen", || listens().then_some(()));
    let mut before = 0;
    until("the gateway to be ready", || {
        // The operator's port may listen a moment later.
        let operator = tollgate_tests::Client::try_connect(world.gateway.ports.admin);
        let ready = operator.map_or(503, |mut client| client.ask("GET", "/readyz", &[], b"").unwrap().status());
        match (world.status(&revoked), world.status(&good), ready) {
            (503, 503, 503) => before += 1,
            (401 | 503, 200 | 503, 200) => return Some(()),
            (401 | 503, 200 | 503, 503) => {}
            other => panic!("{other:?} after {before}, {}", world.gateway.admin("/revocation").text()),
        }
        None
    });
    println!("{before} times nothing was decided before the gateway had caught up");
    assert_eq!([world.status(&revoked), world.status(&good)], [401, 200]);
}

#[test]
fn a_gateway_that_starts_again_accepts_nothing_before_it_has_heard_what_activemq_kept() {
    for filter in [json!({}), json!({ "stale": "open" })] {
        let broker = ActiveMq::start();
        let mut world = world(&format!("stomp://127.0.0.1:{}", broker.stomp), "revoked", Some("gateway-1"), filter);
        world.whole("broker");
        let mut publisher = broker.publisher("revoked");
        never_accepts_what_was_revoked_meanwhile(&mut world, |jti| publisher.map(&[("revokedToken", jti), ("ttl", "3600")]));
    }
}

#[test]
fn a_gateway_that_starts_again_accepts_nothing_before_it_has_heard_what_rabbitmq_kept() {
    let broker = RabbitMq::start();
    for (name, filter) in [("gateway-1", json!({})), ("gateway-2", json!({ "stale": "open" }))] {
        let mut world = world(&format!("amqp://127.0.0.1:{}", broker.amqp), "revoked", Some(name), filter);
        world.whole("broker");
        let mut publisher = rabbitmq::Publisher::new(&broker, "revoked");
        never_accepts_what_was_revoked_meanwhile(&mut world, |jti| publisher.publish(&payload(jti)));
    }
}

fn payload(token: &str) -> String {
    json!({ "event": { "payloadData": { "revokedToken": token, "ttl": "3600000" } } }).to_string()
}

/// Revokes 200 tokens, each after it passed, and measures from before it was published until it is refused.
fn propagates(world: &Revoking, what: &str, mut publish: impl FnMut(&str)) {
    let mut times = Vec::new();
    for number in 0..200 {
        let (bad, good) = (world.token(&format!("bad-{number}")), world.token(&format!("good-{number}")));
        assert_eq!(world.status(&bad), 200);
        let begun = Instant::now();
        publish(&format!("bad-{number}"));
        world.refused(&bad);
        times.push(begun.elapsed());
        assert_eq!(world.status(&good), 200);
    }
    let (median, p99) = percentiles(times);
    println!("{what}: from before a revocation is published to the refusal, 200 of them: median {median:?}, p99 {p99:?}");
    assert!(median < Duration::from_millis(250), "{median:?}");
}

#[test]
fn what_a_jms_publisher_revokes_is_refused_in_both_forms_and_over_a_restart() {
    let broker = ActiveMq::start();
    let mut world = world(&format!("stomp://127.0.0.1:{}", broker.stomp), "revoked", Some("gateway-1"), json!({}));
    world.whole("broker");
    let mut publisher = broker.publisher("revoked");
    let [by_map, by_text, by_signature, away, good] = ["map", "text", "signature", "away", "good"].map(|jti| world.token(jti));
    publisher.map(&[("revokedToken", "map"), ("ttl", "3600")]);
    publisher.text(&payload("text"));
    publisher.map(&[("revokedToken", &by_signature), ("ttl", "3600")]);
    publisher.map(&[("revokedToken", "20261128"), ("ttl", "3600")]);
    publisher.map(&[("client", "shop"), ("before", "1000000000")]);
    publisher.text(r#"{"subject":"bob","before":2000000000}"#);
    let of_shop = world.issuer.token(json!({ "jti": "of-shop", "azp": "shop", "iat": 999_999_999 }));
    let of_bob = world.issuer.token(json!({ "jti": "of-bob", "sub": "bob" }));
    for token in [&by_map, &by_text, &by_signature, &world.token("20261128"), &of_shop, &of_bob] {
        world.refused(token);
    }
    assert_eq!(world.status(&good), 200);
    assert_eq!(world.status(&world.issuer.token(json!({ "jti": "later", "azp": "shop" }))), 200);
    propagates(&world, "ActiveMQ, STOMP", |jti| publisher.map(&[("revokedToken", jti), ("ttl", "3600")]));

    world.gateway.signal("KILL");
    world.gateway.wait();
    publisher.map(&[("revokedToken", "away"), ("ttl", "3600")]);
    world.gateway.child = world.gateway.spawn_beside(&[]);
    world.ready();
    assert_eq!(world.status(&by_map), 401, "what was heard before the restart was kept");
    world.refused(&away);
    world.whole("broker");
    assert_eq!(world.status(&good), 200);
    assert_eq!(world.shown("broker")["gaps"], 0);
}

#[test]
fn a_broker_that_is_killed_is_found_again_and_meanwhile_a_gauge_says_so() {
    let mut broker = ActiveMq::start();
    let world = world(&format!("stomp://127.0.0.1:{}", broker.stomp), "revoked", Some("gateway-1"), json!({}));
    world.whole("broker");
    world.gateway.metric_reaches(r#"tollgate_revocation_connected{input="broker"}"#, 1.0);
    broker.kill();
    until("the gauge", || world.gateway.metric(r#"tollgate_revocation_connected{input="broker"}"#).filter(|connected| *connected == 0.0));
    assert_eq!(world.status(&world.token("good")), 200, "it was complete a moment ago");
    assert!(world.shown("broker")["cause"].as_str().is_some_and(|cause| !cause.is_empty()));
    broker.restart();
    world.whole("broker");
    broker.publisher("revoked").map(&[("revokedToken", "after"), ("ttl", "3600")]);
    world.refused(&world.token("after"));
}

#[test]
fn a_gateway_that_starts_without_its_broker_is_ready_after_a_time_and_refuses_until_it_is_there() {
    let broker = ActiveMq::start();
    let network = Partition::before(broker.stomp);
    network.cut();
    let folder = Folder::new();
    let mut stores = stores(&folder, &format!("stomp://127.0.0.1:{}", network.port), "revoked", Some("gateway-1"));
    stores["revocations"] = json!({ "catch_up": "1s" });
    let world = Revoking::start(folder, stores, json!({}));
    assert!(world.gateway.stderr().contains("stores.revocations.catch_up"), "{}", world.gateway.stderr());
    let good = world.token("good");
    assert_eq!(world.status(&good), 503);
    assert_eq!(world.gateway.metric(r#"tollgate_revocation_connected{input="broker"}"#), Some(0.0));
    network.heal();
    world.whole("broker");
    assert_eq!(world.status(&good), 200);
}

#[test]
fn what_is_bad_on_the_topic_is_counted_and_what_follows_it_is_heard() {
    let broker = ActiveMq::start();
    let world = world(&format!("stomp://127.0.0.1:{}", broker.stomp), "revoked", Some("gateway-1"), json!({}));
    world.whole("broker");
    let mut publisher = broker.publisher("revoked");
    for bad in ["no JSON", "{}", r#"{"event":{"payloadData":{"revokedToken":7}}}"#, &"x".repeat(2 << 20)] {
        publisher.text(bad);
    }
    publisher.map(&[("revokedToken", "x"), ("ttl", "soon")]);
    publisher.map(&[("revokedToken", "after"), ("ttl", "3600")]);
    world.refused(&world.token("after"));
    assert_eq!(world.gateway.metric(r#"tollgate_revocation_bad_entries_total{input="broker"}"#), Some(5.0));
    assert_eq!(world.status(&world.token("x")), 200);
}

#[test]
fn a_subscription_that_is_not_durable_leaves_a_gap_which_is_shown_and_closes_the_filter() {
    let broker = RabbitMq::start();
    let url = format!("amqp://127.0.0.1:{}", broker.amqp);
    let closed = world(&url, "revoked", None, json!({}));
    closed.shows("broker", "there with a gap", |shown| shown["connected"] == true && shown["gap"] == true);
    let token = closed.token("any");
    assert_eq!(closed.status(&token), 503);
    assert_eq!(closed.shown("broker")["complete"], false);
    assert_eq!(closed.gateway.metric(r#"tollgate_revocation_gaps_total{input="broker"}"#), Some(1.0));
    drop(closed);
    let open = world(&url, "revoked", None, json!({ "stale": "open" }));
    open.shows("broker", "there", |shown| shown["connected"] == true);
    assert_eq!(open.status(&open.token("good")), 200);
    rabbitmq::Publisher::new(&broker, "revoked").publish(&payload("bad"));
    open.refused(&open.token("bad"));
}

#[test]
fn rabbitmq_revokes_over_amqp_0_9_1_and_over_a_restart() {
    let broker = RabbitMq::start();
    let mut world = world(&format!("amqp://127.0.0.1:{}", broker.amqp), "revoked", Some("gateway-1"), json!({}));
    world.whole("broker");
    let mut publisher = rabbitmq::Publisher::new(&broker, "revoked");
    propagates(&world, "RabbitMQ, AMQP 0-9-1", |jti| publisher.publish(&payload(jti)));
    world.gateway.signal("KILL");
    world.gateway.wait();
    publisher.publish(&payload("away"));
    world.gateway.child = world.gateway.spawn_beside(&[]);
    world.ready();
    assert_eq!(world.status(&world.token("bad-7")), 401);
    world.refused(&world.token("away"));
    world.whole("broker");
}

#[test]
fn rabbitmq_revokes_over_amqp_1_0() {
    let broker = RabbitMq::start();
    let world = world(&format!("amqp10://127.0.0.1:{}", broker.amqp), "/topic/revoked", None, json!({ "stale": "open" }));
    world.shows("broker", "there", |shown| shown["connected"] == true);
    let mut publisher = rabbitmq::Publisher::new(&broker, "revoked");
    propagates(&world, "RabbitMQ, AMQP 1.0", |jti| publisher.publish(&payload(jti)));
}

#[test]
fn a_reload_takes_a_new_password_and_can_neither_remove_a_broker_nor_take_one_that_cannot_be() {
    let broker = RabbitMq::start();
    let folder = Folder::new();
    let settings = stores(&folder, &format!("amqp://127.0.0.1:{}", broker.amqp), "revoked", Some("gateway-1"));
    folder.write("password", "wrong");
    let world = Revoking::start(folder, settings, json!({}));
    let shown = world.shows("broker", "refused", |shown| shown["cause"].is_string());
    assert!(shown["cause"].as_str().unwrap().contains("refused"), "{shown}");
    world.folder.write("password", PASSWORD);
    assert_eq!(world.gateway.reload().status(), 200);
    world.whole("broker");

    let path = world.gateway.folder.join("gateway.yaml");
    let running: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let refused = |broker: Value| {
        let mut config = running.clone();
        config["stores"]["broker"] = broker;
        std::fs::write(&path, config.to_string()).unwrap();
        let answer = world.gateway.reload();
        assert_ne!(answer.status(), 200);
        answer.text()
    };
    assert!(refused(Value::Null).contains("/stores/broker"));
    let unknown = refused(json!({ "url": "mqtt://broker", "topic": "revoked" }));
    assert!(unknown.contains("broker.url") && unknown.contains("/stores/broker/url"), "{unknown}");
    world.whole("broker");
}

#[test]
fn a_new_process_takes_the_subscription_over_and_nothing_is_lost_between() {
    let broker = RabbitMq::start();
    let folder = Folder::new();
    let mut stores = stores(&folder, &format!("amqp://127.0.0.1:{}", broker.amqp), "revoked", Some("gateway-1"));
    stores["revocations"]["journal"] = json!(folder.join("journal"));
    let socket = folder.join("upgrade.sock");
    let process = json!({ "upgrade_socket": socket, "grace": "5s" });
    let mut world = Revoking::start_with(folder, json!({ "stores": stores, "process": process }), json!({}));
    world.whole("broker");
    let mut publisher = rabbitmq::Publisher::new(&broker, "revoked");
    publisher.publish(&payload("before"));
    world.refused(&world.token("before"));
    let next = world.gateway.spawn_beside(&["--upgrade"]);
    until("the new process to wait for the sockets", || socket.exists().then_some(()));
    world.gateway.signal("QUIT");
    world.gateway.wait();
    world.gateway.child = next;
    publisher.publish(&payload("between"));
    world.ready();
    assert_eq!(world.status(&world.token("before")), 401);
    world.refused(&world.token("between"));
    world.whole("broker");
    assert_eq!(world.shown("broker")["gaps"], 0);
    assert_eq!(world.status(&world.token("good")), 200);
}
