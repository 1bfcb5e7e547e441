//! One instance, and the limits under which it is called.

use std::{fmt, sync::Arc, time::Duration};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};
use wasmtime::{
    AsContext, AsContextMut, Engine, InstancePre, Memory, ResourceLimiter, Store, StoreContext, StoreContextMut, Trap, TypedFunc,
    UpdateDeadline, WasmParams, WasmResults,
};

use crate::{
    Module,
    engine::TABLE_ELEMENTS,
    ticker::{TICK, TICK_MS, Ticker},
};

/// Calls after which an instance is given up: guests leak.
const MOST_USES: u32 = 100_000;

/// Time that a call may take, in ticks of the sandbox's clock.
///
/// The first half is counted by that clock, which costs a call nothing; who is not done by then is held to the processor's time for the
/// second half. So a call that waits for a processor is not taken for one that loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Budget(pub(crate) u64);

impl Budget {
    /// What is left of it after as much.
    #[must_use]
    pub fn less(self, used: Self) -> Self {
        Self(self.0.saturating_sub(used.0))
    }

    /// Nothing is left.
    pub fn is_spent(self) -> bool {
        self.0 == 0
    }
}

/// What belongs to one instance: the host's part, and its bounds.
#[derive(Debug)]
pub struct Guest<T> {
    /// The host's.
    pub data: T,
    bounds: Bounds,
    watch: Watch,
}

/// How long the call under way has taken.
#[derive(Debug)]
struct Watch {
    ticker: Arc<Ticker>,
    /// The second half.
    left: Duration,
    /// The thread's time when it began.
    since: Option<Duration>,
}

impl Watch {
    /// Begins with a call; the ticks after which it is looked at.
    fn begin(&mut self, budget: Budget) -> u64 {
        let first = budget.0.div_ceil(2);
        self.ticker.wake();
        (self.left, self.since) = (Duration::from_millis((budget.0 - first) * TICK_MS), None);
        // The first tick may come at once.
        first + 1
    }

    /// The clock has run down. What cannot be told is taken for too long.
    fn look(&mut self) -> UpdateDeadline {
        // It must not fall asleep over this call.
        self.ticker.wake();
        let Some(now) = processor_time() else { return UpdateDeadline::Interrupt };
        let used = now.saturating_sub(*self.since.get_or_insert(now));
        let ticks = self.left.saturating_sub(used).as_nanos().div_ceil(TICK.as_nanos());
        match u64::try_from(ticks) {
            Ok(0) | Err(_) => UpdateDeadline::Interrupt,
            Ok(ticks) => UpdateDeadline::Continue(ticks),
        }
    }

    /// What a call counts for that took so many ticks. More than the first half is not known to be the guest's, unless it was looked at.
    fn charge(&self, ticks: u64, budget: Budget) -> u64 {
        let first = budget.0.div_ceil(2);
        let second = self.since.zip(processor_time()).map_or(Duration::ZERO, |(since, now)| now.saturating_sub(since));
        ticks.min(first) + u64::try_from(second.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX)
    }
}

/// The time of this thread, in user code and in the kernel.
fn processor_time() -> Option<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).ok()?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    u64::try_from(micros).ok().map(Duration::from_micros)
}

#[derive(Debug)]
struct Bounds {
    memory: usize,
    /// It asked for more.
    refused: bool,
}

impl ResourceLimiter for Bounds {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= self.memory;
        self.refused |= !fits;
        Ok(fits)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }
}

/// An instance of a module. Whoever has it is the only one who has.
#[derive(Debug)]
pub struct Instance<T: 'static> {
    store: Store<Guest<T>>,
    instance: wasmtime::Instance,
    memory: Option<Memory>,
    module: Module,
    uses: u32,
    used: Budget,
    is_broken: bool,
}

/// Why no instance was made.
#[derive(Debug)]
pub enum NotMade {
    /// As many run as may.
    Busy,
    /// It does not start.
    Stopped(Stopped),
}

/// Why a call has no result.
#[derive(Debug)]
pub struct Stopped {
    /// What stopped it.
    pub why: Why,
    /// The guest asked for more memory than it may have, and did not get it.
    pub was_refused_memory: bool,
}

/// What stops a call.
#[derive(Debug)]
pub enum Why {
    /// It took too long.
    Time,
    /// Its calls were nested too deeply.
    Stack,
    /// It did what no guest may, in the engine's words.
    Trap(String),
    /// The host stopped it.
    Host(String),
    /// The instance had been stopped before, and is not called again.
    Broken,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Why::Time => f.write_str("it took longer than it may")?,
            Why::Stack => f.write_str("its calls are nested too deeply")?,
            Why::Trap(trap) => f.write_str(trap)?,
            Why::Host(words) => f.write_str(words)?,
            Why::Broken => f.write_str("it was stopped before")?,
        }
        if self.was_refused_memory { f.write_str(", after it had asked for more memory than it may have") } else { Ok(()) }
    }
}

