//! Where the addresses of a name come from.

use std::{future::Future, io, net::SocketAddr, pin::Pin, sync::Arc};

/// The addresses of a name at one moment; never empty.
pub type Snapshot = Arc<[SocketAddr]>;

/// A look-up under way.
pub type LookUp<'a> = Pin<Box<dyn Future<Output = io::Result<Snapshot>> + Send + 'a>>;

/// One name that is kept resolved in the background.
pub trait Addresses: Send + Sync {
    /// What is known now; costs no look-up.
    fn peek(&self) -> Option<Snapshot>;
    /// Number `turn` of what is known now, counted round.
    fn pick(&self, turn: usize) -> Option<SocketAddr>;
    /// What is known, or else a look-up that all who wait share.
    fn look_up(&self) -> LookUp<'_>;
}

/// Keeps names resolved.
pub trait Resolver: Send + Sync {
    /// Starts to keep a name, or joins those who do. Ends when the last holder drops it.
    fn watch(&self, host: &str, port: u16) -> Arc<dyn Addresses>;
}
