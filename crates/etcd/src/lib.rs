//! Mirroring keys of etcd: everything once, then each change as it happens.
//!
//! Speaks etcd's version 3 interface (etcd 3.4 and later) by way of `etcd-client`, over a connection of our own (docs/adr/0010). Nothing
//! is ever written. Any number of keys and prefixes share one connection. A listing is read in pages at one revision; a watch of each range,
//! all on one stream, goes on from there, and after a
//! broken connection from what was seen last. Where that cannot be (the history was compacted, it is another cluster, or a
//! backup was restored) everything is listed again. From time to time everything is listed beside the watch and compared.
//!
//! One task, besides those of hyper for a connection, which end with it; no thread. Every message has a limit, and every wait an end.
//!
//! Does **not** protect against: an etcd that makes things up or leaves them out; reading and forging on the way where URLs do not
//! mean TLS; a restored backup that has grown beyond the revision that was seen, until the next listing. Before 3.4.25 and
//! 3.5.8 etcd may say that a watch is up to date a moment before it has told the last changes (etcd issue 15220), so the stated
//! age can be that moment too young. No change is lost by it.

mod answer;
mod channel;
mod connection;
mod endpoint;
mod failure;
mod follow;
mod keys;
mod list;
mod mirror;
mod run;
mod settings;
#[cfg(test)]
mod testing;

pub use keys::Keys;
pub use mirror::{Full, Mirror, Refused};
pub use run::run;
pub use settings::{Settings, check};
pub use tollgate_outbound::tls::ClientCertificate;
