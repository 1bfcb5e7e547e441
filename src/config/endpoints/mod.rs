//! `endpoints:`, as far as it says where the endpoints of a group come from, and what is set beside the file.

mod discovery;
mod dns;
mod variables;

pub use discovery::{Absence, Discovered, Discovery, Place, Source};
pub use dns::{DnsName, Records, Scheme};
pub use variables::Variables;
