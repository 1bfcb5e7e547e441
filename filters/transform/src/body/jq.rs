//! Programs in jq. They run in the sandbox, each within its time and its memory, so that one without an end ends its own message only.

use std::time::Duration;

use tollgate_filter_api::Problem;

use super::{Wrong, pipeline::Limits};

/// A program, compiled.
#[derive(Debug)]
pub struct Jq(#[cfg(feature = "wasm")] tollgate_jq::Program, #[cfg(not(feature = "wasm"))] std::convert::Infallible);

/// Longest time that a program may be given.
const LONGEST: Duration = Duration::from_secs(2);

impl Jq {
    /// Compiles a program; `place` is where it is written.
    ///
    /// # Errors
    /// What is wrong with it, or that this gateway runs none.
    #[cfg(feature = "wasm")]
    pub fn parse(written: &str, place: &str, limits: &Limits) -> Result<Self, Problem> {
        if limits.jq > LONGEST {
            return Err(Problem::setting("/limits/jq", "a program in jq may take two seconds at most"));
        }
        let limits = tollgate_jq::Limits { time: limits.jq, input: limits.bytes, output: limits.bytes };
        tollgate_jq::Program::compile(written, limits).map(Self).map_err(|why| Problem::setting(place, why.to_string()))
    }

    /// As it is where the sandbox was left out.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "wasm"))]
    pub fn parse(_: &str, place: &str, limits: &Limits) -> Result<Self, Problem> {
        let _ = limits.jq > LONGEST;
        let problem = Problem::setting(place, "this gateway was built without the feature `wasm`, and runs no jq");
        Err(problem.hint("use a gateway that has it, or `patch`, `merge`, `remove` and `template`"))
    }

    /// What it makes of a JSON text.
    ///
    /// # Errors
    /// It failed, was stopped, or came to no value or several.
    #[cfg(feature = "wasm")]
    pub fn run(&self, at: usize, body: &[u8]) -> Result<Vec<u8>, Wrong> {
        use tollgate_jq::JqError;
        self.0.run(body).map_err(|why| match why {
            JqError::TooLarge { .. } => Wrong::TooLong,
            JqError::Busy => Wrong::Busy,
            // What the program itself says may repeat what is in the body.
            JqError::Raised(_) => Wrong::Unfit(at + 1, "the jq program failed".to_owned()),
            JqError::Input(_) => Wrong::Unfit(at + 1, "jq cannot read the body".to_owned()),
            why => Wrong::Unfit(at + 1, why.to_string()),
        })
    }

    /// As it is where the sandbox was left out.
    ///
    /// # Errors
    /// Never: there is no program.
    #[cfg(not(feature = "wasm"))]
    pub fn run(&self, _: usize, _: &[u8]) -> Result<Vec<u8>, Wrong> {
        match self.0 {}
    }
}
