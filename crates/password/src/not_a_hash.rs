//! What is wrong with a text that should be a hash.

/// A text is no hash of a password. The text is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAHash(pub(crate) &'static str);
