//! What the tests of every package make on the spot: folders that go away, keys, certificates and revocation lists; how much work something was. Nothing of
//! the gateway is in it, so the black-box tests may use it too.

#![allow(clippy::unwrap_used, missing_docs)]

pub mod certificates;
mod cpu;
pub mod folder;
pub mod forms;
mod identity;
mod shared;

pub use cpu::cpu_time;
pub use folder::Folder;
pub use shared::shared_case;
