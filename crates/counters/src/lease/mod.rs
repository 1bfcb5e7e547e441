//! Slices of quotas that several gateways share.

mod answer;
mod calls;
mod demand;
mod epsilon;
mod fleet;
mod joined;
mod question;
mod share;
mod state;
mod table;
mod terms;

pub use epsilon::Epsilon;
pub use question::{Grant, Heard, Question, QuotaId, Return};
pub use terms::Away;

pub(crate) use fleet::{Fleet, Known};
pub(crate) use state::{Lease, Standing};
pub(crate) use table::{Leases, WEIGHT};
pub(crate) use terms::Terms;
