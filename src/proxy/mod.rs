//! The only place that says `pingora`: connections in, phases through, bytes out.
//!
//! | room | who lives there |
//! |---|---|
//! | [`server`] | the process: accepting, counting, sockets, open files, overload, signals |
//! | [`client`] | a client's connection, its deadlines and its TLS |
//! | [`wire`] | a client's bytes, judged before the engine reads them |
//! | [`exchange`] | one request, from its head to its log line |
//! | [`transport`] | connections to upstreams |
//! | [`checks`] | checks of endpoints, beside requests |
//! | [`running`] | the configuration in force, and what is checked before it is |
//!
//! What becomes of a request is not decided here: the [`judge`](crate::judge) does that.
//!
//! The gateway accepts connections itself rather than through the engine's listeners, because the engine has no limit of
//! connections, a fixed handshake time, and no deadline for a header. Everything else of HTTP is the engine's.

mod budget;
mod checks;
mod client;
mod exchange;
mod running;
mod server;
mod transport;
mod wire;

pub use running::{
    gateway::{ConfigSource, Gateway},
    snapshot::Snapshot,
};
pub use server::serve::serve;
