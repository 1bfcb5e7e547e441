//! TLS with clients: the listener's files, the handshake, and whose certificates are believed, also those that a load balancer
//! forwards.
//!
//! TLS with upstreams is the engine's; see [`server_name`](crate::proxy::transport::server_name).

mod acceptor;
mod certificate;
pub mod client_certificate;
mod der;
mod forwarded;
pub mod handshake;
pub mod listener;
mod named;
mod policy;
mod problems;
mod sessions;
mod trust;
mod verdict;
