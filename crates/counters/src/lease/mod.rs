//! Slices of quotas that several gateways share.

mod question;

pub use question::{Grant, Question, QuotaId};
