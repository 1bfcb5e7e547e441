//! AMQP 0-9-1, as RabbitMQ and the reference product's own broker speak it.
//!
//! A queue of our own is bound to a topic exchange: exclusive and gone with the connection, or durable and named. The
//! consumer is exclusive, so that two gateways with one name cannot share out the messages between them unnoticed.
//!
//! Whether what the queue held was heard is asked of RabbitMQ: a passive declaration counts the messages that wait in the queue. Other
//! brokers count what they please; there it is not asked.

mod backlog;
pub(crate) mod binding;
mod content;
mod jms_map;
mod wire;

use std::{convert::Infallible, time::Duration};

use tollgate_outbound::quoted;

use crate::{
    failure::{Broken, Lost},
    peer::Peer,
};
use backlog::Backlog;
use binding::Binding;
use content::{Content, content, message};
use wire::{FRAME_MAX, Fields, Frame, HEARTBEAT, Kind, Method, decode};

/// Messages under way to us without an acknowledgement.
const PREFETCH: u16 = 256;
/// Tables, as they are written: entries with their names and types.
const EMPTY: &[u8] = b"";
const CAPABILITIES: &[u8] = b"\x0ccapabilitiesF\x00\x00\x00\x38\x1cauthentication_failure_closet\x01\x16consumer_cancel_notifyt\x01";

/// A confirmed subscription.
pub(crate) struct Session<'a> {
    peer: Peer<'a>,
    queue: String,
    /// Whether the broker is one that counts what waits in the queue.
    counts: bool,
    backlog: Backlog,
}

