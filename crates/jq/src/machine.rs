//! The guest, compiled once for all programs of the process.

use std::sync::OnceLock;

use tollgate_sandbox::wasmtime::{self, InstancePre, Linker, TypedFunc};
use tollgate_sandbox::{Budget, Guest, Instance, Limits, Module, NotMade, Sandbox};

use crate::{JqError, wasi};

/// Built by `cargo xtask guests` from `guest/`.
const GUEST: &[u8] = include_bytes!("../guest/built/jq.wasm");

/// Bytes of memory that a run has for interpreter, program, input, output and what it makes meanwhile.
pub const MEMORY: usize = 32 << 20;

/// Instances of all programs. Each costs address space, and memory only while it waits or runs.
pub(crate) const INSTANCES: u32 = 512;

/// The guest and what it is linked to.
pub(crate) struct Machine {
    module: Module,
    pre: InstancePre<Guest<()>>,
}

impl Machine {
    /// The one of this process. The first call compiles it, which takes some seconds.
    pub(crate) fn get() -> Result<&'static Self, JqError> {
        static MACHINE: OnceLock<Result<Machine, String>> = OnceLock::new();
        MACHINE.get_or_init(Self::new).as_ref().map_err(|error| JqError::Setup(error.clone()))
    }

    fn new() -> Result<Self, String> {
        let sandbox = Sandbox::new(Limits { memory: MEMORY, instances: INSTANCES }).map_err(|error| error.to_string())?;
        let module = Module::compile(&sandbox, GUEST).map_err(|error| error.to_string())?;
        let words = |error: wasmtime::Error| format!("{error:#}");
        let mut linker = Linker::new(sandbox.engine());
        wasi::link(&mut linker, module.compiled()).map_err(words)?;
        let pre = linker.instantiate_pre(module.compiled()).map_err(words)?;
        Ok(Self { module, pre })
    }

    /// A fresh instance.
    pub(crate) fn instance(&self, budget: Budget) -> Result<Calls, JqError> {
        let mut instance = Instance::new(&self.module, &self.pre, (), budget).map_err(|error| match error {
            NotMade::Busy => JqError::Busy,
            NotMade::Stopped(stopped) => JqError::Stopped(stopped),
        })?;
        let absent = || JqError::Setup("the guest lacks a function".to_owned());
        Ok(Calls {
            input: instance.function("input").ok_or_else(absent)?,
            output: instance.function("output").ok_or_else(absent)?,
            compile: instance.function("compile").ok_or_else(absent)?,
            run: instance.function("run").ok_or_else(absent)?,
            memory: instance.memory().ok_or_else(absent)?,
            instance,
        })
    }
}

/// An instance and its functions; what they mean is said in `guest/src/lib.rs`.
pub(crate) struct Calls {
    pub instance: Instance<()>,
    pub memory: wasmtime::Memory,
    pub input: TypedFunc<u32, u32>,
    pub output: TypedFunc<(), u32>,
    pub compile: TypedFunc<(), u64>,
    pub run: TypedFunc<(), u64>,
}
