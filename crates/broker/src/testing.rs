//! What the crate's tests share.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::listener::{Listener, Message, NotNow};

/// Numbers that look random and are the same in every run (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    /// A few bytes changed, dropped, doubled or cut off.
    pub(crate) fn garble(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            if bytes.is_empty() {
                break;
            }
            let place = self.below(bytes.len());
            match self.below(5) {
                0 => bytes[place] = self.below(256) as u8,
                1 => bytes[place] ^= 1 << self.below(8),
                2 => drop(bytes.remove(place)),
                3 => bytes.insert(place, bytes[place]),
                _ => bytes.truncate(place),
            }
        }
        bytes
    }
}

/// One call that a [`Recorder`] received.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    Connected,
    Alive,
    Drained,
    Message(Message),
    Unread(String),
    Lost(String),
}

/// Remembers everything.
#[derive(Default)]
pub(crate) struct Recorder {
    events: Mutex<Vec<Event>>,
    times: Mutex<Vec<Option<u64>>>,
    more: Notify,
}

impl Recorder {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    fn add(&self, event: Event) {
        self.events.lock().unwrap().push(event);
        self.more.notify_one();
    }

    /// Everything so far.
    pub(crate) fn all(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        let message = |event| if let Event::Message(message) = event { Some(message) } else { None };
        self.all().into_iter().filter_map(message).collect()
    }

    /// When the messages were published.
    pub(crate) fn times(&self) -> Vec<Option<u64>> {
        self.times.lock().unwrap().clone()
    }

    pub(crate) fn causes(&self) -> Vec<String> {
        let cause = |event| if let Event::Lost(cause) = event { Some(cause) } else { None };
        self.all().into_iter().filter_map(cause).collect()
    }

    /// Waits until what was told fits.
    pub(crate) async fn until(&self, what: &str, fits: impl Fn(&Self) -> bool) {
        let wait = async {
            while !fits(self) {
                self.more.notified().await;
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(20), wait).await;
        assert!(waited.is_ok(), "waited in vain for {what}: {:?}", self.all());
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

    fn message(&self, message: Message, published: Option<u64>) -> Result<(), NotNow> {
        self.times.lock().unwrap().push(published);
        let later = matches!(&message, Message::Text(text) if text == "not now") && !self.messages().contains(&message);
        self.add(Event::Message(message));
        if later { Err(NotNow("the disk is full".to_owned())) } else { Ok(()) }
    }

    fn unread(&self, why: &str) {
        self.add(Event::Unread(why.to_owned()));
    }

    fn lost(&self, cause: &str) {
        self.add(Event::Lost(cause.to_owned()));
    }
}
