//! Who gets a request: of the endpoints that are ready, the one that the group's strategy picks. The work of a
//! pick does not grow with the number of endpoints.

mod alias;
pub(super) mod picture;
mod ring;

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{
            AtomicU64, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    time::Instant,
};

use openssl::sha::sha256;
use tollgate_filter_api::Metrics;

use self::{alias::split, picture::Picture, ring::Ring};
use super::{
    Endpoint,
    guards::Guards,
    policy::{Policy, Strategy},
};

/// What the sets of a group have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) policy: Policy,
    pub(super) begun: Instant,
    /// Counts what changes who is ready.
    version: AtomicU64,
    /// Requests so far.
    count: AtomicUsize,
    /// Failover: the endpoint to begin with.
    preferred: AtomicU64,
    pub(super) guards: Guards,
}

impl Shared {
    pub(super) fn new(policy: Policy, metrics: &Metrics, group: &str) -> Self {
        let guards = Guards::new(&policy, metrics, group);
        let (version, count, preferred) = (AtomicU64::new(0), AtomicUsize::new(0), AtomicU64::new(0));
        Self { policy, begun: Instant::now(), version, count, preferred, guards }
    }

    /// Milliseconds since the group began.
    pub(super) fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.begun).as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn version(&self) -> u64 {
        self.version.load(Acquire)
    }

    /// Who is ready has to be found out anew.
    pub(super) fn changed(&self) {
        self.version.fetch_add(1, AcqRel);
    }

    fn next_turn(&self) -> u64 {
        self.count.fetch_add(1, Relaxed) as u64
    }

    /// A number that is evenly spread, like those before it.
    fn even(&self) -> u64 {
        self.next_turn().wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// A number that tells nothing of the next one.
    fn random(&self) -> u64 {
        mix(self.even())
    }

    /// One set gives way to the next: failover goes on with the first that stays, from the preferred one on.
    pub(super) fn hand_over<C>(&self, from: &[Arc<Endpoint<C>>], to: &[Arc<Endpoint<C>>]) {
        if self.policy.balancing.strategy != Strategy::Failover {
            return;
        }
        let preferred = self.preferred.load(Relaxed);
        let at = from.iter().position(|endpoint| endpoint.id == preferred).unwrap_or(0);
        let (before, after) = from.split_at(at);
        let staying: HashSet<u64> = to.iter().map(|endpoint| endpoint.id).collect();
        let next = after.iter().chain(before).find(|endpoint| staying.contains(&endpoint.id)).or(to.first());
        self.preferred.store(next.map_or(0, |endpoint| endpoint.id), Relaxed);
    }
}

/// The finishing steps of SplitMix64.
pub(super) fn mix(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// What a request brings along for the choice of its endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// The time.
    pub now: Instant,
    /// The digest of what it is assigned by.
    pub key: Option<u64>,
    /// What the cookie says that keeps it with its endpoint.
    pub stick: Option<u64>,
}

impl Choice {
    /// A request that brings nothing along.
    pub fn at(now: Instant) -> Self {
        Self { now, key: None, stick: None }
    }

    /// What a request is assigned by, as the number that decides.
    pub fn digest(value: &[u8]) -> u64 {
        // Clients choose the value; none may find another that meets the same endpoint by the rules of arithmetic.
        let digest = sha256(value);
        digest.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
    }
}

/// Where a request is to go.
pub(super) struct Picked {
    pub(super) place: usize,
    /// That it may try it was found out on the way, and an address of it.
    pub(super) admitted: Option<Option<SocketAddr>>,
}

/// How one set is balanced.
pub(super) struct Balance {
    /// Where in the set the preferred endpoint was found last.
    preferred_at: AtomicUsize,
    ring: Option<Ring>,
    /// Endpoints by what a cookie says of them.
    tokens: HashMap<u64, u32>,
}

impl Balance {
    pub(super) fn new<C>(endpoints: &[Arc<Endpoint<C>>], weights: impl Iterator<Item = u32>, policy: &Policy) -> Self {
        let named = endpoints.iter().map(|endpoint| &*endpoint.name);
        let ring = (policy.balancing.strategy == Strategy::Hash).then(|| Ring::of(named.zip(weights)));
        let sticky = policy.balancing.sticky.iter();
        let tokens = sticky.flat_map(|_| endpoints.iter().map(|endpoint| endpoint.token).zip(0..)).collect();
        Self { preferred_at: AtomicUsize::new(0), ring, tokens }
    }

    /// Whom the cookie of a request names.
    pub(super) fn stuck(&self, choice: &Choice) -> Option<usize> {
        self.tokens.get(&choice.stick?).map(|place| *place as usize)
    }

