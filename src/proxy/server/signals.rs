//! Signals, stop and hand-over.
//!
//! - HUP opens the access log's file anew and reloads; a problem keeps the running configuration.
//! - TERM stops: not ready, no new connections, `Connection: close` and GOAWAY, what is under way may finish within the grace
//!   time. Connections that were accepted have the time of a header for their first request. The process ends as soon as nothing
//!   is left.
//! - QUIT hands the listening sockets to a process that was started with `--upgrade` and then stops the same way. When no
//!   process takes them, everything goes on; without `process.upgrade_socket` it is TERM.
//! - INT ends at once.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use pingora::server::{ShutdownSignal, ShutdownSignalWatch};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::{census::Census, edge::first_request, sockets::Sockets};
use crate::{config::Process, proxy::running::gateway::Gateway};

/// How long both processes accept after a hand-over: the new one has the sockets, but may be about to start its threads.
const OVERLAP: Duration = Duration::from_secs(2);

/// How long kept connections may still be used. One that is closed without a word may lose the request that its client is just
/// sending; one that is used meanwhile is told `Connection: close` with its answer.
const GOODBYE: Duration = Duration::from_secs(1);

/// Waits for a signal, and drains before it lets the engine stop.
pub struct Signals {
    pub gateway: Arc<Gateway>,
    pub census: Arc<Census>,
    /// Turned true when the gateway stops.
    pub stop: watch::Sender<bool>,
    /// Turned true when another process has the sockets.
    pub handed_over: watch::Sender<bool>,
    pub sockets: Arc<Sockets>,
    pub process: Process,
}

#[async_trait]
impl ShutdownSignalWatch for Signals {
    /// The engine's own ways to stop sleep for the whole grace time, so every way ends in its fast one, after draining here.
    async fn recv(&self) -> ShutdownSignal {
        let kinds = [SignalKind::terminate(), SignalKind::quit(), SignalKind::interrupt()];
        let [Ok(mut terminate), Ok(mut quit), Ok(mut interrupt)] = kinds.map(signal) else {
            log::error!("signals cannot be received");
            return ShutdownSignal::FastShutdown;
        };
        loop {
            tokio::select! {
                _ = interrupt.recv() => return ShutdownSignal::FastShutdown,
                _ = terminate.recv() => break,
                _ = quit.recv() => if self.hand_over().await { break },
            }
        }
        tokio::select! {
            _ = interrupt.recv() => log::warn!("stopping at once"),
            () = self.drain() => {}
        }
        ShutdownSignal::FastShutdown
    }
}

impl Signals {
    /// Whether this process may stop.
    async fn hand_over(&self) -> bool {
        let Some(path) = self.process.upgrade_socket.clone() else { return true };
        log::info!("handing over at {}", path.display());
        let sockets = self.sockets.clone();
        let sent = tokio::task::spawn_blocking(move || sockets.hand_over(&path)).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        if let Err(error) = sent {
            log::error!("no process took the listeners, so this one goes on: {error}");
            return false;
        }
        tokio::time::sleep(OVERLAP).await;
        let _ = self.handed_over.send(true);
        true
    }

    async fn drain(&self) {
        log::info!("stopping: {} connections may finish within {:?}", self.census.count(), self.process.grace.0);
        self.gateway.drain();
        let _ = self.stop.send(true);
        let begun = tokio::time::Instant::now();
        self.empty_before(begun + GOODBYE.min(self.process.grace.0)).await;
        self.census.ask_to_leave(false);
        // The engine's own cleanup would drop connections whose request lies unread.
        self.empty_before(begun + first_request(&self.gateway.current().config.gateway)).await;
        self.census.ask_to_leave(true);
        self.empty_before(begun + self.process.grace.0).await;
    }

    /// Waits until nobody is connected any more, or until the time is over.
    async fn empty_before(&self, end: tokio::time::Instant) {
        while self.census.count() > 0 && tokio::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
