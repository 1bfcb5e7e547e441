//! One mirror, for as long as somebody wants it: connect, list, follow, and when that ends, again.

use std::{future::Future, pin::pin, sync::Arc};

use tokio::time::{Instant, sleep};
use tollgate_filter_api::Problem;
use tollgate_outbound::Backoff;

use crate::{
    channel::Channel,
    endpoint::Endpoint,
    failure::Lost,
    follow::{Follower, watch},
    list::{Position, Range, head, list},
    mirror::Mirror,
    settings::{Settings, check},
};

/// Mirrors until `shutdown` ends; connects again for ever, each time to the next member, after 0.2 s at first and 10 s at most,
/// less up to half of it at random. Dropping the future ends the connection and everything else.
///
/// # Errors
/// At once, when [`check`] finds something wrong.
pub async fn run(settings: Settings, mirror: Arc<dyn Mirror>, shutdown: impl Future<Output = ()>) -> Result<(), Problem> {
    check(&settings)?;
    let endpoints = settings.endpoints.iter().map(|url| Endpoint::parse(url)).collect::<Result<Vec<_>, _>>()?;
    let mut shutdown = pin!(shutdown);
    let mut backoff = Backoff::default();
    let mut attempt = Attempt { settings: &settings, range: Range::of(&settings.prefix), mirror: &mirror, position: None, followed: None };
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
    range: Range,
    mirror: &'a Arc<dyn Mirror>,
    /// What was seen last; `None` when only a listing of everything helps.
    position: Option<Position>,
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
                self.position = None;
            }
            // The connection is as good as before.
            if !matches!(lost, Lost::Compacted(_)) {
                return lost;
            }
        }
    }

    async fn follow(&mut self, channel: &Channel) -> Result<Lost, Lost> {
        if let Some(position) = self.position {
            let now = head(channel, &self.range).await?;
            if now.cluster != position.cluster || now.revision < position.revision {
                self.position = None;
            }
        }
        let mut position = match self.position {
            Some(position) => position,
            None => {
                let listed = list(channel, &self.range, &**self.mirror).await?;
                self.mirror.replace(listed.revision, false)?;
                *self.position.insert(listed)
            }
        };
        let watch = watch(channel, &self.range, position).await?;
        self.followed = Some(Instant::now());
        let lost = Follower::new(channel, self.settings, &self.range, self.mirror, &mut position).follow(watch).await;
        self.position = Some(position);
        Ok(lost)
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
