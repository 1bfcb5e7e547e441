//! What filters asked for: documents, shared by location and kept fresh in the background, and servers to ask.

use std::{
    collections::HashMap,
    future::Future,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, Weak},
    time::Duration,
};

use openssl::{sha::sha256, ssl::SslConnector};
use tollgate_filter_api::{
    Clock, Document, DocumentPolicy, Judgement, Location, Metrics, Problem, Remote, RemotePolicy, Revocations, View, World,
};

use super::{
    ServerTrust,
    document::{Entry, Origin},
    http::{Client, parse_url},
    http1::Kept,
    http2::Shared,
    remote::{Connections, HttpRemote},
    slow::Slow,
    tended::{Registry, lock},
};

/// Whoever asks with the same policy shares; another policy is another document.
type Key = (Location, Duration, Duration, Duration, usize);

/// The same, and what its file of certificates holds now: a new content is another server.
type RemoteKey = (String, Version, RemotePolicy, Option<[u8; 32]>);

/// By what version of HTTP a server is asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Version {
    Http1,
    Http2,
}

/// What the file of trusted certificates says now; see [`Documents::read_trust`].
pub struct FreshTrust(Option<SslConnector>);

/// Documents from files and URLs, and servers. One instance lives as long as the process, across reloads.
pub struct Documents {
    folder: PathBuf,
    client: Client,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    entries: Registry<Key, Entry>,
    remotes: Mutex<HashMap<RemoteKey, Weak<HttpRemote>>>,
    revocations: OnceLock<Arc<dyn Revocations>>,
    slow: Slow,
}

impl Documents {
    /// Documents whose relative paths begin at `folder`, and whose servers must be trusted by `trust`.
    pub fn new(folder: impl Into<PathBuf>, trust: ServerTrust, clock: Arc<dyn Clock>, metrics: Metrics) -> Self {
        Self {
            folder: folder.into(),
            client: Client::new(trust),
            clock,
            metrics,
            entries: Registry::default(),
            remotes: Mutex::default(),
            revocations: OnceLock::new(),
            slow: Slow::default(),
        }
    }

    /// Reads the file of trusted certificates again, without putting it to use yet.
    ///
    /// # Errors
    /// When it is missing or holds none.
    pub fn read_trust(&self) -> Result<FreshTrust, Problem> {
        self.client.read_trust().map(FreshTrust)
    }

    /// Trusts what was read, from the next connection on.
    pub fn renew_trust(&self, fresh: FreshTrust) {
        self.client.renew(fresh.0);
    }

    /// Offers the list of what was revoked to filters. There is one: a second offer changes nothing.
    pub fn offer(&self, revocations: Arc<dyn Revocations>) {
        let _ = self.revocations.set(revocations);
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
                let target = parse_url(url)?;
                self.client.check(&target)?;
                Ok(Origin::Url(target, self.client.clone()))
            }
        }
    }
}

impl Documents {
    fn ask(&self, url: &str, policy: RemotePolicy, version: Version) -> Result<Arc<dyn Remote>, Problem> {
        let target = parse_url(url)?;
        let (client, content) = match &policy.ca {
            None => (self.client.clone(), None),
            Some(ca) => {
                let path = self.folder.join(ca);
                let client = Client::new(ServerTrust::File(path.clone()));
                client.renew(client.read_trust()?);
                (client, std::fs::read(path).ok().map(|content| sha256(&content)))
            }
        };
        client.check(&target)?;
        let mut remotes = lock(&self.remotes);
        let key = (url.to_owned(), version, policy.clone(), content);
        if let Some(known) = remotes.get(&key).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let connections = match version {
            Version::Http1 => Connections::Http1(Kept::default()),
            Version::Http2 => Connections::Http2(Shared::default()),
        };
        let made = Arc::new(HttpRemote::new(target, client, connections, policy, &self.metrics));
        remotes.retain(|_, remote| remote.strong_count() > 0);
        remotes.insert(key, Arc::downgrade(&made));
        Ok(made)
    }
}

impl World for Documents {
    fn judge(&self, work: Box<dyn FnOnce() -> bool + Send>) -> Judgement {
        self.slow.judge(work)
    }

    fn revocations(&self) -> Result<View<Arc<dyn Revocations>>, Problem> {
        let list = self.revocations.get().ok_or_else(|| Problem::error("world.revocations", "there is no revocation list here"))?;
        Ok(View::new("revocations", list.clone()))
    }

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

    fn remote(&self, url: &str, policy: RemotePolicy) -> Result<Arc<dyn Remote>, Problem> {
        self.ask(url, policy, Version::Http1)
    }

    fn remote_http2(&self, url: &str, policy: RemotePolicy) -> Result<Arc<dyn Remote>, Problem> {
        self.ask(url, policy, Version::Http2)
    }
}

#[cfg(test)]
#[path = "tests/documents.rs"]
mod tests;
