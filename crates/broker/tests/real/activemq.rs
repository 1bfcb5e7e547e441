//! ActiveMQ over STOMP, published to by a JMS client in Java.

use std::time::{Duration, Instant};

use serde_json::json;
use tollgate_broker::{Message, Settings};
use tollgate_filter_api::Secret;
use tollgate_tests::parts::ActiveMq;

use super::subscriber::{Subscriber, print_latency, settings};

fn of(broker: &ActiveMq) -> Settings {
    settings(format!("stomp://127.0.0.1:{}", broker.stomp), "revoked")
}

#[test]
fn jms_messages_arrive_with_their_fields_and_in_time() {
    let broker = ActiveMq::start();
    // A broker that has just started on a cold machine may be silent for seconds, and what it says while it was given up is lost.
    let mut patient = of(&broker);
    patient.heartbeat = Duration::from_secs(5);
    let subscriber = Subscriber::confirmed(patient);
    let mut publisher = broker.publisher("revoked");
    publisher.map(&[("revokedToken", "jti-1"), ("ttl", "1790000000000")]);
    publisher.text(r#"{"event":{"payloadData":{"revokedToken":"jti-2"}}}"#);
    let messages = subscriber.messages(2);
    let fields = messages[0].1.fields().unwrap();
    assert_eq!(fields["revokedToken"], json!("jti-1"));
    assert_eq!(fields["ttl"].to_string().trim_matches('"'), "1790000000000");
    assert_eq!(messages[1].1, Message::Text(r#"{"event":{"payloadData":{"revokedToken":"jti-2"}}}"#.to_owned()));
    subscriber.lives();

    let sent: Vec<Instant> = (0..200)
        .map(|number| {
            let now = Instant::now();
            publisher.map(&[("revokedToken", &format!("jti-{number}x"))]);
            now
        })
        .collect();
    let heard = subscriber.messages(202);
    let times = sent.iter().zip(&heard[2..]).map(|(sent, (heard, _))| heard.duration_since(*sent)).collect();
    assert!(print_latency("ActiveMQ, STOMP", times) < Duration::from_secs(1));
}

#[test]
fn a_durable_subscription_catches_up_and_a_killed_broker_is_found_again() {
    let mut broker = ActiveMq::start();
    let mut durable = of(&broker);
    durable.subscription = Some("gateway-1".to_owned());
    drop(Subscriber::confirmed(durable.clone()));
    let mut publisher = broker.publisher("revoked");
    publisher.text("while away");
    let subscriber = Subscriber::confirmed(durable);
    assert_eq!(subscriber.messages(1)[0].1, Message::Text("while away".to_owned()));

    broker.restart();
    subscriber.connections(2);
    subscriber.caused("the broker closed the connection");
    let mut publisher = broker.publisher("revoked");
    publisher.text("after the restart");
    subscriber.hears("after the restart");
}

/// More than is under way at one time.
const KEPT: usize = 700;

#[test]
fn everything_that_was_kept_is_heard_when_answers_bring_no_more() {
    let broker = ActiveMq::start();
    let mut durable = of(&broker);
    durable.subscription = Some("gateway-1".to_owned());
    let first = Subscriber::confirmed(durable.clone());
    assert_eq!(first.drained(), 0);
    drop(first);
    let mut publisher = broker.publisher("revoked");
    (0..KEPT).for_each(|number| publisher.text(&format!("jti-{number}")));
    let subscriber = Subscriber::start(durable);
    assert_eq!(subscriber.drained(), KEPT);
    publisher.text("later");
    subscriber.hears("later");
}

#[test]
fn a_wrong_password_is_named_as_the_cause() {
    let broker = ActiveMq::start();
    let mut wrong = of(&broker);
    wrong.password = Some(Secret::new("wrong"));
    let cause = Subscriber::start(wrong).cause();
    assert!(cause.contains("password"), "{cause}");
}
