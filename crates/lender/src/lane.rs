//! One master: whether it can be asked, and what is known of it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tollgate_outbound::Backoff;

use crate::{
    answer::{Answer, Unsound},
    script::{LEARNING_MS, Tag},
    wire::{link::Link, open::Opened, place::Place},
};

/// How long a master that failed is left alone, at first and at most. One that comes back empty waits [`LEARNING_MS`] for what the gateways have to
/// report, so all of them must have found it by then.
const ALONE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(200));
/// How often a master is asked something, so that a loss is noticed.
const BEAT: Duration = Duration::from_millis(100);
/// So far the store's clock may stray from ours between two answers, besides 0.1 %.
const STRAYS: Duration = Duration::from_secs(1);

/// A master.
pub(crate) struct Lane {
    pub(crate) place: Place,
    pub(crate) tags: Vec<Tag>,
    /// Names this attempt, so that what comes of an earlier one is known.
    pub(crate) ticket: u64,
    pub(crate) state: State,
    backoff: Backoff,
    process: Option<String>,
    lives: HashMap<Tag, u64>,
    /// The store's time, and when it was read.
    time: Option<(Instant, Instant, u64)>,
}

pub(crate) enum State {
    Away { until: Instant },
    Opening,
    Open(Session),
}

/// A connection that answers.
pub(crate) struct Session {
    pub(crate) link: Arc<Link>,
    since: Instant,
    /// Only reports until then.
    quiet_until: Instant,
    /// Reports under way.
    reporting: usize,
    asked: Instant,
    beating: bool,
}

/// How the store behind a connection stands to the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Known,
    /// It may have forgotten.
    New,
}

impl Lane {
    pub(crate) fn new(place: Place, tags: Vec<Tag>, now: Instant) -> Self {
        Self {
            place,
            tags,
            ticket: 0,
            state: State::Away { until: now },
            backoff: Backoff::between(ALONE.0, ALONE.1),
            process: None,
            lives: HashMap::new(),
            time: None,
        }
    }

    /// It answers.
    pub(crate) fn opened(&mut self, opened: Opened, now: Instant) -> Store {
        let lives = opened.lives.into_iter().collect::<HashMap<_, _>>();
        let same = self.process.is_some() && self.process == opened.process && self.lives == lives;
        self.process = opened.process;
        self.lives = lives;
        self.time = Some(opened.time);
        let link = Arc::new(opened.link);
        self.state = State::Open(Session { link, since: now, quiet_until: now, reporting: 0, asked: now, beating: false });
        if same { Store::Known } else { Store::New }
    }

    /// It is of no use for a while.
    pub(crate) fn failed(&mut self, now: Instant) {
        let held = self.session().map(|session| now.saturating_duration_since(session.since));
        self.backoff.ended(held);
        self.state = State::Away { until: now + self.backoff.wait() };
    }

    /// Only reports are sent until all are, and for a while.
    pub(crate) fn be_quiet(&mut self, now: Instant) {
        if let State::Open(session) = &mut self.state {
            session.quiet_until = now + Duration::from_millis(LEARNING_MS);
            session.reporting += 1;
        }
    }

    /// Reports have arrived.
    pub(crate) fn reported(&mut self) {
        if let State::Open(session) = &mut self.state {
            session.reporting = session.reporting.saturating_sub(1);
        }
    }

    /// What it holds may have been lost, also if it says that it is the one we knew.
    pub(crate) fn suspect(&mut self) {
        self.process = None;
    }

    /// What an answer says beside the grants.
    pub(crate) fn heard(&mut self, tag: Tag, sent: Instant, received: Instant, answer: &Answer) -> Result<Store, Unsound> {
        if let Some((sent_before, received_before, before)) = self.time {
            let (least, most) = (sent.saturating_duration_since(received_before), received.saturating_duration_since(sent_before));
            let slack = STRAYS + most / 1000;
            let (before, now) = (Duration::from_millis(before), Duration::from_millis(answer.now));
            if now > before + most + slack || now + slack < before + least {
                return Err(Unsound::Clock);
            }
        }
        self.time = Some((sent, received, answer.now));
        let before = self.lives.insert(tag, answer.life);
        Ok(if before.is_some_and(|before| before != answer.life) { Store::New } else { Store::Known })
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        match &self.state {
            State::Open(session) => Some(session),
            State::Away { .. } | State::Opening => None,
        }
    }

    /// Its connection, if it can be asked for slices.
    pub(crate) fn lends(&self, now: Instant) -> Option<&Arc<Link>> {
        self.session().filter(|session| !session.is_quiet(now)).map(|session| &session.link)
    }

    /// Its connection, if it is time to ask it something.
    pub(crate) fn beat(&mut self, now: Instant) -> Option<Arc<Link>> {
        let State::Open(session) = &mut self.state else { return None };
        let due = !session.beating && now >= session.asked + BEAT;
        due.then(|| {
            session.beating = true;
            session.link.clone()
        })
    }

    /// It was asked something, and has answered.
    pub(crate) fn asked(&mut self, now: Instant) {
        if let State::Open(session) = &mut self.state {
            (session.asked, session.beating) = (now, false);
        }
    }

    /// When there is something to do.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        match &self.state {
            State::Away { until } => Some(*until),
            State::Opening => None,
            State::Open(session) => {
                let quiet = Some(session.quiet_until).filter(|until| *until > now);
                let beat = (!session.beating).then_some(session.asked + BEAT);
                [quiet, beat].into_iter().flatten().min()
            }
        }
    }
}

impl Session {
    fn is_quiet(&self, now: Instant) -> bool {
        self.reporting > 0 || now < self.quiet_until
    }
}
