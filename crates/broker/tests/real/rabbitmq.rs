//! RabbitMQ over STOMP and both versions of AMQP.

use std::time::{Duration, Instant};

use tollgate_broker::{Message, Settings};
use tollgate_filter_api::Secret;
use tollgate_tests::parts::{RabbitMq, rabbitmq::Publisher};

use super::subscriber::{Event, Subscriber, print_latency, settings};

fn stomp(broker: &RabbitMq) -> Settings {
    settings(format!("stomp://127.0.0.1:{}", broker.stomp), "revoked")
}

fn amqp(broker: &RabbitMq) -> Settings {
    settings(format!("amqp://127.0.0.1:{}", broker.amqp), "revoked")
}

fn publisher(broker: &RabbitMq) -> Publisher {
    Publisher::new(broker, "revoked")
}

fn hears_in_time(broker: &RabbitMq, settings: Settings, what: &str) {
    let subscriber = Subscriber::confirmed(settings);
    let mut publisher = publisher(broker);
    let sent: Vec<Instant> = (0..200)
        .map(|number| {
            let now = Instant::now();
            publisher.publish(&format!("jti-{number}"));
            now
        })
        .collect();
    let heard = subscriber.messages(200);
    assert_eq!(heard[199].1, Message::Text("jti-199".to_owned()));
    let times = sent.iter().zip(&heard).map(|(sent, (heard, _))| heard.duration_since(*sent)).collect();
    assert!(print_latency(what, times) < Duration::from_secs(1));
    subscriber.lives();
}

fn names_a_wrong_password(mut settings: Settings) {
    settings.password = Some(Secret::new("wrong"));
    let cause = Subscriber::start(settings).cause();
    assert!(cause.contains("refused"), "{cause}");
}

fn catches_up_and_comes_back(broker: &mut RabbitMq, mut settings: Settings) {
    settings.subscription = Some("gateway-1".to_owned());
    drop(Subscriber::confirmed(settings.clone()));
    publisher(broker).publish("while away");
    let subscriber = Subscriber::confirmed(settings);
    assert_eq!(subscriber.messages(1)[0].1, Message::Text("while away".to_owned()));
    broker.restart();
    subscriber.connections(2);
    publisher(broker).publish("after the restart");
    subscriber.hears("after the restart");
}

#[test]
fn stomp_hears_catches_up_and_comes_back() {
    let mut broker = RabbitMq::start();
    hears_in_time(&broker, stomp(&broker), "RabbitMQ, STOMP");
    names_a_wrong_password(stomp(&broker));
    let settings = stomp(&broker);
    catches_up_and_comes_back(&mut broker, settings);
}

#[test]
fn amqp_0_9_1_hears_catches_up_and_comes_back() {
    let mut broker = RabbitMq::start();
    hears_in_time(&broker, amqp(&broker), "RabbitMQ, AMQP 0-9-1");
    names_a_wrong_password(amqp(&broker));
    let settings = amqp(&broker);
    catches_up_and_comes_back(&mut broker, settings);
}

#[test]
fn a_second_subscriber_of_one_name_is_refused_and_an_unknown_exchange_is_named() {
    let broker = RabbitMq::start();
    let mut durable = amqp(&broker);
    durable.subscription = Some("gateway-1".to_owned());
    let _first = Subscriber::confirmed(durable.clone());
    let cause = Subscriber::start(durable).cause();
    assert!(cause.contains("ACCESS_REFUSED"), "{cause}");
    let mut unknown = amqp(&broker);
    unknown.topic = "/exchange/nowhere/revoked".to_owned();
    let cause = Subscriber::start(unknown).cause();
    assert!(cause.contains("no exchange 'nowhere'"), "{cause}");
}

#[test]
fn amqp_1_0_hears_and_comes_back() {
    let mut broker = RabbitMq::start();
    let settings = settings(format!("amqp10://127.0.0.1:{}", broker.amqp), "/topic/revoked");
    hears_in_time(&broker, settings.clone(), "RabbitMQ, AMQP 1.0");
    names_a_wrong_password(settings.clone());
    let subscriber = Subscriber::confirmed(settings);
    broker.restart();
    subscriber.connections(2);
    publisher(&broker).publish("after the restart");
    subscriber.hears("after the restart");
}

#[test]
fn amqp_1_0_on_a_topic_that_rabbitmq_does_not_keep_is_refused_where_a_durable_one_was_asked_for() {
    let broker = RabbitMq::start();
    let mut durable = settings(format!("amqp10://127.0.0.1:{}", broker.amqp), "/topic/revoked");
    durable.subscription = Some("gateway-1".to_owned());
    let cause = Subscriber::start(durable).cause();
    assert!(cause.contains("RabbitMQ keeps only queues"), "{cause}");
}

#[test]
fn a_message_that_is_too_long_does_not_keep_back_those_after_it() {
    let broker = RabbitMq::start();
    let amqp10 = settings(format!("amqp10://127.0.0.1:{}", broker.amqp), "/topic/revoked");
    for settings in [stomp(&broker), amqp(&broker), amqp10] {
        let subscriber = Subscriber::confirmed(settings);
        let mut publisher = publisher(&broker);
        publisher.publish(&"x".repeat(2 << 20));
        publisher.publish("short");
        assert_eq!(subscriber.messages(1)[0].1, Message::Text("short".to_owned()));
        let unread = subscriber.all().iter().filter(|(_, event)| matches!(event, Event::Unread(_))).count();
        assert_eq!(unread, 1);
    }
}

/// More than is under way at one time.
const KEPT: usize = 700;

#[test]
fn everything_that_was_kept_is_heard_when_the_broker_says_so() {
    let broker = RabbitMq::start();
    for (mut settings, name) in [(amqp(&broker), "gateway-1"), (stomp(&broker), "gateway-2")] {
        settings.subscription = Some(name.to_owned());
        let first = Subscriber::confirmed(settings.clone());
        assert_eq!(first.drained(), 0);
        drop(first);
        let mut publisher = publisher(&broker);
        (0..KEPT).for_each(|number| publisher.publish(&format!("jti-{number}")));
        let subscriber = Subscriber::confirmed(settings.clone());
        assert_eq!(subscriber.drained(), KEPT, "{}", settings.url);
        publisher.publish("later");
        subscriber.hears("later");
    }
}
