//! Why there is no output.

use thiserror::Error;
use tollgate_sandbox::Stopped;

/// Why a program was not compiled, or has no output.
#[derive(Debug, Error)]
pub enum JqError {
    /// The program is wrong; each mistake with line and column.
    #[error("the jq program is wrong: {0}")]
    Program(String),
    /// The program raised an error.
    #[error("the jq program failed: {0}")]
    Raised(String),
    /// It has no output for this input.
    #[error("the jq program has no output for this input")]
    Nothing,
    /// It has more than one.
    #[error("the jq program has more than one output for this input; `[…]` makes one list of them")]
    Several,
    /// Its output is not JSON: a number that JSON does not have, or bytes that are no text.
    #[error("the output of the jq program is no JSON")]
    NotJson,
    /// The input is not JSON.
    #[error("the input is no JSON: {0}")]
    Input(String),
    /// Program, input or output has more bytes than it may.
    #[error("the {what} has {bytes} bytes, and the limit is {limit}")]
    TooLarge {
        /// Which of them.
        what: &'static str,
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        limit: usize,
    },
    /// It was stopped: it took too long or too much memory, or its calls were nested too deeply.
    #[error("the jq program was stopped: {0}")]
    Stopped(Stopped),
    /// As many programs run as may at the same time.
    #[error("as many jq programs run as may at the same time")]
    Busy,
    /// The sandbox cannot be set up, or the guest is not the one that belongs to it.
    #[error("jq cannot be set up: {0}")]
    Setup(String),
}
