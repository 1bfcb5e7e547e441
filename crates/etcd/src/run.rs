//! One mirror, for as long as somebody wants it: connect, list, follow, and when that ends, again.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use tollgate_filter_api::Problem;
use tollgate_outbound::Backoff;

use crate::{
    channel::Channel,
    endpoint::Endpoint,
    failure::Lost,
    follow::{Follower, Seen, watch},
    keys::Scope,
    list::{Position, head, list},
    mirror::Mirror,
    settings::{Settings, check},
};

/// First wait before another attempt to connect.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Mirrors until `shutdown` ends; connects again for ever, each time to the next member, after 0.2 s at first and the
/// longest wait at most, less up to half of it at random. Dropping the future ends the connection and everything else.
///
/// # Errors
/// At once, when [`check`] finds something wrong.
pub async fn run(settings: Settings, mirror: Arc<dyn Mirror>, shutdown: impl Future<Output = ()>) -> Result<(), Problem> {
    check(&settings)?;
    let endpoints = settings.endpoints.iter().map(|url| Endpoint::parse(url)).collect::<Result<Vec<_>, _>>()?;
    let mut shutdown = pin!(shutdown);
    let mut backoff = Backoff::between(FIRST_WAIT.min(settings.longest_wait), settings.longest_wait);
    let scope = Scope::all(&settings.keys);
    let mut attempt = Attempt { settings: &settings, scope, mirror: &mirror, seen: None, followed: None };
    for endpoint in endpoints.iter().cycle() {
        attempt.followed = None;
        let lost = tokio::select! {
            biased;
            () = &mut shutdown => break,
            lost = attempt.mirror(endpoint) => lost,
        };
        backoff.ended(attempt.followed.map(|since| since.elapsed()));
        mirror.lost(&format!("{}: {lost}", endpoint.base));
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            () = sleep(backoff.wait()) => {}
        }
    }
    Ok(())
}

/// What outlives a connection.
struct Attempt<'a> {
    settings: &'a Settings,
    scope: Scope,
    mirror: &'a Arc<dyn Mirror>,
    /// What was seen last; `None` when only a listing of everything helps.
    seen: Option<Seen>,
    followed: Option<Instant>,
}

impl Attempt<'_> {
    async fn mirror(&mut self, endpoint: &Endpoint) -> Lost {
        let channel = match Channel::open(endpoint, self.settings).await {
            Ok(channel) => channel,
            Err(lost) => return lost,
        };
        self.ask_for_all();
        loop {
            let lost = match self.follow(&channel).await {
                Ok(lost) | Err(lost) => lost,
            };
            if lost.asks_for_all() {
                self.seen = None;
            }
            match lost {
                // The connection is as good as before.
                Lost::Compacted(_) => {}
                Lost::Again => self.ask_for_all(),
                lost => return lost,
            }
        }
    }

    /// Leaves nothing out any more.
    fn ask_for_all(&mut self) {
        if !self.scope.is_whole() {
            self.scope = Scope::all(&self.settings.keys);
            self.seen = None;
        }
    }

    /// Lists everything, but what etcd refuses while it does not refuse all.
    async fn list(&mut self, channel: &Channel) -> Result<Position, Lost> {
        loop {
            let denied = match list(channel, &self.scope, &**self.mirror).await {
                Err(Lost::Denied(denied)) => denied,
                listed => return listed,
            };
            self.scope = self.scope.without(&denied).ok_or(Lost::Denied(denied))?;
        }
    }

    async fn follow(&mut self, channel: &Channel) -> Result<Lost, Lost> {
        if let Some(seen) = &self.seen {
            let now = head(channel, &self.scope.ranges).await?;
            if now.cluster != seen.cluster || now.revision < seen.latest() {
                self.seen = None;
            }
        }
        if self.seen.is_none() {
            let listed = self.list(channel).await?;
            self.mirror.replace(listed.revision, false)?;
            self.seen = Some(Seen::all(listed, self.scope.ranges.len()));
        }
        let seen = self.seen.as_mut().ok_or(Lost::Broken("nothing that was listed"))?;
        let watch = watch(channel, &self.scope.ranges, seen).await?;
        let mut follower = Follower::new(channel, self.settings, &self.scope, self.mirror, seen);
        let lost = follower.follow(watch).await;
        self.followed = follower.followed;
        Ok(lost)
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
