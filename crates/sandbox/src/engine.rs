//! The engine: what guests may use of WebAssembly, and where their memory comes from.

use std::{sync::Arc, time::Duration};

use thiserror::Error;
use wasmparser::WasmFeatures;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::{
    instance::Budget,
    ticker::{GRACE, TICK, TICK_MS, Ticker},
};

/// Memory that an instance keeps when its slot is used again, so that the next one need not fetch it anew.
const KEPT_RESIDENT: usize = 256 << 10;
/// Entries of a table. Rust and C guests have some hundred.
pub(crate) const TABLE_ELEMENTS: usize = 20_000;
/// A page of WebAssembly.
const PAGE: usize = 64 << 10;

/// What the guests of one engine may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Bytes of memory an instance; rounded up to pages of 64 KiB.
    pub memory: usize,
    /// Instances at the same time, of all modules. Costs address space for each, and nothing else.
    pub instances: u32,
}

/// Why there is no engine.
#[derive(Debug, Error)]
pub enum StartError {
    /// The machine does not give the address space, or the processor is not known.
    #[error("the sandbox cannot be set up for {} instances of {} bytes: {reason}", limits.instances, limits.memory)]
    Engine {
        /// What was asked for.
        limits: Limits,
        /// The engine's words.
        reason: String,
    },
    /// No thread for its clock.
    #[error("the sandbox's clock does not start: {0}")]
    Clock(#[from] std::io::Error),
}

/// An engine with its clock. Cheap to clone; modules keep it.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) engine: Engine,
    pub(crate) ticker: Arc<Ticker>,
    pub(crate) limits: Limits,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Sets an engine up and starts its clock.
    ///
    /// # Errors
    /// When the machine does not give what the limits ask for.
    pub fn new(limits: Limits) -> Result<Self, StartError> {
        let limits = Limits { memory: limits.memory.next_multiple_of(PAGE), ..limits };
        let refused = |error: wasmtime::Error| StartError::Engine { limits, reason: format!("{error:#}") };
        let engine = Engine::new(&config(limits, None).map_err(refused)?).map_err(refused)?;
        let ticker = Arc::new(Ticker::start(&engine)?);
        Ok(Self { engine, ticker, limits })
    }

    /// What its guests may have.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The engine, for a host that defines its functions.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Time that has passed while guests ran, as its clock shows it.
    pub fn passed(&self) -> Duration {
        Duration::from_millis(self.ticker.now() * TICK_MS)
    }

    /// The budget of a call that may take so long, rounded up to ticks of 2 ms. At most two seconds.
    pub fn budget(time: Duration) -> Budget {
        let ticks = time.as_nanos().div_ceil(TICK.as_nanos());
        Budget(u64::try_from(ticks).unwrap_or(GRACE).clamp(1, GRACE))
    }
}

/// `target`: machine code for any processor of that kind, and not for this one.
pub(crate) fn config(limits: Limits, target: Option<&str>) -> wasmtime::Result<Config> {
    let mut config = Config::new();
    if let Some(target) = target {
        config.target(target)?;
    }
    config
        .epoch_interruption(true)
        .wasm_backtrace_max_frames(None)
        .wasm_features(unneeded(), false)
        .memory_reservation(limits.memory as u64)
        .memory_guard_size(PAGE as u64)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pooling(limits)));
    Ok(config)
}

/// No SDK needs them; what is off cannot be attacked. What is not compiled in is off already, such as threads.
fn unneeded() -> WasmFeatures {
    WasmFeatures::MULTI_MEMORY
        | WasmFeatures::MEMORY64
        | WasmFeatures::RELAXED_SIMD
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::THREADS
        | WasmFeatures::FUNCTION_REFERENCES
        | WasmFeatures::GC
        | WasmFeatures::EXCEPTIONS
}

fn pooling(limits: Limits) -> PoolingAllocationConfig {
    let mut pooling = PoolingAllocationConfig::new();
    pooling
        .total_core_instances(limits.instances)
        .total_memories(limits.instances)
        .total_tables(limits.instances)
        .max_memories_per_module(1)
        .max_tables_per_module(1)
        .max_memory_size(limits.memory)
        .table_elements(TABLE_ELEMENTS)
        .linear_memory_keep_resident(KEPT_RESIDENT);
    pooling
}
