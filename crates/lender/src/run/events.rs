//! What comes of calls and connections.

use std::{sync::atomic::Ordering, time::Instant};

use redis::Value;
use tollgate_counters::Moment;

use super::{Desk, calls::report};
use crate::{
    answer::{self, Unsound},
    asked::Asked,
    lane::{Lane, Store},
    script::Tag,
    wire::{
        failure::Lost,
        open::Opened,
        place::{Layout, Place},
    },
};

/// Most pieces of advice that are given: a store that means harm has many.
const ADVICE: usize = 100;

/// What has come of something under way.
pub(super) enum Event {
    Opened(u64, Box<Result<Opened, Lost>>),
    Answered { ticket: u64, tag: Tag, asked: Asked, sent: Moment, answered: Result<Value, Lost> },
    Reported(u64, Result<(), Lost>),
    Counted(u64, Result<u32, Lost>),
    LaidOut(Result<Layout, Lost>),
}

impl Desk {
    pub(super) fn take(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Opened(ticket, opened) => self.opened(ticket, *opened, now),
            Event::Answered { ticket, tag, asked, sent, answered } => {
                self.under_way = self.under_way.saturating_sub(asked.questions().len());
                if let Err(lost) = self.answered(ticket, tag, asked, sent, answered) {
                    self.failed(ticket, &lost, now);
                }
            }
            Event::Reported(ticket, Ok(())) => {
                if let Some(lane) = self.lane(ticket) {
                    lane.reported();
                }
            }
            Event::Counted(ticket, Ok(gateways)) => {
                if self.lane(ticket).is_some() {
                    self.fleet.counted(gateways, now);
                }
            }
            Event::Reported(ticket, Err(lost)) | Event::Counted(ticket, Err(lost)) => self.failed(ticket, &lost, now),
            Event::LaidOut(laid_out) => self.laid_out(laid_out, now),
        }
    }

    fn lane(&mut self, ticket: u64) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.ticket == ticket)
    }

    fn opened(&mut self, ticket: u64, opened: Result<Opened, Lost>, now: Instant) {
        let opened = match opened {
            Ok(opened) => opened,
            Err(lost) => return self.failed(ticket, &lost, now),
        };
        let served = self.lender.served.swap(true, Ordering::Relaxed);
        let (gateways, advice) = (opened.gateways, opened.advice.clone());
        let Some(lane) = self.lane(ticket) else { return };
        let store = lane.opened(opened, now);
        if let Some(gateways) = gateways {
            self.fleet.doubt(now);
            self.fleet.counted(gateways, now);
        }
        if let Some(advice) = advice
            && self.told.advice.len() < ADVICE
            && self.told.advice.insert(advice.clone())
        {
            self.lender.observer.warn(&advice);
        }
        // The first store that is ever reached has nothing to learn from this gateway.
        if served && store == Store::New {
            self.report(ticket, now);
        }
    }

    /// Tells a store what it may have forgotten, before anything else.
    pub(super) fn report(&mut self, ticket: u64, now: Instant) {
        let Some(lane) = self.lane(ticket) else { return };
        lane.be_quiet(now);
        let (tags, Some(link)) = (lane.tags.clone(), lane.session().map(|session| session.link.clone())) else { return };
        let (lender, scripts) = (self.lender.clone(), self.scripts.clone());
        self.work.push(Box::pin(async move { Event::Reported(ticket, report(&lender, &link, &scripts, &tags).await) }));
    }

    /// Judges an answer and hands on what was granted. Grants count also when the connection has broken since: they were made.
    fn answered(&mut self, ticket: u64, tag: Tag, asked: Asked, sent: Moment, answered: Result<Value, Lost>) -> Result<(), Lost> {
        let received = Instant::now();
        self.lender.observer.called(received.saturating_duration_since(sent.instant), answered.is_ok());
        let mut lane = self.lanes.iter_mut().find(|lane| lane.ticket == ticket);
        if let Some(lane) = &mut lane {
            lane.asked(received);
        }
        let answer = answer::read(answered?, asked.questions())?;
        let store = lane.map_or(Ok(Store::Known), |lane| lane.heard(tag, sent.instant, received, &answer))?;
        asked.granted(sent, &answer.grants);
        if store == Store::New {
            self.report(ticket, received);
        }
        Ok(())
    }

    fn failed(&mut self, ticket: u64, lost: &Lost, now: Instant) {
        if lost.is_unsound() {
            self.lender.observer.unsound();
        }
        if let Some(cluster) = &mut self.cluster {
            cluster.stale = true;
            if lost.is_elsewhere() {
                return;
            }
        }
        self.tickets += 1;
        let next = self.tickets;
        let Some(lane) = self.lane(ticket) else { return };
        lane.ticket = next;
        lane.failed(now);
        if matches!(lost, Lost::Unsound(Unsound::Clock)) {
            lane.suspect();
        }
        let place = match &lane.place {
            Place::At(endpoint) => endpoint.to_string(),
            Place::Watched(_) => "the master that the sentinels name".to_owned(),
        };
        self.lender.observer.away(&format!("{place}: {lost}"));
    }
}
