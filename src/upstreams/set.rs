//! The endpoints that a group has at one moment, and what is told of them.

use std::{fmt, net::SocketAddr, sync::Arc, time::Instant};

use tollgate_plan::Strategy;

use super::{
    Endpoint,
    balance::{Balance, Order},
    unreachable::REST,
};

/// The endpoints of a group at one moment. A set never changes; a group that changes gets another one.
pub struct EndpointSet<C> {
    group: Arc<str>,
    endpoints: Box<[Arc<Endpoint<C>>]>,
    balance: Balance,
}

/// What came of using an endpoint, or of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// No address is known for its name.
    Unresolved,
    /// This machine had not what a connection takes, such as open files: that says nothing of any address.
    NotTried,
    /// No connection could be made to an address of it.
    Unreachable {
        /// The address.
        address: SocketAddr,
        /// When that was known.
        at: Instant,
    },
    /// An address of it was connected to, or has answered.
    Reached(SocketAddr),
    /// Its final answer had that status.
    Answered(u16),
}

impl<C> fmt::Debug for EndpointSet<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointSet").field("group", &self.group).field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

impl<C> EndpointSet<C> {
    pub(super) fn new(group: Arc<str>, endpoints: Vec<Arc<Endpoint<C>>>, balance: Balance) -> Self {
        Self { group, endpoints: endpoints.into(), balance }
    }

    /// The endpoints, in the order in which they were supplied. There may be none.
    pub fn endpoints(&self) -> &[Arc<Endpoint<C>>] {
        &self.endpoints
    }

    /// How an endpoint is picked.
    pub fn strategy(&self) -> Strategy {
        self.balance.strategy
    }

    /// Whether an answer with that status counts as a failure that the next endpoint may repair.
    pub fn is_failure(&self, status: u16) -> bool {
        self.balance.strategy == Strategy::Failover && (501..=504).contains(&status)
    }

    /// Tells what came of an endpoint, by its place in the set. Requests tell it, and so may whoever checks endpoints; it counts for
    /// later sets too, as long as the endpoint is in them.
    pub fn report(&self, at: usize, report: Report) {
        let Some(endpoint) = self.endpoints.get(at) else { return };
        match report {
            Report::Unresolved | Report::NotTried => self.balance.move_on(&self.endpoints, at),
            Report::Unreachable { address, at: when } => {
                if endpoint.unreachable.failed(address, when) {
                    log::warn!("endpoint group `{}`: {address} cannot be connected to, and is left out for {REST:?}", self.group);
                }
                if endpoint.is_left_out(when) {
                    self.balance.move_on(&self.endpoints, at);
                }
            }
            Report::Reached(address) => {
                if endpoint.unreachable.reached(address) {
                    log::info!("endpoint group `{}`: {address} can be reached again", self.group);
                }
            }
            Report::Answered(status) if self.is_failure(status) => self.balance.move_on(&self.endpoints, at),
            Report::Answered(_) => self.balance.stay(endpoint),
        }
    }

    pub(super) fn order(&self) -> Order {
        self.balance.order(&self.endpoints)
    }
}
