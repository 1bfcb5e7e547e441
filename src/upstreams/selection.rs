//! The endpoints that one request tries.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Choice, Endpoint, EndpointSet, Report, balance::Picked, health::Pass, policy::Strategy};

/// A failure counts as an answer after so many milliseconds at least, so that failing quickly attracts nobody.
const FAILED: f32 = 1000.0;
/// How often a strategy is asked for an endpoint that was not tried yet.
const DRAWS: usize = 4;

/// The set that a request began with, and its way through it. Whatever becomes of the group meanwhile, the request stays within this
/// set; when it must try again, endpoints that are in the group no more come after the others.
pub struct Selection<C> {
    pub(super) set: Arc<EndpointSet<C>>,
    choice: Choice,
    /// Whom the cookie of the request named.
    stick: Option<u64>,
    /// Places that were tried before the current one.
    tried: Vec<usize>,
    /// The current one has another address.
    again: bool,
    /// Place of the endpoint that is tried now.
    pub(super) current: Option<usize>,
    attempt: Attempt,
    /// How often it was tried again.
    retries: u32,
}

/// What is to be seen to when an attempt is over.
#[derive(Clone, Copy, Debug, Default)]
struct Attempt {
    /// When it began.
    begun: Option<Instant>,
    /// It counts as one in progress.
    counted: bool,
    /// It is the one that the circuit breaker lets try.
    trial: bool,
    /// The circuit breaker waits for what comes of it.
    watched: bool,
}

/// Why a request goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nowhere {
    /// Each endpoint that is left has as many requests as it may, at the moment.
    Full,
    /// The circuit breaker of each endpoint that is left is open.
    Open,
    /// None is left.
    None,
}

/// Why endpoints that are left are not tried.
#[derive(Default)]
struct Barred {
    full: bool,
    open: bool,
}

impl<C> Selection<C> {
    pub(super) fn new(set: Arc<EndpointSet<C>>, choice: Choice) -> Self {
        Self { set, stick: choice.stick, choice, tried: Vec::new(), again: false, current: None, attempt: Attempt::default(), retries: 0 }
    }

    /// Goes on to the next [`endpoint`](Self::endpoint), and says its address when that is known; otherwise its name must be looked up first.
    ///
    /// One that could not be reached lately comes after all the others, but it comes: no request fails without a try. Several
    /// addresses of a name take turns by `turn`.
    ///
    /// # Errors
    /// Why there is none.
    pub fn next(&mut self, turn: usize, now: Instant) -> Result<Option<SocketAddr>, Nowhere> {
        self.leave();
        self.choice.now = now;
        let mut barred = Barred::default();
        let found = self.find(turn, now, &mut barred);
        if let Some(before) = self.current.filter(|before| found.is_none_or(|(place, ..)| place != *before)) {
            self.tried.push(before);
        }
        let Some((place, address, attempt)) = found else {
            self.current = None;
            return Err(match barred {
                Barred { full: true, .. } => Nowhere::Full,
                Barred { open: true, .. } => Nowhere::Open,
                Barred { .. } => Nowhere::None,
            });
        };
        (self.current, self.attempt) = (Some(place), attempt);
        Ok(address)
    }

