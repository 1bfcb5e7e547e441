//! The watches, and beside them now and then a listing that is compared.
//!
//! While a listing is read, changes go on: they are in force at once, and said again after the listing has taken the place of what was
//! known, which is of an earlier time.

use std::{cmp::Ordering, future::Future, pin::Pin, sync::Arc, time::Duration};

use etcd_client::{
    EventType, WatchOptions,
    proto::{PbKeyValue, PbWatchResponse},
};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};
use tollgate_outbound::quoted;

use crate::{
    answer::Unfit,
    channel::{Channel, PATIENCE, Watch},
    failure::Lost,
    keys::{Range, Scope},
    list::{Position, list},
    mirror::Mirror,
    settings::Settings,
};

/// When the first heartbeat is asked for: by then etcd has told what had happened before.
const FIRST: Duration = Duration::from_secs(1);
/// Most changes beside a listing; with more the listing is given up until the next one.
const MOST_CHANGES: usize = 100_000;

/// The watch that an answer belongs to when it is about none of them.
const NONE: i64 = -1;

/// What was told of which cluster.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) cluster: u64,
    /// Of each range, until which revision: the watches of a stream do not keep step.
    revisions: Vec<i64>,
}

impl Seen {
    /// Everything was told until a position.
    pub(crate) fn all(position: Position, ranges: usize) -> Self {
        Self { cluster: position.cluster, revisions: vec![position.revision; ranges] }
    }

    pub(crate) fn latest(&self) -> i64 {
        self.revisions.iter().copied().max().unwrap_or_default()
    }
}

/// A listing beside the watch.
enum Beside {
    Idle,
    Reading(Pin<Box<dyn Future<Output = Result<Position, Lost>> + Send>>),
    /// It is read, and counts when the watch has told everything until this revision.
    Waiting(i64),
}

struct Change {
    range: usize,
    deleted: bool,
    pair: PbKeyValue,
}

