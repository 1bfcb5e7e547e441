//! What the gateway and its `throttle` filter share, and what outlives a reload: the counters of the process, the way to the store of
//! quotas that several gateways share, and who is blocked by the operator at run time.
//!
//! The gateway makes one [`Throttling`], offers it to filters under [`NAME`], tends its counters and keeps them and the blocks in files.
//! A filter that finds none makes one of its own, as tests do.
//!
//! What it does not protect against: other gateways, which have counters and blocks of their own unless there is a store.

mod blocks;
mod lend;
mod network;
mod promise;
mod shield;
mod throttling;
mod top;

pub use blocks::{Block, Blocked, Caller, Change, ChangeError, Kept, List, MAX_BLOCKS};
pub use lend::Lend;
pub use network::Network;
pub use promise::{Excess, Promise};
pub use shield::{InProgress, Shield};
pub use tollgate_counters::Moment;
pub use top::{Line, SAMPLE, Top};

pub use throttling::{NAME, Throttling, moment};
