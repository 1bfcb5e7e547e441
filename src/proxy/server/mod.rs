//! The process around the gateway: it opens sockets, accepts and counts connections, watches memory and open files, and ends
//! when a signal says so.
//!
//! What belongs to one connection lives in [`client`](super::client), what belongs to one request in
//! [`exchange`](super::exchange).

mod connections;
mod descriptors;
mod edge;
pub mod overload;
pub mod pressure;
mod proxy_protocol;
pub mod ready;
pub mod serve;
mod signals;
mod sockets;
