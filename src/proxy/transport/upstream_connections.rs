//! The connections to upstreams, and how long the exchange on each may take.
//!
//! The engine limits the time of each read of an answer's head, not of the whole: an upstream that drips a head, or sends one interim
//! answer after the other, would hold a request for as long as it likes. Here a connection carries the deadline of the exchange on it,
//! and one task cuts the connections whose deadline is over. That costs an exchange a few stores, and no timer.
//!
//! It does nothing for HTTP/2, where exchanges share a connection: there the engine limits the time of a head as a whole.

use std::{
    net::SocketAddr,
    os::fd::{AsRawFd, RawFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use nix::sys::socket::{Shutdown, shutdown};
use pingora::{
    Error, ErrorType,
    connectors::L4Connect,
    http::ResponseHeader,
    protocols::{
        Digest, GetProxyDigest,
        l4::{ext, socket::SocketAddr as EngineAddr, stream::Stream},
        raw_connect::ProxyDigest,
    },
    upstreams::peer::{Tracer, Tracing},
};
use tokio::net::TcpStream;

/// How often deadlines are looked at: a connection is cut that much late at most.
const LOOK: Duration = Duration::from_millis(100);

/// The connections to upstreams.
#[derive(Debug)]
pub struct UpstreamConnections {
    begun: Instant,
    all: Mutex<Vec<Weak<UpstreamConnection>>>,
}

/// One of them.
#[derive(Debug)]
struct UpstreamConnection {
    begun: Instant,
    /// Zero, or the deadline in milliseconds since the beginning, the number of the exchange, and whether it was cut.
    state: AtomicU64,
    /// The exchanges so far.
    exchanges: AtomicU64,
    /// The socket, until it is about to be closed.
    socket: Mutex<Option<RawFd>>,
}

const CUT: u64 = 1;
const NUMBER_BITS: u32 = 16;
const TIME_SHIFT: u32 = NUMBER_BITS + 1;

impl UpstreamConnections {
    /// None yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { begun: Instant::now(), all: Mutex::default() })
    }

    /// Cuts connections whose deadline is over, for ever.
    pub async fn run(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look(Instant::now());
        }
    }

    fn look(&self, now: Instant) {
        let now = millis(now.saturating_duration_since(self.begun));
        lock(&self.all).retain(|connection| connection.upgrade().is_some_and(|connection| connection.look(now)));
    }

    /// Follows a new connection until the value is dropped, which must be before its socket is closed.
    pub fn followed(&self, socket: RawFd) -> Followed {
        let socket = Mutex::new(Some(socket));
        let connection = Arc::new(UpstreamConnection { begun: self.begun, state: AtomicU64::new(0), exchanges: AtomicU64::new(0), socket });
        lock(&self.all).push(Arc::downgrade(&connection));
        Followed(connection)
    }

    /// Follows a new connection of the engine's.
    fn follow(&self, stream: &mut Stream, socket: RawFd, endpoint: &EngineConnections) -> pingora::Result<()> {
        let socket = Mutex::new(Some(socket));
        let connection = Arc::new(UpstreamConnection { begun: self.begun, state: AtomicU64::new(0), exchanges: AtomicU64::new(0), socket });
        let response = Box::new(ResponseHeader::build(200, Some(0))?);
        stream.tracer = Some(Tracer(Box::new(Closing(connection.clone()))));
        stream.set_proxy_digest(ProxyDigest::new(response, Some(Box::new(connection.clone()))));
        lock(&self.all).push(Arc::downgrade(&connection));
        endpoint.add(&connection);
        Ok(())
    }
}

impl UpstreamConnection {
    /// Cuts it when its deadline is over. Always true.
    fn look(&self, now: u64) -> bool {
        let state = self.state.load(Ordering::Acquire);
        let over = state != 0 && state & CUT == 0 && state >> TIME_SHIFT <= now;
        // Whoever moves the deadline meanwhile is in time.
        if over && self.state.compare_exchange(state, state | CUT, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            self.shut();
        }
        true
    }

    fn shut(&self) {
        let socket = lock(&self.socket);
        if let Some(socket) = *socket {
            // The number is this connection's as long as the lock is held; see `Closing`. A peer that is gone already is no failure.
            let _ = shutdown(socket, Shutdown::Both);
        }
    }
}

/// A connection that the gateway keeps itself.
#[derive(Debug)]
pub struct Followed(Arc<UpstreamConnection>);

impl Followed {
    /// A hold for the next exchange.
    pub fn hold(&self) -> Hold {
        Hold::on(self.0.clone())
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        *lock(&self.0.socket) = None;
    }
}

/// The connections that the engine keeps to the endpoints of one place and identity. Whoever may use one holds this value: when the last
/// holder lets go, nothing is under way on any of them, and they are closed. The engine itself would keep them until they were idle for too
/// long.
#[derive(Debug)]
pub struct EngineConnections {
    number: u64,
    all: Mutex<Vec<Weak<UpstreamConnection>>>,
}