/// Connects, binds a queue and consumes; ends when the broker confirmed.
pub(crate) async fn open(peer: Peer<'_>) -> Result<Session<'_>, Lost> {
    let mut session = Session { peer, queue: String::new(), counts: false, backlog: Backlog::default() };
    session.connect().await?;
    session.consume().await?;
    Ok(session)
}

/// A message whose body is still coming.
struct Partial {
    tag: u64,
    content: Option<Content>,
}

impl Session<'_> {
    /// Whether it will be known exactly when what the queue held was heard.
    pub(crate) fn is_exact(&self) -> bool {
        self.counts
    }

    /// Passes messages on until the connection ends.
    pub(crate) async fn listen(mut self) -> Result<Infallible, Lost> {
        let mut partial = None;
        if self.counts {
            self.count().await?;
        }
        loop {
            let frame = self.peer.wire.next(decode).await?;
            match frame.kind {
                Kind::Heartbeat if self.backlog.wants_count() => self.count().await?,
                Kind::Heartbeat => (),
                Kind::Method => {
                    let (method, mut fields) = method(frame)?;
                    match method {
                        (60, 60) if partial.is_none() => {
                            fields.short()?;
                            partial = Some(Partial { tag: fields.u64()?, content: None });
                        }
                        (50, 11) if self.backlog.is_pending() => {
                            fields.short()?;
                            self.counted(fields.u32()?).await?;
                        }
                        // The broker says whether it is short of memory: no concern of a consumer.
                        (10, 60 | 61) => (),
                        other => return Err(ended(other, &mut fields)),
                    }
                }
                Kind::Header | Kind::Body => partial = self.content(&frame, partial).await?,
            }
            // In the middle of a message it is not heard yet.
            if partial.is_none() {
                self.peer.listener.alive();
            }
        }
    }

    /// Asks how many messages wait in the queue.
    async fn count(&mut self) -> Result<(), Lost> {
        let passive = 0b0001;
        let declare = Method::new(1, 50, 10).u16(0).short(&self.queue).u8(passive).long(EMPTY);
        self.backlog.ask();
        self.peer.wire.queue(&declare.frame()).await
    }

    async fn counted(&mut self, waiting: u32) -> Result<(), Lost> {
        if self.backlog.answered(waiting) {
            self.peer.listener.drained();
        } else if self.backlog.is_due() {
            self.count().await?;
        }
        Ok(())
    }

    async fn content(&mut self, frame: &Frame, partial: Option<Partial>) -> Result<Option<Partial>, Lost> {
        let turn = Broken("a content out of turn");
        let mut partial = partial.ok_or(turn)?;
        match (&mut partial.content, frame.kind) {
            (None, Kind::Header) => partial.content = Some(content(&frame.payload)?),
            (Some(content), Kind::Body) if frame.payload.len() <= content.missing => {
                content.missing -= frame.payload.len();
                if let Ok((_, body)) = &mut content.read {
                    body.extend_from_slice(&frame.payload);
                }
            }
            _ => return Err(turn.into()),
        }
        match partial.content {
            Some(Content { missing: 0, read }) => {
                let published = read.as_ref().ok().and_then(|(properties, _)| properties.published);
                self.peer.message(read.map(|(properties, body)| message(properties, body.freeze())), published)?;
                self.peer.wire.queue(&Method::new(1, 60, 80).u64(partial.tag).u8(0).frame()).await?;
                if self.counts && self.backlog.received() {
                    self.count().await?;
                }
                Ok(None)
            }
            content => Ok(Some(Partial { tag: partial.tag, content })),
        }
    }

    async fn connect(&mut self) -> Result<(), Lost> {
        self.peer.wire.send(b"AMQP\x00\x00\x09\x01").await?;
        let mut start = self.expect((10, 10)).await?;
        self.counts = product(&mut start).as_deref() == Some("RabbitMQ");
        let (mechanism, response) = match self.peer.credentials() {
            Some((name, password)) => ("PLAIN", format!("\0{name}\0{password}")),
            None => ("ANONYMOUS", String::new()),
        };
        let start = Method::new(0, 10, 11).long(CAPABILITIES).short(mechanism).long(response.as_bytes()).short("en_US");
        self.peer.wire.send(&start.frame()).await?;
        let mut tune = self.expect((10, 30)).await.map_err(credentials)?;
        let (_channels, frame_max, heartbeat) = (tune.u16()?, tune.u32()?, tune.u16()?);
        let frame_max = if frame_max == 0 { FRAME_MAX } else { frame_max.min(FRAME_MAX) };
        let ours = u16::try_from(self.peer.settings.heartbeat.as_secs().max(1)).unwrap_or(u16::MAX);
        let seconds = if heartbeat == 0 { ours } else { heartbeat.min(ours) };
        let period = Duration::from_secs(seconds.into());
        self.peer.wire.queue(&Method::new(0, 10, 31).u16(1).u32(frame_max).u16(seconds).frame()).await?;
        let vhost = self.peer.endpoint.vhost.as_deref().unwrap_or("/");
        self.peer.wire.send(&Method::new(0, 10, 40).short(vhost).short("").u8(0).frame()).await?;
        self.expect((10, 41)).await?;
        self.peer.wire.beat(HEARTBEAT, period / 2);
        self.peer.wire.expect_every(period * 2);
        self.peer.wire.on_farewell(Method::new(0, 10, 50).u16(200).short("goodbye").u16(0).u16(0).frame());
        Ok(())
    }

    async fn consume(&mut self) -> Result<(), Lost> {
        let binding = Binding::parse(&self.peer.settings.topic).map_err(Lost::Trust)?;
        self.call(Method::new(1, 20, 10).short(""), (20, 11)).await?;
        // Durable, or exclusive and deleted with its consumer.
        let (name, flags) = self.peer.settings.subscription.as_deref().map_or(("", 0b1100), |name| (name, 0b0010));
        let mut declared = self.call(Method::new(1, 50, 10).u16(0).short(name).u8(flags).long(EMPTY), (50, 11)).await?;
        let queue = declared.short()?;
        self.queue.clone_from(&queue);
        let bind = Method::new(1, 50, 20).u16(0).short(&queue).short(&binding.exchange).short(&binding.key).u8(0).long(EMPTY);
        self.call(bind, (50, 21)).await?;
        self.call(Method::new(1, 60, 10).u32(0).u16(PREFETCH).u8(0), (60, 11)).await?;
        let exclusive = 0b0100;
        self.call(Method::new(1, 60, 20).u16(0).short(&queue).short("").u8(exclusive).long(EMPTY), (60, 21)).await?;
        Ok(())
    }

    async fn call(&mut self, request: Method, answer: (u16, u16)) -> Result<Fields, Lost> {
        self.peer.wire.send(&request.frame()).await?;
        self.expect(answer).await
    }

    async fn expect(&mut self, expected: (u16, u16)) -> Result<Fields, Lost> {
        loop {
            let frame = self.peer.wire.next(decode).await?;
            match frame.kind {
                Kind::Heartbeat => (),
                Kind::Method => match method(frame)? {
                    (found, fields) if found == expected => return Ok(fields),
                    ((10, 60 | 61), _) => (),
                    (other, mut fields) => return Err(ended(other, &mut fields)),
                },
                _ => return Err(Broken("a content out of turn").into()),
            }
        }
    }
}

/// What the broker calls itself.
fn product(start: &mut Fields) -> Option<String> {
    let _version = start.u16().ok()?;
    Some(start.table().ok()?.get("product")?.as_str()?.to_owned())
}

fn method(frame: Frame) -> Result<((u16, u16), Fields), Broken> {
    let mut fields = Fields(frame.payload);
    Ok(((fields.u16()?, fields.u16()?), fields))
}

/// What the broker meant by a method that was not expected.
fn ended(method: (u16, u16), fields: &mut Fields) -> Lost {
    match method {
        (10, 50) | (20, 40) => match (fields.u16(), fields.short()) {
            (Ok(code), Ok(text)) => Lost::Refused(quoted(&format!("{code} {text}"))),
            _ => Broken("a goodbye that cannot be read").into(),
        },
        (60, 30) => Lost::Refused("the queue is gone".to_owned()),
        _ => Broken("a method out of turn").into(),
    }
}

/// Between user name and tuning the only thing a broker has to refuse is the user.
fn credentials(lost: Lost) -> Lost {
    match lost {
        Lost::Refused(text) => Lost::Credentials(text),
        Lost::Closed => Lost::Credentials("it closed the connection without a word".to_owned()),
        other => other,
    }
}
