//! STOMP 1.2, as ActiveMQ, Artemis and RabbitMQ speak it.
//!
//! Every message is acknowledged by itself. A broker that does not promise heartbeats is refused: without them nobody could
//! tell a quiet topic from a dead line. MapMessages come through ActiveMQ's transformation to JSON.
//!
//! STOMP has no word for it that everything was sent which a durable subscription kept. So a question is asked that changes nothing, again
//! and again: when a second of answers brought no message, that was all. A broker that is busy, or stands still, answers later; one that
//! answers and holds messages back for longer is believed too early.

mod frame;
mod jms_map;

use std::{convert::Infallible, time::Duration};

use tokio::time::Instant;
use tollgate_outbound::quoted;

use crate::{
    failure::{Broken, Lost},
    listener::Message,
    peer::Peer,
    wire::MAX_SKIPPED,
};
use frame::{Command, Frame, Incoming, Rest, decode, encode};

/// A heartbeat.
const BEAT: &[u8] = b"\n";
/// Messages under way to us without an acknowledgement.
const PREFETCH: &str = "256";
/// Identifier of our one subscription on this connection, where it has no durable name.
const SUBSCRIPTION: &str = "tollgate";
/// What the broker is to confirm.
const RECEIPT: &str = "subscribed";
/// A question that changes nothing, and its name: a transaction that is given up at once.
const PROBE: &[u8] = b"BEGIN\ntransaction:kept\n\n\0ABORT\ntransaction:kept\nreceipt:kept\n\n\0";
const PROBED: &str = "kept";
/// How long nothing was said before the question is asked.
const PROBE_AFTER: Duration = Duration::from_millis(250);
/// So many answers without a message between them say that no more was kept,
const PROBES: u32 = 4;
/// when they come so far apart. A broker that stood still answers all at once what it was asked meanwhile.
const APART: Duration = Duration::from_millis(200);

/// A confirmed subscription.
pub(crate) struct Session<'a> {
    peer: Peer<'a>,
    /// How often we speak, if the broker wants us to.
    every: Option<Duration>,
    /// Answers to probes since the last message, and when the last of either came; nothing, when no more was kept.
    probed: Option<(u32, Instant)>,
}

