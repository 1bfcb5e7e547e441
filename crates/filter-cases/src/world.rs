//! A clock that stands still, and documents that are what the test says.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};

use tollgate_filter_api::{
    Bytes, Clock, Document, DocumentPolicy, Location, Moment, Principal, Problem, Remote, RemoteError, RemoteFuture, RemotePolicy,
    RemoteRequest, RemoteResponse, Revocations, RevokedBy, Standing, Version, View, World,
};

/// The time at which every fake clock starts, in seconds since 1970: 2027-01-15 08:00:00 UTC.
pub const START: u64 = 1_800_000_000;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A clock that moves only when the test moves it.
#[derive(Debug)]
pub struct FakeClock {
    base: Instant,
    passed: AtomicU64,
    wall: Mutex<SystemTime>,
}

impl FakeClock {
    /// A clock whose wall time is so many seconds after 1970.
    pub fn new(seconds: u64) -> Self {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Self { base: Instant::now(), passed: AtomicU64::new(0), wall: Mutex::new(wall) }
    }

    /// Lets time pass, on both clocks.
    pub fn advance(&self, by: Duration) {
        self.passed.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        *lock(&self.wall) += by;
    }

    /// Steps the wall clock ahead, as a correction of the machine's time does.
    pub fn step_ahead(&self, by: Duration) {
        *lock(&self.wall) += by;
    }

    /// Steps the wall clock back.
    pub fn step_back(&self, by: Duration) {
        *lock(&self.wall) -= by;
    }

    /// Steps the wall clock to a time.
    pub fn step_to(&self, wall: SystemTime) {
        *lock(&self.wall) = wall;
    }
}

impl Clock for FakeClock {
    fn now(&self) -> SystemTime {
        *lock(&self.wall)
    }

    fn instant(&self) -> Instant {
        self.base + Duration::from_nanos(self.passed.load(Ordering::Relaxed))
    }
}

/// Which uses of the environment fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// This one, counted from 1.
    Only(usize),
    /// This one and all that follow.
    From(usize),
}

#[derive(Debug, Default)]
struct Uses {
    count: AtomicUsize,
    failure: Mutex<Option<Failure>>,
}

impl Uses {
    /// Counts one use; whether it has to fail.
    fn fails(&self) -> bool {
        let nth = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        match *lock(&self.failure) {
            Some(Failure::Only(which)) => which == nth,
            Some(Failure::From(which)) => which <= nth,
            None => false,
        }
    }
}

/// How every server of a test answers.
pub type Answerer = fn(&RemoteRequest) -> Result<RemoteResponse, RemoteError>;

#[derive(Debug)]
struct FakeRemote {
    uses: Arc<Uses>,
    answer: Answerer,
}

impl Remote for FakeRemote {
    fn call(&self, request: RemoteRequest) -> RemoteFuture {
        let failed = Err(RemoteError("the test made this use of the environment fail".to_owned()));
        let answer = if self.uses.fails() { failed } else { (self.answer)(&request) };
        Box::pin(async move {
            Once(false).await;
            answer
        })
    }
}

fn away(_: &RemoteRequest) -> Result<RemoteResponse, RemoteError> {
    Err(RemoteError("the test set no answer".to_owned()))
}

/// The world of a test: documents by location.
#[derive(Debug)]
pub struct FakeWorld {
    uses: Arc<Uses>,
    clock: Arc<FakeClock>,
    documents: Mutex<BTreeMap<String, Arc<FakeDocument>>>,
    fallback: Mutex<Option<Bytes>>,
    answerer: Mutex<Option<Answerer>>,
}

impl FakeWorld {
    pub(crate) fn new(clock: Arc<FakeClock>) -> Self {
        Self { uses: Arc::default(), clock, documents: Mutex::default(), fallback: Mutex::default(), answerer: Mutex::default() }
    }

    /// The document at a path or URL; made when the test names it for the first time.
    pub fn document(&self, location: &str) -> Arc<FakeDocument> {
        let made = || Arc::new(FakeDocument::new(self.uses.clone(), self.clock.clone()));
        lock(&self.documents).entry(location.to_owned()).or_insert_with(made).clone()
    }

    /// Content of every document that the test did not name.
    pub fn any_document(&self, bytes: Bytes) {
        *lock(&self.fallback) = Some(bytes);
    }

    /// Makes uses of the environment fail.
    pub fn fail(&self, failure: Option<Failure>) {
        *lock(&self.uses.failure) = failure;
    }

    /// How often the environment was used.
    pub fn uses(&self) -> usize {
        self.uses.count.load(Ordering::Relaxed)
    }

    fn known(&self, location: &str) -> Option<Arc<FakeDocument>> {
        if let Some(found) = lock(&self.documents).get(location) {
            return Some(found.clone());
        }
        let bytes = lock(&self.fallback).clone()?;
        let document = self.document(location);
        document.set(bytes);
        Some(document)
    }
}

impl FakeWorld {
    /// Every server answers so from now on; those that a filter already has do not.
    pub fn answer_with(&self, answerer: Answerer) {
        *lock(&self.answerer) = Some(answerer);
    }
}

impl World for FakeWorld {
    fn remote(&self, _url: &str, _policy: RemotePolicy) -> Result<Arc<dyn Remote>, Problem> {
        if self.uses.fails() {
            return Err(Problem::error("testkit.failed", "the test made this use of the environment fail"));
        }
        Ok(Arc::new(FakeRemote { uses: self.uses.clone(), answer: lock(&self.answerer).unwrap_or(away) }))
    }

