//! AMQP 1.0 (OASIS), as RabbitMQ's plugin, ActiveMQ, Artemis and Azure speak it.
//!
//! One session, one receiving link, credit given in portions. Each delivery is accepted after it was heard. A durable
//! subscription is the link's name together with a source that never expires.
//!
//! At first the link is drained (part 2, §2.6.7): the broker sends what it has for us, and then a flow that says what credit it had no
//! message for. With that everything that it had kept was heard. RabbitMQ before 4.0 ends the session when it is asked that, so it is not.

mod frame;
mod value;

use std::{convert::Infallible, time::Duration};

use bytes::{Bytes, BytesMut};

use tollgate_outbound::quoted;

use crate::{
    failure::{Broken, Lost},
    listener::Message,
    peer::Peer,
};
use frame::{HEARTBEAT, MAX_FRAME, Performative, decode, decode_header, encode};
use value::{Field, Value};

/// Longest message. A byte of it can become a value of fifty.
const MAX_MESSAGE: usize = 256 << 10;
/// Messages the broker may send before we give it credit again.
const CREDIT: u32 = 256;
/// Transfers the broker may send before we open the window again.
const WINDOW: u32 = 4096;

const OPEN: u64 = 0x10;
const BEGIN: u64 = 0x11;
const ATTACH: u64 = 0x12;
const FLOW: u64 = 0x13;
const TRANSFER: u64 = 0x14;
const DISPOSITION: u64 = 0x15;

/// A confirmed subscription.
pub(crate) struct Session<'a> {
    peer: Peer<'a>,
    /// What the next transfer is numbered.
    incoming: u32,
    /// Deliveries since the link began, as the broker counts them.
    delivered: u32,
    /// Deliveries and transfers since the last flow.
    spent: (u32, u32),
    partial: Option<Partial>,
    /// The broker has not said yet that it has no more for us.
    draining: bool,
}

/// A delivery of which more is to come.
struct Partial {
    id: u32,
    settled: bool,
    /// What is too long is not kept.
    payload: Result<BytesMut, Broken>,
}