/// What follows one connection's watches.
pub(crate) struct Follower<'a> {
    pub(crate) channel: &'a Channel,
    pub(crate) settings: &'a Settings,
    pub(crate) scope: &'a Scope,
    pub(crate) mirror: &'a Arc<dyn Mirror>,
    pub(crate) seen: &'a mut Seen,
    /// Since when all watches are there.
    pub(crate) followed: Option<Instant>,
    created: usize,
    beside: Beside,
    changes: Vec<Change>,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(
        channel: &'a Channel,
        settings: &'a Settings,
        scope: &'a Scope,
        mirror: &'a Arc<dyn Mirror>,
        seen: &'a mut Seen,
    ) -> Self {
        Self { channel, settings, scope, mirror, seen, followed: None, created: 0, beside: Beside::Idle, changes: Vec::new() }
    }

    /// Follows until something breaks.
    pub(crate) async fn follow(&mut self, mut watch: Watch) -> Lost {
        let heartbeat = self.settings.heartbeat;
        let mut beat = interval_at(Instant::now() + heartbeat.min(FIRST), heartbeat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let silence = heartbeat * 3;
        let mut last_received = Instant::now();
        let too_late = last_received + PATIENCE;
        let mut next_listing = last_received + self.settings.relist;
        loop {
            let done = tokio::select! {
                word = watch.next() => {
                    last_received = Instant::now();
                    word.and_then(|word| self.take(word))
                }
                _ = beat.tick() => watch.ask_progress().await,
                () = sleep_until(too_late), if self.followed.is_none() => Err(Lost::Late(PATIENCE)),
                () = sleep_until(last_received + silence) => Err(Lost::Silent(silence)),
                read = self.beside.read() => read.map(|revision| self.beside = Beside::Waiting(revision)),
                () = sleep_until(next_listing), if !self.scope.is_whole() => Err(Lost::Again),
                () = sleep_until(next_listing) => {
                    next_listing = Instant::now() + self.settings.relist;
                    self.list();
                    Ok(())
                }
            };
            if let Err(lost) = done {
                return lost;
            }
        }
    }

    /// Begins a listing, unless one is under way.
    fn list(&mut self) {
        if matches!(self.beside, Beside::Idle) {
            let (channel, scope, mirror) = (self.channel.clone(), self.scope.clone(), self.mirror.clone());
            self.beside = Beside::Reading(Box::pin(async move {
                // The token of the connection may have ended by now.
                channel.authenticate().await?;
                list(&channel, &scope, &*mirror).await
            }));
        }
    }

    fn take(&mut self, word: PbWatchResponse) -> Result<(), Lost> {
        judge(&word, self.seen.cluster)?;
        if word.created {
            return self.created();
        }
        let about = range_of(word.watch_id).filter(|range| *range < self.scope.ranges.len());
        if word.events.is_empty() && !word.fragment && word.watch_id == NONE {
            let revision = word.header.as_ref().map_or(0, |header| header.revision);
            return if self.followed.is_some() { self.progress(revision) } else { Ok(()) };
        }
        let range = about.ok_or(Lost::Broken("a word of another watch"))?;
        let seen = self.seen.revisions[range];
        let mut last = seen;
        for event in word.events {
            let pair = event.kv.ok_or(Lost::Broken("a change without a key"))?;
            // What a listing held by then.
            if pair.mod_revision <= seen {
                continue;
            }
            last = last.max(pair.mod_revision);
            self.change(Change { range, deleted: event.r#type == EventType::Delete as i32, pair })?;
        }
        // The rest of a revision may be in the next part.
        if !word.fragment {
            self.seen.revisions[range] = last;
        }
        Ok(())
    }

    /// One more watch is there.
    fn created(&mut self) -> Result<(), Lost> {
        self.created += 1;
        match self.created.cmp(&self.scope.ranges.len()) {
            Ordering::Less => {}
            Ordering::Equal => self.followed = Some(Instant::now()),
            Ordering::Greater => return Err(Lost::Broken("a watch that was not asked for")),
        }
        Ok(())
    }

    fn change(&mut self, change: Change) -> Result<(), Lost> {
        self.tell(&change)?;
        if matches!(self.beside, Beside::Idle) {
            return Ok(());
        }
        if self.changes.len() >= MOST_CHANGES {
            self.beside = Beside::Idle;
            self.changes = Vec::new();
            return Ok(());
        }
        if !change.deleted {
            // It must not be missing for a moment when the listing takes the place of what is known.
            self.mirror.listed(self.scope.ranges[change.range].own(&change.pair.key)?, &change.pair.value);
        }
        self.changes.push(change);
        Ok(())
    }

    fn tell(&self, Change { range, deleted, pair }: &Change) -> Result<(), Lost> {
        let key = self.scope.ranges[*range].own(&pair.key)?;
        if *deleted {
            self.mirror.delete(key, pair.mod_revision);
        } else {
            self.mirror.put(key, &pair.value, pair.mod_revision);
        }
        Ok(())
    }

    /// All watches have told everything until this revision.
    fn progress(&mut self, revision: i64) -> Result<(), Lost> {
        if let Beside::Waiting(listed) = self.beside
            && revision >= listed
        {
            self.beside = Beside::Idle;
            let changes = std::mem::take(&mut self.changes);
            self.mirror.replace(listed, changes.is_empty())?;
            self.seen.revisions.iter_mut().for_each(|seen| *seen = listed.max(*seen));
            for change in changes.iter().filter(|change| change.pair.mod_revision > listed) {
                self.tell(change)?;
            }
        }
        self.mirror.complete(revision);
        Ok(())
    }
}

/// The watch of a range; 0 would leave the number to etcd.
fn watch_of(range: usize) -> i64 {
    i64::try_from(range).map_or(i64::MAX, |range| range + 1)
}

fn range_of(watch: i64) -> Option<usize> {
    usize::try_from(watch).ok()?.checked_sub(1)
}

/// Asks for watches that tell everything after what was seen, all on one stream.
pub(crate) async fn watch(channel: &Channel, ranges: &[Range], seen: &Seen) -> Result<Watch, Lost> {
    let options = |range: usize| {
        // Answers over 1.5 MiB come in parts.
        let options = WatchOptions::new().with_range(ranges[range].end()).with_start_revision(seen.revisions[range] + 1);
        options.with_watch_id(watch_of(range)).with_fragment()
    };
    let first = ranges.first().ok_or(Lost::Broken("nothing to ask for"))?;
    let mut watch = channel.watch(first.begin(), options(0)).await?;
    for (number, range) in ranges.iter().enumerate().skip(1) {
        watch.add(range.begin(), options(number)).await?;
    }
    Ok(watch)
}

/// Whether a word is of our cluster, and not the last.
fn judge(word: &PbWatchResponse, cluster: u64) -> Result<(), Lost> {
    if word.compact_revision > 0 {
        return Err(Lost::Compacted(word.compact_revision));
    }
    if word.canceled {
        return Err(Unfit::Refused(quoted(&word.cancel_reason)).into());
    }
    match &word.header {
        Some(header) if header.cluster_id == cluster => Ok(()),
        Some(_) => Err(Lost::Replaced),
        None => Err(Lost::Broken("a word without a header")),
    }
}

impl Beside {
    /// Ends when a listing is read; never, when there is none.
    async fn read(&mut self) -> Result<i64, Lost> {
        match self {
            Self::Reading(reading) => reading.await.map(|position| position.revision),
            Self::Idle | Self::Waiting(_) => std::future::pending().await,
        }
    }
}
