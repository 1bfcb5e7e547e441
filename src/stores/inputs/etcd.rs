//! etcd.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tollgate_etcd::{ClientCertificate, Full, Keys, Mirror, Settings};
use tollgate_filter_api::LogLimiter;
use tollgate_revocations::{Book, Feed, Input, Mirrored};

use super::supervisor::supervise;
use crate::config::{Etcd, Stores};

/// What the client wants to know.
pub(super) fn settings(etcd: &Etcd) -> Settings {
    let mut settings = Settings::new(etcd.endpoints.clone(), vec![Keys::Prefix(etcd.prefix.clone())]);
    settings.username.clone_from(&etcd.username);
    settings.password.clone_from(&etcd.password);
    settings.ca.clone_from(&etcd.ca);
    settings.client_certificate =
        etcd.client_certificate.as_ref().map(|pair| ClientCertificate { certificate: pair.certificate.clone(), key: pair.key.clone() });
    settings.relist = etcd.relist.0;
    settings.heartbeat = etcd.heartbeat.0;
    settings
}

/// Mirrors until the process ends, with the settings of the day. Other processes may do the same: nothing is written.
pub(super) async fn keep(book: Arc<Book>, mut stores: watch::Receiver<Stores>) {
    let Some(feed) = book.feed(Input::Etcd).cloned() else { return };
    let eye = Arc::new(Eye::new(feed));
    loop {
        let Some(etcd) = stores.borrow_and_update().etcd.clone() else { return };
        eye.prefix.store(Arc::new(etcd.prefix.clone()));
        let mut mirroring = pin!(mirror(eye.clone(), settings(&etcd)));
        tokio::select! {
            () = &mut mirroring => {}
            () = changed(&mut stores, &etcd) => eye.lost("the settings are new"),
        }
    }
}

/// Waits until the settings are others.
async fn changed(stores: &mut watch::Receiver<Stores>, etcd: &Etcd) {
    if stores.wait_for(|stores| stores.etcd.as_ref() != Some(etcd)).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Mirrors for ever; a failure of the task is told and survived.
async fn mirror(eye: Arc<Eye>, settings: Settings) {
    let make = || tollgate_etcd::run(settings.clone(), eye.clone(), std::future::pending());
    let failed = |failure: &str| {
        log::error!("the task that reads etcd is started again: {failure}");
        eye.feed.restarted();
        eye.mirrored.lost("the task that reads etcd failed");
    };
    if let Err(problem) = supervise(make, failed).await {
        // A file that was there when the settings were checked. New settings, or a restart, try again.
        log::error!("etcd is not read: {problem}");
        eye.mirrored.lost(&problem.to_string());
    }
    std::future::pending::<()>().await;
}

/// Sees what etcd holds.
struct Eye {
    feed: Arc<Feed>,
    /// What its keys begin with: they are told without it.
    prefix: ArcSwap<String>,
    mirrored: Mirrored,
    there: AtomicBool,
    arrivals: LogLimiter,
    losses: LogLimiter,
}

impl Eye {
    fn new(feed: Arc<Feed>) -> Self {
        Self {
            mirrored: Mirrored::new(feed.clone()),
            feed,
            prefix: ArcSwap::default(),
            there: AtomicBool::new(false),
            arrivals: LogLimiter::default(),
            losses: LogLimiter::default(),
        }
    }

    fn name<'k>(&self, key: &'k [u8]) -> &'k [u8] {
        key.strip_prefix(self.prefix.load().as_bytes()).unwrap_or(key)
    }

    fn is_there(&self) {
        if !self.there.swap(true, Ordering::Relaxed) && self.arrivals.allow(Instant::now()).is_some() {
            log::info!("the etcd that says what is revoked is there");
        }
    }
}

impl Mirror for Eye {
    fn begin(&self) {
        self.mirrored.begin();
    }

    fn listed(&self, key: &[u8], value: &[u8]) {
        self.mirrored.listed(self.name(key), value);
    }

    fn replace(&self, revision: i64, comparable: bool) -> Result<(), Full> {
        self.mirrored.replace(revision, comparable).map_err(|full| Full(full.to_string()))?;
        self.is_there();
        Ok(())
    }

    fn put(&self, key: &[u8], value: &[u8], revision: i64) {
        self.mirrored.put(self.name(key), value, revision);
    }

    fn delete(&self, key: &[u8], revision: i64) {
        self.mirrored.delete(self.name(key), revision);
    }

    fn complete(&self, revision: i64) {
        self.mirrored.complete(revision);
        self.is_there();
    }

    fn lost(&self, cause: &str) {
        self.mirrored.lost(cause);
        self.there.store(false, Ordering::Relaxed);
        if self.losses.allow(Instant::now()).is_some() {
            log::warn!("the etcd that says what is revoked is away: {cause}");
        }
    }
}