    fn find(&mut self, turn: usize, now: Instant, barred: &mut Barred) -> Option<(usize, Option<SocketAddr>, Attempt)> {
        let set = &*self.set;
        let admitted = |place: usize| set.endpoints()[place].admits(turn, now);
        if let Some(at) = self.current.filter(|_| self.again) {
            self.again = false;
            if let Some(address) = admitted(at)
                && let Some(attempt) = enter(set, at, now, barred)
            {
                return Some((at, address, attempt));
            }
        }
        let first = match self.current {
            None => set.pick(&self.choice, turn),
            Some(at) => draw_again(set, &mut self.choice, turn, |place| place != at && !self.tried.contains(&place)),
        };
        let first = first.filter(|picked| !self.tried.contains(&picked.place));
        if let Some(Picked { place, admitted: known }) = first
            && let Some(address) = known.or_else(|| admitted(place))
            && let Some(attempt) = enter(set, place, now, barred)
        {
            return Some((place, address, attempt));
        }
        let from = self.current.or(first.map(|picked| picked.place)).unwrap_or(0);
        let untried = |place: &usize| Some(*place) != self.current && !self.tried.contains(place);
        if set.endpoints().len() > 1 {
            let picture = set.picture(now);
            for place in picture.after(from).filter(untried).filter(|place| !set.endpoints()[*place].has_left()) {
                if let Some(address) = admitted(place)
                    && let Some(attempt) = enter(set, place, now, barred)
                {
                    return Some((place, address, attempt));
                }
            }
        }
        // Those that do badly are better than none, and worse than waiting for one that does well.
        let all_full = barred.full;
        let count = set.endpoints().len();
        let rest = (0..count).map(|step| (from + 1 + step) % count).filter(untried);
        let rest = rest.filter(|place| !all_full || set.is_ready(*place, now));
        let found = rest.into_iter().find_map(|place| enter(set, place, now, barred).map(|attempt| (place, attempt)))?;
        Some((found.0, set.endpoints()[found.0].upstream.address(turn), found.1))
    }

    /// The endpoint that is tried now.
    pub fn endpoint(&self) -> Option<&Arc<Endpoint<C>>> {
        self.set.endpoints().get(self.current?)
    }

    pub(super) fn stick(&self) -> Option<u64> {
        self.stick
    }

    /// The set it tries.
    pub fn set(&self) -> &EndpointSet<C> {
        &self.set
    }

    /// Whether there is another one to try.
    pub fn has_more(&self) -> bool {
        if self.again && self.any_lets_through(|place| Some(place) == self.current) {
            return true;
        }
        let count = self.set.endpoints().len();
        if self.tried.len() + usize::from(self.current.is_some()) >= count {
            return false;
        }
        self.any_lets_through(|place| Some(place) != self.current && !self.tried.contains(&place))
    }

    /// Whether the circuit breaker of one of those lets a request through.
    fn any_lets_through(&self, of: impl Fn(usize) -> bool) -> bool {
        let now = self.set.shared().millis(Instant::now());
        let lets_through =
            |place: &usize| self.set.endpoints()[*place].health.circuit.as_ref().is_none_or(|circuit| circuit.lets_through(now));
        (0..self.set.endpoints().len()).filter(|place| of(*place)).any(|place| lets_through(&place))
    }

    /// Whether the request may be tried once more, by the group's retries and their budget, and after what pause, which must be over sooner
    /// than so much time. When every endpoint was tried, it begins anew with them. The attempt before is over: its room is another's.
    pub fn retry(&mut self, left: Option<Duration>) -> Option<Duration> {
        let shared = self.set.shared();
        let retries = shared.policy.retries.as_ref().filter(|retries| self.retries < retries.count)?;
        let pause = retries.pause(self.retries + 1);
        // Nothing is gained by an attempt that cannot be made: what has come already is passed on.
        if left.is_some_and(|left| left <= pause) || !self.any_lets_through(|_| true) {
            return None;
        }
        if !shared.guards.spend(retries, shared.millis(Instant::now())) {
            return None;
        }
        self.retries += 1;
        self.leave();
        if !self.has_more() {
            self.restart();
        }
        Some(pause)
    }

    /// Whether an answer with that status is one that the group's retries try again.
    pub fn is_tried_again(&self, status: u16) -> bool {
        self.set.policy().retries.as_ref().is_some_and(|retries| retries.statuses.has(status))
    }

    /// The longest pause before a retry.
    pub fn longest_pause(&self) -> Option<Duration> {
        self.set.policy().retries.as_ref().map(|retries| retries.most)
    }

    /// Begins anew, with the same set.
    pub fn restart(&mut self) {
        self.leave();
        (self.tried, self.current, self.again, self.choice.stick) = (Vec::new(), None, false, None);
    }

