//! `endpoints:`: where the endpoints of a group come from, how they share its requests, and what guards them; and what is set beside the file.

mod balance;
mod discovery;
mod dns;
mod guards;
mod health;
mod siblings;
mod target;
mod units;
mod variables;

pub use balance::{Balance, BalanceKey, BalanceStrategy, StickyCookie};
pub use discovery::{Absence, Discovered, Discovery, Place, Source};
pub use dns::{DnsName, Records, Scheme};
pub use guards::{Capacity, CircuitBreaker, Retry};
pub use health::{Check, Eject, GrpcCheck, HttpCheck, Probe};
pub use siblings::{Canary, CanaryHeader, Mirror};
pub use target::EndpointTarget;
pub use units::{Percent, StatusRange};
pub use variables::Variables;
