//! Slices of quotas that several gateways share, by way of Redis (5 and later) or Valkey.
//!
//! A gateway that has used up what it holds of a quota asks the store for more ([`Lender::ask`]); the store grants part of what is left, and
//! what it granted is spent only in the window for which it was granted. [`run`] is the task that asks: questions of 2 ms go
//! together, at most 100 quotas in a call of `lease.lua`, and each call has one time limit.
//!
//! # What it promises
//!
//! In one window, which begins and ends by the store's clock, all gateways together let no more pass than the limit, however many there are,
//! and whatever messages are lost, late or doubled, and whichever gateways crash or are cut off. That holds because
//!
//! 1. a script is one step for the store, and grants no more than the limit less what it has granted;
//! 2. a gateway lets a request pass only by a credit, once, and before the credit's window is over;
//! 3. when the window is over counts from a moment before the question left, so a slow answer lives shorter, never longer, provided that
//!    the two clocks run equally fast to 0.1 %;
//! 4. nothing is ever given back, so no message can do so twice. A question may be repeated: the second grants within the limit, too.
//!
//! # What passes above the limit when a condition does not hold
//!
//! | what happens | at most this much more, in the window in which it happens |
//! |---|---|
//! | the store restarts empty, is emptied, or evicts a quota | what it had granted before, up to the limit. Usually nothing: each gateway reports what it was told last before it asks, and for 300 ms nothing is granted of windows that began before |
//! | a replica takes over that lacks the last writes | what was granted in those writes, up to the limit; usually nothing, for the same reason. `min-replicas-to-write 1` keeps a master that was cut off from granting |
//! | the store's clock jumps | credits of the time that it jumped over, in the neighbouring window |
//! | the store is away, and a policy says `share` | ⌊limit/N⌋ for each gateway that is cut off, in a window of its own clock; nothing with `strict` |
//!
//! N, the number of gateways, is counted by the store. While it is away, the last number counts; one that falls is doubted for 10 s. Before it
//! was ever reached nobody has a share, unless the settings say how many gateways there are.
//!
//! A new store grants nothing in the first 300 ms: it cannot tell that it is new from that it has forgotten.
//!
//! # What it needs
//!
//! A user that may read and write keys that begin with the prefix, by `EVALSHA`, `SCRIPT LOAD`, `TIME`, `GET`, `SET`, `INCRBY`, `PEXPIREAT`,
//! `PEXPIRE`, `ZADD`, `ZREMRANGEBYSCORE` and `ZCARD`; in a cluster also `CLUSTER SLOTS`. With `ROLE` a replica is found out, with
//! `INFO` a server that came back as it was is trusted at once, and with `CONFIG GET` it is told whether it may evict keys: set
//! `maxmemory-policy noeviction`. A quota takes about 150 bytes for its window and up to an hour more.
//!
//! # A store that fails, or lies
//!
//! What does not answer in time, or answers what it should not, is left alone for 0.1 s at first and 0.2 s at most, and then tried by
//! one connection. Meanwhile nobody waits. An answer is judged before anything of it counts: no more than was asked for, no window but that of its own
//! time, totals that never fall, a clock that does not jump. No more bytes are read than the answer may have.
//!
//! Does **not** protect against: a store that lies within these bounds can grant each gateway the whole limit. Whoever can write to the
//! store can use quotas up, or give them back by deleting keys. Without TLS that is anybody on the way. Two policies of one name with different limits
//! (while gateways are deployed one after another) share a total, and the larger limit wins.

mod answer;
mod asked;
mod borrower;
mod fleet;
mod lane;
mod lender;
mod run;
mod script;
mod settings;
mod wire;

pub use borrower::{Borrower, Observer};
pub use lender::Lender;
pub use run::run;
pub use settings::{Mode, Settings, check};
pub use tollgate_outbound::tls::ClientCertificate;
