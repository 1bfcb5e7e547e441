//! Holds requests and answers to the definition.
//!
//! What it protects against: messages that are not what the definition says, and those that are made to cost time or memory, or to be read
//! in two ways. What it does not protect against: a message that fits and means harm, and what a definition leaves open.

mod answers;
mod config;
mod filter;
mod message;
mod reasons;
mod request;
mod watch;

pub use config::Config;
pub use filter::Validate;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Validate>(
    include_str!("../README.md"),
    &[
        ("answers.yaml", include_str!("../cases/answers.yaml")),
        ("apis.yaml", include_str!("../cases/apis.yaml")),
        ("body.yaml", include_str!("../cases/body.yaml")),
        ("codes.yaml", include_str!("../cases/codes.yaml")),
        ("limits.yaml", include_str!("../cases/limits.yaml")),
        ("parameters.yaml", include_str!("../cases/parameters.yaml")),
    ],
);
