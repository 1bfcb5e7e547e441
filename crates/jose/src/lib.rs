//! Signed tokens as RFC 7515 to 7519 describe them: taken apart strictly, verified with public keys, made with private ones.
//!
//! Pure: no clock, no network, no settings. What a token's claims mean, whom to trust and which algorithms to accept is for
//! whoever calls. Symmetric algorithms, `none` and encryption do not exist here (RFC 8725 §3.1).

mod algorithm;
mod json;
mod jws;
mod key;
mod sign;
mod source;
mod strength;
mod unusable;

pub use algorithm::Algorithm;
pub use json::{members, object};
pub use jws::{Jws, Malformed, normal_type};
pub use key::{Key, private_member};
pub use sign::{SignError, SigningKey, UnusableKey};
pub use source::{Format, KeySet, Unreadable, parse};
pub use unusable::{Dropped, Unusable};
