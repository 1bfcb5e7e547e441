//! Against real servers: everything that can happen to them must end in a limit that holds, and in a store that is asked again.

#![allow(clippy::unwrap_used, missing_docs)]

mod real;
