//! Groups beside a group: the canary that takes a part of its requests, and the mirror that gets copies of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use http::{HeaderMap, HeaderName};
use tollgate_filter_api::{Counter, Metrics};

use super::{Choice, Group, balance::mix};

/// Endpoints that take a part of a group's requests.
pub struct Canary<C> {
    pub(super) group: Arc<Group<C>>,
    pub(super) percent: u8,
    pub(super) header: Option<CanaryHeader>,
}

/// A field that decides.
#[derive(Clone, Debug)]
pub(super) struct CanaryHeader {
    pub(super) name: HeaderName,
    pub(super) always: String,
    pub(super) never: String,
}

impl CanaryHeader {
    fn says(&self, headers: &HeaderMap) -> Option<bool> {
        let value = headers.get(&self.name)?.as_bytes();
        if value == self.always.as_bytes() { Some(true) } else { (value == self.never.as_bytes()).then_some(false) }
    }
}

/// Endpoints that get copies of a group's requests.
pub struct Mirror<C> {
    /// They.
    pub group: Arc<Group<C>>,
    /// Longest time for a copy.
    pub timeout: Duration,
    /// Longest body that is copied.
    pub body: usize,
    pub(super) percent: u8,
    pub(super) pending: u32,
    copies: AtomicU32,
    tally: MirrorTally,
}

/// What became of copies.
struct MirrorTally {
    sent: Counter,
    dropped: Counter,
    failed: Counter,
}

impl<C> Mirror<C> {
    pub(super) fn new(group: Arc<Group<C>>, settings: &crate::config::Mirror, metrics: &Metrics, label: &str) -> Self {
        let counter = |name| metrics.counter(name, Some(("group", label)));
        Self {
            group,
            timeout: settings.timeout.0,
            body: usize::try_from(settings.body.0).unwrap_or(usize::MAX),
            percent: settings.percent.0,
            pending: settings.pending,
            copies: AtomicU32::new(0),
            tally: MirrorTally {
                sent: counter("mirror_copies_total"),
                dropped: counter("mirror_dropped_total"),
                failed: counter("mirror_failures_total"),
            },
        }
    }

    /// Makes room for a copy, unless there are as many as may be.
    pub fn begin(self: &Arc<Self>) -> Option<Copy<C>> {
        let begun = self.copies.fetch_update(Relaxed, Relaxed, |copies| (copies < self.pending).then_some(copies + 1)).is_ok();
        if !begun {
            self.tally.dropped.inc();
        }
        begun.then(|| Copy(self.clone()))
    }

    /// A request was not copied because its body is too long.
    pub fn too_long(&self) {
        self.tally.dropped.inc();
    }
}

/// A copy in progress.
pub struct Copy<C>(Arc<Mirror<C>>);

impl<C> Copy<C> {
    /// Whom it goes to.
    pub fn mirror(&self) -> &Mirror<C> {
        &self.0
    }

    /// It is over.
    pub fn ended(self, answered: bool) {
        let counter = if answered { &self.0.tally.sent } else { &self.0.tally.failed };
        counter.inc();
    }
}

impl<C> Drop for Copy<C> {
    fn drop(&mut self) {
        self.0.copies.fetch_sub(1, Relaxed);
    }
}

/// Whether a number is among so many percent of all.
fn among(number: u64, percent: u8) -> bool {
    ((u128::from(number) * 100) >> 64) < u128::from(percent)
}

impl<C> Group<C> {
    /// The group that takes a request of this one: the canary, or this one itself. `number` is the request's own. A field of the request
    /// comes first, then the cookie that keeps a client with its endpoint, then the percentage.
    pub fn divert(self: &Arc<Self>, headers: &HeaderMap, choice: &Choice, number: u64) -> &Arc<Self> {
        let Some(canary) = &self.canary else { return self };
        let stays = || choice.stick.is_some() && self.endpoints().is_stuck(choice);
        let drawn = || {
            let goes = choice.stick.is_some() && canary.group.endpoints().is_stuck(choice);
            goes || (!stays() && among(mix(choice.key.unwrap_or(number)), canary.percent))
        };
        let wanted = canary.header.as_ref().and_then(|header| header.says(headers)).unwrap_or_else(drawn);
        if wanted && canary.group.is_ready(choice.now) { &canary.group } else { self }
    }

    /// The mirror of a request, if it gets a copy.
    pub fn mirrored(&self, number: u64) -> Option<&Arc<Mirror<C>>> {
        self.mirror.as_ref().filter(|mirror| among(mix(number.wrapping_add(1)), mirror.percent))
    }

    /// Whether it has a canary or a mirror.
    pub fn has_siblings(&self) -> bool {
        self.canary.is_some() || self.mirror.is_some()
    }

    /// Its canary and its mirror.
    pub fn siblings(&self) -> impl Iterator<Item = &Arc<Self>> {
        self.canary.iter().map(|canary| &canary.group).chain(self.mirror.iter().map(|mirror| &mirror.group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_percent_of_all_numbers_are_among_them() {
        for percent in [0, 1, 5, 50, 99, 100] {
            let count = (0..100_000_u64).filter(|number| among(mix(*number), percent)).count();
            assert!(count.abs_diff(usize::from(percent) * 1000) < 400, "{count} of {percent} %");
        }
        assert!(!among(0, 0) && among(u64::MAX, 100));
    }
}
