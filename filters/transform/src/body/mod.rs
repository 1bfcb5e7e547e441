//! What is done to a body, step by step.

mod conversion;
mod edits;
mod jq;
mod media;
mod pipeline;
mod template;

use std::borrow::Cow;

pub use conversion::{Declared, library};
pub use media::{Coding, Notation};
pub use pipeline::{Limits, Pipeline, Values};

/// What is known of a request, for templates.
pub type Known = serde_json::Map<String, serde_json::Value>;

/// Why a body was not changed. Says nothing of what stands in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is of another media type than the first step reads.
    #[error("it is of another media type than the first step reads")]
    MediaType,
    /// It cannot be read.
    #[error("it {0}")]
    Malformed(Cow<'static, str>),
    /// It lacks what a step needs.
    #[error("step {0}: {1}")]
    Unfit(usize, String),
    /// As many programs run as may at the same time.
    #[error("as many jq programs run as may at the same time")]
    Busy,
    /// It is too long, or became so.
    #[error("it is too long, or became so")]
    TooLong,
}