/// Connects and subscribes; ends when the broker confirmed.
pub(crate) async fn open(peer: Peer<'_>) -> Result<Session<'_>, Lost> {
    let mut session = Session { peer, every: None, probed: None };
    session.connect().await?;
    session.subscribe().await?;
    Ok(session)
}

impl Session<'_> {
    /// Passes messages on until the connection ends.
    pub(crate) async fn listen(mut self) -> Result<Infallible, Lost> {
        if self.peer.settings.subscription.is_some() {
            self.probed = Some((0, Instant::now()));
            self.peer.wire.beat(PROBE, PROBE_AFTER);
        }
        loop {
            if let Some(frame) = self.incoming().await? {
                match frame.command {
                    Command::Message => self.message(&frame).await?,
                    Command::Receipt if frame.header("receipt-id") == Some(PROBED) => self.probed(),
                    Command::Receipt => (),
                    _ => return Err(unexpected(&frame)),
                }
            }
            self.peer.listener.alive();
        }
    }

    /// The broker answered, and had no message to send.
    fn probed(&mut self) {
        let Some((count, last)) = &mut self.probed else { return };
        if last.elapsed() < APART {
            return;
        }
        (*count, *last) = (*count + 1, Instant::now());
        if *count >= PROBES {
            self.probed = None;
            self.peer.listener.drained();
            match self.every {
                Some(every) => self.peer.wire.beat(BEAT, every),
                None => self.peer.wire.stop_beating(),
            }
        }
    }

    async fn connect(&mut self) -> Result<(), Lost> {
        let period = self.peer.settings.heartbeat;
        let heartbeat = format!("{0},{0}", period.as_millis());
        let host = self.peer.endpoint.vhost.as_deref().unwrap_or("/");
        let mut headers = vec![("accept-version", "1.2"), ("host", host), ("heart-beat", &*heartbeat)];
        if let Some((name, password)) = self.peer.credentials() {
            headers.extend([("login", name), ("passcode", password)]);
        }
        if let Some(name) = &self.peer.settings.subscription {
            headers.push(("client-id", name));
        }
        let connect = encode("CONNECT", &headers);
        self.peer.wire.send(&connect).await?;
        let frame = self.frame().await?;
        match frame.command {
            Command::Connected if frame.header("version") == Some("1.2") => (),
            Command::Connected => return Err(Lost::Unfit("it does not speak STOMP 1.2")),
            Command::Error => return Err(Lost::Refused(format!("connection refused: {}", words(&frame)))),
            _ => return Err(Broken("an answer to CONNECT that is none").into()),
        }
        let (ours, theirs) = heartbeats(&frame, period)?;
        self.every = ours;
        if let Some(every) = ours {
            self.peer.wire.beat(BEAT, every);
        }
        self.peer.wire.expect_every(theirs * 2);
        self.peer.wire.on_farewell(encode("DISCONNECT", &[]));
        Ok(())
    }

    async fn subscribe(&mut self) -> Result<(), Lost> {
        let settings = self.peer.settings;
        let topic = &settings.topic;
        let destination = if topic.starts_with('/') { topic.clone() } else { format!("/topic/{topic}") };
        let mut headers = vec![
            ("destination", &*destination),
            ("ack", "client-individual"),
            ("receipt", RECEIPT),
            ("transformation", "jms-map-json"),
            ("activemq.prefetchSize", PREFETCH),
            ("prefetch-count", PREFETCH),
        ];
        match &settings.subscription {
            None => headers.push(("id", SUBSCRIPTION)),
            // ActiveMQ, Artemis and RabbitMQ each have their own name for it and pass over the others'.
            Some(name) => headers.extend([
                ("id", &**name),
                ("activemq.subscriptionName", name),
                ("durable-subscription-name", name),
                ("durable", "true"),
                ("auto-delete", "false"),
            ]),
        }
        let subscribe = encode("SUBSCRIBE", &headers);
        self.peer.wire.send(&subscribe).await?;
        loop {
            let frame = self.frame().await?;
            match frame.command {
                Command::Receipt if frame.header("receipt-id") == Some(RECEIPT) => return Ok(()),
                // What a durable subscription kept may overtake the receipt.
                Command::Message => self.message(&frame).await?,
                _ => return Err(unexpected(&frame)),
            }
        }
    }

    async fn frame(&mut self) -> Result<Frame, Lost> {
        loop {
            if let Some(frame) = self.incoming().await? {
                return Ok(frame);
            }
        }
    }

    /// A frame, or nothing but a sign of life.
    async fn incoming(&mut self) -> Result<Option<Frame>, Lost> {
        match self.peer.wire.next(decode).await? {
            Incoming::Beat => Ok(None),
            Incoming::Frame(frame) => Ok(Some(frame)),
            Incoming::TooLong(frame, rest) => {
                match rest {
                    Rest::Bytes(count) if count > MAX_SKIPPED => return Err(Broken("a body that is too long").into()),
                    Rest::Bytes(count) => self.peer.wire.skip(count).await?,
                    Rest::UntilNul => self.peer.wire.skip_past(0, MAX_SKIPPED).await?,
                }
                self.deliver(&frame, Err(Broken("a body that is too long"))).await?;
                Ok(None)
            }
        }
    }

    async fn message(&mut self, frame: &Frame) -> Result<(), Lost> {
        let mut message = Message::plain(frame.body.clone());
        let transformed = frame.header("transformation") == Some("jms-map-json");
        if let Message::Text(text) = &message
            && transformed
            && let Some(fields) = jms_map::read(text)
        {
            message = Message::Map(fields);
        }
        self.deliver(frame, Ok(message)).await
    }

    async fn deliver(&mut self, frame: &Frame, message: Result<Message, Broken>) -> Result<(), Lost> {
        let ack = frame.header("ack").ok_or(Broken("a message that cannot be acknowledged"))?;
        let published = frame.header("timestamp").and_then(|time| time.parse().ok());
        self.peer.message(message, published)?;
        self.probed = self.probed.map(|_| (0, Instant::now()));
        self.peer.wire.queue(&encode("ACK", &[("id", ack)])).await
    }
}

/// How often we speak, if the broker wants us to, and how often the broker does.
fn heartbeats(connected: &Frame, period: Duration) -> Result<(Option<Duration>, Duration), Lost> {
    let broken = Broken("a heart-beat header that is none");
    let header = connected.header("heart-beat").unwrap_or("0,0");
    let (sends, wants) = header.split_once(',').ok_or(broken)?;
    let number = |text: &str| text.trim().parse::<u32>().map(|ms| Duration::from_millis(ms.into())).map_err(|_| broken);
    let (sends, wants) = (number(sends)?, number(wants)?);
    if sends.is_zero() {
        return Err(Lost::Unfit("it promises no heartbeats"));
    }
    // Half of what was agreed on, so that a late timer does no harm.
    Ok(((!wants.is_zero()).then(|| period.max(wants) / 2), period.max(sends)))
}

fn unexpected(frame: &Frame) -> Lost {
    match frame.command {
        Command::Error => Lost::Refused(words(frame)),
        _ => Broken("a frame out of turn").into(),
    }
}

/// What an ERROR frame says: its header, and the body where that says more.
fn words(frame: &Frame) -> String {
    let (short, body) = (frame.header("message").unwrap_or(""), String::from_utf8_lossy(&frame.body));
    let long = body.lines().next().unwrap_or("").trim();
    if long.is_empty() || short.contains(long) { quoted(short) } else { quoted(&format!("{short}: {long}")) }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
