//! Limits that several gateways share: a request that finds nothing left of this gateway's slice waits for the next one.

use std::{future::Future, pin::Pin, time::Duration};

use arrayvec::ArrayVec;
use tollgate_counters::{Ask, Key};
use tollgate_throttling::Throttling;

use crate::limits::MOST;

/// What a request waits for.
#[derive(Default)]
pub(crate) struct Wanted {
    /// Quotas whose store was asked, by this request or by another one.
    keys: ArrayVec<Key, MOST>,
}

impl Wanted {
    /// Asks the store what the limits want to know, and keeps what is to be waited for.
    pub(crate) fn send(&mut self, throttling: &Throttling, asks: &[Ask<'_>]) {
        let Some(lender) = &throttling.lender else { return };
        self.keys.clear();
        for ask in asks {
            if ask.told.waits {
                self.keys.push(ask.key());
            }
            if let Some(question) = throttling.counters.question(ask) {
                lender.ask(question);
            }
        }
    }

    /// Ends when all that is waited for has come; `None` for a request that has waited long enough.
    pub(crate) fn answered(&self, throttling: &Throttling, waited: Duration) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        let lender = throttling.lender.as_ref()?;
        let patience = lender.patience().checked_sub(waited).filter(|patience| !patience.is_zero())?;
        Some(lender.answered(&self.keys, patience))
    }
}
