//! A program, its instances, and a run.

use std::{fmt, sync::Arc, time::Duration};

use tollgate_sandbox::wasmtime::{AsContext, AsContextMut};
use tollgate_sandbox::{Budget, Offer, Permit, Pool, Resident, Sandbox};

use crate::{
    JqError,
    machine::{Calls, INSTANCES, Machine},
};

/// Bytes of a program.
const MAX_PROGRAM: usize = 64 << 10;
/// Time to compile a program, and to make an instance of one.
const PREPARATION: Duration = Duration::from_secs(1);

/// What a run may have, besides [`crate::MEMORY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time; rounded up to the sandbox's clock, two seconds at most.
    pub time: Duration,
    /// Bytes of the input.
    pub input: usize,
    /// Bytes of the output.
    pub output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_millis(50), input: 1 << 20, output: 1 << 20 }
    }
}

/// A compiled program. Any number of threads may run it at the same time; each run has an instance to itself.
pub struct Program {
    text: Arc<str>,
    machine: &'static Machine,
    pool: Pool<Vm>,
    limits: Limits,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("text", &self.text).field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// An instance that has compiled the program.
struct Vm {
    calls: Calls,
    /// Given back when the instance is gone.
    _permit: Permit,
}

impl Resident for Vm {
    fn is_fit(&self) -> bool {
        self.calls.instance.is_fit()
    }
}

/// What the guest says of a compilation or a run, and the bytes of its output.
struct Outcome {
    code: u64,
    output: Vec<u8>,
}

impl Program {
    /// Compiles a program. The first one of a process takes some seconds, since the interpreter is compiled then.
    ///
    /// # Errors
    /// [`JqError::Program`] with everything that is wrong with it; [`JqError::Setup`] when the sandbox cannot be had.
    pub fn compile(text: &str, limits: Limits) -> Result<Self, JqError> {
        let bytes = text.len();
        if bytes > MAX_PROGRAM {
            return Err(JqError::TooLarge { what: "jq program", bytes, limit: MAX_PROGRAM });
        }
        let program = Self { text: text.into(), machine: Machine::get()?, pool: Pool::new(INSTANCES), limits };
        let permit = program.pool.permit().ok_or(JqError::Busy)?;
        program.pool.give(program.vm(permit)?);
        Ok(program)
    }

    /// The program's one output for this input, a JSON text without spaces.
    ///
    /// # Errors
    /// When there is none, or not exactly one, or the run was stopped. The next run is not affected.
    pub fn run(&self, input: &[u8]) -> Result<Vec<u8>, JqError> {
        let (bytes, limit) = (input.len(), self.limits.input);
        if bytes > limit {
            return Err(JqError::TooLarge { what: "input", bytes, limit });
        }
        let mut vm = match self.pool.ask() {
            Offer::Ready(vm) => vm,
            Offer::Room(permit) => self.vm(permit)?,
            Offer::Busy => return Err(JqError::Busy),
        };
        vm.calls.instance.begin();
        let outcome = vm.calls.run(input, Sandbox::budget(self.limits.time), self.limits.output);
        // One that was stopped is given up there.
        self.pool.give(vm);
        outcome?.meaning()
    }

    fn vm(&self, permit: Permit) -> Result<Box<Vm>, JqError> {
        let budget = Sandbox::budget(PREPARATION);
        let mut vm = Vm { calls: self.machine.instance(budget)?, _permit: permit };
        vm.calls.compile(self.text.as_bytes(), budget)?.meaning()?;
        Ok(Box::new(vm))
    }
}

impl Calls {
    fn compile(&mut self, text: &[u8], budget: Budget) -> Result<Outcome, JqError> {
        self.put(text, budget)?;
        let said = self.instance.call(&self.compile, (), budget).map_err(JqError::Stopped)?;
        self.outcome(said, budget, usize::MAX)
    }

    fn run(&mut self, input: &[u8], budget: Budget, most: usize) -> Result<Outcome, JqError> {
        self.put(input, budget)?;
        let said = self.instance.call(&self.run, (), budget).map_err(JqError::Stopped)?;
        self.outcome(said, budget, most)
    }

    /// Writes what the guest reads next.
    fn put(&mut self, bytes: &[u8], budget: Budget) -> Result<(), JqError> {
        let length = u32::try_from(bytes.len()).map_err(|_| outside())?;
        let at = self.instance.call(&self.input, length, budget).map_err(JqError::Stopped)? as usize;
        let memory = self.memory.data_mut(self.instance.as_context_mut());
        let place = at.checked_add(bytes.len()).and_then(|end| memory.get_mut(at..end));
        place.ok_or_else(outside)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Takes what it said apart: the outcome in the upper half, the length of the output in the lower.
    fn outcome(&mut self, said: u64, budget: Budget, most: usize) -> Result<Outcome, JqError> {
        let bytes = (said & u64::from(u32::MAX)) as usize;
        if bytes > most {
            return Err(JqError::TooLarge { what: "output", bytes, limit: most });
        }
        let at = self.instance.call(&self.output, (), budget).map_err(JqError::Stopped)? as usize;
        let memory = self.memory.data(self.instance.as_context());
        let output = at.checked_add(bytes).and_then(|end| memory.get(at..end)).ok_or_else(outside)?.to_vec();
        Ok(Outcome { code: said >> 32, output })
    }
}

impl Outcome {
    /// The codes of `guest/src/lib.rs`.
    fn meaning(self) -> Result<Vec<u8>, JqError> {
        let words = || String::from_utf8_lossy(&self.output).into_owned();
        match self.code {
            0 => Ok(self.output),
            1 => Err(JqError::Program(words())),
            2 => Err(JqError::Raised(words())),
            3 => Err(JqError::Nothing),
            4 => Err(JqError::Several),
            5 => Err(JqError::NotJson),
            6 => Err(JqError::Input(words())),
            other => Err(JqError::Setup(format!("the guest says {other}"))),
        }
    }
}

fn outside() -> JqError {
    JqError::Setup("the guest points outside of its memory".to_owned())
}
