//! `run` against a broker that drains links, as the specification asks and RabbitMQ before 4.0 does not.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{
    settings::Settings,
    testing::{Event, Recorder},
};

struct Connection(TcpStream, BytesMut);

impl Connection {
    async fn header(&mut self, answer: [u8; 8]) {
        let mut header = [0; 8];
        self.0.read_exact(&mut header).await.unwrap();
        self.0.write_all(&answer).await.unwrap();
    }

    /// The next frame of that kind; others before it are passed over.
    async fn hears(&mut self, code: u64) -> Performative {
        loop {
            while let Some(frame) = decode(&mut self.1).unwrap() {
                if let Some(frame) = frame.filter(|frame| frame.code == code) {
                    return frame;
                }
            }
            assert_ne!(self.0.read_buf(&mut self.1).await.unwrap(), 0, "it ended before {code:#x}");
        }
    }

    async fn says(&mut self, code: u8, fields: &[Field<'_>]) {
        self.0.write_all(&encode(code >= 0x40, code, fields)).await.unwrap();
    }

    /// A message with that number, which is settled.
    async fn delivers(&mut self, number: u32) {
        let fields = [Field::Uint(0), Field::Uint(number), Field::Binary(b"t"), Field::Uint(0), Field::Bool(true)];
        let mut frame = encode(false, 0x14, &fields).to_vec();
        // A string as the message's value.
        frame.extend([0, 0x53, 0x77, 0xa1, 1, b'x']);
        let length = u32::try_from(frame.len()).unwrap();
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.0.write_all(&frame).await.unwrap();
    }

    /// How many deliveries there were, of what credit is left, and whether the link was drained.
    async fn flows(&mut self, count: u32, credit: u32, drained: bool) {
        let (window, number) = (Field::Uint(100), Field::Uint(0));
        let fields = [number, window, number, window, number, Field::Uint(count), Field::Uint(credit), Field::Null, Field::Bool(drained)];
        self.says(0x13, &fields).await;
    }
}

/// Up to the first credit that it is given; says whether that is to be drained.
async fn attached(listener: &TcpListener, product: [&str; 2]) -> (Connection, bool) {
    let mut connection = Connection(listener.accept().await.unwrap().0, BytesMut::new());
    connection.header(*b"AMQP\x03\x01\x00\x00").await;
    connection.says(0x40, &[]).await;
    connection.hears(0x41).await;
    connection.says(0x44, &[Field::Ubyte(0)]).await;
    connection.header(*b"AMQP\x00\x01\x00\x00").await;
    let properties = [Field::Symbol("product"), Field::Text(product[0]), Field::Symbol("version"), Field::Text(product[1])];
    let nothing = Field::Null;
    let id = Field::Text("broker");
    connection.says(0x10, &[id, nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing, Field::Map(&properties)]).await;
    connection.says(0x11, &[Field::Null, Field::Uint(0), Field::Uint(100), Field::Uint(100)]).await;
    connection.hears(ATTACH).await;
    let source = [Field::Text("revoked"), Field::Uint(2)];
    let fields = [Field::Text("one"), Field::Uint(0), Field::Bool(false), Field::Null, Field::Null, Field::List(0x28, &source)];
    connection.says(0x12, &fields).await;
    let drains = connection.hears(FLOW).await.field(8).is_true();
    (connection, drains)
}

fn running(listener: &TcpListener) -> Arc<Recorder> {
    let mut settings = Settings::new(format!("amqp10://{}", listener.local_addr().unwrap()), "revoked");
    settings.subscription = Some("one".to_owned());
    let recorder = Recorder::new();
    tokio::spawn(crate::run(settings, recorder.clone(), std::future::pending()));
    recorder
}

fn is_drained(recorder: &Recorder) -> bool {
    recorder.all().contains(&Event::Drained)
}

#[tokio::test]
async fn what_was_kept_is_heard_when_the_broker_has_credit_left_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let recorder = running(&listener);
    let (mut connection, drains) = attached(&listener, ["Artemis", "2.0"]).await;
    assert!(drains);
    // As many as it may send: there may be more, so it is given credit again, and asked again.
    for number in 0..CREDIT {
        connection.delivers(number).await;
    }
    connection.flows(CREDIT, 0, true).await;
    assert!(connection.hears(FLOW).await.field(8).is_true());
    connection.delivers(CREDIT).await;
    // Where the session is says nothing of the link.
    connection.says(0x13, &[Field::Uint(0), Field::Uint(100), Field::Uint(0), Field::Uint(100)]).await;
    connection.flows(CREDIT + 1, CREDIT - 1, false).await;
    recorder.until("all messages", |r| r.messages().len() == CREDIT as usize + 1).await;
    assert!(!is_drained(&recorder));
    connection.flows(2 * CREDIT, 0, true).await;
    recorder.until("the end of what was kept", is_drained).await;
    let next = connection.hears(FLOW).await;
    assert_eq!((next.field(5).uint(), next.field(8).is_true()), (Some(u64::from(2 * CREDIT)), false));
    assert_eq!(recorder.messages().len(), CREDIT as usize + 1);
}

#[tokio::test]
async fn a_broker_whose_channel_fails_when_a_link_is_drained_is_not_asked_to() {
    for (version, asked) in [("3.10.8", false), ("3.13.7", false), ("4.0.2", true), ("unknown", false)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut settings = Settings::new(format!("amqp10://{}", listener.local_addr().unwrap()), "/amq/queue/revoked");
        settings.subscription = Some("one".to_owned());
        tokio::spawn(crate::run(settings, Recorder::new(), std::future::pending()));
        assert_eq!(attached(&listener, ["RabbitMQ", version]).await.1, asked, "{version}");
    }
}
