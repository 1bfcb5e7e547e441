//! How the engine gets a connection.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use pingora::{
    Error, ErrorType, OrErr,
    connectors::L4Connect,
    protocols::l4::{socket::SocketAddr as EngineAddr, stream::Stream, virt::VirtualSocketStream},
};

use super::{Flow, Pool, link::Link};
use crate::proxy::{
    client::connection::Connection,
    transport::upstream_connections::{Hold, open},
};

/// One attempt to reach an upstream, and what is known of its connection.
#[derive(Debug)]
pub struct Dial {
    pool: Arc<Pool>,
    client: Arc<Connection>,
    connected: OnceLock<Connected>,
}

#[derive(Debug)]
struct Connected {
    flow: Arc<Flow>,
    hold: Mutex<Option<Hold>>,
    kept: bool,
}

impl Dial {
    /// An attempt for a client, over a connection of that pool or a new one.
    pub fn new(pool: Arc<Pool>, client: Arc<Connection>) -> Arc<Self> {
        Arc::new(Self { pool, client, connected: OnceLock::new() })
    }

    /// What is under way on the connection, once there is one.
    pub fn flow(&self) -> Option<&Flow> {
        self.connected.get().map(|connected| &*connected.flow)
    }

    /// The hold of this exchange on the connection; once.
    pub fn hold(&self) -> Option<Hold> {
        self.connected.get()?.hold.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the connection was used before, so that the upstream may have closed it meanwhile.
    pub fn was_kept(&self) -> bool {
        self.connected.get().is_some_and(|connected| connected.kept)
    }
}

#[async_trait]
impl L4Connect for Dial {
    async fn connect(&self, address: &EngineAddr) -> pingora::Result<Stream> {
        let EngineAddr::Inet(address) = *address else {
            return Err(Error::explain(ErrorType::InternalError, "the upstream has no address of IP"));
        };
        let (line, kept) = match self.pool.take(address) {
            Some(line) => (line, true),
            None => {
                let stream = open(&address).await?;
                stream.set_nodelay(true).or_err(ErrorType::InternalError, "a connection cannot be set up")?;
                (self.pool.line(stream), false)
            }
        };
        let connected = Connected { flow: line.flow.clone(), hold: Mutex::new(Some(line.followed.hold())), kept };
        // Each attempt connects once.
        let _ = self.connected.set(connected);
        Ok(VirtualSocketStream::new(Box::new(Link::new(line, self.pool.clone(), address, self.client.clone()))).into())
    }
}
