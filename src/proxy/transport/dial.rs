//! How the engine gets a connection.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use async_trait::async_trait;
use pingora::{
    Error, ErrorType,
    connectors::L4Connect,
    protocols::l4::{socket::SocketAddr as EngineAddr, stream::Stream, virt::VirtualSocketStream},
};
use tokio::net::TcpStream;

use super::{Flow, Pool, link::Link};
use crate::proxy::{connection::Connection, upstream_connections::Hold};

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
            None => (self.pool.line(open(address).await?), false),
        };
        let connected = Connected { flow: line.flow.clone(), hold: Mutex::new(Some(line.followed.hold())), kept };
        // Each attempt connects once.
        let _ = self.connected.set(connected);
        Ok(VirtualSocketStream::new(Box::new(Link::new(line, self.pool.clone(), address, self.client.clone()))).into())
    }
}

async fn open(address: SocketAddr) -> pingora::Result<TcpStream> {
    let opened = match TcpStream::connect(address).await {
        Ok(stream) => stream.set_nodelay(true).map(|()| stream),
        Err(error) => Err(error),
    };
    opened.map_err(|error| {
        // What this machine lacks says nothing of the upstream; the engine has the same word for it.
        let own = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EADDRNOTAVAIL];
        let kind = match error.kind() {
            _ if error.raw_os_error().is_some_and(|code| own.contains(&code)) => ErrorType::InternalError,
            io::ErrorKind::ConnectionRefused => ErrorType::ConnectRefused,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => ErrorType::ConnectNoRoute,
            io::ErrorKind::TimedOut => ErrorType::ConnectTimedout,
            _ => ErrorType::ConnectError,
        };
        Error::because(kind, format!("cannot connect to {address}"), error)
    })
}
