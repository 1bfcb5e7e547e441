//! Connections to upstreams that speak HTTP/1 without TLS, under the engine's exchange.
//!
//! The engine reads an answer as fast as the upstream sends it, in pieces of up to 64 KiB, of which ten wait between upstream and
//! client: a client that takes nothing costs 640 KiB. A [`Link`](link::Link) hands over one small piece, and the next one when
//! that was passed on ([`Flow`]). It limits the silence of the upstream itself, because the engine's clock would also run while the client
//! is waited for.
//!
//! The engine cannot keep such connections: it knows kept ones by their file descriptor. So they are kept here ([`Pool`]), which
//! also spares the task and the timer that the engine has for each idle one.
//!
//! Does not bound what waits for a client when the upstream speaks TLS or HTTP/2: pieces have at most 16 KiB there, ten of them may
//! wait, and over HTTP/2 a stream's window ([`H2_WINDOW`]) besides.

mod dial;
mod flow;
mod link;
pub mod mirror;
mod pool;
mod registry;
pub mod server_name;
#[cfg(test)]
#[path = "tests/transport.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
pub mod ticks;
pub mod upstream_connections;
pub mod upstream_peer;

pub use dial::Dial;
pub use flow::Flow;
pub use pool::{Limits as PoolLimits, Pool, Pools};

/// Bytes that an upstream may send on one HTTP/2 stream before its client has taken some.
pub const H2_WINDOW: u32 = 128 << 10;
