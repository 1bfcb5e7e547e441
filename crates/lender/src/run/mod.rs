//! One task that asks, as long as somebody wants it.

mod calls;
mod cluster;
mod events;

use std::{
    collections::HashSet,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::sleep_until;
use tollgate_filter_api::Problem;

use self::{
    calls::{call, chunks},
    cluster::Cluster,
    events::Event,
};
use crate::{
    asked::Asked,
    fleet::Fleet,
    lane::{Lane, State},
    lender::Lender,
    script::{FLEET, Scripts, TAGS, Tag},
    settings::{Mode, Settings, check},
    wire::{
        open::{count, open},
        place::Place,
    },
};

/// Questions wait so long for others to share their call.
const TICK: Duration = Duration::from_millis(2);
/// How often this gateway says that it is there.
const PRESENCE: Duration = Duration::from_secs(1);
/// Most questions under way.
const UNDER_WAY: usize = 50_000;

/// Asks the store what the lender is asked, until `shutdown` ends; connects again for ever, after 0.1 s at first and 0.2 s at most, less up to half
/// of it at random. Dropping the future ends every connection. Once it has ended, every question is unanswered at once.
///
/// # Errors
/// At once, when [`check`] finds something wrong.
pub async fn run(settings: Settings, lender: Arc<Lender>, shutdown: impl Future<Output = ()>) -> Result<(), Problem> {
    check(&settings)?;
    let mut desk = Desk::new(settings, lender)?;
    tokio::select! {
        biased;
        () = shutdown => Ok(()),
        () = desk.serve() => Ok(()),
    }
}

/// Everything that is known while it runs.
struct Desk {
    settings: Arc<Settings>,
    scripts: Arc<Scripts>,
    lender: Arc<Lender>,
    /// By which it is closed.
    opened: u64,
    lanes: Vec<Lane>,
    /// Which of the lanes holds the keys of a tag.
    holders: [Option<usize>; TAGS],
    work: FuturesUnordered<BoxFuture<'static, Event>>,
    under_way: usize,
    tickets: u64,
    tick: Option<Instant>,
    /// When this gateway says again that it is there.
    presence: Instant,
    fleet: Fleet,
    cluster: Option<Cluster>,
    told: Told,
}

/// What was said last.
#[derive(Default)]
struct Told {
    fleet: Option<(u32, bool)>,
    connected: Option<bool>,
    gateways: Option<u32>,
    /// Each once: a store that is reached again would say the same.
    advice: HashSet<String>,
}

impl Desk {
    fn new(settings: Settings, lender: Arc<Lender>) -> Result<Self, Problem> {
        let (endpoints, now) = (settings.endpoints()?, Instant::now());
        let mut cluster = None;
        let place = match settings.mode {
            Mode::Single => endpoints.into_iter().next().map(Place::At),
            Mode::Sentinel { .. } => Some(Place::Watched(endpoints)),
            Mode::Cluster => {
                cluster = Some(Cluster::new(endpoints, now));
                None
            }
        };
        let lanes = place.map(|place| Lane::new(place, Tag::all().collect(), now)).into_iter().collect::<Vec<_>>();
        let mut desk = Self {
            scripts: Arc::new(Scripts::new(&settings.prefix)),
            holders: [None; TAGS],
            work: FuturesUnordered::new(),
            under_way: 0,
            tickets: 0,
            tick: None,
            presence: now,
            fleet: Fleet::new(settings.gateways, now),
            told: Told::default(),
            settings: Arc::new(settings),
            opened: lender.open(),
            lender,
            lanes,
            cluster,
        };
        desk.assign();
        desk.tell(now);
        Ok(desk)
    }

    async fn serve(&mut self) {
        let lender = self.lender.clone();
        loop {
            let now = Instant::now();
            self.act(now);
            self.tell(now);
            let wake = self.due(now);
            tokio::select! {
                Some(event) = self.work.next() => self.take(event),
                () = lender.arrived.notified(), if self.tick.is_none() => self.tick = Some(Instant::now() + TICK),
                () = sleep_until(wake.into()) => {}
            }
        }
    }

    /// When there is something to do next.
    fn due(&self, now: Instant) -> Instant {
        let cluster = self.cluster.as_ref().and_then(Cluster::due);
        let lanes = self.lanes.iter().filter_map(|lane| lane.due(now));
        [self.tick, Some(self.presence), cluster].into_iter().flatten().chain(lanes).min().unwrap_or(now + PRESENCE)
    }

    fn act(&mut self, now: Instant) {
        if self.tick.is_some_and(|tick| tick <= now) {
            self.tick = None;
            self.ask(now);
        }
        for index in 0..self.lanes.len() {
            self.tend(index, now);
        }
        if self.presence <= now {
            self.presence = now + PRESENCE;
            self.be_present();
            self.lender.tidy();
        }
        self.lay_out(now);
    }

    /// Sends what was asked.
    fn ask(&mut self, now: Instant) {
        let mut groups = [const { Vec::new() }; TAGS];
        for question in self.lender.take() {
            let tag = Tag::of(&question.quota);
            groups[tag.index()].push(question);
        }
        for (tag, questions) in Tag::all().zip(groups) {
            for questions in chunks(questions) {
                let asked = Asked::new(self.lender.clone(), questions);
                let Some(lane) = self.holders[tag.index()].and_then(|index| self.lanes.get(index)) else { continue };
                let Some(link) = lane.lends(now) else { continue };
                if self.under_way + asked.questions().len() > UNDER_WAY {
                    asked.questions().iter().for_each(|_| self.lender.observer.lost());
                    continue;
                }
                self.under_way += asked.questions().len();
                self.work.push(Box::pin(call(link.clone(), self.scripts.clone(), self.fleet.believed(), lane.ticket, tag, asked)));
            }
        }
    }

    /// Connects, or asks something so that a loss is noticed.
    fn tend(&mut self, index: usize, now: Instant) {
        let lane = &mut self.lanes[index];
        let Some(tag) = lane.tags.first().copied() else { return };
        if matches!(lane.state, State::Away { until } if until <= now) {
            self.tickets += 1;
            (lane.ticket, lane.state) = (self.tickets, State::Opening);
            let (ticket, place, tags) = (lane.ticket, lane.place.clone(), lane.tags.clone());
            let (settings, scripts, id) = (self.settings.clone(), self.scripts.clone(), self.lender.id.clone());
            self.work.push(Box::pin(async move { Event::Opened(ticket, Box::new(open(&place, &settings, &scripts, &tags, &id).await)) }));
        } else if let Some(link) = lane.beat(now) {
            let asked = Asked::new(self.lender.clone(), Vec::new());
            self.work.push(Box::pin(call(link, self.scripts.clone(), self.fleet.believed(), lane.ticket, tag, asked)));
        }
    }

    fn be_present(&mut self) {
        let Some(lane) = self.holders[FLEET.index()].and_then(|index| self.lanes.get(index)) else { return };
        let Some(session) = lane.session() else { return };
        let (link, ticket) = (session.link.clone(), lane.ticket);
        let (scripts, id) = (self.scripts.clone(), self.lender.id.clone());
        self.work.push(Box::pin(async move { Event::Counted(ticket, count(&link, &scripts, &id).await) }));
    }

    /// Says what has changed.
    fn tell(&mut self, now: Instant) {
        let fleet = (self.fleet.believed(), !self.lanes.iter().any(|lane| lane.lends(now).is_some()));
        if self.told.fleet.replace(fleet) != Some(fleet) {
            self.lender.borrower.set_fleet(fleet.0, fleet.1);
        }
        if self.told.gateways.replace(fleet.0) != Some(fleet.0) {
            self.lender.observer.gateways(fleet.0);
        }
        let held = |holder: &Option<usize>| holder.and_then(|index| self.lanes.get(index)).is_some_and(|lane| lane.session().is_some());
        let connected = self.holders.iter().all(held);
        if self.told.connected.replace(connected) != Some(connected) {
            self.lender.observer.connected(connected);
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if self.lender.close(self.opened) {
            self.lender.borrower.set_fleet(self.fleet.believed(), true);
            self.lender.observer.connected(false);
        }
    }
}
