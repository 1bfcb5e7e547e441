//! The list of what was revoked, without a network: what somebody says ([`Statement`]), how a request finds it ([`List`]), how
//! it survives a restart ([`Journal`]), and how fresh it is ([`Book`]).
//!
//! The list holds digests of 120 bits under a key of this process or of its journal, so that no token and no name can be read
//! out of its memory or its file, and a good credential is refused by chance about once in 10^20 times. Each input keeps a
//! view of its own: what one takes back, the others still say. An entry dies with its token.
//!
//! What it does not protect against: an issuer that gives one `jti` or one subject to two users, and an input that says what is
//! not true. Names carry no issuer: `alice` of two issuers is one `alice`.

mod book;
mod entry;
mod feed;
mod journal;
mod list;
mod mark;
mod message;
mod mirror;
mod past;
mod record;
mod shard;
mod statement;
mod subscription;

pub use book::{Book, METRICS, PATIENCE, RevokeError};
pub use entry::{Input, Kind, Seed};
pub use feed::{Feed, FeedError};
pub use journal::{Journal, JournalError, JournalState};
pub use list::{Differences, Full, List};
pub use message::{LONGEST_MESSAGE, pair, text, wire_map};
pub use mirror::Mirrored;
pub use statement::{Bad, Instruction, Statement};
pub use subscription::{Missed, Subscription};
