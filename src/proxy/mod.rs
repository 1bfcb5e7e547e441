//! The only place that says `pingora`: connections in, phases through, bytes out.
//!
//! [`edge`](self) accepts connections itself rather than through the engine's listeners, because the engine has no limit of
//! connections, a fixed handshake time, and no deadline for a header. Everything else of HTTP is the engine's.

mod admit;
mod answer;
mod asked;
mod attempt;
mod carried;
mod census;
mod certificate;
mod connection;
mod decide;
mod der;
mod descriptors;
mod edge;
mod endpoint;
mod exchange;
mod families;
mod faults;
mod forward;
mod forwarded;
mod gateway;
mod handshake;
mod ids;
mod named;
mod outcome;
mod overload;
mod owned;
mod paced;
mod patience;
mod pem;
mod phases;
mod policy;
mod presence;
mod presented;
mod pressure;
mod ready;
mod returned;
mod serve;
mod sessions;
mod signals;
mod snapshot;
mod sockets;
mod ticks;
mod timer;
mod tls;
mod transport;
mod trust;
mod upstream_connections;
mod verdict;
mod via;
mod whole_body;
mod wire;

pub use endpoint::METRICS;
pub use gateway::{ConfigSource, Gateway};
pub use serve::serve;
pub use snapshot::Snapshot;
