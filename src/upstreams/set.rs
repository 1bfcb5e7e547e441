//! The endpoints that a group has at one moment, and what is told of them.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Instant,
};

use arc_swap::{ArcSwap, Guard};

use super::{
    Choice, Endpoint,
    balance::{
        Balance, Picked, Shared,
        picture::{Member, Picture, standing},
    },
    health::{REST, Standing, Why},
    policy::{Ejection, Policy, Strategy},
};

/// The endpoints of a group at one moment. A set never changes; a group that changes gets another one.
pub struct EndpointSet<C> {
    group: Arc<str>,
    endpoints: Box<[Arc<Endpoint<C>>]>,
    members: Box<[Member]>,
    shared: Arc<Shared>,
    balance: Balance,
    picture: ArcSwap<Picture>,
    /// One at a time finds out who is ready.
    drawing: Mutex<()>,
}

/// What came of using an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// No address is known for its name.
    Unresolved,
    /// This machine had not what a connection takes, such as open files: that says nothing of any address.
    NotTried,
    /// No connection could be made to an address of it.
    Unreachable {
        /// The address.
        address: SocketAddr,
        /// When that was known.
        at: Instant,
    },
    /// An address of it was connected to, or has answered.
    Reached(SocketAddr),
    /// Its final answer had that status.
    Answered(u16),
    /// It took a request, and broke off or fell silent before its answer began, or in the middle of it.
    Broke,
}

impl<C> fmt::Debug for EndpointSet<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointSet").field("group", &self.group).field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

impl<C> EndpointSet<C> {
    pub(super) fn new(group: Arc<str>, endpoints: Vec<Arc<Endpoint<C>>>, members: Vec<Member>, shared: Arc<Shared>) -> Self {
        let balance = Balance::new(&endpoints, members.iter().map(|member| member.weight), &shared.policy);
        let picture = Picture::of(&shared, &endpoints, &members, Instant::now());
        let (endpoints, members) = (endpoints.into_boxed_slice(), members.into_boxed_slice());
        Self { group, endpoints, members, shared, balance, picture: ArcSwap::from_pointee(picture), drawing: Mutex::default() }
    }

    /// The endpoints, in the order in which they were supplied. There may be none.
    pub fn endpoints(&self) -> &[Arc<Endpoint<C>>] {
        &self.endpoints
    }

