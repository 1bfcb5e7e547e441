//! Signals, stop and hand-over.
//!
//! - HUP reopens the access log and reloads. If the new configuration has a problem, the old one stays.
//! - TERM stops: the gateway is no longer ready, accepts nothing, sends `Connection: close` and GOAWAY, and lets requests finish
//!   within the grace time. An accepted connection has `limits.header_time` for its first request. The process ends when the last
//!   connection is closed.
//! - QUIT hands the listening sockets to a process that was started with `--upgrade`, then stops like TERM. If no process takes
//!   them, the gateway goes on. Without `process.upgrade_socket`, QUIT is TERM.
//! - INT ends the process at once.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use pingora::server::{ShutdownSignal, ShutdownSignalWatch};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use super::{connections::Connections, edge::first_request, sockets::Sockets};
use crate::{config::Process, proxy::running::gateway::Gateway};

/// How long both processes accept after a hand-over: the new one has the sockets, but may not have started its threads.
const OVERLAP: Duration = Duration::from_secs(2);

/// How long idle connections stay open after a stop. Closing one at once may lose a request that its client is sending; one that is
/// used in this time gets `Connection: close` with its answer.
const GOODBYE: Duration = Duration::from_secs(1);

/// Waits for a signal, and drains the gateway before the engine stops.
pub struct Signals {
    pub gateway: Arc<Gateway>,
    pub connections: Arc<Connections>,
    /// Becomes true when the gateway stops.
    pub stop: watch::Sender<bool>,
    /// Becomes true when another process has the sockets.
    pub handed_over: watch::Sender<bool>,
    pub sockets: Arc<Sockets>,
    pub process: Process,
}

#[async_trait]
impl ShutdownSignalWatch for Signals {
    /// The engine's graceful stops sleep for the whole grace time. So the gateway drains here, and then uses the engine's fast stop.
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
        log::info!("stopping: {} connections may finish within {:?}", self.connections.count(), self.process.grace.0);
        self.gateway.drain();
        let _ = self.stop.send(true);
        let begun = tokio::time::Instant::now();
        self.empty_before(begun + GOODBYE.min(self.process.grace.0)).await;
        self.connections.ask_to_leave(false);
        // The engine's own cleanup would drop connections whose request lies unread.
        self.empty_before(begun + first_request(&self.gateway.current().config().gateway)).await;
        self.connections.ask_to_leave(true);
        self.empty_before(begun + self.process.grace.0).await;
    }

    /// Waits until no connection is open, or until the time is over.
    async fn empty_before(&self, end: tokio::time::Instant) {
        while self.connections.count() > 0 && tokio::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
