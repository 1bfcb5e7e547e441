//! The watch, and beside it now and then a listing that is compared.
//!
//! While a listing is read, changes go on: they are in force at once, and said again after the listing has taken the place of what was
//! known, which is of an earlier time.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use etcd_client::{
    EventType, WatchOptions,
    proto::{PbKeyValue, PbWatchResponse},
};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tollgate_outbound::quoted;

use crate::{
    answer::Unfit,
    channel::{Channel, PATIENCE, Watch},
    failure::Lost,
    list::{Position, Range, list},
    mirror::Mirror,
    settings::Settings,
};

/// When the first heartbeat is asked for: by then etcd has told what had happened before.
const FIRST: Duration = Duration::from_secs(1);
/// Most changes beside a listing; with more the listing is given up until the next one.
const MOST_CHANGES: usize = 100_000;

/// A listing beside the watch.
enum Beside {
    Idle,
    Reading(Pin<Box<dyn Future<Output = Result<Position, Lost>> + Send>>),
    /// It is read, and counts when the watch has told everything until this revision.
    Waiting(i64),
}

struct Change {
    deleted: bool,
    pair: PbKeyValue,
}

/// What follows one connection's watch.
pub(crate) struct Follower<'a> {
    pub(crate) channel: &'a Channel,
    pub(crate) settings: &'a Settings,
    pub(crate) range: &'a Range,
    pub(crate) mirror: &'a Arc<dyn Mirror>,
    pub(crate) position: &'a mut Position,
    beside: Beside,
    changes: Vec<Change>,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(
        channel: &'a Channel,
        settings: &'a Settings,
        range: &'a Range,
        mirror: &'a Arc<dyn Mirror>,
        position: &'a mut Position,
    ) -> Self {
        Self { channel, settings, range, mirror, position, beside: Beside::Idle, changes: Vec::new() }
    }

    /// Follows until something breaks.
    pub(crate) async fn follow(mut self, mut watch: Watch) -> Lost {
        let heartbeat = self.settings.heartbeat;
        let mut beat = interval_at(Instant::now() + heartbeat.min(FIRST), heartbeat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let silence = heartbeat * 3;
        let mut last_received = Instant::now();
        let mut next_listing = last_received + self.settings.relist;
        loop {
            let done = tokio::select! {
                word = watch.next() => {
                    last_received = Instant::now();
                    word.and_then(|word| self.take(word))
                }
                _ = beat.tick() => watch.ask_progress().await,
                () = sleep_until(last_received + silence) => Err(Lost::Silent(silence)),
                read = self.beside.read() => read.map(|revision| self.beside = Beside::Waiting(revision)),
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
            let (channel, range, mirror) = (self.channel.clone(), self.range.clone(), self.mirror.clone());
            self.beside = Beside::Reading(Box::pin(async move {
                // The token of the connection may have ended by now.
                channel.authenticate().await?;
                list(&channel, &range, &*mirror).await
            }));
        }
    }

    fn take(&mut self, word: PbWatchResponse) -> Result<(), Lost> {
        judge(&word, self.position.cluster)?;
        let revision = word.header.as_ref().map_or(0, |header| header.revision);
        if word.events.is_empty() && !word.created && !word.fragment {
            return self.progress(revision);
        }
        let mut last = self.position.revision;
        for event in word.events {
            let pair = event.kv.ok_or(Lost::Broken("a change without a key"))?;
            // What a listing held by then.
            if pair.mod_revision <= self.position.revision {
                continue;
            }
            last = last.max(pair.mod_revision);
            self.change(Change { deleted: event.r#type == EventType::Delete as i32, pair })?;
        }
        // The rest of a revision may be in the next part.
        if !word.fragment {
            self.position.revision = last;
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
            self.mirror.listed(self.range.name(&change.pair.key)?, &change.pair.value);
        }
        self.changes.push(change);
        Ok(())
    }

    fn tell(&self, Change { deleted, pair }: &Change) -> Result<(), Lost> {
        let name = self.range.name(&pair.key)?;
        if *deleted {
            self.mirror.delete(name, pair.mod_revision);
        } else {
            self.mirror.put(name, &pair.value, pair.mod_revision);
        }
        Ok(())
    }

    /// The watch has told everything until this revision.
    fn progress(&mut self, revision: i64) -> Result<(), Lost> {
        if let Beside::Waiting(listed) = self.beside
            && revision >= listed
        {
            self.beside = Beside::Idle;
            let changes = std::mem::take(&mut self.changes);
            self.mirror.replace(listed, changes.is_empty())?;
            self.position.revision = self.position.revision.max(listed);
            for change in changes.iter().filter(|change| change.pair.mod_revision > listed) {
                self.tell(change)?;
            }
        }
        self.mirror.complete(revision);
        Ok(())
    }
}

/// Opens a watch that tells everything after a position.
pub(crate) async fn watch(channel: &Channel, range: &Range, after: Position) -> Result<Watch, Lost> {
    // Answers over 1.5 MiB come in parts.
    let options = WatchOptions::new().with_range(range.end()).with_start_revision(after.revision + 1).with_fragment();
    let mut watch = channel.watch(range.begin(), options).await?;
    let created = timeout(PATIENCE, watch.next()).await.map_err(|_| Lost::Late(PATIENCE))??;
    judge(&created, after.cluster)?;
    if created.created { Ok(watch) } else { Err(Lost::Broken("a watch that was not created")) }
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
