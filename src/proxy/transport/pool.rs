//! Connections that wait for their next request.

use std::{
    collections::HashMap,
    net::SocketAddr,
    os::fd::AsRawFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::net::TcpStream;

use super::{
    flow::{Budget, Flow},
    link::Line,
};
use crate::proxy::{server::pressure::Pressure, transport::upstream_connections::UpstreamConnections};

/// Each thread keeps what it used itself, so that two cores do not meet at one lock.
const SHARDS: usize = 16;

/// Most idle connections of one target that a thread keeps.
const MOST_IDLE: usize = 128;

/// Idle connections of one target.
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
        Line::new(stream, followed, Flow::new(self.limits.buffer, self.limits.budget.clone()))
    }

    /// Closes what was not used for too long, and what the upstream has closed. Whether anything is left.
    fn sweep(&self, now: Instant) -> bool {
        let mut left = false;
        for shard in &self.shards {
            let mut idle = lock(shard);
            idle.retain(|idle| idle.until > now && idle.line.is_quiet());
            left |= !idle.is_empty();
            idle.shrink_to(16);
        }
        left
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

/// The pools of a process. They outlive reloads.
#[derive(Debug, Default)]
pub struct Pools(Mutex<HashMap<u64, Arc<Pool>>>);

impl Pools {
    /// The pool of the targets with that key; a new one when their limits have changed.
    pub fn of(&self, key: u64, limits: Limits) -> Arc<Pool> {
        let mut pools = lock(&self.0);
        let same = |pool: &Arc<Pool>| {
            let old = &pool.limits;
            (old.read, old.write, old.idle, old.buffer) == (limits.read, limits.write, limits.idle, limits.buffer)
        };
        if let Some(pool) = pools.get(&key).filter(|pool| same(pool)) {
            return pool.clone();
        }
        let pool = Arc::new(Pool::new(limits));
        pools.insert(key, pool.clone());
        pool
    }

    /// Closes what was idle for too long, and forgets pools of targets that are gone.
    pub fn sweep(&self) {
        let now = Instant::now();
        lock(&self.0).retain(|_, pool| pool.sweep(now) || Arc::strong_count(pool) > 1);
    }
}
