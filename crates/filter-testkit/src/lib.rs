//! The harness that runs a filter without a network: plain values in, plain values out, a fake world.
//!
//! [`Harness`] builds a filter from YAML as the gateway does and runs requests through it. [`Conformance`] holds a filter
//! to what every filter must do, and runs its `cases/*.yaml`. [`hostile`] throws arbitrary heads at it.
//!
//! What it does not show: how a filter behaves behind other filters (that is the chain's test), how fast it is, and what
//! Pingora does with the heads it changed.
//!
//! ```ignore
//! let h = Harness::<Throttle>::yaml("{limit: 1, window: 5s}");
//! let alice = || h.request("GET", "/").given(principal("alice"));
//! alice().run().next();
//! alice().run().assert_denied(429, "throttle.exceeded");
//! h.advance(Duration::from_secs(5));
//! alice().run().next();
//! ```

mod conformance;
pub mod hostile;

pub use conformance::{Conformance, HEADINGS, conformance};
pub use tollgate_filter_cases::*;
