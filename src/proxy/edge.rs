//! Accepting: sockets, limits, handshakes.
//!
//! Over a limit, a connection is closed before a byte is read. Listening sockets live in the engine's table, so that QUIT can
//! hand them to the next process.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use pingora::{
    apps::{HttpServerApp, ServerApp},
    protocols::{
        ALPN, GetSocketDigest, SocketDigest, Ssl, Stream,
        http::ServerSession,
        l4::{socket::SocketAddr as EngineAddr, stream::Stream as L4Stream},
    },
    proxy::HttpProxy,
    server::{ListenFds, ShutdownWatch},
    services::Service,
};
use tokio::sync::watch;
use tollgate_filter_api::{NoCertificate, Peer};

use super::{
    connection::{Connection, Phase, digest_of},
    gateway::Gateway,
    handshake::handshake,
    paced::{Deadlines, PacedStream, boxed},
    phases::Phases,
    tls,
};
use crate::telemetry::IntCounter;

/// All listeners of the gateway.
pub struct Edge {
    pub gateway: Arc<Gateway>,
    pub proxy: Arc<HttpProxy<Phases>>,
    /// Turned true when the gateway stops.
    pub stop: watch::Sender<bool>,
    pub census: Arc<Census>,
    pub sockets: Arc<Sockets>,
}

