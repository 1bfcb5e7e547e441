//! What clients that keep a connection to a store share: TLS, how long to wait before the next attempt, and what may be repeated
//! of the other side's words.
//!
//! Does **not** protect against: a server whose certificate is good and whose word is not.

mod backoff;
pub mod tls;
mod trust;
mod words;

pub use backoff::Backoff;
pub use trust::{INSTALL, TrustError, check_trust, connector};
pub use words::quoted;
