//! A subscriber on a runtime of its own, and everything it was told.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tollgate_broker::{Listener, Message, NotNow, Settings, run};
use tollgate_filter_api::Secret;
use tollgate_tests::{
    parts::{PASSWORD, USER},
    until,
};

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Connected,
    Alive,
    Drained,
    Message(Message),
    Unread(String),
    Lost(String),
}

#[derive(Default)]
struct Recorder(Mutex<Vec<(Instant, Event)>>);

impl Recorder {
    fn add(&self, event: Event) {
        self.0.lock().unwrap().push((Instant::now(), event));
    }
}

impl Listener for Recorder {
    fn connected(&self, _exact: bool) {
        self.add(Event::Connected);
    }

    fn alive(&self) {
        self.add(Event::Alive);
    }

    fn drained(&self) {
        self.add(Event::Drained);
    }

    fn message(&self, message: Message, _: Option<u64>) -> Result<(), NotNow> {
        self.add(Event::Message(message));
        Ok(())
    }

    fn unread(&self, why: &str) {
        self.add(Event::Unread(why.to_owned()));
    }

    fn lost(&self, cause: &str) {
        self.add(Event::Lost(cause.to_owned()));
    }
}

/// A running subscriber; its connection goes away with it, without goodbye.
pub struct Subscriber {
    recorder: Arc<Recorder>,
    _runtime: tokio::runtime::Runtime,
}

pub fn settings(url: String, topic: &str) -> Settings {
    let mut settings = Settings::new(url, topic);
    settings.username = Some(USER.to_owned());
    settings.password = Some(Secret::new(PASSWORD));
    settings.heartbeat = Duration::from_secs(1);
    settings
}

impl Subscriber {
    pub fn start(settings: Settings) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let recorder = Arc::new(Recorder::default());
        runtime.spawn(run(settings, recorder.clone(), std::future::pending()));
        Self { recorder, _runtime: runtime }
    }

    /// Starts it and waits for the confirmation.
    pub fn confirmed(settings: Settings) -> Self {
        let subscriber = Self::start(settings);
        subscriber.connections(1);
        subscriber
    }

    pub fn all(&self) -> Vec<(Instant, Event)> {
        self.recorder.0.lock().unwrap().clone()
    }

    /// Waits until it was connected so many times.
    pub fn connections(&self, count: usize) {
        until(&format!("{count} connections"), || {
            (self.all().iter().filter(|(_, event)| *event == Event::Connected).count() >= count).then_some(())
        });
    }

    /// Waits for so many messages.
    pub fn messages(&self, count: usize) -> Vec<(Instant, Message)> {
        let message = |(at, event)| if let Event::Message(message) = event { Some((at, message)) } else { None };
        until(&format!("{count} messages"), || {
            let messages: Vec<_> = self.all().into_iter().filter_map(message).collect();
            (messages.len() >= count).then_some(messages)
        })
    }

    /// Waits until the broker has said what it had kept, and says how many messages came before.
    pub fn drained(&self) -> usize {
        let before = |all: Vec<(Instant, Event)>| {
            let end = all.iter().position(|(_, event)| *event == Event::Drained)?;
            Some(all[..end].iter().filter(|(_, event)| matches!(event, Event::Message(_))).count())
        };
        until("the broker to have said what it kept", || before(self.all()))
    }

    /// Waits for a text. Whatever came before it may have come twice: a broker that was killed need not know of an acknowledgement.
    pub fn hears(&self, text: &str) {
        let wanted = Event::Message(Message::Text(text.to_owned()));
        until(text, || self.all().into_iter().find(|(_, event)| *event == wanted));
    }

    /// Waits for a loss.
    pub fn cause(&self) -> String {
        until("a loss", || self.all().into_iter().find_map(|(_, event)| if let Event::Lost(cause) = event { Some(cause) } else { None }))
    }

    /// Waits for a loss of this cause; a broker that still holds the last connection may have caused another one before.
    pub fn caused(&self, cause: &str) {
        until(cause, || self.all().into_iter().find(|(_, event)| *event == Event::Lost(cause.to_owned())));
    }

    /// Waits until something later than now was heard.
    pub fn lives(&self) {
        let now = Instant::now();
        until("a sign of life", || self.all().into_iter().find(|(at, event)| *at > now && *event == Event::Alive));
    }
}

/// Prints how long messages took from before they were published until they were heard.
pub fn print_latency(what: &str, mut times: Vec<Duration>) -> Duration {
    times.sort();
    let (median, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("{what}: published to heard, {} messages: median {median:?}, p99 {p99:?}", times.len());
    p99
}