impl std::error::Error for Stopped {}

impl Why {
    fn of(error: &wasmtime::Error) -> Self {
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Self::Time,
            Some(Trap::StackOverflow) => Self::Stack,
            Some(trap) => Self::Trap(trap.to_string()),
            None => Self::Host(error.root_cause().to_string()),
        }
    }
}

impl<T: 'static> Instance<T> {
    /// Makes one. Runs the module's start section, if it has one, within the budget.
    ///
    /// # Errors
    /// When as many run as may, or it does not start.
    pub fn new(module: &Module, pre: &InstancePre<Guest<T>>, data: T, budget: Budget) -> Result<Self, NotMade> {
        let sandbox = module.sandbox();
        let bounds = Bounds { memory: sandbox.limits.memory, refused: false };
        let mut watch = Watch { ticker: sandbox.ticker.clone(), left: Duration::ZERO, since: None };
        let first = watch.begin(budget);
        let mut store = Store::new(&sandbox.engine, Guest { data, bounds, watch });
        store.limiter(|guest| &mut guest.bounds);
        store.epoch_deadline_callback(|mut guest| Ok(guest.data_mut().watch.look()));
        store.set_epoch_deadline(first);
        let instance = match pre.instantiate(&mut store) {
            Ok(instance) => instance,
            Err(error) if error.is::<wasmtime::PoolConcurrencyLimitError>() => return Err(NotMade::Busy),
            Err(error) => {
                let was_refused_memory = store.data().bounds.refused;
                return Err(NotMade::Stopped(Stopped { why: Why::of(&error), was_refused_memory }));
            }
        };
        let memory = instance.get_memory(&mut store, "memory");
        Ok(Self { store, instance, memory, module: module.clone(), uses: 0, used: Budget(0), is_broken: false })
    }

    /// A function that it exports, when it does with this type.
    pub fn function<P: WasmParams, R: WasmResults>(&mut self, name: &str) -> Option<TypedFunc<P, R>> {
        self.instance.get_typed_func(&mut self.store, name).ok()
    }

    /// Its memory, when it exports one under the name `memory`.
    pub fn memory(&self) -> Option<Memory> {
        self.memory
    }

    /// Calls a function of it. Time that was used adds up.
    ///
    /// # Errors
    /// When it was stopped. It is then of no more use.
    pub fn call<P: WasmParams, R: WasmResults>(&mut self, function: &TypedFunc<P, R>, given: P, budget: Budget) -> Result<R, Stopped> {
        let was_refused_memory = self.store.data().bounds.refused;
        if self.is_broken || budget.is_spent() {
            let why = if self.is_broken { Why::Broken } else { Why::Time };
            self.is_broken = true;
            return Err(Stopped { why, was_refused_memory });
        }
        let watch = &mut self.store.data_mut().watch;
        let (first, began) = (watch.begin(budget), watch.ticker.now());
        self.store.set_epoch_deadline(first);
        // Whoever catches a panic of the host finds the instance broken.
        self.is_broken = true;
        let result = function.call(&mut self.store, given);
        let watch = &self.store.data().watch;
        self.used.0 += watch.charge(watch.ticker.now() - began, budget);
        match result {
            Ok(result) => {
                self.is_broken = false;
                Ok(result)
            }
            Err(error) => Err(Stopped { why: Why::of(&error), was_refused_memory: self.store.data().bounds.refused }),
        }
    }

    /// Another request has it from now on.
    pub fn begin(&mut self) {
        self.uses += 1;
        self.used = Budget(0);
    }

    /// What was used since [`Instance::begin`] or [`Instance::rest`], as far as the clock's ticks show it.
    pub fn used(&self) -> Budget {
        self.used
    }

    /// Time is counted anew, within the same request.
    pub fn rest(&mut self) {
        self.used = Budget(0);
    }

    /// Whether another request may have it: it was never stopped, has not leaked, and is not worn out.
    pub fn is_fit(&self) -> bool {
        let bounds = &self.store.data().bounds;
        let leaks = self.memory.is_some_and(|memory| memory.data_size(&self.store) > bounds.memory / 2);
        !self.is_broken && !bounds.refused && !leaks && self.uses < MOST_USES
    }

    /// The host's part.
    pub fn data(&self) -> &T {
        &self.store.data().data
    }

    /// The host's part.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.store.data_mut().data
    }

    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }
}

impl<T: 'static> AsContext for Instance<T> {
    type Data = Guest<T>;

    fn as_context(&self) -> StoreContext<'_, Guest<T>> {
        self.store.as_context()
    }
}

impl<T: 'static> AsContextMut for Instance<T> {
    fn as_context_mut(&mut self) -> StoreContextMut<'_, Guest<T>> {
        self.store.as_context_mut()
    }
}

/// For a host that makes a linker.
impl AsRef<Engine> for Module {
    fn as_ref(&self) -> &Engine {
        &self.sandbox().engine
    }
}