    /// Whether an answer with that status counts as a failure that the next endpoint may repair.
    pub fn is_failure(&self, status: u16) -> bool {
        self.set.is_failure(status)
    }

    /// Tells what came of the endpoint that is tried now. When it has another address than the one that could not be connected to, this
    /// request may try that.
    pub fn report(&mut self, report: Report) {
        let Some(at) = self.current else { return };
        match report {
            Report::Answered(status) => self.settle(at, Some(status)),
            Report::Broke | Report::Unreachable { .. } | Report::Unresolved => self.settle(at, None),
            Report::NotTried | Report::Reached(_) => {}
        }
        let unreachable = matches!(report, Report::Unreachable { .. });
        self.set.report(at, report);
        if unreachable && !self.set.endpoints()[at].is_left_out(Instant::now()) {
            self.again = true;
        }
    }

    /// What came of an attempt, for those who keep count.
    fn settle(&mut self, at: usize, status: Option<u16>) {
        if self.attempt.watched {
            self.attempt.watched = false;
            self.set.circuit_counts(at, status, std::mem::take(&mut self.attempt.trial));
        }
        if self.set.policy().balancing.strategy == Strategy::Ewma
            && let Some(begun) = self.attempt.begun
        {
            let now = Instant::now();
            let took = now.saturating_duration_since(begun).as_secs_f32() * 1000.0;
            let took = if status.is_some() { took } else { took.max(FAILED) };
            self.set.endpoints()[at].load.answered(self.set.shared().millis(now), took);
        }
    }

    /// An attempt is over.
    fn leave(&mut self) {
        let attempt = std::mem::take(&mut self.attempt);
        let Some(endpoint) = self.current.and_then(|at| self.set.endpoints().get(at)) else { return };
        if attempt.counted {
            endpoint.load.end();
            if self.set.policy().capacity.is_some() {
                self.set.shared().guards.turn.notify_one();
            }
        }
        if attempt.trial {
            endpoint.health.give_up_trial();
        }
    }
}

impl<C> Drop for Selection<C> {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Strategies that draw draw again; the others go round.
fn draw_again<C>(set: &EndpointSet<C>, choice: &mut Choice, turn: usize, untried: impl Fn(usize) -> bool) -> Option<Picked> {
    choice.stick = None;
    choice.key = choice.key.map(|key| key.wrapping_add(0x9e37_79b9_7f4a_7c15));
    if matches!(set.policy().balancing.strategy, Strategy::RoundRobin | Strategy::Failover) || set.endpoints().len() < 2 {
        return None;
    }
    let fresh = |picked: &Picked| untried(picked.place) && !set.endpoints()[picked.place].has_left();
    (0..DRAWS).find_map(|_| set.pick(choice, turn).filter(fresh))
}

/// Begins an attempt at an endpoint, unless its circuit breaker or its capacity forbids.
fn enter<C>(set: &EndpointSet<C>, place: usize, now: Instant, barred: &mut Barred) -> Option<Attempt> {
    let (endpoint, policy) = (&set.endpoints()[place], set.policy());
    let mut attempt = Attempt { begun: Some(now), counted: false, trial: false, watched: policy.breaker.is_some() };
    if let Some(circuit) = &endpoint.health.circuit {
        match circuit.pass(set.shared().millis(now)) {
            Pass::Yes => {}
            Pass::Trial => attempt.trial = true,
            Pass::No => {
                barred.open = true;
                return None;
            }
        }
    }
    match &policy.capacity {
        Some(capacity) if !endpoint.load.begin_below(capacity.requests) => {
            barred.full = true;
            if attempt.trial {
                endpoint.health.give_up_trial();
            }
            return None;
        }
        Some(_) => attempt.counted = true,
        None if policy.balancing.counts_requests() => {
            endpoint.load.begin();
            attempt.counted = true;
        }
        None => {}
    }
    Some(attempt)
}