/// Connects and attaches; ends when the broker confirmed.
pub(crate) async fn open(peer: Peer<'_>) -> Result<Session<'_>, Lost> {
    let mut session = Session { peer, incoming: 0, delivered: 0, spent: (0, 0), partial: None, draining: true };
    session.authenticate().await?;
    session.connect().await?;
    session.attach().await?;
    Ok(session)
}

impl Session<'_> {
    /// Whether the broker is asked to say when everything that it had kept was sent.
    pub(crate) fn is_exact(&self) -> bool {
        self.draining
    }

    /// Passes messages on until the connection ends.
    pub(crate) async fn listen(mut self) -> Result<Infallible, Lost> {
        loop {
            if let Some(frame) = self.peer.wire.next(decode).await? {
                match frame.code {
                    TRANSFER => self.transfer(frame).await?,
                    FLOW => self.flowed(&frame).await?,
                    DISPOSITION => (),
                    _ => return Err(ended(&frame)),
                }
            }
            // In the middle of a message it is not heard yet.
            if self.partial.is_none() {
                self.peer.listener.alive();
            }
        }
    }

    /// The broker says where it is, of the link or only of the session.
    async fn flowed(&mut self, frame: &Performative) -> Result<(), Lost> {
        let of_link = *frame.field(4) != Value::Null;
        let count = of_link.then(|| frame.field(5).uint().and_then(|count| u32::try_from(count).ok())).flatten();
        if self.draining
            && frame.field(6).uint() == Some(0)
            && let Some(count) = count.filter(|count| *count != self.delivered)
        {
            // It counts the credit for which it had nothing.
            self.delivered = count;
            self.draining = false;
            self.peer.listener.drained();
            return self.flow().await;
        }
        if frame.field(9).is_true() { self.flow().await } else { Ok(()) }
    }

    async fn authenticate(&mut self) -> Result<(), Lost> {
        const SASL: [u8; 8] = *b"AMQP\x03\x01\x00\x00";
        self.peer.wire.send(&SASL).await?;
        if self.peer.wire.next(decode_header).await? != SASL {
            return Err(Lost::Unfit("it does not speak AMQP 1.0 with SASL"));
        }
        self.expect(0x40).await?;
        let (mechanism, response) = match self.peer.credentials() {
            Some((name, password)) => ("PLAIN", format!("\0{name}\0{password}")),
            None => ("ANONYMOUS", String::new()),
        };
        let init =
            encode(true, 0x41, &[Field::Symbol(mechanism), Field::Binary(response.as_bytes()), Field::Text(&self.peer.endpoint.host)]);
        self.peer.wire.send(&init).await?;
        match self.expect(0x44).await?.field(0).uint() {
            Some(0) => Ok(()),
            Some(1) => Err(Lost::Credentials(format!("SASL {mechanism} failed"))),
            _ => Err(Lost::Refused("SASL failed for a reason of its own".to_owned())),
        }
    }

    async fn connect(&mut self) -> Result<(), Lost> {
        const AMQP: [u8; 8] = *b"AMQP\x00\x01\x00\x00";
        self.peer.wire.send(&AMQP).await?;
        if self.peer.wire.next(decode_header).await? != AMQP {
            return Err(Lost::Unfit("it does not speak AMQP 1.0"));
        }
        let period = self.peer.settings.heartbeat;
        let millis = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
        // RabbitMQ's way to name a virtual host.
        let host = self.peer.endpoint.vhost.as_ref().map_or_else(|| self.peer.endpoint.host.clone(), |name| format!("vhost:{name}"));
        let id = self.peer.settings.subscription.clone().unwrap_or_else(unique);
        let fields = [Field::Text(&id), Field::Text(&host), Field::Uint(MAX_FRAME), Field::Ushort(0), Field::Uint(millis)];
        self.peer.wire.send(&encode(false, 0x10, &fields)).await?;
        let opened = self.expect(OPEN).await?;
        self.draining = can_drain(&opened);
        if self.peer.settings.subscription.is_some() && forgets(&opened, &self.peer.settings.topic) {
            return Err(Lost::Unfit("RabbitMQ keeps only queues over AMQP 1.0: subscribe to /amq/queue/NAME, or over AMQP 0-9-1"));
        }
        // A zero or nothing means that the broker does not care whether we live.
        if let Some(theirs) = opened.field(4).uint().filter(|millis| *millis > 0) {
            self.peer.wire.beat(HEARTBEAT, Duration::from_millis(theirs.max(100)) / 2);
        }
        self.peer.wire.expect_every(period * 2);
        self.peer.wire.on_farewell(encode(false, 0x18, &[]));
        let begin = [Field::Null, Field::Uint(0), Field::Uint(WINDOW), Field::Uint(WINDOW)];
        self.peer.wire.send(&encode(false, 0x11, &begin)).await?;
        self.incoming = number(self.expect(BEGIN).await?.field(1));
        Ok(())
    }

    async fn attach(&mut self) -> Result<(), Lost> {
        let settings = self.peer.settings;
        let name = settings.subscription.clone().unwrap_or_else(unique);
        let source: &[Field<'_>] = match settings.subscription {
            // Durable down to the unsettled deliveries.
            Some(_) => &[Field::Text(&settings.topic), Field::Uint(2), Field::Symbol("never")],
            None => &[Field::Text(&settings.topic)],
        };
        let fields = [
            Field::Text(&name),
            Field::Uint(0),
            Field::Bool(true),
            Field::Null,
            Field::Ubyte(0),
            Field::List(0x28, source),
            Field::List(0x29, &[]),
            Field::Null,
            Field::Null,
            Field::Null,
            Field::Ulong(MAX_MESSAGE as u64),
        ];
        self.peer.wire.send(&encode(false, 0x12, &fields)).await?;
        let attached = self.expect(ATTACH).await?;
        // A broker that refuses attaches without a source first, and says why in the frame after it.
        if *attached.field(5) == Value::Null {
            let refused = self.frame().await?;
            return Err(ended(&refused));
        }
        if settings.subscription.is_some() && !is_durable(attached.field(5)) {
            return Err(Lost::Unfit("it does not keep this subscription while nobody listens"));
        }
        self.delivered = number(attached.field(9));
        self.flow().await
    }

    async fn flow(&mut self) -> Result<(), Lost> {
        self.spent = (0, 0);
        let (incoming, delivered) = (Field::Uint(self.incoming), Field::Uint(self.delivered));
        let (credit, drain) = (Field::Uint(CREDIT), Field::Bool(self.draining));
        let window = Field::Uint(WINDOW);
        let fields = [incoming, window, Field::Uint(0), window, Field::Uint(0), delivered, credit, Field::Null, drain];
        self.peer.wire.queue(&encode(false, 0x13, &fields)).await
    }

    async fn transfer(&mut self, frame: Performative) -> Result<(), Lost> {
        self.incoming = self.incoming.wrapping_add(1);
        self.spent.1 += 1;
        let mut partial =
            self.partial.take().unwrap_or_else(|| Partial { id: number(frame.field(1)), settled: false, payload: Ok(BytesMut::new()) });
        partial.settled |= frame.field(4).is_true();
        if let Ok(payload) = &mut partial.payload {
            payload.extend_from_slice(&frame.payload);
            if payload.len() > MAX_MESSAGE {
                partial.payload = Err(Broken("a message that is too long"));
            }
        }
        let (more, aborted) = (frame.field(5).is_true(), frame.field(9).is_true());
        if more && !aborted {
            self.partial = Some(partial);
        } else {
            self.delivered = self.delivered.wrapping_add(1);
            self.spent.0 += 1;
            if !aborted {
                self.delivery(partial).await?;
            }
        }
        // While the link is drained its credit is not renewed before it is used up: what is left of it is the broker's answer.
        let portion = if self.draining { CREDIT } else { CREDIT / 2 };
        if self.spent.0 >= portion || self.spent.1 >= WINDOW / 2 { self.flow().await } else { Ok(()) }
    }

    /// A message that cannot be read is passed on as the bytes it is: one bad message ends no subscription.
    async fn delivery(&mut self, partial: Partial) -> Result<(), Lost> {
        let read = |payload: Bytes| frame::message(payload.clone()).unwrap_or(Message::Bytes(payload));
        let payload = partial.payload.map(BytesMut::freeze);
        let published = payload.as_ref().ok().and_then(|payload| frame::created(payload.clone()));
        self.peer.message(payload.map(read), published)?;
        if partial.settled {
            return Ok(());
        }
        let id = Field::Uint(partial.id);
        self.peer.wire.queue(&encode(false, 0x15, &[Field::Bool(true), id, id, Field::Bool(true), Field::List(0x24, &[])])).await
    }

    async fn frame(&mut self) -> Result<Performative, Lost> {
        loop {
            if let Some(frame) = self.peer.wire.next(decode).await? {
                return Ok(frame);
            }
        }
    }

    /// The next frame but flows, which say nothing to a link that is not there yet.
    async fn expect(&mut self, code: u64) -> Result<Performative, Lost> {
        loop {
            let frame = self.frame().await?;
            match frame.code {
                found if found == code => return Ok(frame),
                FLOW => (),
                _ => return Err(ended(&frame)),
            }
        }
    }
}

