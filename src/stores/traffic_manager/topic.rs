//! What the traffic manager publishes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use tokio::sync::watch;
use tollgate_broker::{Listener, Message, NotNow};
use tollgate_filter_api::{Clock, Gauge, LogLimiter};
use tollgate_traffic_manager::{Bad, News, Said, TrafficManager, text, wire_map};

use super::millis;
use crate::stores::inputs::listening::Attentive;

/// Hears it.
pub(super) struct Ear {
    manager: Arc<TrafficManager>,
    clock: Arc<dyn Clock>,
    /// Told each time that the broker is there anew.
    arrived: watch::Sender<()>,
    connected: Gauge,
    there: AtomicBool,
    arrivals: LogLimiter,
    losses: LogLimiter,
    bad: LogLimiter,
}

impl Ear {
    pub(super) fn new(manager: Arc<TrafficManager>, clock: Arc<dyn Clock>, arrived: watch::Sender<()>, connected: Gauge) -> Self {
        connected.set(0);
        Self {
            manager,
            clock,
            arrived,
            connected,
            there: AtomicBool::new(false),
            arrivals: LogLimiter::default(),
            losses: LogLimiter::default(),
            bad: LogLimiter::default(),
        }
    }

    fn dropped(&self, why: &str) {
        if self.bad.allow(Instant::now()).is_some() {
            log::warn!("a message of the traffic manager was dropped: {why}");
        }
    }
}

fn read(message: &Message, now: u64) -> Result<News, Bad> {
    match message {
        Message::Map(map) => wire_map(map, now),
        Message::Text(body) => text(body.as_bytes(), now),
        Message::Bytes(body) => text(body, now),
    }
}

impl Listener for Ear {
    fn connected(&self, _: bool) {
        self.connected.set(1);
        self.arrived.send_replace(());
        if !self.there.swap(true, Ordering::Relaxed) && self.arrivals.allow(Instant::now()).is_some() {
            log::info!("the traffic manager's broker is there");
        }
    }

    fn alive(&self) {}

    fn drained(&self) {}

    fn message(&self, message: Message, published: Option<u64>) -> Result<(), NotNow> {
        let now = millis(&*self.clock);
        let heard = self.manager.decisions.hear(read(&message, now), Said { published, heard: now });
        // It was counted; one that comes again and again would keep every later one back.
        heard.unwrap_or_else(|bad| self.dropped(&bad.to_string()));
        Ok(())
    }

    fn unread(&self, why: &str) {
        self.manager.decisions.drop_some(1);
        self.dropped(why);
    }

    fn lost(&self, cause: &str) {
        self.connected.set(0);
        self.there.store(false, Ordering::Relaxed);
        if self.losses.allow(Instant::now()).is_some() {
            log::warn!("the traffic manager's broker is away: {cause}");
        }
    }
}

impl Attentive for Ear {
    fn tick(&self) {}

    fn failed(&self) {}
}
