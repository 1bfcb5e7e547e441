//! The lists of key templates and blocks, fetched at the start, and whenever something may have been published that nobody heard.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::watch;
use tollgate_filter_api::{Clock, HeaderName, HeaderValue, Method, Problem, Remote, RemoteRequest};
use tollgate_traffic_manager::{Bad, Decisions, LONGEST_LIST, TrafficManager, blocks, key_templates};

use super::{credentials, millis, server};
use crate::{config, stores::Documents};

/// How often a list is asked for, as the reference product does.
const TRIES: u32 = 15;

/// Whether the lists are there.
#[derive(Default)]
pub(super) struct Lists {
    /// They were fetched, or every try failed.
    settled: AtomicBool,
}

/// A list, and where it is.
#[derive(Clone)]
struct List {
    name: &'static str,
    remote: Arc<dyn Remote>,
    take: fn(&Decisions, &Bytes, u64) -> Result<(), Bad>,
}

/// What is asked for.
#[derive(Clone)]
pub(super) struct Asked {
    lists: Vec<List>,
    credentials: Option<(HeaderName, HeaderValue)>,
    retry: Duration,
}

impl Asked {
    pub(super) fn new(settings: &config::TrafficManager, world: &Documents) -> Result<Self, Problem> {
        let templates: fn(&Decisions, &Bytes, u64) -> Result<(), Bad> = |decisions, json, asked| {
            decisions.list_templates(&key_templates(json)?, asked);
            Ok(())
        };
        let blocked: fn(&Decisions, &Bytes, u64) -> Result<(), Bad> = |decisions, json, asked| {
            decisions.list_blocks(blocks(json)?, asked);
            Ok(())
        };
        let all = [("key templates", &settings.key_templates, templates), ("blocks", &settings.blocks, blocked)];
        let lists = all.into_iter().filter_map(|(name, url, take)| Some((name, url.as_deref()?, take)));
        let list = |(name, url, take)| Ok(List { name, remote: server(world, settings, url, LONGEST_LIST)?, take });
        let lists = lists.map(list).collect::<Result<_, Problem>>()?;
        Ok(Self { lists, credentials: credentials(settings), retry: settings.retry.0 })
    }

    /// Fetches a list and puts it in the place of what was known.
    async fn fetch(&self, list: &List, decisions: &Decisions, clock: &dyn Clock) -> Result<(), String> {
        let asked = millis(clock);
        let request =
            RemoteRequest { method: Method::GET, target: None, headers: self.credentials.iter().cloned().collect(), body: Bytes::new() };
        let answer = list.remote.call(request).await.map_err(|error| error.to_string())?;
        (list.take)(decisions, answer.json()?, asked).map_err(|bad| bad.to_string())
    }
}

impl Lists {
    /// Whether they are there, or are not waited for any more.
    pub(super) fn are_settled(&self) -> bool {
        self.settled.load(Ordering::Relaxed)
    }

    /// Fetches them now, and each time that the broker `arrived`: what was published while it was away was not heard.
    pub(super) async fn keep(
        self: Arc<Self>,
        asked: Asked,
        manager: Arc<TrafficManager>,
        clock: Arc<dyn Clock>,
        mut arrived: watch::Receiver<()>,
    ) {
        let mut left = TRIES;
        loop {
            let round = self.fetch_all(&asked, &manager.decisions, &*clock, &mut left);
            tokio::select! {
                () = round => {
                    self.settled.store(true, Ordering::Relaxed);
                    left = TRIES;
                    if arrived.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
                // What is on its way may be older than what the broker did not say.
                Ok(()) = arrived.changed() => {}
            }
        }
    }

    async fn fetch_all(&self, asked: &Asked, decisions: &Decisions, clock: &dyn Clock, left: &mut u32) {
        let mut wanted: Vec<&List> = asked.lists.iter().collect();
        loop {
            let mut failed = Vec::new();
            for list in wanted {
                if let Err(why) = asked.fetch(list, decisions, clock).await {
                    log::warn!("the traffic manager's {} could not be fetched: {why}", list.name);
                    failed.push(list);
                }
            }
            *left = left.saturating_sub(1);
            if failed.is_empty() {
                return;
            }
            if *left == 0 {
                let names: Vec<&str> = failed.iter().map(|list| list.name).collect();
                log::error!(
                    "the traffic manager's {} are not known; they are asked for again when its broker was away",
                    names.join(" and ")
                );
                return;
            }
            wanted = failed;
            tokio::time::sleep(asked.retry).await;
        }
    }
}

#[cfg(test)]
#[path = "tests/lists.rs"]
mod tests;
