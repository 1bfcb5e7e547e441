//! Runs filters of the user's own: WebAssembly modules with the proxy-wasm ABI.
//!
//! What it protects against: a module that loops, allocates, recurses, traps or writes what it may not ends the request that it had, with a
//! fault that names module, digest and its last words. One request has an instance for itself from its head to its end. What it does not
//! protect against: a module that decides wrongly, hands on the credentials that it sees, or remembers one caller for the next
//! (`isolation: request`).

mod answer;
mod calls;
mod config;
mod declared;
mod faults;
mod filter;
mod guests;
mod load;
mod request;
mod stream;

pub use config::Config;
pub use filter::Wasm;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<Wasm>(
    include_str!("../README.md"),
    &[
        ("answers.yaml", include_str!("../cases/answers.yaml")),
        ("bodies.yaml", include_str!("../cases/bodies.yaml")),
        ("calls.yaml", include_str!("../cases/calls.yaml")),
        ("fields.yaml", include_str!("../cases/fields.yaml")),
    ],
);
