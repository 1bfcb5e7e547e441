//! What becomes of a request: from its head to its endpoint group, or to an answer.
//!
//! Nothing here has a session, a socket or a clock. What the wire and the connection say beside the head comes in as
//! [`Facts`], a body comes in when it was asked for. Nothing is counted or logged here either: whoever asks sees to what the
//! [`Refusal`] says.

pub mod admit;
mod case;
mod facts;
mod head;
mod refusal;

pub use case::{Case, Decision, Place, Step};
pub use facts::{Facts, Http1};
pub use refusal::Refusal;