impl EngineConnections {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { number: NEXT.fetch_add(1, Ordering::Relaxed), all: Mutex::default() }
    }

    /// The key under which the engine keeps these, and none that were here before: those may be about to be closed.
    pub fn key(&self, group_key: u64) -> u64 {
        group_key ^ self.number
    }

    fn add(&self, connection: &Arc<UpstreamConnection>) {
        let mut all = lock(&self.all);
        if all.len() == all.capacity() {
            all.retain(|connection| connection.strong_count() > 0);
        }
        all.push(Arc::downgrade(connection));
    }
}

impl Drop for EngineConnections {
    fn drop(&mut self) {
        lock(&self.all).iter().filter_map(Weak::upgrade).for_each(|connection| connection.shut());
    }
}

/// Tells a connection that its socket is about to be closed: the engine calls it first of all when it drops a connection. From then on the
/// socket's number may become another's.
#[derive(Debug)]
struct Closing(Arc<UpstreamConnection>);

impl Tracing for Closing {
    fn on_connected(&self) {}

    fn on_disconnected(&self) {
        *lock(&self.0.socket) = None;
    }

    fn boxed_clone(&self) -> Box<dyn Tracing> {
        Box::new(Self(self.0.clone()))
    }
}

/// Connects to upstreams, and follows the connections.
#[derive(Debug)]
pub struct Connector {
    /// All of them.
    pub all: Arc<UpstreamConnections>,
    /// Those to the same endpoint.
    pub endpoint: Arc<EngineConnections>,
}

#[async_trait]
impl L4Connect for Connector {
    async fn connect(&self, address: &EngineAddr) -> pingora::Result<Stream> {
        let EngineAddr::Inet(address) = address else { return Err(Error::explain(ErrorType::ConnectError, "no address of a network")) };
        let stream = open(address).await?;
        let socket = stream.as_raw_fd();
        let mut stream = Stream::from(stream);
        self.all.follow(&mut stream, socket, &self.endpoint)?;
        Ok(stream)
    }
}

/// Connects to an upstream.
///
/// # Errors
/// The engine's. What this machine lacks, such as open files, is its `InternalError`: it says nothing of the upstream.
pub async fn open(address: &SocketAddr) -> pingora::Result<TcpStream> {
    ext::connect(address, None).await.map_err(|mut error| {
        if matches!(error.etype(), ErrorType::SocketError | ErrorType::BindError) {
            error.etype = ErrorType::InternalError;
        }
        error
    })
}

/// A connection, in the hands of the exchange that is on it.
#[derive(Debug)]
pub struct Hold {
    connection: Arc<UpstreamConnection>,
    number: u64,
    /// What this exchange has written down last.
    state: u64,
}

/// The deadline was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut;

impl Hold {
    /// The hold on a connection that is followed.
    pub fn of(digest: Option<&Digest>) -> Option<Self> {
        let connection = digest?.proxy_digest.as_ref()?.user_data.as_ref()?.downcast_ref::<Arc<UpstreamConnection>>()?.clone();
        Some(Self::on(connection))
    }

    fn on(connection: Arc<UpstreamConnection>) -> Self {
        let number = connection.exchanges.fetch_add(1, Ordering::Relaxed) & ((1 << NUMBER_BITS) - 1);
        Self { connection, number, state: 0 }
    }

    /// Sets the deadline, or takes it away.
    ///
    /// # Errors
    /// When the one before was over.
    pub fn until(&mut self, deadline: Option<Instant>) -> Result<(), Cut> {
        let Some(deadline) = deadline else { return self.release() };
        // Rounded up: nothing is cut before its time. Zero stands for no deadline.
        let millis = millis(deadline.saturating_duration_since(self.connection.begun)).saturating_add(1);
        let state = millis.min(u64::MAX >> TIME_SHIFT) << TIME_SHIFT | self.number << 1;
        if self.state == 0 {
            // The exchange before may be about to let go; what it wrote down counts no more.
            self.connection.state.swap(state, Ordering::AcqRel);
        } else {
            self.connection.state.compare_exchange(self.state, state, Ordering::AcqRel, Ordering::Acquire).map_err(|_| Cut)?;
        }
        self.state = state;
        Ok(())
    }

    fn release(&mut self) -> Result<(), Cut> {
        if self.state != 0 {
            self.connection.state.compare_exchange(self.state, 0, Ordering::AcqRel, Ordering::Acquire).map_err(|_| Cut)?;
            self.state = 0;
        }
        Ok(())
    }

    /// Whether the connection was cut under this exchange.
    pub fn was_cut(&self) -> bool {
        self.state != 0 && self.connection.state.load(Ordering::Acquire) == self.state | CUT
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Cut, or in another exchange's hands: then it stays as it is.
        let _ = self.release();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "tests/upstream_connections.rs"]
mod tests;