    /// The one whose turn it is; of those that may be tried, `admits` lets one request try. `None` when nobody is there.
    pub(super) fn pick<C>(
        &self,
        shared: &Shared,
        picture: &Picture,
        endpoints: &[Arc<Endpoint<C>>],
        choice: &Choice,
        admits: impl Fn(usize) -> Option<Option<SocketAddr>>,
    ) -> Option<Picked> {
        if picture.ready.is_empty() {
            return None;
        }
        if let (Some(ring), Some(key)) = (&self.ring, choice.key) {
            return Some(by_key(ring, picture, key, admits));
        }
        let trial = picture.trials.iter().find_map(|place| admits(*place as usize).map(|address| (*place as usize, address)));
        if let Some((place, address)) = trial {
            return Some(Picked { place, admitted: Some(address) });
        }
        let load = |place: usize| &endpoints[place].load;
        let place = match shared.policy.balancing.strategy {
            Strategy::RoundRobin | Strategy::Hash => match &picture.alias {
                None => picture.ready[(shared.next_turn() % picture.ready.len() as u64) as usize] as usize,
                Some(alias) => picture.ready[alias.draw(shared.even())] as usize,
            },
            Strategy::LeastRequests => {
                let (one, other) = picture.two(shared);
                if load(other).active() < load(one).active() { other } else { one }
            }
            Strategy::Ewma => {
                let (one, other) = picture.two(shared);
                let now = shared.millis(choice.now);
                if load(other).cost(now) < load(one).cost(now) { other } else { one }
            }
            Strategy::Failover => self.preferred(shared, picture, endpoints),
        };
        Some(Picked { place, admitted: None })
    }

    /// The preferred one, or else the next that is ready.
    fn preferred<C>(&self, shared: &Shared, picture: &Picture, endpoints: &[Arc<Endpoint<C>>]) -> usize {
        let preferred = self.preferred_place(shared, endpoints);
        if picture.is_ready(preferred) {
            return preferred;
        }
        let next = picture.ready.partition_point(|place| (*place as usize) < preferred);
        picture.ready.get(next).or(picture.ready.first()).map_or(preferred, |place| *place as usize)
    }

    fn preferred_place<C>(&self, shared: &Shared, endpoints: &[Arc<Endpoint<C>>]) -> usize {
        let preferred = shared.preferred.load(Relaxed);
        let known = self.preferred_at.load(Relaxed);
        if endpoints.get(known).is_some_and(|endpoint| endpoint.id == preferred) {
            return known;
        }
        let found = endpoints.iter().position(|endpoint| endpoint.id == preferred).unwrap_or_else(|| {
            // One that has left did well just then.
            if !endpoints[0].has_left() {
                let _ = shared.preferred.compare_exchange(preferred, endpoints[0].id, Relaxed, Relaxed);
            }
            0
        });
        self.preferred_at.store(found, Relaxed);
        found
    }

    /// An endpoint did well; failover stays with it.
    pub(super) fn stay<C>(shared: &Shared, endpoint: &Endpoint<C>) {
        let is_failover = shared.policy.balancing.strategy == Strategy::Failover;
        if is_failover && shared.preferred.load(Relaxed) != endpoint.id && !endpoint.has_left() {
            shared.preferred.store(endpoint.id, Relaxed);
        }
    }

    /// An endpoint failed. When failover stood with it, requests that begin now begin with the next one rather than wait for the
    /// same failure.
    pub(super) fn move_on<C>(shared: &Shared, endpoints: &[Arc<Endpoint<C>>], at: usize) {
        if shared.policy.balancing.strategy != Strategy::Failover {
            return;
        }
        let (failed, next) = (endpoints[at].id, endpoints[(at + 1) % endpoints.len()].id);
        // Another request may have moved on already; then its verdict stands.
        let _ = shared.preferred.compare_exchange(failed, next, Relaxed, Relaxed);
    }
}

/// What a cookie says of an endpoint: nothing that the client could read its address from.
pub(super) fn token(name: &str) -> u64 {
    Choice::digest(name.as_bytes())
}

/// The key's endpoint, or the next on the ring that is ready.
fn by_key(ring: &Ring, picture: &Picture, key: u64, admits: impl Fn(usize) -> Option<Option<SocketAddr>>) -> Picked {
    let admitted = Cell::new(None);
    let found = ring.find(key, |place| {
        if picture.is_ready(place) {
            return true;
        }
        let on_trial = u32::try_from(place).is_ok_and(|place| picture.trials.contains(&place));
        admitted.set(if on_trial { admits(place) } else { None });
        admitted.get().is_some()
    });
    let any = || picture.ready[split(mix(key), picture.ready.len()).0] as usize;
    Picked { place: found.unwrap_or_else(any), admitted: admitted.get() }
}
