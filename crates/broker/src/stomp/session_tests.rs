//! `run` against a broker that does what each test tells it.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tollgate_filter_api::Secret;

use super::*;
use crate::{
    settings::Settings,
    testing::{Event, Random, Recorder},
};

const CONNECTED: &str = "CONNECTED\nversion:1.2\nheart-beat:1000,1000\n\n\0";
const CONFIRMED: &str = "RECEIPT\nreceipt-id:subscribed\n\n\0";

struct Broker {
    listener: TcpListener,
    settings: Settings,
}

struct Running {
    recorder: Arc<Recorder>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), tollgate_filter_api::Problem>>,
}

impl Running {
    async fn stop(self) -> Arc<Recorder> {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
        self.recorder
    }
}

impl Broker {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut settings = Settings::new(format!("stomp://{}", listener.local_addr().unwrap()), "revoked");
        settings.heartbeat = Duration::from_secs(1);
        Self { listener, settings }
    }

    fn subscriber(&self) -> Running {
        let (stop, stopped) = oneshot::channel();
        let recorder = Recorder::new();
        let run = crate::run(self.settings.clone(), recorder.clone(), async {
            let _ = stopped.await;
        });
        Running { recorder, stop, task: tokio::spawn(run) }
    }

    async fn accept(&self) -> Connection {
        Connection(self.listener.accept().await.unwrap().0)
    }

    /// A subscription that was confirmed.
    async fn confirmed(&self) -> Connection {
        let mut connection = self.accept().await;
        connection.frame().await;
        connection.say(CONNECTED).await;
        connection.frame().await;
        connection.say(CONFIRMED).await;
        connection
    }
}

struct Connection(TcpStream);

