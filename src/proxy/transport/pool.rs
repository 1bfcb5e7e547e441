//! Connections that wait for their next request.

use std::{
    net::SocketAddr,
    os::fd::AsRawFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::net::TcpStream;

use super::{flow::Flow, link::Line, registry::Registry, upstream_connections::EngineConnections};
use crate::{
    proxy::{budget::Budget, server::pressure::Pressure, transport::upstream_connections::UpstreamConnections},
    telemetry::IntCounter,
};

/// Each thread keeps what it used itself, so that two cores do not meet at one lock.
const SHARDS: usize = 16;

/// Most idle connections to one place that a thread keeps.
const MOST_IDLE: usize = 128;

/// Idle connections to one place.
#[derive(Debug)]
pub struct Pool {
    shards: [Mutex<Vec<Idle>>; SHARDS],
    limits: Limits,
}

/// What connections of a pool may hold and how long.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest silence while an answer is awaited or read.
    pub read: Duration,
    /// How long a client may take nothing.
    pub write: Duration,
    /// Whether there is need to hurry.
    pub pressure: Arc<Pressure>,
    /// How long an unused one is kept.
    pub idle: Duration,
    /// Most bytes of an answer that wait for its client.
    pub buffer: usize,
    /// What all answers share.
    pub budget: Arc<Budget>,
    /// Counts answers that fill what one may have.
    pub filled: IntCounter,
    /// Those whose exchanges have deadlines.
    pub connections: Arc<UpstreamConnections>,
}

#[derive(Debug)]
struct Idle {
    line: Line,
    address: SocketAddr,
    until: Instant,
}

impl Pool {
    fn new(limits: Limits) -> Self {
        Self { shards: std::array::from_fn(|_| Mutex::default()), limits }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The connection to the address that was used last by this thread, or else any that is not in use.
    pub(super) fn take(&self, address: SocketAddr) -> Option<Line> {
        let own = shard();
        (0..SHARDS).find_map(|step| {
            let mut idle = if step == 0 { lock(&self.shards[own]) } else { self.shards[(own + step) % SHARDS].try_lock().ok()? };
            take(&mut idle, address)
        })
    }

    /// Keeps a connection on which nothing is under way.
    pub(super) fn keep(&self, line: Line, address: SocketAddr) {
        let until = Instant::now() + self.limits.idle;
        let mut idle = lock(&self.shards[shard()]);
        if idle.len() < MOST_IDLE {
            idle.push(Idle { line, address, until });
        }
    }

    pub(super) fn line(&self, stream: TcpStream) -> Line {
        let followed = self.limits.connections.followed(stream.as_raw_fd());
        Line::new(stream, followed, Flow::new(self.limits.buffer, self.limits.budget.clone(), self.limits.filled.clone()))
    }

    /// Closes what was not used for too long, and what the upstream has closed.
    fn sweep(&self, now: Instant) {
        for shard in &self.shards {
            let mut idle = lock(shard);
            idle.retain(|idle| idle.until > now && idle.line.is_quiet());
            idle.shrink_to(16);
        }
    }
}

fn take(idle: &mut Vec<Idle>, address: SocketAddr) -> Option<Line> {
    while let Some(at) = idle.iter().rposition(|idle| idle.address == address) {
        let Idle { line, .. } = idle.swap_remove(at);
        if line.is_quiet() {
            return Some(line);
        }
    }
    None
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The shard of the thread that asks.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: usize = NEXT.fetch_add(1, Relaxed) % SHARDS;
    }
    SHARD.with(|shard| *shard)
}

/// What endpoints keep connections in, by place and identity. Those that a reload leaves as they were keep theirs.
#[derive(Debug, Default)]
pub struct Pools {
    own: Registry<(u64, Durable), Pool>,
    engine: Registry<u64, EngineConnections>,
}

/// The limits that a pool is made for.
type Durable = (Duration, Duration, Duration, usize);

impl Pools {
    /// The pool of the endpoints with that key. When the last of them is gone, and the last of their requests, its connections are closed.
    pub fn of(&self, key: u64, limits: Limits) -> Arc<Pool> {
        let durable = (limits.read, limits.write, limits.idle, limits.buffer);
        self.own.share((key, durable), || Pool::new(limits))
    }

    /// The same of connections that the engine keeps.
    pub fn of_engine(&self, key: u64) -> Arc<EngineConnections> {
        self.engine.share(key, EngineConnections::new)
    }

    /// Closes what was idle for too long.
    pub fn sweep(&self) {
        let now = Instant::now();
        self.own.all().iter().for_each(|pool| pool.sweep(now));
        self.engine.all();
    }
}
