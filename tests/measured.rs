//! Black box as well, and measured: nothing else runs meanwhile, and one of these at a time.

#![allow(clippy::unwrap_used)]

mod chaos;
mod discovery_many;
mod pressure;
