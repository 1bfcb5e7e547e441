//! The message broker.

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{oneshot, watch};
use tollgate_broker::{ClientCertificate, Listener, Message, NotNow, Settings};
use tollgate_filter_api::LogLimiter;
use tollgate_revocations::{Bad, Book, Input, Missed, Statement, Subscription, text, wire_map};

use super::supervisor::supervise;
use crate::config::{self, Broker, Stores};

/// How often the view is looked at.
const TICK: Duration = Duration::from_millis(250);

/// How long a goodbye to the broker may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// What the client wants to know.
pub(super) fn settings(broker: &Broker) -> Settings {
    let pair = |pair: &config::KeyPair| ClientCertificate { certificate: pair.certificate.clone(), key: pair.key.clone() };
    let mut settings = Settings::new(broker.url.clone(), broker.topic.clone());
    settings.username.clone_from(&broker.username);
    settings.password.clone_from(&broker.password);
    settings.subscription.clone_from(&broker.subscription);
    settings.ca.clone_from(&broker.ca);
    settings.client_certificate = broker.client_certificate.as_ref().map(pair);
    settings.heartbeat = broker.heartbeat.0;
    settings
}

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
                Arc::new(Ear::new(subscription))
            }
        };
        known = Some((name, ear.clone()));
        let (stop, stopped) = oneshot::channel();
        let mut listening = pin!(listen(book.clone(), settings(&broker), ear, stopped));
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

/// Listens until `stop` is dropped; a failure of the task is told and survived.
async fn listen(book: Arc<Book>, settings: Settings, ear: Arc<Ear>, stop: oneshot::Receiver<()>) {
    let (ended, _) = watch::channel(false);
    let make = || {
        let (settings, ear, mut ended) = (settings.clone(), ear.clone(), ended.subscribe());
        async move {
            let stop = async move {
                let _ = ended.wait_for(|ended| *ended).await;
            };
            let run = tollgate_broker::run(settings, ear.clone(), stop);
            // What came is heard before it is asked for how long nothing came, be it that we could not listen.
            tokio::select! {
                biased;
                done = run => done,
                never = tick(ear) => match never {},
            }
        }
    };
    let failed = |failure: &str| {
        log::error!("the task that listens to the broker is started again: {failure}");
        if let Some(feed) = book.feed(Input::Broker) {
            feed.restarted();
        }
        ear.subscription.lost("the task that listens failed");
    };
    let stopping = async {
        let _ = stop.await;
        let _ = ended.send(true);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        done = supervise(make, failed) => if let Err(problem) = done {
            // A file that was there when the settings were checked. New settings, or a restart, try again.
            log::error!("the broker is not listened to: {problem}");
            ear.subscription.lost(&problem.to_string());
            std::future::pending::<()>().await;
        },
        () = stopping => {}
    }
}

async fn tick(ear: Arc<Ear>) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(TICK).await;
        ear.subscription.tick();
    }
}

/// Hears what the broker says.
struct Ear {
    subscription: Arc<Subscription>,
    there: AtomicBool,
    arrivals: LogLimiter,
    losses: LogLimiter,
}

impl Ear {
    fn new(subscription: Arc<Subscription>) -> Self {
        Self { subscription, there: AtomicBool::new(false), arrivals: LogLimiter::default(), losses: LogLimiter::default() }
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
