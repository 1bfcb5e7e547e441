//! A module with its configuration, judged once and run many times.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use thiserror::Error;
use tollgate_filter_api::{Bytes, Metrics};
use tollgate_sandbox::{
    Budget, Guest, Module, Offer, Permit, Pool, Sandbox,
    wasmtime::{InstancePre, UnknownImportError},
};

use crate::{
    abi::{MARKER, MARKERS},
    broken::Broken,
    host::{Host, linker},
    meters::Meters,
    shared_data::SharedData,
    vm::{Functions, Vm},
};

/// Lines of a program in the process log within a second of the sandbox's clock.
const MOST_LINES: u64 = 100;

/// How a module is run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The module's name, for messages and metrics.
    pub name: String,
    /// What the guest gets as its plugin configuration.
    pub configuration: Bytes,
    /// Names under which it finds upstreams for calls.
    pub upstreams: Vec<String>,
    /// Bytes of a body, of an answer of its own, of what it sends with a call.
    pub most_body: usize,
    /// Calls for a request.
    pub most_calls: u32,
    /// Instances at the same time, those that wait included.
    pub instances: u32,
    /// Time that a callback may take.
    pub callback: Duration,
    /// Time that all callbacks of a request may take.
    pub request: Duration,
    /// Time that each callback at the start of an instance may take.
    pub start: Duration,
    /// Whether an instance serves one request after the other; otherwise each has a fresh one.
    pub is_pooled: bool,
}

/// Why a module cannot be run.
#[derive(Debug, Error)]
pub enum LoadProblem {
    /// It was not made for this ABI.
    #[error("it exports no `{}`: it is no proxy-wasm module", MARKERS[0])]
    NoMarker,
    /// It was made for another version.
    #[error("it was made for proxy-wasm ABI {0}, and 0.2.0 and 0.2.1 are run here: build it with a newer SDK")]
    OtherVersion(String),
    /// It needs a function that nobody defines, or one of another type.
    #[error("it imports what is not offered here: {0}")]
    Import(String),
    /// A callback has another type than the ABI says.
    #[error("it exports `{0}` with other parameters or results than proxy-wasm ABI 0.2.1 has")]
    Export(&'static str),
    /// It does not start.
    #[error("it does not start: {0}")]
    Start(Broken),
    /// It does not want its configuration.
    #[error("it refuses its configuration: `{0}` returned false{1}")]
    Refused(&'static str, String),
    /// There is no room to try it.
    #[error("no instance can be made: as many run as may")]
    Busy,
}

/// A module with its configuration. Cheap to clone.
#[derive(Clone)]
pub struct Program(Arc<Inner>);

struct Inner {
    module: Module,
    pre: InstancePre<Guest<Host>>,
    pool: Pool<Vm>,
    common: Arc<Common>,
    instances_start: Budget,
    is_pooled: bool,
}

/// What all instances have in common.
#[derive(Debug)]
pub struct Common {
    pub name: String,
    pub digest: String,
    pub configuration: Bytes,
    pub upstreams: Vec<String>,
    pub most_body: usize,
    pub most_calls: u32,
    pub callback: Budget,
    pub request: Budget,
    pub data: SharedData,
    pub meters: Meters,
    pub lines: Lines,
}

/// What comes of asking for an instance.
#[derive(Debug)]
pub enum Taken {
    /// It is the caller's until it is given back.
    Vm(Box<Vm>),
    /// As many are in use as may be.
    Busy,
    /// A new one does not start.
    Broken(Broken),
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Program({}, {})", self.0.common.name, self.0.common.digest)
    }
}

impl Program {
    /// Judges what a module exports and imports, and starts a first instance.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn load(module: Module, settings: Settings, metrics: Metrics) -> Result<Self, LoadProblem> {
        judge_marker(&module)?;
        let unlinkable = |error: tollgate_sandbox::wasmtime::Error| {
            LoadProblem::Import(match error.downcast_ref::<UnknownImportError>() {
                Some(unknown) => format!("`{}` of `{}`", unknown.name(), unknown.module()),
                None => format!("{error:#}"),
            })
        };
        let linker = linker(module.sandbox().engine()).map_err(unlinkable)?;
        let pre = linker.instantiate_pre(module.compiled()).map_err(unlinkable)?;
        let common = Common {
            digest: module.short_digest(),
            configuration: settings.configuration,
            upstreams: settings.upstreams,
            most_body: settings.most_body,
            most_calls: settings.most_calls,
            callback: Sandbox::budget(settings.callback),
            request: Sandbox::budget(settings.request),
            data: SharedData::default(),
            meters: Meters::new(metrics, &settings.name),
            lines: Lines::new(module.sandbox()),
            name: settings.name,
        };
        let program = Self(Arc::new(Inner {
            module,
            pre,
            pool: Pool::new(settings.instances),
            common: Arc::new(common),
            instances_start: Sandbox::budget(settings.start),
            is_pooled: settings.is_pooled,
        }));
        let permit = program.0.pool.permit().ok_or(LoadProblem::Busy)?;
        let first = program.make(permit)?;
        program.0.pool.give(first);
        Ok(program)
    }

