//! Requests that are refused whatever they have left.

mod block;
mod kept;
mod list;

pub use block::{Block, Caller};
pub use kept::{Blocked, Change, ChangeError, Kept, MAX_BLOCKS};
pub use list::List;