impl Connection {
    /// The next frame, without the heartbeats before it and the NUL behind it; empty at the end.
    async fn frame(&mut self) -> String {
        let mut bytes = Vec::new();
        while let Ok(byte) = self.0.read_u8().await {
            match byte {
                0 => break,
                b'\n' if bytes.is_empty() => (),
                byte => bytes.push(byte),
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }
}

#[tokio::test]
async fn a_message_is_heard_and_then_acknowledged() {
    let broker = Broker::start().await;
    let running = broker.subscriber();
    let mut connection = broker.confirmed().await;
    connection.say("MESSAGE\nack:m\\c1\nmessage-id:1\n\nrevoked\0").await;
    assert_eq!(connection.frame().await, "ACK\nid:m\\c1\n\n");
    assert_eq!(running.recorder.messages(), [Message::Text("revoked".into())]);
    assert_eq!(running.recorder.all()[0], Event::Connected);
    running.stop().await;
}

#[tokio::test]
async fn a_transformed_map_is_a_map_and_any_other_text_stays_text() {
    let broker = Broker::start().await;
    let running = broker.subscriber();
    let mut connection = broker.confirmed().await;
    connection.say("MESSAGE\nack:1\ntransformation:jms-map-json\n\n{\"map\":{\"entry\":{\"string\":[\"a\",\"b\"]}}}\0").await;
    connection.say("MESSAGE\nack:2\ntimestamp:1790000000007\ntransformation:jms-map-json\n\n{\"a\":1}\0").await;
    running.recorder.until("two messages", |r| r.messages().len() == 2).await;
    let recorder = running.stop().await;
    let messages = recorder.messages();
    assert_eq!(recorder.times(), [None, Some(1_790_000_000_007)]);
    assert_eq!(messages[0], Message::Map([("a".to_owned(), "b".into())].into()));
    assert_eq!(messages[1], Message::Text("{\"a\":1}".into()));
}

#[tokio::test]
async fn a_message_that_cannot_be_taken_now_is_left_with_the_broker() {
    let broker = Broker::start().await;
    let running = broker.subscriber();
    let mut connection = broker.confirmed().await;
    connection.say("MESSAGE\nack:1\n\nnot now\0").await;
    assert_eq!(connection.frame().await, "");
    let mut second = broker.confirmed().await;
    second.say("MESSAGE\nack:2\n\nnot now\0").await;
    assert_eq!(second.frame().await, "ACK\nid:2\n\n");
    assert_eq!(running.stop().await.causes(), ["a message was left with the broker: the disk is full"]);
}

#[tokio::test]
async fn a_message_that_is_too_long_is_acknowledged_unread_and_the_next_one_is_heard() {
    let broker = Broker::start().await;
    let running = broker.subscriber();
    let mut connection = broker.confirmed().await;
    let long = "x".repeat(3 << 20);
    connection.say(format!("MESSAGE\nack:1\ncontent-length:{}\n\n{long}\0", long.len())).await;
    connection.say(format!("MESSAGE\nack:2\n\n{long}\0")).await;
    connection.say("MESSAGE\nack:3\n\nshort\0").await;
    for id in 1..=3 {
        assert_eq!(connection.frame().await, format!("ACK\nid:{id}\n\n"));
    }
    let recorder = running.stop().await;
    assert_eq!(recorder.all().iter().filter(|events| matches!(events, Event::Unread(_))).count(), 2);
    assert_eq!(recorder.messages(), [Message::Text("short".into())]);
}

#[tokio::test]
async fn what_is_said_to_connect_and_subscribe_is_what_the_brokers_want() {
    let mut broker = Broker::start().await;
    broker.settings.username = Some("gw".into());
    broker.settings.password = Some(Secret::new("pa:ss\\word"));
    broker.settings.subscription = Some("gateway-1".into());
    let running = broker.subscriber();
    let mut connection = broker.accept().await;
    let connect = connection.frame().await;
    let expected = "CONNECT\naccept-version:1.2\nhost:/\nheart-beat:1000,1000\nlogin:gw\npasscode:pa:ss\\word\nclient-id:gateway-1\n\n";
    assert_eq!(connect, expected);
    connection.say(CONNECTED).await;
    let subscribe = connection.frame().await;
    for line in
        ["destination:/topic/revoked", "ack:client-individual", "receipt:subscribed", "id:gateway-1", "activemq.subscriptionName:gateway-1"]
    {
        assert!(subscribe.lines().any(|found| found == line), "{line} in {subscribe}");
    }
    running.stop().await;
}

#[tokio::test]
async fn heartbeats_are_signs_of_life_and_silence_is_a_loss() {
    let broker = Broker::start().await;
    let running = broker.subscriber();
    let mut connection = broker.confirmed().await;
    running.recorder.until("the confirmation", |r| r.all().contains(&Event::Connected)).await;
    connection.say("\n").await;
    running.recorder.until("a sign of life", |r| r.all().contains(&Event::Alive)).await;
    running.recorder.until("the loss", |r| !r.causes().is_empty()).await;
    assert_eq!(running.stop().await.causes(), ["nothing was heard for 2s, not even a heartbeat"]);
}

#[tokio::test]
async fn our_heartbeats_come_as_agreed() {
    let broker = Broker::start().await;
    let running = broker.subscriber();
    let mut connection = broker.confirmed().await;
    let byte = tokio::time::timeout(Duration::from_secs(1), connection.0.read_u8()).await;
    assert_eq!(byte.unwrap().unwrap(), b'\n');
    running.stop().await;
}

#[tokio::test]
async fn nothing_is_confirmed_before_the_receipt() {
    let broker = Broker::start().await;
    let running = broker.subscriber();
    let mut connection = broker.accept().await;
    connection.frame().await;
    connection.say(CONNECTED).await;
    connection.frame().await;
    connection.say("\nMESSAGE\nack:1\n\nkept\0").await;
    assert_eq!(connection.frame().await, "ACK\nid:1\n\n");
    assert_eq!(running.recorder.all(), [Event::Message(Message::Text("kept".into()))]);
    connection.say(CONFIRMED).await;
    running.recorder.until("the confirmation", |r| r.all().contains(&Event::Connected)).await;
    running.stop().await;
}

async fn cause_of(answers: &[&str]) -> String {
    let broker = Broker::start().await;
    let running = broker.subscriber();
    let mut connection = broker.accept().await;
    for answer in answers {
        connection.frame().await;
        connection.say(answer).await;
    }
    running.recorder.until("a cause", |r| !r.causes().is_empty()).await;
    running.stop().await.causes().remove(0)
}

#[tokio::test]
async fn what_went_wrong_is_named() {
    let error = "ERROR\nmessage:Bad CONNECT\n\nAccess refused for user 'gw'\n\0";
    assert_eq!(cause_of(&[error]).await, "the broker says: connection refused: Bad CONNECT: Access refused for user 'gw'");
    assert_eq!(cause_of(&["CONNECTED\nversion:1.1\n\n\0"]).await, "this broker cannot be used: it does not speak STOMP 1.2");
    assert_eq!(cause_of(&["CONNECTED\nversion:1.2\n\n\0"]).await, "this broker cannot be used: it promises no heartbeats");
    let denied = "ERROR\nmessage:not authorized to read from\\c topic\n\n\0";
    assert_eq!(cause_of(&[CONNECTED, denied]).await, "the broker says: not authorized to read from: topic");
    assert_eq!(cause_of(&["SSH-2.0-OpenSSH\r\n\r\n"]).await, "the broker broke the protocol: a command that no broker sends");
}

#[tokio::test]
async fn after_a_loss_the_subscription_is_made_again() {
    let broker = Broker::start().await;
    let running = broker.subscriber();
    drop(broker.confirmed().await);
    let mut second = broker.confirmed().await;
    second.say("MESSAGE\nack:1\n\nagain\0").await;
    running.recorder.until("the message", |r| !r.messages().is_empty()).await;
    let recorder = running.stop().await;
    assert_eq!(recorder.all().iter().filter(|events| **events == Event::Connected).count(), 2);
    assert_eq!(recorder.causes(), ["the broker closed the connection"]);
}

#[tokio::test]
async fn nobody_who_is_asked_to_stop_stays_or_says_it_was_lost() {
    let broker = Broker::start().await;
    let running = broker.subscriber();
    let mut connection = broker.confirmed().await;
    running.recorder.until("the confirmation", |r| r.all().contains(&Event::Connected)).await;
    let (recorder, goodbye) = tokio::join!(running.stop(), connection.frame());
    assert_eq!(goodbye, "DISCONNECT\n\n");
    assert!(recorder.causes().is_empty());
}

#[tokio::test]
async fn a_broker_that_talks_rubbish_is_left_and_tried_again() {
    let broker = Broker::start().await;
    let running = broker.subscriber();
    let mut random = Random(11);
    for _ in 0..4 {
        let mut connection = broker.confirmed().await;
        let garbled = random.garble(b"MESSAGE\nno colon\ncontent-length:5\n\nhello\0RECEIPT\nx\n\n\0");
        let _ = connection.0.write_all(&garbled).await;
    }
    running.recorder.until("three losses", |r| r.causes().len() >= 3).await;
    running.stop().await;
}

#[tokio::test]
async fn what_was_kept_is_heard_when_answers_come_and_messages_do_not() {
    let mut broker = Broker::start().await;
    broker.settings.subscription = Some("gateway-1".into());
    let running = broker.subscriber();
    let mut connection = broker.confirmed().await;
    let is_drained = || running.recorder.all().contains(&Event::Drained);
    let answer = "RECEIPT\nreceipt-id:kept\n\n\0";
    for _ in 0..2 {
        connection.say("MESSAGE\nack:1\n\nrevoked\0").await;
        // A question may have been asked just then, which nobody answers.
        while connection.frame().await != "ACK\nid:1\n\n" {}
        for number in 1..PROBES {
            assert_eq!(connection.frame().await, "BEGIN\ntransaction:kept\n\n");
            assert_eq!(connection.frame().await, "ABORT\ntransaction:kept\nreceipt:kept\n\n");
            assert!(!is_drained(), "before answer {number}");
            // All at once they count for one.
            connection.say(answer.repeat(5)).await;
        }
    }
    let answering = async {
        loop {
            if connection.frame().await.starts_with("ABORT") {
                connection.say(answer).await;
            }
        }
    };
    tokio::select! {
        () = running.recorder.until("the end of what was kept", |_| is_drained()) => {}
        never = answering => never,
    }
    running.stop().await;
}
