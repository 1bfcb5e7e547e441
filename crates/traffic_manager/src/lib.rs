//! WSO2's traffic manager as a gateway knows it, without a network: what it is told of each request ([`Event`]), and what it says
//! ([`Decisions`]): which keys are throttled until when, who is blocked, and which custom policies there are.
//!
//! What it says is data of strangers over a channel of ours. It is bounded, read by one schema, and refused whole where it is not as it
//! must be; what was dropped is counted ([`Bad`]). Requests read without a lock.
//!
//! What it does not protect against: a traffic manager that is wrong. It decides after the fact, so more requests pass than its limits
//! allow: as many as come while an event and its decision are on their way.

mod bounds;
mod decisions;
mod event;
mod json;
mod keys;
mod lists;
mod manager;
mod news;
mod shards;
mod told;

pub use bounds::{LONGEST_LIST, LONGEST_MESSAGE};
pub use decisions::blocks::BlockKind;
pub use decisions::conditions::Facts;
pub use decisions::{Decisions, Level, Refusal};
pub use event::{Event, Property};
pub use json::Bad;
pub use keys::{ANONYMOUS, Caller, Place, UNAUTHENTICATED, UNLIMITED};
pub use lists::{Blocked, blocks, key_templates};
pub use manager::{NAME, Outbox, TrafficManager};
pub use news::{News, text, wire_map};
pub use told::Said;