    /// How its group is balanced and guarded.
    pub fn policy(&self) -> &Policy {
        &self.shared.policy
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whether there is nothing to choose.
    fn is_alone(&self) -> bool {
        self.endpoints.len() == 1
    }

    /// Whether an answer with that status counts as a failure that the next endpoint may repair.
    pub fn is_failure(&self, status: u16) -> bool {
        !self.is_alone() && self.policy().balancing.strategy == Strategy::Failover && (501..=504).contains(&status)
    }

    /// Who takes requests now.
    pub(super) fn picture(&self, at: Instant) -> Guard<Arc<Picture>> {
        let picture = self.picture.load();
        if picture.version == self.shared.version() && self.shared.millis(at) < picture.until {
            return picture;
        }
        drop(picture);
        // Whoever comes while another finds out goes by what was true a moment ago.
        if let Ok(_one) = self.drawing.try_lock() {
            let next = Picture::of(&self.shared, &self.endpoints, &self.members, at);
            if next.panics != self.picture.load().panics && !self.is_alone() {
                self.tell_panic(&next);
            }
            self.picture.store(Arc::new(next));
        }
        self.picture.load()
    }

    /// How one stands.
    pub(super) fn standing(&self, place: usize, at: Instant) -> Standing {
        standing(&self.endpoints[place], self.members[place], at, self.shared.millis(at), &self.policy().balancing)
    }

    /// Whether one takes requests for itself.
    pub(super) fn is_ready(&self, place: usize, at: Instant) -> bool {
        matches!(self.standing(place, at), Standing::Ready(..))
    }

    /// Whether one of its endpoints is ready and is the one that the request's cookie names.
    pub(super) fn is_stuck(&self, choice: &Choice) -> bool {
        choice.stick.is_some() && self.balance.stuck(choice).is_some_and(|place| self.is_ready(place, choice.now))
    }

    fn tell_panic(&self, picture: &Picture) {
        let (ready, all) = (picture.healthy, self.endpoints.len());
        if picture.panics {
            log::warn!("endpoint group `{}`: {ready} of {all} endpoints are ready, so all of them take requests", self.group);
        } else {
            log::info!("endpoint group `{}`: {ready} of {all} endpoints are ready; the others take no requests", self.group);
        }
    }

    /// The one that a request tries first.
    pub(super) fn pick(&self, choice: &Choice, turn: usize) -> Option<Picked> {
        if self.is_alone() {
            return Some(Picked { place: 0, admitted: None });
        }
        let picture = self.picture(choice.now);
        let stuck = self.balance.stuck(choice).filter(|place| picture.is_ready(*place) || self.members[*place].weight == 0);
        if let Some(place) = stuck {
            return Some(Picked { place, admitted: None });
        }
        self.balance.pick(&self.shared, &picture, &self.endpoints, choice, |place| self.endpoints[place].admits(turn, choice.now))
    }

    /// Tells what came of an endpoint, by its place in the set. Requests tell it, and so may whoever checks endpoints; it counts for
    /// later sets too, as long as the endpoint is in them.
    pub fn report(&self, at: usize, report: Report) {
        let Some(endpoint) = self.endpoints.get(at) else { return };
        match report {
            Report::Unresolved | Report::NotTried => Balance::move_on(&self.shared, &self.endpoints, at),
            Report::Unreachable { address, at: when } => self.unreachable(endpoint, at, address, when),
            Report::Reached(address) => {
                if endpoint.health.unreachable.reached(address) {
                    log::info!("endpoint group `{}`: {address} can be reached again", self.group);
                    self.shared.changed();
                }
            }
            Report::Answered(status) if self.is_failure(status) => {
                Balance::move_on(&self.shared, &self.endpoints, at);
                self.outcome(endpoint, Some(status));
            }
            Report::Answered(status) => {
                Balance::stay(&self.shared, endpoint);
                self.outcome(endpoint, Some(status));
            }
            Report::Broke => self.outcome(endpoint, None),
        }
    }

    fn unreachable(&self, endpoint: &Endpoint<C>, at: usize, address: SocketAddr, when: Instant) {
        if endpoint.health.unreachable.failed(address, when) {
            log::warn!("endpoint group `{}`: {address} cannot be connected to, and is left out for {REST:?}", self.group);
        }
        self.shared.changed();
        if endpoint.is_left_out(when) {
            Balance::move_on(&self.shared, &self.endpoints, at);
        }
    }

    /// Counts for ejection. One endpoint alone is never ejected.
    fn outcome(&self, endpoint: &Endpoint<C>, status: Option<u16>) {
        let Some(ejection) = self.policy().ejection.as_ref().filter(|_| !self.is_alone()) else { return };
        let failed = status.is_none_or(|status| ejection.statuses.has(status));
        // Those who do well need no clock, unless a rate is watched.
        let now = if failed || ejection.rate > 0 { self.shared.millis(Instant::now()) } else { 0 };
        if let Some(why) = endpoint.health.outcome(ejection, now, failed) {
            self.eject(endpoint, ejection, now, why);
        }
    }

    fn eject(&self, endpoint: &Endpoint<C>, ejection: &Ejection, now: u64, why: Why) {
        let tally = &self.shared.guards.tally;
        let out = self.endpoints.iter().filter(|other| other.health.is_ejected(now)).count();
        if (out + 1) * 100 > self.endpoints.len() * usize::from(ejection.share) {
            tally.ejections_refused.inc();
            return;
        }
        if let Some(time) = endpoint.health.eject(ejection, now, why.clone()) {
            tally.ejections.inc();
            log::warn!("endpoint group `{}`: {} takes no requests for {time:?}: {why}", self.group, endpoint.name);
            self.shared.changed();
        }
    }

    /// What a check found of an endpoint, by its place in the set: that it is well, or what is wrong with it.
    pub fn checked(&self, at: usize, found: Result<(), String>) {
        let Some(endpoint) = self.endpoints.get(at) else { return };
        let said = found.err();
        if !endpoint.health.checked(said.clone()) {
            return;
        }
        self.shared.changed();
        match said {
            Some(said) => log::warn!("endpoint group `{}`: {} takes no requests: its check failed: {said}", self.group, endpoint.name),
            None => log::info!("endpoint group `{}`: the check finds {} well", self.group, endpoint.name),
        }
    }

    /// Counts for the circuit breaker: `None` for a connection that broke.
    pub(super) fn circuit_counts(&self, at: usize, status: Option<u16>, trial: bool) {
        let (Some(endpoint), Some(breaker)) = (self.endpoints.get(at), &self.policy().breaker) else { return };
        let failed = status.is_none_or(|status| breaker.statuses.has(status));
        let change = endpoint.health.circuit_counts(self.shared.millis(Instant::now()), failed, trial);
        let Some(opened) = change else { return };
        self.shared.changed();
        if opened {
            self.shared.guards.tally.circuits_opened.inc();
            log::warn!("endpoint group `{}`: the circuit breaker of {} has opened, for {:?}", self.group, endpoint.name, breaker.reset);
        } else {
            log::info!("endpoint group `{}`: the circuit breaker of {} has closed", self.group, endpoint.name);
        }
    }
}
