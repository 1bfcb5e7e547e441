//! Connections to the store: where it is, how one is opened, and what of an answer is read at most.

pub(crate) mod endpoint;
pub(crate) mod failure;
pub(crate) mod link;
pub(crate) mod open;
pub(crate) mod place;
mod stream;
