//! The environment of a gateway: `gateway.yaml`, read, resolved and checked.

mod model;

pub use model::*;
