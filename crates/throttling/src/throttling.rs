//! All of it, as one thing.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tollgate_counters::{self as counters, Counters};
use tollgate_filter_api::{Env, Moment, Problem};

use crate::{blocks::Kept, lend::Lend, promise::Promise, shield::Shield, top::Top};

/// The name under which filters find it among [`Env::shared`].
pub const NAME: &str = "throttling";

/// A quota for so long is worth a file.
const LONG: Duration = Duration::from_secs(86_400);

/// Counters, blocks, and the way to the store of shared quotas.
pub struct Throttling {
    /// Who has used how much.
    pub counters: Arc<Counters>,
    /// Who is blocked by the operator at run time.
    pub blocks: Kept,
    /// Who uses most.
    pub top: Top,
    /// About how many requests of a client are in progress.
    pub shield: Shield,
    /// Who asks for slices of quotas that several gateways share.
    pub lender: Option<Arc<dyn Lend>>,
    /// Whether counters of a day and more outlive the process.
    keeps_long: bool,
    used: AtomicBool,
    store_used: AtomicBool,
    forgotten: Mutex<BTreeSet<String>>,
    promises: Mutex<BTreeSet<Promise>>,
}

impl Throttling {
    /// These, which nobody uses yet.
    pub fn new(counters: Arc<Counters>, blocks: Kept) -> Self {
        Self {
            counters,
            blocks,
            top: Top::default(),
            shield: Shield::default(),
            lender: None,
            keeps_long: false,
            used: AtomicBool::new(false),
            store_used: AtomicBool::new(false),
            forgotten: Mutex::default(),
            promises: Mutex::default(),
        }
    }

    /// There is a store of quotas that several gateways share.
    #[must_use]
    pub fn sharing(self, lender: Arc<dyn Lend>) -> Self {
        Self { lender: Some(lender), ..self }
    }

    /// Counters of a day and more outlive the process.
    #[must_use]
    pub fn keeping_long(self) -> Self {
        Self { keeps_long: true, ..self }
    }

    /// Whoever has a policy says so. One that counts for so long that a restart matters is remembered, unless its counters outlive it.
    pub fn has_policy(&self, name: &str, window: Duration) {
        if !self.keeps_long && window >= LONG {
            self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        }
    }

    /// Whoever enforces a policy that gateways share says so.
    pub fn promise(&self, promise: Promise) {
        self.promises.lock().unwrap_or_else(PoisonError::into_inner).insert(promise);
    }

    /// What the configuration promises of limits that gateways share.
    pub fn promises(&self) -> BTreeSet<Promise> {
        self.promises.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Policies of the configuration whose counters a restart forgets.
    pub fn take_forgotten(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.forgotten.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the gateway offers; in a world that offers none, fresh ones that live as long as somebody uses them.
    ///
    /// # Errors
    /// When what is offered under the name is something else.
    pub fn of(env: &Env) -> Result<Arc<Self>, Problem> {
        let fresh = || Counters::new(moment(env.clock.moment()), counters::DEFAULT_MAX_KEYS);
        env.shared.get_or_make(NAME, || Ok(Self::new(Arc::new(fresh()), Kept::nowhere())))
    }

    /// A configuration is built: what an earlier one said counts no more.
    pub fn begin(&self) {
        self.used.store(false, Ordering::Relaxed);
        self.store_used.store(false, Ordering::Relaxed);
        self.take_forgotten();
        self.promises.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whoever has a policy that gateways share says so.
    pub fn use_store(&self) {
        self.store_used.store(true, Ordering::Relaxed);
    }

    /// Whether gateways share a policy.
    pub fn is_store_used(&self) -> bool {
        self.store_used.load(Ordering::Relaxed)
    }

    /// Whoever enforces blocks says so.
    pub fn use_blocks(&self) {
        self.used.store(true, Ordering::Relaxed);
    }

    /// Whether somebody enforces blocks.
    pub fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }
}

/// A moment as the counters want it.
pub fn moment(moment: Moment) -> counters::Moment {
    counters::Moment { wall: moment.wall, instant: moment.instant }
}
