//! Events on their way to the traffic manager: a bounded queue, and several POSTs at the same time on connections that are kept.
//!
//! An event is lost when the queue is full, when it is too long, or when it was not taken in time. Each loss is counted, once. An event whose
//! connection was closed before an answer came is sent again, so it may arrive twice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tollgate_filter_api::{Counter, HeaderName, HeaderValue, LogLimiter, Method, Metrics, Remote, RemoteRequest};
use tollgate_traffic_manager::Outbox;

/// POSTs at the same time.
const IN_FLIGHT: usize = 16;

/// How long after a failure one of them is not made again, so that a server that is away does not take the whole queue with it.
const REST: Duration = Duration::from_millis(250);

/// Longest event.
const LONGEST_EVENT: usize = 64 << 10;

/// Bytes of the queue for each event that it has room for: most events are shorter.
const ROOM: usize = 4 << 10;

/// Longest answer that is read.
pub(super) const LONGEST_ANSWER: usize = 64 << 10;

/// Where events wait.
pub(super) struct Outgoing {
    sender: mpsc::Sender<Vec<u8>>,
    receiver: Mutex<mpsc::Receiver<Vec<u8>>>,
    in_flight: AtomicUsize,
    /// Bytes of the events that wait, and how many they may be.
    bytes: (AtomicUsize, usize),
    events: Counter,
    lost: Counter,
    losses: LogLimiter,
}

impl Outgoing {
    /// A queue for so many.
    pub(super) fn new(room: usize, metrics: &Metrics) -> Self {
        let (sender, receiver) = mpsc::channel(room.clamp(1, Semaphore::MAX_PERMITS));
        Self {
            sender,
            receiver: Mutex::new(receiver),
            in_flight: AtomicUsize::new(0),
            bytes: (AtomicUsize::new(0), room.saturating_mul(ROOM).max(LONGEST_EVENT)),
            events: metrics.counter("traffic_manager_events_total", None),
            lost: metrics.counter("traffic_manager_events_lost_total", None),
            losses: LogLimiter::default(),
        }
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    /// Whether all were posted, or lost.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting() == 0 && self.in_flight.load(Ordering::SeqCst) == 0
    }

    fn lose(&self, why: &str) {
        self.lost.inc();
        if self.losses.allow(Instant::now()).is_some() {
            log::warn!("events for the traffic manager are lost: {why}");
        }
    }
}

/// Where requests put them.
pub(super) struct Entrance(pub Arc<Outgoing>);

impl Outbox for Entrance {
    fn put(&self, event: Vec<u8>) {
        self.0.events.inc();
        let (length, (bytes, most)) = (event.len(), &self.0.bytes);
        if length > LONGEST_EVENT {
            return self.0.lose("one is too long");
        }
        if bytes.fetch_add(length, Ordering::Relaxed) + length > *most || self.0.sender.try_send(event).is_err() {
            bytes.fetch_sub(length, Ordering::Relaxed);
            self.0.lose("too many wait");
        }
    }
}

/// Posts them.
#[derive(Clone)]
pub(super) struct Publisher {
    pub outgoing: Arc<Outgoing>,
    pub remote: Arc<dyn Remote>,
    pub credentials: Option<(HeaderName, HeaderValue)>,
}

impl Publisher {
    /// Until it is dropped. Events that are on their way then arrive, or are lost, as if it was not.
    pub(super) async fn run(self) {
        let turns = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut receiver = self.outgoing.receiver.lock().await;
        while let Ok(turn) = turns.clone().acquire_owned().await {
            // Nothing is awaited between taking an event and making it a task of its own.
            let Some(event) = receiver.recv().await else { return };
            self.outgoing.bytes.0.fetch_sub(event.len(), Ordering::Relaxed);
            let mut sent = Sent::new(self.outgoing.clone());
            let publisher = self.clone();
            tokio::spawn(async move {
                match publisher.post(event).await {
                    Ok(()) => sent.end(None),
                    Err(why) => {
                        sent.end(Some(&why));
                        tokio::time::sleep(REST).await;
                    }
                }
                drop(turn);
            });
        }
    }

    async fn post(&self, event: Vec<u8>) -> Result<(), String> {
        let content_type = (http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let headers = self.credentials.iter().cloned().chain([content_type]).collect();
        let request = RemoteRequest { method: Method::POST, target: None, headers, body: Bytes::from(event) };
        let answer = self.remote.call(request).await.map_err(|error| error.to_string())?;
        if (200..300).contains(&answer.status) { Ok(()) } else { Err(format!("it answered {}", answer.status)) }
    }
}

/// An event on its way. If nobody says what became of it, it was lost.
struct Sent(Option<Arc<Outgoing>>);

impl Sent {
    fn new(outgoing: Arc<Outgoing>) -> Self {
        outgoing.in_flight.fetch_add(1, Ordering::SeqCst);
        Self(Some(outgoing))
    }

    /// It was taken, or why not.
    fn end(&mut self, why: Option<&str>) {
        let Some(outgoing) = self.0.take() else { return };
        if let Some(why) = why {
            outgoing.lose(why);
        }
        outgoing.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.end(Some("the task that posted one failed"));
    }
}

#[cfg(test)]
#[path = "tests/publisher.rs"]
mod tests;
