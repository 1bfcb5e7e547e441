//! Modules of the user's own in the real binary: what they do to messages, and what becomes of those that mean harm.

mod bodies;
mod guest;
mod hostile;
mod interceptors;
mod signed;
