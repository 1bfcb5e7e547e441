//! The documents that filters asked for, shared by location and kept fresh in the background.

use std::{future::Future, path::PathBuf, sync::Arc, time::Duration};

use tollgate_filter_api::{Clock, Document, DocumentPolicy, Location, Metrics, Problem, World};

use super::{
    Trust,
    document::{Entry, Origin},
    http::{Client, Target},
    tended::Registry,
};

/// Whoever asks with the same policy shares; another policy is another document.
type Key = (Location, Duration, Duration, Duration, usize);

/// Documents from files and URLs. One instance lives as long as the process, across reloads.
pub struct Documents {
    folder: PathBuf,
    client: Client,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    entries: Registry<Key, Entry>,
}

impl Documents {
    /// Documents whose relative paths begin at `folder`, and whose servers must be trusted by `trust`.
    pub fn new(folder: impl Into<PathBuf>, trust: Trust, clock: Arc<dyn Clock>, metrics: Metrics) -> Self {
        Self { folder: folder.into(), client: Client::new(trust), clock, metrics, entries: Registry::default() }
    }

    /// Whether every document in use was tried at least once.
    pub fn settled(&self) -> bool {
        self.entries.live().iter().all(|entry| entry.tried())
    }

    /// Keeps the documents fresh until `shutdown` ends. Needs a tokio runtime with I/O and time.
    pub async fn run(self: Arc<Self>, shutdown: impl Future<Output = ()>) {
        self.entries.run(shutdown).await;
    }

    fn origin(&self, location: &Location) -> Result<Origin, Problem> {
        match location {
            Location::File(path) => Ok(Origin::File(self.folder.join(path))),
            Location::Url(url) => {
                let target = Target::parse(url)?;
                self.client.check(&target)?;
                Ok(Origin::Url(target, self.client.clone()))
            }
        }
    }
}

impl World for Documents {
    /// A file is read now, also when it is already known, so that a reload sees what is there.
    fn document(&self, location: &Location, policy: DocumentPolicy) -> Result<Arc<dyn Document>, Problem> {
        let origin = self.origin(location)?;
        let name = origin.to_string();
        let key = (location.clone(), policy.refresh, policy.least_gap, policy.timeout, policy.max_bytes);
        let make = || Ok::<_, Problem>(Entry::new(origin, policy, self.clock.clone(), &self.metrics, self.entries.running()));
        let (entry, _) = self.entries.get_or_make(key, make)?;
        entry.read_file().map_err(|error| Problem::error("document.file", format!("cannot read the document: {error}")).at(name, 0, ""))?;
        Ok(entry)
    }
}

#[cfg(test)]
#[path = "documents_tests.rs"]
mod tests;
