//! Exact counters for throttling, in the memory of one process or shared by many.
//!
//! A request asks several limits at once ([`Counters::decide`]). All of them are checked before any is counted, under locks that
//! everybody takes in the same order. So a limit never lets more pass than it says, and a request that one limit refuses costs
//! the others nothing.
//!
//! What each algorithm accepts at most, for a limit of L in a window of W:
//!
//! | [`Algorithm`] | at most |
//! |---|---|
//! | [`Fixed`](Algorithm::Fixed) | L in each window that begins at a multiple of W since 1970-01-01 UTC; 2 L in some stretch of W |
//! | [`Sliding`](Algorithm::Sliding) | L for steady callers; up to 2 L in some stretch of W for one who times its requests to the window's edge |
//! | [`Gcra`](Algorithm::Gcra) | B + y L / W in any stretch of y, where B is the burst |
//! | [`Policy::shared`] | L in each such window by the store's clock, of all gateways together; [`Epsilon`] says what may come on top when their store fails |
//!
//! A limit on bytes is checked before a body and counted after it, so it is passed by the bodies under way. A limit on requests
//! at the same time ([`Policy::concurrent`]) is exact.
//!
//! ```
//! use std::time::{Instant, SystemTime};
//! use tollgate_counters::{Algorithm, Ask, Counters, DEFAULT_MAX_KEYS, Limit, Moment, Policy};
//!
//! let now = Moment { wall: SystemTime::now(), instant: Instant::now() };
//! let counters = Counters::new(now, DEFAULT_MAX_KEYS);
//! let gold = Policy::new("gold", Algorithm::Fixed, Limit::Requests(5_000), 60)?;
//! let spikes = Policy::new("spikes", Algorithm::Gcra { burst: 1 }, Limit::Requests(10), 1)?;
//!
//! let mut asks = [
//!     Ask::new(&gold, counters.key(&gold, &[b"application 12"])),
//!     Ask::new(&spikes, counters.key(&spikes, &[b"192.0.2.1"])).chosen_by_client(),
//! ];
//! assert!(counters.decide(now, &mut asks).passes);
//! assert_eq!(asks[0].told.remaining, 4_999);
//!
//! let verdict = counters.decide(now, &mut asks);
//! assert_eq!((verdict.passes, verdict.retry_after), (false, 1));
//! assert_eq!(asks[0].told.remaining, 4_999, "a refused request costs nothing");
//! # Ok::<(), tollgate_counters::PolicyError>(())
//! ```
//!
//! Memory is bounded: a counter takes 24 bytes in a hash table, and leaves it when its window is over. When the bound is reached,
//! new keys that the client chose are refused; a counter in use is never dropped, or a client could wipe its quota out by
//! inventing keys.
//!
//! Counters whose window is a day or longer can be saved and loaded again ([`Counters::save_file`], [`Counters::load_file`]).
//!
//! A quota that several gateways share is spent in slices that a store grants. This crate decides when to ask for one
//! ([`Counters::question`]) and what the answer is worth ([`Counters::granted`]); it never talks to the store itself.
//!
//! What it does not protect against: other processes with the same limits, unless they are shared; a crash (what was counted since
//! the last save is forgotten); keys that a client may choose as it likes. Keys are stored as 107 bits of a hash under a random key: two of ten
//! million share a counter with a probability below 10^-18, and nobody can search for such a pair.

mod algorithm;
mod ask;
mod clock;
mod counters;
mod entry;
mod held;
mod key;
mod lease;
mod pass;
mod policy;
mod saved;
mod shard;

pub use ask::{Ask, Told, Verdict};
pub use clock::Moment;
pub use counters::{Counters, DEFAULT_MAX_KEYS};
pub use held::Held;
pub use key::Key;
pub use lease::{Away, Epsilon, Grant, Heard, Question, QuotaId, most_gateways_ahead};
pub use policy::{Algorithm, Limit, MAX_LIMIT, MAX_WINDOW, Policy, PolicyError};
pub use saved::{LoadError, replace_file};