/// RabbitMQ says of every source that it is durable, and then deletes the queue behind all but queues.
fn forgets(opened: &Performative, topic: &str) -> bool {
    property(opened, "product") == Some("RabbitMQ")
        && !["/queue/", "/queues/", "/amq/queue/"].iter().any(|prefix| topic.starts_with(prefix))
}

/// RabbitMQ's channel fails on the event of a drained link (`rabbit_classic_queue:handle_event`) until its own AMQP 1.0 came with 4.0.
fn can_drain(opened: &Performative) -> bool {
    let major = || property(opened, "version").and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    property(opened, "product") != Some("RabbitMQ") || major().is_some_and(|major| major >= 4)
}

/// What the broker says of itself.
fn property<'a>(opened: &'a Performative, name: &str) -> Option<&'a str> {
    let Value::Map(properties) = opened.field(9) else { return None };
    properties.iter().find(|(found, _)| found.text() == Some(name)).and_then(|(_, value)| value.text())
}

/// Whether the source that the broker made is durable, whatever was asked for.
fn is_durable(source: &Value) -> bool {
    let Value::Described(_, source) = source else { return false };
    let Value::List(fields) = &**source else { return false };
    fields.get(1).and_then(Value::uint).is_some_and(|durable| durable > 0)
}

fn number(value: &Value) -> u32 {
    value.uint().and_then(|value| value.try_into().ok()).unwrap_or(0)
}

/// A name that no other connection has.
fn unique() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("tollgate-{:016x}", RandomState::new().hash_one(std::process::id()))
}

/// What the broker meant by a frame that was not expected.
fn ended(frame: &Performative) -> Lost {
    let (what, error) = match frame.code {
        0x16 => ("link", frame.field(2)),
        0x17 => ("session", frame.field(0)),
        0x18 => ("connection", frame.field(0)),
        _ => return Broken("a frame out of turn").into(),
    };
    let Value::Described(0x1d, error) = error else { return Lost::Refused(format!("{what} closed")) };
    let Value::List(fields) = &**error else { return Lost::Refused(format!("{what} closed")) };
    let text = |place: usize| fields.get(place).and_then(Value::text).unwrap_or("");
    Lost::Refused(quoted(&format!("{what} closed: {} {}", text(0), text(1))))
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
