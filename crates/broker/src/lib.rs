//! Subscribing to a topic of a message broker: STOMP 1.2, AMQP 1.0 or AMQP 0-9-1, by the URL's scheme.
//!
//! Only what a subscriber needs is spoken: nothing is ever published. The clients are written for this purpose because a
//! broker, and whoever may publish to it, is not trusted with the gateway's life (docs/adr/0009): every frame, table and
//! nesting has a limit, there is one task and no thread, and every sign of life is passed on, so that the listener can say
//! how old its knowledge is.
//!
//! Does **not** protect against: a broker that leaves messages out or makes them up; reading and forging on the way where
//! the URL does not mean TLS; the loss of what is published while nobody listens, unless the subscription is durable. A
//! message may come twice: it is acknowledged after it was heard, and the acknowledgement may be lost.

mod amqp091;
mod amqp10;
mod endpoint;
mod failure;
mod listener;
mod peer;
mod settings;
mod stomp;
mod subscriber;
#[cfg(test)]
mod testing;
mod wire;

pub use listener::{Listener, Message, NotNow};
pub use settings::{Settings, check};
pub use subscriber::run;
pub use tollgate_outbound::tls::ClientCertificate;
