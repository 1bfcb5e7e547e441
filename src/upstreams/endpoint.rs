//! One endpoint of a group, and what is known of how it does.

use std::{
    fmt,
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Instant,
};

use super::{
    Upstream,
    balance::token,
    health::{Health, Load},
};

/// One upstream server as a member of a group. While it is in the group's sets, it is one and the same value: what is known of it
/// outlives the sets.
pub struct Endpoint<C> {
    /// Where it is and how it is spoken to.
    pub upstream: Upstream,
    /// What connecting to it takes.
    pub connection: C,
    /// Its URL in one spelling, without what is secret.
    pub(super) name: Box<str>,
    /// What a cookie says of it.
    pub(super) token: u64,
    /// No other endpoint of this process has it.
    pub(super) id: u64,
    pub(super) health: Health,
    pub(super) load: Load,
    /// It is in the group no more.
    left: AtomicBool,
}

impl<C> fmt::Debug for Endpoint<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("id", &self.id).field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

impl<C> Endpoint<C> {
    pub(super) fn new(upstream: Upstream, connection: C, health: Health) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let name: Box<str> = upstream.name().into();
        let token = token(&name);
        Self { name, token, upstream, connection, id, health, load: Load::default(), left: AtomicBool::new(false) }
    }

    /// A number that no other endpoint of this process has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Whether its group goes on without it. Requests that began before may still be with it.
    pub fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    pub(super) fn leave(&self) {
        self.left.store(true, Ordering::Release);
    }

    /// Whether every address it is known to have could not be connected to lately.
    pub(super) fn is_left_out(&self, now: Instant) -> bool {
        if self.health.unreachable.is_empty() {
            return false;
        }
        let known = self.upstream.addresses();
        known.is_some_and(|all| all.iter().all(|address| self.health.unreachable.rests(*address, now)))
    }

    /// An address that may be tried now; `Some(None)` when the name must be looked up first, `None` when none may be tried.
    pub(super) fn admits(&self, turn: usize, now: Instant) -> Option<Option<SocketAddr>> {
        let Some(first) = self.upstream.address(turn) else { return Some(None) };
        let unreachable = &self.health.unreachable;
        if unreachable.is_empty() {
            return Some(Some(first));
        }
        let connect = self.upstream.timeouts.connect;
        let all = self.upstream.addresses();
        let mut all = std::iter::once(first).chain(all.iter().flat_map(|all| all.iter().copied()));
        all.find(|address| unreachable.admits(*address, now, connect)).map(Some)
    }
}
