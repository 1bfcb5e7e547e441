//! Accepts connections: limits, handshakes, and the loop that serves them.
//!
//! A connection over a limit is closed before a byte is read.

use std::{net::SocketAddr, os::fd::AsRawFd, pin::pin, sync::Arc, time::Duration};

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
    connections::{Connections, Slot},
    proxy_protocol,
    sockets::Sockets,
};
use crate::{
    config::Gateway as GatewayConfig,
    judge::fields::forwarding::is_trusted,
    proxy::{
        client::{
            connection::{Connection, Phase, digest_of},
            paced::{Deadlines, PacedStream, boxed},
            tls::{client_certificate, handshake::handshake},
        },
        exchange::phases::Phases,
        running::gateway::Gateway,
    },
    telemetry::{CLIENTS, IntCounter},
};

/// All listeners of the gateway.
pub struct Edge {
    pub gateway: Arc<Gateway>,
    pub proxy: Arc<HttpProxy<Phases>>,
    /// Becomes true when the gateway stops.
    pub stop: watch::Sender<bool>,
    pub connections: Arc<Connections>,
    pub sockets: Arc<Sockets>,
}

#[async_trait]
impl Service for Edge {
    async fn start_service(&mut self, fds: Option<ListenFds>, mut shutdown: ShutdownWatch, _: usize) {
        let snapshot = self.gateway.current();
        let mut loops = tokio::task::JoinSet::new();
        for (index, listener) in snapshot.config().gateway.listeners.iter().enumerate() {
            let opened = self.sockets.take(listener.address, fds.as_ref()).and_then(tokio::net::TcpListener::from_std);
            match opened {
                Ok(socket) => {
                    let accepting = Accepting {
                        gateway: self.gateway.clone(),
                        proxy: self.proxy.clone(),
                        connections: self.connections.clone(),
                        stop: self.stop.subscribe(),
                        first_request: first_request(&snapshot.config().gateway),
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
        snapshot.announce(self.gateway.kernel.kinds);
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
        Some(snapshot.config().gateway.listeners.iter().map(|listener| listener.address.to_string()).collect())
    }
}

/// The most connections that may wait in the backlog of a listener.
const MOST_QUEUED: usize = 4096;

/// How long a stop waits for the first request of a connection.
pub fn first_request(config: &GatewayConfig) -> Duration {
    config.limits.header_time.0.min(config.process.grace.0)
}

/// The accept loop of one listener.
struct Accepting {
    gateway: Arc<Gateway>,
    proxy: Arc<HttpProxy<Phases>>,
    connections: Arc<Connections>,
    stop: watch::Receiver<bool>,
    accepted: IntCounter,
    /// How long a stop waits for the first request of a connection.
    first_request: Duration,
    index: usize,
}

impl Accepting {
    async fn run(self: Arc<Self>, socket: tokio::net::TcpListener, mut shutdown: ShutdownWatch) {
        let mut stop = self.stop.clone();
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return self.last(socket),
                _ = shutdown.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, address)) => self.welcome(stream, address),
                Err(error) => {
                    // Out of descriptors: accepting again at once would spin.
                    log::error!("cannot accept: {error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Accepts the connections in the backlog, which would be reset otherwise.
    fn last(self: Arc<Self>, socket: tokio::net::TcpListener) {
        let Ok(socket) = socket.into_std() else { return };
        for _ in 0..MOST_QUEUED {
            let Ok((stream, address)) = socket.accept() else { return };
            let stream = stream.set_nonblocking(true).and_then(|()| tokio::net::TcpStream::from_std(stream));
            match stream {
                Ok(stream) => self.welcome(stream, address),
                Err(error) => log::error!("cannot accept: {error}"),
            }
        }
    }

    fn welcome(self: &Arc<Self>, stream: tokio::net::TcpStream, address: SocketAddr) {
        self.accepted.inc();
        let announced = self.gateway.current().config().gateway.listeners[self.index].proxy_protocol;
        let client = (!announced).then(|| address.ip().to_canonical());
        if let Some(slot) = Slot::take(&self.gateway, &self.connections, self.index, client) {
            let accepting = self.clone();
            tokio::spawn(async move {
                if announced { accepting.announced(stream, address, slot).await } else { accepting.connection(stream, address, slot).await }
            });
        }
    }

    /// A connection that a proxy brings, which says first who the client is.
    async fn announced(self: Arc<Self>, mut stream: tokio::net::TcpStream, proxy: SocketAddr, mut slot: Slot) {
        let snapshot = self.gateway.current();
        let (config, limits) = (snapshot.config(), &self.gateway.kernel.telemetry.limits);
        if !is_trusted(proxy.ip().to_canonical(), &config.proxies) {
            return log::warn!(target: CLIENTS, "{proxy} is none of `trusted_proxies` and cannot say who its clients are");
        }
        let Ok(read) = tokio::time::timeout(config.gateway.limits.handshake_time.0, proxy_protocol::read(&mut stream)).await else {
            return limits.handshake_time.inc();
        };
        drop(snapshot);
        let address = match read {
            Ok(address) => address.unwrap_or(proxy),
            Err(error) => return log::warn!(target: CLIENTS, "{proxy} does not speak the PROXY protocol: {error}"),
        };
        if slot.belongs_to(address.ip().to_canonical()) {
            self.connection(stream, address, slot).await;
        }
    }

    async fn connection(self: Arc<Self>, stream: tokio::net::TcpStream, address: SocketAddr, slot: Slot) {
        let _ = stream.set_nodelay(true);
        let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
        let _ = digest.peer_addr.set(Some(EngineAddr::Inet(address)));
        let mut stream = L4Stream::from(stream);
        stream.set_socket_digest(digest);
        let snapshot = self.gateway.current();
        let listener = &snapshot.config().gateway.listeners[self.index];
        let limits = &snapshot.config().gateway.limits;
        let client = address.ip().to_canonical();
        let (stream, mut connection): (Stream, Connection) = match &snapshot.listener_tls[self.index] {
            None => (boxed(stream), Connection::new(client, false, Peer::Anonymous(NoCertificate::Plain), None, false)),
            Some(tls) => {
                let state = tls.state();
                let acceptor = &state.acceptor;
                let Ok(done) = tokio::time::timeout(limits.handshake_time.0, handshake(acceptor, stream, client)).await else {
                    self.gateway.kernel.telemetry.limits.handshake_time.inc();
                    return;
                };
                let Some(stream) = done else { return };
                let Some(ssl) = stream.get_ssl() else { return };
                let name = ssl.servername(openssl::ssl::NameType::HOST_NAME).map(str::to_owned);
                let (peer, certificate) = client_certificate::peer(ssl, state.trust.as_ref());
                let mut connection = Connection::new(client, true, peer, name, state.trust.is_some());
                connection.certificate = certificate;
                (boxed(stream), connection)
            }
        };
        connection.listener = self.index;
        connection.presence = slot.presence.clone();
        let h2 = listener.h2c || matches!(stream.selected_alpn_proto(), Some(ALPN::H2));
        let deadlines = Deadlines {
            header: limits.header_time.0,
            body_pace: limits.body_pace.0,
            idle: limits.idle_time.0,
            write: limits.write_time.0,
            control_frames: limits.h2_control_frames.saturating_add(limits.h2_streams),
            pressure: self.gateway.kernel.pressure.clone(),
            counters: Arc::new(self.gateway.kernel.telemetry.limits.clone()),
        };
        let connection = Arc::new(connection);
        let Ok(digest) = digest_of(&connection) else { return };
        let requests = limits.requests_per_connection;
        if h2 {
            connection.multiplexed(requests);
        }
        drop(snapshot);
        let stream = boxed(PacedStream::new(stream, connection.clone(), digest, deadlines));
        if h2 { self.http2(stream, &connection).await } else { self.http1(stream, &connection, requests).await }
    }

    /// Runs the engine's loop, which sends GOAWAY when the gateway stops or the connection has had its number of requests.
    async fn http2(&self, stream: Stream, connection: &Connection) {
        let mut stop = self.stop.clone();
        let (end, ends) = watch::channel(*stop.borrow());
        let mut served = pin!(self.proxy.process_new(stream, &ends));
        tokio::select! {
            _ = &mut served => return,
            () = async {
                let _ = stop.wait_for(|stop| *stop).await;
                // GOAWAY would refuse a first request that is on its way.
                let _ = tokio::time::timeout(self.first_request, connection.presence.first_request()).await;
            } => {}
            () = connection.spent() => self.gateway.kernel.telemetry.limits.requests_per_connection.inc(),
        }
        let _ = end.send(true);
        let _ = served.await;
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
