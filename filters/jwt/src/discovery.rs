//! Keys whose place the issuer names itself (OpenID Connect Discovery 1.0 §4, RFC 8414).
//!
//! The document that describes the issuer is fetched as regularly as keys are, and followed when it changes. It counts only when its
//! `issuer` is the configured one; its `jwks_uri` must be as well protected as keys of a fixed URL must be. Keys that were found stay while
//! the document cannot be had or read, but only both together confirm them: then they end with `max_age`.
//!
//! A token whose key is not at hand costs the issuer one fetch, of the keys. Where they are is asked besides only when they cannot be had
//! where they were: keys that moved while their old place goes on are met with the document's next regular fetch.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwapOption;
use serde_json::Value;
use tollgate_filter_api::{Clock, Document, DocumentPolicy, Env, Location, Problem, Version, World};
use tollgate_url::redacted;

/// Where the document is, below the provider's URL.
const WELL_KNOWN: &str = "/.well-known/openid-configuration";
/// Longest part of somebody else's text that is logged.
const LONGEST: usize = 200;
/// Numbers of different key sets are so far apart.
const APART: u64 = 1 << 32;

/// Whether a key set may be fetched from a URL.
pub(crate) type Allowed = Box<dyn Fn(&str) -> Result<(), Problem> + Send + Sync>;

/// The key set that an issuer's document names.
pub(crate) struct Discovered(Arc<Inner>);

struct Inner {
    about: Arc<dyn Document>,
    /// Where that is.
    /// As logs say it.
    url: String,
    issuer: String,
    allowed: Allowed,
    world: Arc<dyn World>,
    clock: Arc<dyn Clock>,
    policy: DocumentPolicy,
    /// Number of the document that was followed last.
    followed: AtomicU64,
    keys: ArcSwapOption<Keys>,
    following: Mutex<()>,
    confirmed: Mutex<Confirmed>,
}

/// When document and keys were both last confirmed.
#[derive(Default)]
struct Confirmed {
    last: Option<Instant>,
    /// Whether the document cannot be used, so that `last` stays.
    broken: bool,
}

struct Keys {
    uri: String,
    document: Arc<dyn Document>,
    /// Added to the numbers of its versions.
    base: u64,
}

impl Discovered {
    /// Of the provider at `url`, whose tokens are `issuer`'s.
    ///
    /// # Errors
    /// When the location is not allowed.
    pub(crate) fn new(url: &str, issuer: &str, allowed: Allowed, env: &Env, policy: DocumentPolicy) -> Result<Self, Problem> {
        let Env { world, clock, .. } = env.clone();
        let url = format!("{}{WELL_KNOWN}", url.trim_end_matches('/'));
        let about = world.document(&Location::Url(url.clone()), policy)?;
        let (issuer, followed, keys) = (issuer.to_owned(), AtomicU64::new(0), ArcSwapOption::empty());
        let (following, confirmed) = (Mutex::default(), Mutex::default());
        Ok(Self(Arc::new(Inner {
            about,
            url: redacted(&url),
            issuer,
            allowed,
            world,
            clock,
            policy,
            followed,
            keys,
            following,
            confirmed,
        })))
    }
}

impl Inner {
    /// The key set that is named now.
    fn keys(&self) -> Option<Arc<Keys>> {
        if self.about.number() != self.followed.load(Ordering::Acquire) {
            self.follow();
        }
        self.keys.load_full()
    }

    fn follow(&self) {
        let _one = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(version) = self.about.version() else { return };
        if version.number == self.followed.load(Ordering::Acquire) {
            return;
        }
        let named = self.jwks_uri(&version.bytes);
        self.confirmed().broken = named.is_err();
        match named {
            Ok(uri) => self.take(uri),
            Err(why) => log::warn!("{} cannot be used for the issuer {:?}: {why}", self.url, self.issuer),
        }
        self.followed.store(version.number, Ordering::Release);
    }

    /// The `jwks_uri` of a document.
    fn jwks_uri(&self, bytes: &[u8]) -> Result<String, String> {
        let fields = tollgate_jose::members(bytes).map_err(|_| "it is not one strict JSON object".to_owned())?;
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        match text("issuer") {
            Some(found) if found == self.issuer => {}
            Some(found) => return Err(format!("its `issuer` is {:?}", found.chars().take(LONGEST).collect::<String>())),
            None => return Err("it names no `issuer`".to_owned()),
        }
        let uri = text("jwks_uri").ok_or("it names no `jwks_uri`")?;
        (self.allowed)(uri).map_err(|problem| problem.message)?;
        Ok(uri.to_owned())
    }

    /// Whether the keys' place confirmed them so lately that it cannot be asked again.
    fn has_answered(&self, keys: &Keys) -> bool {
        keys.document.confirmed().is_some_and(|time| self.clock.instant() <= time + self.policy.least_gap)
    }

    fn confirmed(&self) -> MutexGuard<'_, Confirmed> {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, uri: String) {
        let before = self.keys.load_full();
        if before.as_ref().is_some_and(|keys| keys.uri == uri) {
            return;
        }
        match self.world.document(&Location::Url(uri.clone()), self.policy) {
            Ok(document) => {
                let base = before.map_or(0, |keys| keys.base + APART);
                self.keys.store(Some(Arc::new(Keys { uri, document, base })));
            }
            Err(problem) => log::warn!("{} names keys that cannot be fetched: {}", self.url, problem.message),
        }
    }
}

impl Keys {
    /// 0 before there are any.
    fn number(&self) -> u64 {
        match self.document.number() {
            0 => 0,
            number => self.base + number,
        }
    }
}

impl Document for Discovered {
    fn number(&self) -> u64 {
        self.0.keys().map_or(0, |keys| keys.number())
    }

    fn version(&self) -> Option<Arc<Version>> {
        let keys = self.0.keys()?;
        let version = keys.document.version()?;
        Some(Arc::new(Version { number: keys.base + version.number, bytes: version.bytes.clone() }))
    }

    fn confirmed(&self) -> Option<Instant> {
        let keys = self.0.keys()?;
        let mut confirmed = self.0.confirmed();
        if !confirmed.broken {
            // The document counts until its next regular fetch is over; were it to count from its own, it would have to be fetched for
            // each unknown key. Without either there is no time, and `None` is the least.
            let about = self.0.about.confirmed().map(|time| time + self.0.policy.refresh + self.0.policy.least_gap);
            confirmed.last = keys.document.confirmed().min(about);
        }
        confirmed.last
    }

    /// Asks for the keys where they were; when they are not there, where they are, and for them there.
    fn refresh(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let inner = self.0.clone();
        Box::pin(async move {
            if let Some(keys) = inner.keys() {
                keys.document.refresh().await;
                if inner.has_answered(&keys) {
                    return;
                }
            }
            inner.about.refresh().await;
            if let Some(keys) = inner.keys() {
                keys.document.refresh().await;
            }
        })
    }
}