/// Who is connected.
#[derive(Default)]
pub struct Census {
    clients: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Census {
    /// How many connections are open.
    pub fn count(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place in the census; leaves it when dropped.
struct Seat {
    gateway: Arc<Gateway>,
    census: Arc<Census>,
    address: IpAddr,
}

impl Seat {
    fn take(gateway: &Arc<Gateway>, census: &Arc<Census>, address: IpAddr) -> Option<Self> {
        let snapshot = gateway.current();
        let limits = &snapshot.config.gateway.limits;
        let telemetry = &gateway.kernel.telemetry;
        let mut counts = census.lock();
        if counts.all >= limits.connections {
            telemetry.limits.connections.inc();
            return None;
        }
        let of_client = counts.by_address.entry(address).or_default();
        if *of_client >= limits.connections_per_client {
            telemetry.limits.connections_per_client.inc();
            return None;
        }
        *of_client += 1;
        counts.all += 1;
        telemetry.connections.inc();
        Some(Self { gateway: gateway.clone(), census: census.clone(), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.census.lock();
        counts.all -= 1;
        self.gateway.kernel.telemetry.connections.dec();
        if let Some(of_client) = counts.by_address.get_mut(&self.address) {
            *of_client -= 1;
            if *of_client == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

/// The sockets that clients and operators connect to, until their service takes them.
#[derive(Default)]
pub struct Sockets {
    bound: Mutex<Vec<(SocketAddr, std::net::TcpListener)>>,
    table: OnceLock<ListenFds>,
}

impl Sockets {
    /// Opens all of them, before anything else of the process runs.
    ///
    /// # Errors
    /// The first address that cannot be had.
    pub fn open(addresses: impl IntoIterator<Item = SocketAddr>) -> io::Result<Self> {
        let open = |address: SocketAddr| {
            let socket = std::net::TcpListener::bind(address);
            socket.map(|socket| (address, socket)).map_err(|error| named(address, &error))
        };
        Ok(Self { bound: Mutex::new(addresses.into_iter().map(open).collect::<io::Result<_>>()?), table: OnceLock::new() })
    }

    /// The socket of an address: the one the previous process handed over, the one that was opened, or a new one. It is in the
    /// engine's table for the next process.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn take(&self, address: SocketAddr, fds: Option<&ListenFds>) -> io::Result<std::net::TcpListener> {
        if let Some(fds) = fds {
            let _ = self.table.set(fds.clone());
        }
        let name = address.to_string();
        // Port 0 names no socket: two such listeners would share one.
        let table = fds.filter(|_| address.port() != 0);
        let known = table.and_then(|fds| fds.lock().get(&name).copied());
        let listener = match (known, self.opened(address)) {
            (Some(fd), _) => adopt(fd)?,
            (None, Some(opened)) => opened,
            (None, None) => std::net::TcpListener::bind(address).map_err(|error| named(address, &error))?,
        };
        listener.set_nonblocking(true)?;
        if let (Some(table), None) = (table, known) {
            table.lock().add(name, listener.as_raw_fd());
        }
        Ok(listener)
    }

    fn opened(&self, address: SocketAddr) -> Option<std::net::TcpListener> {
        let mut bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        let index = bound.iter().position(|(of, _)| *of == address)?;
        Some(bound.swap_remove(index).1)
    }

    /// Hands all of them to the process that waits at `path`. Waits for it some seconds, blocking.
    ///
    /// # Errors
    /// When nobody takes them.
    pub fn hand_over(&self, path: &Path) -> io::Result<()> {
        let fds = self.table.get().ok_or_else(|| io::Error::other("the listeners are not open yet"))?;
        fds.lock().send_to_sock(path.to_string_lossy().as_ref()).map(drop).map_err(io::Error::other)
    }
}

fn named(address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
}

#[allow(unsafe_code)]
fn adopt(fd: i32) -> io::Result<std::net::TcpListener> {
    // SAFETY: the descriptor came over the hand-over socket into the engine's table, which nobody else takes descriptors from
    // and which never closes them; each name is taken once in a process, so nothing else owns it.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok(std::net::TcpListener::from(owned))
}

#[async_trait]
impl Service for Edge {
    async fn start_service(&mut self, fds: Option<ListenFds>, mut shutdown: ShutdownWatch, _: usize) {
        let snapshot = self.gateway.current();
        let mut loops = tokio::task::JoinSet::new();
        for (index, listener) in snapshot.config.gateway.listeners.iter().enumerate() {
            let opened = self.sockets.take(listener.address, fds.as_ref()).and_then(tokio::net::TcpListener::from_std);
            match opened {
                Ok(socket) => {
                    let accepting = Accepting {
                        gateway: self.gateway.clone(),
                        proxy: self.proxy.clone(),
                        census: self.census.clone(),
                        stop: self.stop.subscribe(),
                        accepted: self.gateway.kernel.telemetry.listener(&listener.address.to_string()),
                        index,
                    };
                    loops.spawn(Arc::new(accepting).run(socket, shutdown.clone()));
                }
                Err(error) => {
                    log::error!("{error}");
                    std::process::exit(2);
                }
            }
        }
        snapshot.announce();
        drop(snapshot);
        self.gateway.listening();
        let _ = shutdown.wait_for(|stop| *stop).await;
        self.gateway.drain();
        let _ = self.stop.send(true);
        while loops.join_next().await.is_some() {}
        self.proxy.http_cleanup().await;
    }

    fn name(&self) -> &str {
        "edge"
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        let snapshot = self.gateway.current();
        Some(snapshot.config.gateway.listeners.iter().map(|listener| listener.address.to_string()).collect())
    }
}

/// One listener at work.
struct Accepting {
    gateway: Arc<Gateway>,
    proxy: Arc<HttpProxy<Phases>>,
    census: Arc<Census>,
    stop: watch::Receiver<bool>,
    accepted: IntCounter,
    index: usize,
}

impl Accepting {
    async fn run(self: Arc<Self>, socket: tokio::net::TcpListener, mut shutdown: ShutdownWatch) {
        let mut stop = self.stop.clone();
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
                _ = shutdown.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, address)) => {
                    self.accepted.inc();
                    if let Some(seat) = Seat::take(&self.gateway, &self.census, address.ip().to_canonical()) {
                        tokio::spawn(self.clone().connection(stream, address, seat));
                    }
                }
                Err(error) => {
                    // Out of descriptors: accepting again at once would spin.
                    log::error!("cannot accept: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn connection(self: Arc<Self>, stream: tokio::net::TcpStream, address: SocketAddr, seat: Seat) {
        let _seat = seat;
        let _ = stream.set_nodelay(true);
        let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
        let _ = digest.peer_addr.set(Some(EngineAddr::Inet(address)));
        let mut stream = L4Stream::from(stream);
        stream.set_socket_digest(digest);
        let snapshot = self.gateway.current();
        let listener = &snapshot.config.gateway.listeners[self.index];
        let limits = &snapshot.config.gateway.limits;
        let client = address.ip().to_canonical();
        let (stream, mut connection): (Stream, Connection) = match &snapshot.endpoints[self.index] {
            None => (boxed(stream), Connection::new(client, false, Peer::Anonymous(NoCertificate::Plain), None, false)),
            Some(endpoint) => {
                let state = endpoint.state();
                let acceptor = &state.acceptor;
                let Ok(done) = tokio::time::timeout(limits.handshake_time.0, handshake(acceptor, stream, client)).await else {
                    self.gateway.kernel.telemetry.limits.handshake_time.inc();
                    return;
                };
                let Some(stream) = done else { return };
                let Some(ssl) = stream.get_ssl() else { return };
                let name = ssl.servername(openssl::ssl::NameType::HOST_NAME).map(str::to_owned);
                let (peer, presented) = tls::peer(ssl, state.trust.as_ref());
                let mut connection = Connection::new(client, true, peer, name, state.trust.is_some());
                connection.presented = presented;
                (boxed(stream), connection)
            }
        };
        connection.listener = self.index;
        let h2 = listener.h2c || matches!(stream.selected_alpn_proto(), Some(ALPN::H2));
        let deadlines = Deadlines {
            header: limits.header_time.0,
            body_pace: limits.body_pace.0,
            idle: limits.idle_time.0,
            write: limits.write_time.0,
            counters: Arc::new(self.gateway.kernel.telemetry.limits.clone()),
        };
        let connection = Arc::new(connection);
        let Ok(digest) = digest_of(&connection) else { return };
        if h2 {
            connection.multiplexed();
        }
        let requests = limits.requests_per_connection;
        drop(snapshot);
        let stream = boxed(PacedStream::new(stream, connection.clone(), digest, deadlines));
        if h2 { self.http2(stream).await } else { self.http1(stream, &connection, requests).await }
    }

    /// The engine's own loop, which also sends GOAWAY when the gateway stops.
    async fn http2(&self, stream: Stream) {
        let _ = self.proxy.process_new(stream, &self.stop).await;
    }

    async fn http1(&self, stream: Stream, connection: &Connection, requests: u32) {
        let mut session = ServerSession::new_http1(stream);
        // The stream keeps the idle time, with a timer for the connection rather than one for each request.
        session.set_keepalive(if *self.stop.borrow() { None } else { Some(0) });
        session.set_keepalive_reuses_remaining(Some(requests.saturating_sub(1)));
        let mut next = self.proxy.process_new_http(session, &self.stop).await;
        let mut served = 1_u32;
        while let Some((stream, settings)) = next.map(|reused| reused.consume()) {
            served += 1;
            // Only now: what was left of the body before has its own pace.
            connection.expect(Phase::Header);
            let mut session = ServerSession::new_http1(stream);
            if let Some(settings) = settings {
                settings.apply_to_session(&mut session);
            }
            session.set_keepalive(Some(0));
            next = self.proxy.process_new_http(session, &self.stop).await;
        }
        if served >= requests {
            self.gateway.kernel.telemetry.limits.requests_per_connection.inc();
        }
    }
}
