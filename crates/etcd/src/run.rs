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
    keys::Range,
    list::{head, list},
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
    let ranges = Range::all(&settings.keys).into();
    let mut attempt = Attempt { settings: &settings, ranges, mirror: &mirror, seen: None, followed: None };
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
    ranges: Arc<[Range]>,
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
        loop {
            let lost = match self.follow(&channel).await {
                Ok(lost) | Err(lost) => lost,
            };
            if lost.asks_for_all() {
                self.seen = None;
            }
            // The connection is as good as before.
            if !matches!(lost, Lost::Compacted(_)) {
                return lost;
            }
        }
    }

    async fn follow(&mut self, channel: &Channel) -> Result<Lost, Lost> {
        if let Some(seen) = &self.seen {
            let now = head(channel, &self.ranges).await?;
            if now.cluster != seen.cluster || now.revision < seen.latest() {
                self.seen = None;
            }
        }
        let seen = match &mut self.seen {
            Some(seen) => seen,
            none => {
                let listed = list(channel, &self.ranges, &**self.mirror).await?;
                self.mirror.replace(listed.revision, false)?;
                none.insert(Seen::all(listed, self.ranges.len()))
            }
        };
        let watch = watch(channel, &self.ranges, seen).await?;
        let mut follower = Follower::new(channel, self.settings, &self.ranges, self.mirror, seen);
        let lost = follower.follow(watch).await;
        self.followed = follower.followed;
        Ok(lost)
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
