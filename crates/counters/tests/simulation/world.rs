//! Sixteen gateways, one store and a network between them, in virtual time. Times are microseconds.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Instant,
};

use tollgate_counters::{Away, Epsilon, Grant, Moment, Policy, Question};

use crate::{
    common::{Dice, START},
    demand::{Request, between, requests},
    faults::{Fault, Scenario, plan},
    node::Node,
    store::Store,
    tally::Tally,
};

pub const NODES: usize = 16;
pub const MILLISECOND: i64 = 1_000;
pub const WINDOW: i64 = 10_000 * MILLISECOND;
pub const WINDOWS: i64 = 4;

/// The number of the first window, since 1970.
pub const FIRST: i64 = START as i64 * 1_000_000 / WINDOW;

/// For so long a request waits for the store.
const WAITS: i64 = 50 * MILLISECOND;

#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// A request that met a process that stood still.
    Arrive(Request),
    ToStore(Letter),
    ToNode(Letter, Grant),
    /// The time limit of a question.
    Late(Letter),
    Connect {
        node: usize,
    },
    Fault(Fault),
}

/// A question, of whom, and when it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Letter {
    node: usize,
    life: u32,
    quota: usize,
    question: Question,
    sent: Moment,
}

pub struct World<'p> {
    pub policy: &'p Policy,
    pub epsilon: Epsilon,
    pub quotas: usize,
    pub dice: Dice,
    pub nodes: Vec<Node>,
    pub store: Store,
    pub tally: Tally,
    events: BTreeMap<u64, Event>,
    order: BinaryHeap<Reverse<(i64, u64)>>,
    pushed: u64,
}

/// One run of 40 seconds.
pub fn run(scenario: Scenario, away: Away, limit: u64, quotas: usize, seed: u64) -> Tally {
    let policy = Policy::shared("simulated", limit, (WINDOW / 1_000_000) as u64, away).unwrap();
    let mut dice = Dice(seed);
    let requests = requests(&mut dice, limit, quotas);
    let base = Instant::now();
    let nodes = (0..NODES).map(|_| Node::new(&mut dice, base, &policy, quotas)).collect();
    let faults = plan(&mut dice, scenario);
    let epsilon = Epsilon { limit, gateways: NODES as u32 };
    let mut world = World {
        policy: &policy,
        epsilon,
        quotas,
        dice,
        nodes,
        store: Store::default(),
        tally: Tally::default(),
        events: BTreeMap::new(),
        order: BinaryHeap::new(),
        pushed: 0,
    };
    faults.into_iter().for_each(|(at, fault)| world.push(at, Event::Fault(fault)));
    world.run(&requests);
    world.allow_shares(away);
    world.tally
}

