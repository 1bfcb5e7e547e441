//! Slices of quotas that several gateways share.
//!
//! A shared quota belongs to a store, which grants slices of it. A request takes a *credit* of the slice that its gateway holds, in the
//! same pass as all its other limits. When none is left it waits until the store has been asked. Here is the state of it, without clock,
//! network or task: [`Counters::decide`](crate::Counters::decide) says when to ask and [`Counters::question`](crate::Counters::question)
//! what, the lender asks, and [`Counters::granted`](crate::Counters::granted) or [`Counters::unanswered`](crate::Counters::unanswered)
//! take over what came of it.
//!
//! # What it promises
//!
//! In a window of the store's clock all gateways together let no more pass than the limit. Let G be what the store grants in the window:
//!
//! 1. The store answers a question in one step, and grants at most limit − G. So G ≤ limit.
//! 2. A request passes only by a credit of the window, each credit once, before its deadline. An answer counts once, and only for the
//!    question that still waits for it. Credits of one window are dropped when the store speaks of the next.
//! 3. The deadline is the moment of *sending* the question, and what was left of the window when the store read it, less 0.1 % and a
//!    millisecond, to which the store may round. So it is never later than the window's end, as long as clocks drift by less than 0.1 %.
//! 4. Nothing is given back, so nothing is granted twice.
//!
//! So no more pass than G ≤ limit. A lost question grants nothing, a lost answer or a crash wastes a slice, and a repeated question is
//! granted twice within the limit. The store's clock counts, not a gateway's; an answer whose window lies more than a day from ours is not
//! believed.
//!
//! # How large a slice is
//!
//! A gateway asks for what it would use in a tenth of the window, in one second at least and five at most, and for all who wait. The store
//! grants a 2N-th of what is left, where N is the number of gateways, and at least one. It is asked for the next slice when half of one
//! is used, but not when a slice was below four: then each request may be a question, and none is kept from others by a gateway that does
//! not need it.
//!
//! # Without the store
//!
//! [`Away::Strict`] lets nothing pass. [`Away::Share`] lets limit / N pass once in each window of this gateway's clock, for the part of the
//! window that is left and without what was granted before; nothing if the quota was used up, or if N was never known.
//!
//! # What it does not protect against
//!
//! A store that forgets what it granted, or whose clock jumps, grants twice: [`Epsilon`] says how much that can be. Each question tells
//! the store the highest total that was seen, and [`Counters::reports`](crate::Counters::reports) tells it for all quotas, so a store that
//! forgot usually learns it before it grants again. A share is not covered by the store's count, so it comes on top. A store that lies
//! within what an honest one could say can let everybody have the whole limit. Gateways with different limits for one quota keep to the
//! larger until they agree.

mod answer;
mod calls;
mod demand;
mod epsilon;
mod fleet;
mod joined;
mod question;
mod share;
mod state;
mod table;
mod terms;

pub use epsilon::Epsilon;
pub use question::{Grant, Heard, Question, QuotaId};
pub use state::most_gateways_ahead;
pub use terms::Away;

pub(crate) use fleet::{Fleet, Known};
pub(crate) use state::{Lease, Standing};
pub(crate) use table::{Leases, WEIGHT};
pub(crate) use terms::Terms;
