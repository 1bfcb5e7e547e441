//! The endpoints that one request tries.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use super::{Endpoint, EndpointSet, Report, balance::Order};

/// The set that a request began with, and its way through it. Whatever becomes of the group meanwhile, the request stays within this
/// set; when it must try again, endpoints that are in the group no more come after the others.
pub struct Selection<C> {
    set: Arc<EndpointSet<C>>,
    pub(super) order: Order,
    /// Place of the endpoint that is tried now.
    pub(super) current: Option<usize>,
}

impl<C> Selection<C> {
    pub(super) fn new(set: Arc<EndpointSet<C>>) -> Self {
        Self { order: set.order(), set, current: None }
    }

    /// Goes on to the next endpoint, and says where it is when that is known; otherwise its name must be looked up first. `None` when
    /// none is left.
    ///
    /// One that could not be reached lately comes after all the others, but it comes: no request fails without a try. Several
    /// addresses of a name take turns by `turn`.
    pub fn next(&mut self, turn: usize, now: Instant) -> Option<(&Endpoint<C>, Option<SocketAddr>)> {
        let retry = self.current.is_some();
        while let Some(at) = self.order.next_step() {
            let endpoint = &self.set.endpoints()[at];
            let admitted = if retry && endpoint.has_left() { None } else { endpoint.admits(turn, now) };
            if let Some(address) = admitted {
                self.current = Some(at);
                return Some((endpoint, address));
            }
            self.order.passed_over.push(at);
        }
        let at = self.order.next()?;
        self.current = Some(at);
        let endpoint = &self.set.endpoints()[at];
        Some((endpoint, endpoint.upstream.address(turn)))
    }

    /// The endpoint that is tried now.
    pub fn endpoint(&self) -> Option<&Arc<Endpoint<C>>> {
        self.set.endpoints().get(self.current?)
    }

    /// Whether there is another one to try.
    pub fn has_more(&self) -> bool {
        self.order.len() > 0
    }

    /// Begins anew, with the same set.
    pub fn restart(&mut self) {
        self.order = self.set.order();
    }

    /// Whether an answer with that status counts as a failure that the next endpoint may repair.
    pub fn is_failure(&self, status: u16) -> bool {
        self.set.is_failure(status)
    }

    /// Tells what came of the endpoint that is tried now. When it has another address than the one that could not be connected to, this
    /// request may try that.
    pub fn report(&mut self, report: Report) {
        let Some(at) = self.current else { return };
        self.set.report(at, report);
        if let Report::Unreachable { at: when, .. } = report
            && !self.set.endpoints()[at].is_left_out(when)
        {
            self.order.again = Some(at);
        }
    }
}
