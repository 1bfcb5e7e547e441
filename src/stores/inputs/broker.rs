//! The message broker.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use tokio::sync::{oneshot, watch};
use tollgate_broker::{Listener, Message, NotNow};
use tollgate_filter_api::LogLimiter;
use tollgate_revocations::{Bad, Book, Input, Missed, Statement, Subscription, text, wire_map};

use super::listening::{Attentive, GOODBYE, listen, settings};
use crate::config::{self, Broker, Stores};

/// What tells a subscription from any other: whoever listens to the same knows the same.
fn name(broker: &Broker) -> String {
    format!("{}\n{}\n{}\n", broker.url, broker.topic, broker.subscription.as_deref().unwrap_or_default())
}

fn subscription(book: &Arc<Book>, broker: &Broker) -> Option<Arc<Subscription>> {
    let missed = match broker.missed {
        config::Missed::Nothing => Missed::Nothing,
        config::Missed::Etcd => Missed::Etcd,
    };
    Subscription::new(book.clone(), &name(broker), broker.subscription.is_some(), missed).map(Arc::new)
}

/// Listens until `leave` ends, with the settings of the day.
pub(super) async fn keep(book: Arc<Book>, mut stores: watch::Receiver<Stores>, leave: impl Future<Output = ()>) {
    let mut leave = pin!(leave);
    let mut known: Option<(String, Arc<Ear>)> = None;
    loop {
        let Some(broker) = stores.borrow_and_update().broker.clone() else { return };
        let name = name(&broker);
        let ear = match known.take().filter(|(last, _)| *last == name) {
            Some((_, ear)) => ear,
            None => {
                let Some(subscription) = subscription(&book, &broker) else { return };
                Arc::new(Ear::new(book.clone(), subscription))
            }
        };
        known = Some((name, ear.clone()));
        let (stop, stopped) = oneshot::channel();
        let mut listening = pin!(listen(settings(&broker), ear, stopped));
        let leaving = tokio::select! {
            () = &mut listening => false,
            () = &mut leave => true,
            () = changed(&mut stores, &broker) => false,
        };
        drop(stop);
        let _ = tokio::time::timeout(GOODBYE, listening).await;
        if leaving {
            return;
        }
    }
}

/// Waits until the broker's settings are others.
async fn changed(stores: &mut watch::Receiver<Stores>, broker: &Broker) {
    if stores.wait_for(|stores| stores.broker.as_ref() != Some(broker)).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Hears what the broker says.
struct Ear {
    book: Arc<Book>,
    subscription: Arc<Subscription>,
    there: AtomicBool,
    arrivals: LogLimiter,
    losses: LogLimiter,
}

impl Ear {
    fn new(book: Arc<Book>, subscription: Arc<Subscription>) -> Self {
        Self { book, subscription, there: AtomicBool::new(false), arrivals: LogLimiter::default(), losses: LogLimiter::default() }
    }
}

impl Attentive for Ear {
    fn tick(&self) {
        self.subscription.tick();
    }

    fn failed(&self) {
        if let Some(feed) = self.book.feed(Input::Broker) {
            feed.restarted();
        }
    }
}

fn read(message: &Message, now: u32) -> Result<Statement, Bad> {
    match message {
        Message::Map(map) => wire_map(map, now),
        Message::Text(body) => text(body.as_bytes(), now),
        Message::Bytes(body) => text(body, now),
    }
}

impl Listener for Ear {
    fn connected(&self, exact: bool) {
        let gap = self.subscription.connected(exact);
        let news = !self.there.swap(true, Ordering::Relaxed);
        if !news || self.arrivals.allow(Instant::now()).is_none() {
            return;
        }
        if gap {
            log::warn!(
                "the broker that says what is revoked is there, but what it said before is not known, so the list is not complete: \
                 set `subscription` and `revocations.journal`, or `missed: etcd`"
            );
        } else {
            log::info!("the broker that says what is revoked is there");
        }
    }

    fn alive(&self) {
        self.subscription.alive();
    }

    fn drained(&self) {
        self.subscription.drained();
    }

    fn message(&self, message: Message, _: Option<u64>) -> Result<(), NotNow> {
        self.subscription.hear(read(&message, self.subscription.reading_time())).map_err(|error| NotNow(error.to_string()))
    }

    fn unread(&self, why: &str) {
        self.subscription.unread(why);
    }

    fn lost(&self, cause: &str) {
        self.there.store(false, Ordering::Relaxed);
        self.subscription.lost(cause);
        if self.losses.allow(Instant::now()).is_some() {
            log::warn!("the broker that says what is revoked is away: {cause}");
        }
    }
}
