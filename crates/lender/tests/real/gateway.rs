//! What a gateway has of the shared limits: its counters, its lender, and requests.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::{task::JoinHandle, time::timeout};
use tollgate_counters::{Ask, Away, Counters, Key, Moment, Policy, QuotaId, Verdict};
use tollgate_lender::{Lender, Observer, Settings, run};

/// As long as a request waits for the store.
pub const PATIENCE: Duration = Duration::from_millis(50);

/// No test sees the end of such a window, unless it begins within seconds of it.
pub const WINDOW: u64 = 300 * 24 * 3600;

/// What was told.
#[derive(Default)]
pub struct Seen {
    pub connected: AtomicBool,
    pub answers: AtomicUsize,
    pub failures: AtomicUsize,
    pub unsound: AtomicUsize,
    pub lost: AtomicUsize,
    pub gateways: AtomicU32,
    pub causes: Mutex<Vec<String>>,
    pub advice: Mutex<Vec<String>>,
}

impl Observer for Seen {
    fn connected(&self, connected: bool) {
        self.connected.store(connected, SeqCst);
    }

    fn called(&self, _: Duration, answered: bool) {
        if answered { &self.answers } else { &self.failures }.fetch_add(1, SeqCst);
    }

    fn unsound(&self) {
        self.unsound.fetch_add(1, SeqCst);
    }

    fn gateways(&self, gateways: u32) {
        self.gateways.store(gateways, SeqCst);
    }

    fn lost(&self) {
        self.lost.fetch_add(1, SeqCst);
    }

    fn away(&self, cause: &str) {
        self.causes.lock().unwrap().push(cause.to_owned());
    }

    fn warn(&self, advice: &str) {
        self.advice.lock().unwrap().push(advice.to_owned());
    }
}

/// A gateway, and one quota of it.
pub struct Gateway {
    pub counters: Arc<Counters>,
    pub lender: Arc<Lender>,
    pub seen: Arc<Seen>,
    pub policy: Policy,
    pub name: (Key, QuotaId),
    running: JoinHandle<()>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Passed,
    UsedUp,
    Away,
}

impl Gateway {
    pub fn start(settings: Settings, limit: u64, away: Away) -> Self {
        Self::with_windows(settings, limit, WINDOW, away)
    }

    /// With windows of so many seconds.
    pub fn with_windows(settings: Settings, limit: u64, window: u64, away: Away) -> Self {
        let counters = Arc::new(Counters::new(moment(), 10_000));
        let seen = Arc::<Seen>::default();
        let lender = Lender::new(counters.clone(), seen.clone());
        let policy = Policy::shared("gold", limit, window, away).unwrap();
        let name = counters.shared_key(&policy, &[b"application"]);
        let running = spawn(settings, &lender);
        Self { counters, lender, seen, policy, name, running }
    }

    /// Goes on with other settings.
    pub fn use_settings(&mut self, settings: Settings) {
        self.running.abort();
        self.seen.connected.store(false, SeqCst);
        self.running = spawn(settings, &self.lender);
    }

    /// Waits until it can ask the store.
    pub async fn connected(self) -> Self {
        until("the connection", || self.seen.connected.load(SeqCst)).await;
        self
    }

    /// Looks once, and asks what is to be asked.
    pub fn decide(&self, name: (Key, QuotaId)) -> Verdict {
        self.decide_at(moment(), name)
    }

    fn decide_at(&self, now: Moment, name: (Key, QuotaId)) -> Verdict {
        let mut asks = [Ask::shared(&self.policy, name)];
        let verdict = self.counters.decide(now, &mut asks);
        if let Some(question) = self.counters.question(&asks[0]) {
            self.lender.ask(question);
        }
        verdict
    }

    /// One request.
    pub async fn request(&self) -> Ended {
        self.request_of(self.name).await
    }

    pub async fn request_of(&self, name: (Key, QuotaId)) -> Ended {
        self.request_when(name).await.0
    }

    /// Also says at which moment it was decided.
    pub async fn request_when(&self, name: (Key, QuotaId)) -> (Ended, SystemTime) {
        let mut now = moment();
        let mut verdict = self.decide_at(now, name);
        if verdict.waits {
            let answered = self.lender.answered(name.0);
            now = moment();
            verdict = self.decide_at(now, name);
            if verdict.waits {
                let _ = timeout(PATIENCE, answered).await;
                now = moment();
                verdict = self.decide_at(now, name);
            }
        }
        let ended = match verdict {
            Verdict { passes: true, .. } => Ended::Passed,
            Verdict { waits: true, .. } | Verdict { away: true, .. } => Ended::Away,
            _ => Ended::UsedUp,
        };
        (ended, now.wall)
    }

    /// Requests until nothing is left, also over failures; how many passed.
    pub async fn use_up(&self) -> u64 {
        self.use_up_of(self.name).await
    }

    pub async fn use_up_of(&self, name: (Key, QuotaId)) -> u64 {
        let (begun, mut passed) = (Instant::now(), 0);
        loop {
            assert!(begun.elapsed() < Duration::from_secs(60), "{passed} have passed, and it is not used up");
            match self.request_of(name).await {
                Ended::Passed => passed += 1,
                Ended::UsedUp => return passed,
                Ended::Away => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// So many requests must pass, whatever else happens to others.
    pub async fn pass(&self, number: u64) {
        self.pass_of(self.name, number).await;
    }

    pub async fn pass_of(&self, name: (Key, QuotaId), number: u64) {
        let mut passed = 0;
        let begun = Instant::now();
        while passed < number {
            assert!(begun.elapsed() < Duration::from_secs(60), "only {passed} have passed");
            match self.request_of(name).await {
                Ended::Passed => passed += 1,
                Ended::UsedUp => panic!("it is used up after {passed}"),
                Ended::Away => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }
}

impl Seen {
    /// Whether no connection was lost, but by a machine that was too slow for a call.
    pub fn stands(&self) -> bool {
        let causes = self.causes.lock().unwrap();
        let slow = causes.iter().all(|cause| cause.contains("no answer within"));
        assert!(slow, "{causes:?}");
        slow
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn spawn(settings: Settings, lender: &Arc<Lender>) -> JoinHandle<()> {
    let lender = lender.clone();
    tokio::spawn(async { run(settings, lender, std::future::pending()).await.unwrap() })
}

pub fn moment() -> Moment {
    let wall = SystemTime::now();
    Moment { wall, instant: Instant::now() }
}

/// Waits for a condition.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < tollgate_tests::PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
