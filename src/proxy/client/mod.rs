//! A client's connection: what is known of it, its deadlines, and whether it may be closed. Its TLS is in [`tls`], its bytes are
//! in [`wire`](super::wire).

pub mod connection;
pub mod paced;
pub mod presence;
pub mod timer;
pub mod tls;