    fn remote_http2(&self, url: &str, policy: RemotePolicy) -> Result<Arc<dyn Remote>, Problem> {
        self.remote(url, policy)
    }

    fn document(&self, location: &Location, _policy: DocumentPolicy) -> Result<Arc<dyn Document>, Problem> {
        if self.uses.fails() {
            return Err(Problem::error("testkit.failed", "the test made this use of the environment fail"));
        }
        let known = self.known(&location.to_string());
        let known = known.ok_or_else(|| Problem::error("testkit.document", format!("the test set no document `{location}`")))?;
        Ok(known)
    }

    /// The list is the document [`REVOCATIONS`].
    fn revocations(&self) -> Result<View<Arc<dyn Revocations>>, Problem> {
        if self.uses.fails() {
            return Err(Problem::error("testkit.failed", "the test made this use of the environment fail"));
        }
        Ok(View::new(REVOCATIONS, Arc::new(FakeRevocations(self.document(REVOCATIONS)))))
    }
}

/// Name of the document that holds a test's revocations, a line each: `jti X`, `signature X`, `client X`, `subject X`; and the
/// list's age, `age 90` in seconds or `age never`; `behind yes` while its sources have not said yet what they hold. Without it the list is
/// empty and fresh.
pub const REVOCATIONS: &str = "revocations";

/// What the test says was revoked.
#[derive(Debug)]
struct FakeRevocations(Arc<FakeDocument>);

impl FakeRevocations {
    fn lines(&self) -> Vec<(String, String)> {
        let content = lock(&self.0.content);
        let text = content.current.as_ref().map(|version| String::from_utf8_lossy(&version.bytes).into_owned()).unwrap_or_default();
        text.lines().filter_map(|line| line.split_once(' ')).map(|(word, rest)| (word.to_owned(), rest.to_owned())).collect()
    }
}

impl Revocations for FakeRevocations {
    fn find(&self, credential: &Principal, _: Moment) -> Option<RevokedBy> {
        let token = credential.token.as_ref();
        let names = [
            ("jti", token.and_then(|token| token.id.clone()), RevokedBy::TokenId),
            ("signature", token.and_then(|token| token.signature.clone()), RevokedBy::Signature),
            ("signature", token.and_then(|token| token.twin.clone()), RevokedBy::Signature),
            ("client", credential.client.clone(), RevokedBy::Client),
            ("subject", credential.subject.clone(), RevokedBy::Subject),
        ];
        let lines = self.lines();
        let listed = |word: &str, name: &Option<String>| lines.iter().any(|(key, value)| key == word && Some(value) == name.as_ref());
        names.into_iter().find(|(word, name, _)| listed(word, name)).map(|(.., by)| by)
    }

    fn standing(&self, _: Moment) -> Standing {
        let lines = self.lines();
        let age = match lines.iter().find(|(word, _)| word == "age") {
            Some((_, age)) => age.parse().ok().map(Duration::from_secs),
            None => Some(Duration::ZERO),
        };
        Standing { age, has_caught_up: !lines.iter().any(|(word, _)| word == "behind") }
    }
}

#[derive(Debug, Default)]
struct Content {
    current: Option<Arc<Version>>,
    confirmed: Option<Instant>,
    staged: Option<Bytes>,
}

/// A document whose content, and whose next content, the test sets.
#[derive(Debug)]
pub struct FakeDocument {
    uses: Arc<Uses>,
    clock: Arc<FakeClock>,
    content: Mutex<Content>,
    refreshed: AtomicUsize,
}

impl FakeDocument {
    fn new(uses: Arc<Uses>, clock: Arc<FakeClock>) -> Self {
        Self { uses, clock, content: Mutex::default(), refreshed: AtomicUsize::new(0) }
    }

    /// The content is this from now on, as if a regular fetch had brought it.
    pub fn set(&self, bytes: impl Into<Bytes>) {
        let mut content = lock(&self.content);
        let number = content.current.as_ref().map_or(1, |version| version.number + 1);
        content.current = Some(Arc::new(Version { number, bytes: bytes.into() }));
        content.confirmed = Some(self.clock.instant());
    }

    /// A regular fetch found the content unchanged.
    pub fn confirm(&self) {
        lock(&self.content).confirmed = Some(self.clock.instant());
    }

    /// The content that the next asked-for refresh brings.
    pub fn stage(&self, bytes: impl Into<Bytes>) {
        lock(&self.content).staged = Some(bytes.into());
    }

    /// How often a filter asked for a refresh.
    pub fn refreshed(&self) -> usize {
        self.refreshed.load(Ordering::Relaxed)
    }

    fn take_staged(&self) {
        let staged = lock(&self.content).staged.take();
        if let Some(bytes) = staged {
            self.set(bytes);
        }
    }
}

impl Document for FakeDocument {
    fn number(&self) -> u64 {
        if self.uses.fails() {
            return 0;
        }
        lock(&self.content).current.as_ref().map_or(0, |version| version.number)
    }

    fn version(&self) -> Option<Arc<Version>> {
        if self.uses.fails() {
            return None;
        }
        lock(&self.content).current.clone()
    }

    fn confirmed(&self) -> Option<Instant> {
        if self.uses.fails() {
            return None;
        }
        lock(&self.content).confirmed
    }

    /// Waits once, so that a filter that awaits it is seen to wait. A staged content is there when it ends.
    fn refresh(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.refreshed.fetch_add(1, Ordering::Relaxed);
        if !self.uses.fails() {
            self.take_staged();
        }
        Box::pin(Once(false))
    }
}

/// Not ready the first time.
struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