impl World<'_> {
    pub fn push(&mut self, at: i64, event: Event) {
        self.pushed += 1;
        self.events.insert(self.pushed, event);
        self.order.push(Reverse((at, self.pushed)));
    }

    fn run(&mut self, requests: &[Request]) {
        let mut requests = requests.iter().peekable();
        loop {
            let next = self.order.peek().map_or(i64::MAX, |Reverse((at, _))| *at);
            if let Some(request) = requests.next_if(|request| request.at <= next) {
                self.arrive(request.at, *request);
                continue;
            }
            let Some(Reverse((at, number))) = self.order.pop() else { return };
            if at > WINDOW * WINDOWS {
                return;
            }
            if let Some(event) = self.events.remove(&number) {
                self.happen(at, event);
            }
        }
    }

    fn happen(&mut self, now: i64, event: Event) {
        let (Event::Arrive(Request { node, .. }) | Event::ToNode(Letter { node, .. }, _) | Event::Late(Letter { node, .. })) = event else {
            return self.happen_elsewhere(now, event);
        };
        let stopped = self.nodes[node].stopped;
        if now < stopped {
            // Whatever has come in the meantime is seen in any order.
            let moment = stopped + between(&mut self.dice, 0, 2 * MILLISECOND);
            return self.push(moment, event);
        }
        match event {
            Event::Arrive(request) => self.arrive(now, request),
            Event::ToNode(letter, _) | Event::Late(letter) if letter.life != self.nodes[node].life => {}
            Event::ToNode(letter, grant) => {
                self.nodes[node].granted(now, letter.sent, letter.quota, &letter.question, grant);
                self.serve(now, node, letter.quota);
            }
            Event::Late(letter) => self.give_up(now, letter),
            _ => {}
        }
    }

    fn happen_elsewhere(&mut self, now: i64, event: Event) {
        match event {
            Event::ToStore(_) if now < self.store.gone => {}
            Event::ToStore(_) if now < self.store.paused => self.push(self.store.paused, event),
            Event::ToStore(letter) => {
                let grant = self.store.answer(now, letter.quota, &letter.question);
                if letter.question.wanted > 0 {
                    self.carry(now, letter.node, Event::ToNode(letter, grant));
                }
            }
            Event::Connect { node } => {
                let until = self.nodes[node].cut.max(self.nodes[node].stopped);
                if now < until {
                    return self.push(until + MILLISECOND, event);
                }
                for (quota, report) in self.nodes[node].connect(now) {
                    self.send(now, node, quota, report);
                }
            }
            Event::Fault(fault) => self.strike(now, fault),
            _ => {}
        }
    }

    fn arrive(&mut self, now: i64, request: Request) {
        let Request { node, quota, .. } = request;
        if now < self.nodes[node].stopped {
            return self.push(self.nodes[node].stopped, Event::Arrive(request));
        }
        self.tally.requests += 1;
        let window = self.store.window(now);
        self.tally.at((quota, window)).offered += 1;
        if self.decide(now, node, quota) {
            self.tally.waited += 1;
            self.nodes[node].queues[quota].push_back(now + WAITS);
        }
    }

    fn give_up(&mut self, now: i64, letter: Letter) {
        if self.nodes[letter.node].late(now, &letter.question) {
            self.serve(now, letter.node, letter.quota);
        }
    }

    /// Those who wait for a quota try again.
    fn serve(&mut self, now: i64, node: usize, quota: usize) {
        for _ in 0..self.nodes[node].queues[quota].len() {
            let Some(until) = self.nodes[node].queues[quota].pop_front() else { return };
            if self.decide(now, node, quota) && now < until {
                self.nodes[node].queues[quota].push_back(until);
            }
        }
    }

    /// Whether the request has to wait.
    fn decide(&mut self, now: i64, node: usize, quota: usize) -> bool {
        let (verdict, question) = self.nodes[node].decide(now, self.policy, quota);
        if let Some(question) = question {
            self.nodes[node].open.insert(question.number);
            let letter = self.send(now, node, quota, question);
            self.push(now + WAITS, Event::Late(letter));
        }
        if verdict.passes {
            let (life, away) = (self.nodes[node].life, self.nodes[node].is_away(now));
            let window = self.store.window(now);
            if !away && self.nodes[node].granted_in[quota] != (FIRST + window) as u64 {
                self.tally.strays += 1;
            }
            let seen = self.tally.at((quota, window));
            seen.accepted += 1;
            if away {
                seen.away.insert((node, life));
            }
        }
        verdict.waits
    }

    fn send(&mut self, now: i64, node: usize, quota: usize, question: Question) -> Letter {
        self.tally.calls += 1;
        let letter = Letter { node, life: self.nodes[node].life, quota, question, sent: self.nodes[node].moment(now) };
        if self.nodes[node].connected {
            self.carry(now, node, Event::ToStore(letter));
        }
        letter
    }

    /// Over the network, where one message of a hundred is slow, one comes twice, and those of a node that is cut off are lost.
    fn carry(&mut self, now: i64, node: usize, event: Event) {
        let times = if self.dice.below(100) == 0 { 2 } else { 1 };
        for _ in 0..times {
            let slow = self.dice.below(100) == 0;
            let takes = if slow { between(&mut self.dice, 5_000, 20_000) } else { between(&mut self.dice, 200, 1_000) };
            if now >= self.nodes[node].cut {
                self.push(now + takes, event);
            }
        }
    }

    /// A share may pass for each process that let something pass without its store.
    fn allow_shares(&mut self, away: Away) {
        if away == Away::Share {
            for seen in self.tally.places.values_mut() {
                seen.epsilon += self.epsilon.shares(seen.away.len() as u32);
            }
        }
    }
}
