//! Changes to the fields of a head.

mod config;
mod fields;

pub use config::Changes;
pub use fields::{Rendered, Rules};