    /// An instance for a request.
    pub fn take(&self) -> Taken {
        match self.0.pool.ask() {
            Offer::Ready(vm) => Taken::Vm(vm),
            Offer::Busy => Taken::Busy,
            Offer::Room(permit) => match self.make(permit) {
                Ok(vm) => Taken::Vm(vm),
                Err(LoadProblem::Busy) => Taken::Busy,
                Err(LoadProblem::Start(broken)) => Taken::Broken(broken),
                Err(other) => Taken::Broken(Broken::new(crate::Kind::Trap, format!("{}: {other}", self.0.common.title()))),
            },
        }
    }

    /// Gives an instance back after its request.
    ///
    /// # Errors
    /// When its last callbacks break; it is given up then.
    pub fn give(&self, mut vm: Box<Vm>, status: u16) -> Result<(), Broken> {
        vm.end(status)?;
        if self.0.is_pooled {
            self.0.pool.give(vm);
        }
        Ok(())
    }

    /// The module's name and the beginning of its digest.
    pub fn title(&self) -> String {
        self.0.common.title()
    }

    /// Instances, those in use included.
    pub fn alive(&self) -> u32 {
        self.0.pool.alive()
    }

    fn make(&self, permit: Permit) -> Result<Box<Vm>, LoadProblem> {
        Vm::start(&self.0.module, &self.0.pre, &self.0.common, self.0.instances_start, permit).map(Box::new)
    }
}

impl Common {
    /// The module's name and the beginning of its digest.
    pub fn title(&self) -> String {
        format!("module `{}` ({})", self.name, self.digest)
    }
}

fn judge_marker(module: &Module) -> Result<(), LoadProblem> {
    if !MARKERS.iter().any(|marker| module.exports(marker)) {
        let other = module.exported().find_map(|name| name.strip_prefix(MARKER));
        return Err(other.map_or(LoadProblem::NoMarker, |other| LoadProblem::OtherVersion(other.replace('_', "."))));
    }
    Functions::NAMES.iter().copied().filter(|name| module.exports(name)).try_for_each(|name| {
        let fits = Functions::fits(module, name);
        if fits { Ok(()) } else { Err(LoadProblem::Export(name)) }
    })
}

/// Bounds the lines of a program in the log.
#[derive(Debug)]
pub struct Lines {
    sandbox: Sandbox,
    /// Second in the upper half, lines in the lower.
    state: AtomicU64,
}

impl Lines {
    fn new(sandbox: &Sandbox) -> Self {
        Self { sandbox: sandbox.clone(), state: AtomicU64::new(0) }
    }

    /// Whether one more may be written.
    pub fn allow(&self) -> bool {
        let second = self.sandbox.passed().as_secs() << 32;
        let state = self.state.load(Ordering::Relaxed);
        let lines = if state & !0xffff_ffff == second { state & 0xffff_ffff } else { 0 };
        // Two threads may count the same line once.
        self.state.store(second | (lines + 1), Ordering::Relaxed);
        lines < MOST_LINES
    }
}
