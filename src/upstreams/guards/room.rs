//! Waiting for an endpoint that has room for one more request.

use std::{net::SocketAddr, pin::pin, time::Instant};

use tokio::time::timeout_at;

use crate::upstreams::{Nowhere, Selection};

impl<C> Selection<C> {
    /// As [`next`](Self::next), but when every endpoint that does well is full, waits for room: as long as `capacity.wait` says, and not
    /// beyond `end`.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn next_with_room(&mut self, turn: usize, now: Instant, end: Option<Instant>) -> Result<Option<SocketAddr>, Nowhere> {
        match self.next(turn, now) {
            Err(Nowhere::Full) => self.wait(turn, end).await,
            other => other,
        }
    }

    /// Another request may be quicker when room is made; then this one goes on waiting, in its place and for the same time.
    async fn wait(&mut self, turn: usize, end: Option<Instant>) -> Result<Option<SocketAddr>, Nowhere> {
        let set = self.set.clone();
        let guards = &set.shared().guards;
        let Some(capacity) = &set.policy().capacity else { return Err(Nowhere::Full) };
        let Some(_waiting) = guards.wait(capacity.pending) else { return Err(Nowhere::Full) };
        let own = Instant::now().checked_add(capacity.wait);
        let last = [own, end].into_iter().flatten().min();
        loop {
            let mut notified = pin!(guards.turn.notified());
            // From here on, whoever makes room wakes this request: so it is looked for room only now.
            notified.as_mut().enable();
            match self.next(turn, Instant::now()) {
                Err(Nowhere::Full) => {}
                other => return other,
            }
            let woken = match last {
                Some(last) => timeout_at(last.into(), notified).await.is_ok(),
                None => {
                    notified.await;
                    true
                }
            };
            if !woken {
                guards.waited_in_vain();
                return Err(Nowhere::Full);
            }
        }
    }
}
