//! Slices of shared quotas: what a process does with what the store tells it, and what it does without the store.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Hands, SECOND, START, fixed};
use tollgate_counters::{Ask, Away, Counters, Epsilon, Grant, Heard, Key, Policy, Question, QuotaId, Return, Told, Verdict};

const MILLISECOND: u64 = SECOND / 1_000;

/// One gateway of four that reaches its store, and one quota in windows of 10 seconds.
struct Gateway {
    counters: Counters,
    hands: Hands,
    policy: Policy,
    limit: u64,
    name: (Key, QuotaId),
}

impl Gateway {
    fn new(limit: u64, away: Away) -> Self {
        let hands = Hands::new();
        let counters = Counters::new(hands.now(), 1_000);
        counters.set_fleet(4, false);
        let policy = Policy::shared("gold", limit, 10, away).unwrap();
        let name = counters.shared_key(&policy, &[b"application"]);
        Self { counters, hands, policy, limit, name }
    }

    fn decide(&self) -> (Verdict, Told, Option<Question>) {
        let mut asks = [Ask::shared(&self.policy, self.name)];
        let verdict = self.counters.decide(self.hands.now(), &mut asks);
        (verdict, asks[0].told, self.counters.question(&asks[0]))
    }

    /// A request that must lead to a question.
    fn question(&self) -> Question {
        self.decide().2.unwrap()
    }

    fn granted(&self, question: &Question, grant: Grant) -> Heard {
        self.counters.granted(self.hands.now(), self.hands.now(), question, grant)
    }

    /// What an honest store that nobody else asks would say now.
    fn grant(&self, granted: u64, rest: u64) -> Grant {
        let left = 10 * SECOND - self.hands.wall % (10 * SECOND);
        Grant { window: self.hands.wall / (10 * SECOND), granted, total: self.limit - rest, rest, left: Duration::from_nanos(left) }
    }

    /// Brings that many credits, which takes a second: as long as a question that nobody answers keeps others from being asked.
    fn lend(&mut self, credits: u64) {
        (0..credits).for_each(|_| assert!(self.decide().0.waits));
        self.hands.pass(SECOND);
        assert_eq!(self.granted(&self.question(), self.grant(credits, 50)), Heard::Taken);
    }

    fn passing(&self) -> u64 {
        (0..10_000).take_while(|_| self.decide().0.passes).count() as u64
    }
}

#[test]
fn a_request_waits_for_the_first_slice_and_passes_with_it() {
    let gateway = Gateway::new(100, Away::Strict);
    let (verdict, told, question) = gateway.decide();
    assert!(verdict.waits && !verdict.passes && told.waits && !told.accepted && !told.counted);
    let question = question.unwrap();
    assert_eq!((question.limit, question.window, question.wanted, question.seen), (100, Duration::from_secs(10), 1, 0));
    let (verdict, _, second) = gateway.decide();
    assert!(verdict.waits && second.is_none(), "one question at a time");
    assert_eq!(gateway.granted(&question, gateway.grant(1, 80)), Heard::Taken);
    let (verdict, told, _) = gateway.decide();
    assert!(verdict.passes && told.counted);
    assert_eq!((told.remaining, told.reset), (20, 10), "its part of what is left");
    let next = gateway.question();
    assert_eq!((next.seen, next.seen_in), (20, START / 10), "what was seen goes with each question");
}

#[test]
fn a_quota_that_is_used_up_refuses_until_the_window_ends_and_asks_nobody() {
    let mut gateway = Gateway::new(100, Away::Share);
    gateway.hands.pass(4 * SECOND);
    let question = gateway.question();
    gateway.granted(&question, gateway.grant(0, 0));
    let (verdict, told, question) = gateway.decide();
    assert!(!verdict.passes && !verdict.waits && !verdict.away && question.is_none());
    assert_eq!((verdict.retry_after, told.remaining, told.reset), (6, 0, 6));
    gateway.counters.set_fleet(4, true);
    assert_eq!(gateway.passing(), 0, "nor is there a share of nothing");
    gateway.counters.set_fleet(4, false);
    gateway.hands.pass(6 * SECOND);
    assert!(gateway.decide().0.waits);
}

#[test]
fn an_answer_counts_once_and_only_for_its_own_question() {
    let mut gateway = Gateway::new(100, Away::Strict);
    let first = gateway.question();
    gateway.counters.unanswered(gateway.hands.now(), &first);
    assert_eq!(gateway.granted(&first, gateway.grant(1, 90)), Heard::Late);
    gateway.hands.pass(200 * MILLISECOND);
    let second = gateway.question();
    assert_eq!(gateway.granted(&first, gateway.grant(1, 90)), Heard::Late);
    assert_eq!(gateway.granted(&second, gateway.grant(1, 90)), Heard::Taken);
    assert_eq!(gateway.granted(&second, gateway.grant(1, 90)), Heard::Late);
    assert_eq!(gateway.passing(), 1);
}

#[test]
fn credits_end_with_the_window_as_reckoned_from_the_question() {
    let mut gateway = Gateway::new(100, Away::Strict);
    gateway.hands.pass(9 * SECOND);
    let (question, grant, sent) = (gateway.question(), gateway.grant(1, 90), gateway.hands.now());
    // The answer takes 0.9 s; the window has one second left at the sending.
    gateway.hands.pass(900 * MILLISECOND);
    assert_eq!(gateway.counters.granted(gateway.hands.now(), sent, &question, grant), Heard::Taken);
    gateway.hands.pass(100 * MILLISECOND - MILLISECOND);
    assert!(!gateway.decide().0.passes, "0.1 % of what was left is not trusted");
}

#[test]
fn a_refusal_by_another_limit_takes_no_credit_and_asks_nothing() {
    let mut gateway = Gateway::new(100, Away::Strict);
    gateway.lend(2);
    let local = fixed("local", 1, 3_600);
    let key = gateway.counters.key(&local, &[b"application"]);
    let both = || {
        let mut asks = [Ask::shared(&gateway.policy, gateway.name), Ask::new(&local, key)];
        let verdict = gateway.counters.decide(gateway.hands.now(), &mut asks);
        (verdict, gateway.counters.question(&asks[0]))
    };
    assert!(both().0.passes);
    let keys = gateway.counters.keys();
    for _ in 0..10 {
        let (verdict, question) = both();
        assert!(!verdict.passes && !verdict.waits && question.is_none());
    }
    assert_eq!((gateway.passing(), gateway.counters.keys()), (1, keys));
    let (verdict, question) = both();
    assert!(!verdict.waits && question.is_none(), "it would be refused whatever the store says");
}

#[test]
fn a_request_that_waits_takes_nothing_of_other_limits() {
    let gateway = Gateway::new(100, Away::Strict);
    let local = fixed("local", 5, 3_600);
    let key = gateway.counters.key(&local, &[]);
    let mut asks = [Ask::new(&local, key), Ask::shared(&gateway.policy, gateway.name)];
    assert!(gateway.counters.decide(gateway.hands.now(), &mut asks).waits);
    assert_eq!((asks[0].told.counted, asks[0].told.remaining), (false, 5));
}

#[test]
fn two_asks_with_one_key_take_one_credit() {
    let mut gateway = Gateway::new(100, Away::Strict);
    gateway.lend(3);
    let mut asks = [Ask::shared(&gateway.policy, gateway.name), Ask::shared(&gateway.policy, gateway.name)];
    assert!(gateway.counters.decide(gateway.hands.now(), &mut asks).passes);
    assert_eq!(asks.iter().filter(|ask| ask.told.counted).count(), 1);
    assert_eq!(gateway.passing(), 2);
}

#[test]
fn a_look_changes_nothing_and_asks_nothing() {
    let mut gateway = Gateway::new(100, Away::Strict);
    let look = |gateway: &Gateway| {
        let mut asks = [Ask::shared(&gateway.policy, gateway.name)];
        let verdict = gateway.counters.look(gateway.hands.now(), &mut asks);
        assert_eq!(gateway.counters.question(&asks[0]), None);
        verdict
    };
    assert!(look(&gateway).waits);
    assert_eq!(gateway.counters.keys(), 0);
    gateway.lend(2);
    assert!((0..10).all(|_| look(&gateway).passes));
    assert_eq!(gateway.passing(), 2);
}

#[test]
fn what_no_honest_store_says_brings_nothing_and_is_called_unsound() {
    let day = 86_400 / 10;
    let lies: [fn(&mut Grant); 6] = [
        |grant| grant.granted = u64::MAX,
        |grant| grant.granted += 1,
        |grant| grant.total = grant.granted - 1,
        |grant| grant.rest = u64::MAX,
        |grant| grant.left = Duration::MAX,
        |grant| grant.left = Duration::from_millis(10_001),
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        refuses_to_believe(lie, number);
    }
    for window in [0, u64::MAX, START / 10 + day + 2, START / 10 - day - 2] {
        refuses_to_believe(|grant| grant.window = window, window as usize);
    }
}

fn refuses_to_believe(lie: impl Fn(&mut Grant), number: usize) {
    let gateway = Gateway::new(100, Away::Strict);
    let question = gateway.question();
    let mut grant = gateway.grant(1, 90);
    lie(&mut grant);
    assert_eq!(gateway.granted(&question, grant), Heard::Unsound, "lie {number}");
    let (verdict, _, question) = gateway.decide();
    assert!(verdict.away && !verdict.passes && question.is_none(), "lie {number}: it counts as unanswered");
    assert!(gateway.counters.reports(gateway.hands.now()).is_empty(), "lie {number}: nothing was seen");
}

#[test]
fn an_earlier_window_than_the_one_that_runs_brings_nothing() {
    let mut gateway = Gateway::new(100, Away::Strict);
    gateway.lend(1);
    assert_eq!(gateway.passing(), 1);
    gateway.hands.pass(SECOND);
    let question = gateway.question();
    let grant = Grant { window: START / 10 - 1, ..gateway.grant(1, 90) };
    assert_eq!(gateway.granted(&question, grant), Heard::Late);
    assert_eq!(gateway.passing(), 0);
}

#[test]
fn credits_of_a_window_are_dropped_when_the_store_speaks_of_the_next() {
    let mut gateway = Gateway::new(1_000, Away::Strict);
    gateway.lend(8);
    let grant = gateway.grant(8, 900);
    let question = (0..8).find_map(|_| gateway.decide().2).expect("half a slice later it asks for the next");
    let next = Grant { window: grant.window + 1, granted: 2, total: 2, rest: 900, left: Duration::from_secs(10) };
    assert_eq!(gateway.granted(&question, next), Heard::Taken);
    assert_eq!(gateway.passing(), 2, "four credits of the window before were left");
}

#[test]
fn without_the_store_a_share_passes_once_in_a_window_and_a_strict_quota_lets_nothing_pass() {
    for (away, share) in [(Away::Share, [25, 25, 12]), (Away::Strict, [0, 0, 0])] {
        let mut gateway = Gateway::new(100, away);
        gateway.counters.set_fleet(4, true);
        assert_eq!((gateway.passing(), gateway.passing()), (share[0], 0));
        assert!(gateway.decide().0.away);
        gateway.hands.pass(10 * SECOND);
        assert_eq!((gateway.passing(), gateway.passing()), (share[1], 0));
        gateway.hands.pass(15 * SECOND);
        assert_eq!((gateway.passing(), gateway.passing()), (share[2], 0), "half of the window is left");
    }
}

#[test]
fn the_share_is_without_what_was_granted() {
    let mut gateway = Gateway::new(100, Away::Share);
    gateway.lend(20);
    gateway.counters.set_fleet(4, true);
    assert_eq!(gateway.passing(), 20 + 4, "for nine of ten seconds");
}

#[test]
fn nothing_passes_before_anybody_has_spoken_of_a_store() {
    let hands = Hands::new();
    let counters = Counters::new(hands.now(), 1_000);
    let policy = Policy::shared("gold", 100, 10, Away::Share).unwrap();
    let name = counters.shared_key(&policy, &[]);
    let verdict = counters.decide(hands.now(), &mut [Ask::shared(&policy, name)]);
    assert!(verdict.away && !verdict.passes && !verdict.waits);
    let verdict = counters.decide(hands.now(), &mut [Ask::new(&policy, name.0)]);
    assert!(verdict.away && !verdict.passes, "without the quota's name");
}

#[test]
fn a_quota_has_one_name_in_all_processes_and_a_key_of_its_own_in_each() {
    let hands = Hands::new();
    let policy = Policy::shared("gold", 100, 10, Away::Share).unwrap();
    let names: Vec<_> = (0..2).map(|_| Counters::new(hands.now(), 10).shared_key(&policy, &[b"a", b"bc"])).collect();
    assert_eq!(names[0].1, names[1].1);
    assert_ne!(names[0].0, names[1].0);
    let counters = Counters::new(hands.now(), 10);
    assert_ne!(counters.shared_key(&policy, &[b"ab", b"c"]).1, names[0].1);
    assert_eq!(counters.key(&policy, &[b"x"]), counters.shared_key(&policy, &[b"x"]).0);
}

#[test]
fn leases_count_as_keys_and_leave_when_their_window_is_over() {
    let mut gateway = Gateway::new(100, Away::Strict);
    let before = gateway.counters.bytes();
    gateway.lend(1);
    assert!(gateway.counters.keys() > 1 && gateway.counters.bytes() > before);
    assert_eq!(gateway.counters.reports(gateway.hands.now()).len(), 1);
    gateway.hands.pass(11 * SECOND);
    assert!(gateway.counters.reports(gateway.hands.now()).is_empty());
    for _ in 0..64 {
        gateway.counters.tick(gateway.hands.now());
    }
    assert_eq!((gateway.counters.keys(), gateway.counters.bytes()), (0, before));
}

#[test]
fn counters_that_clients_choose_are_refused_when_there_are_too_many() {
    let gateway = Gateway::new(100, Away::Strict);
    let mut waiting = 0;
    for number in 0_u32..1_000 {
        let name = gateway.counters.shared_key(&gateway.policy, &[&number.to_le_bytes()]);
        let verdict = gateway.counters.decide(gateway.hands.now(), &mut [Ask::shared(&gateway.policy, name).chosen_by_client()]);
        assert!(verdict.waits != verdict.full);
        waiting += usize::from(verdict.waits);
    }
    let keys = gateway.counters.keys();
    assert!((1_000..1_020).contains(&keys) && waiting < 1_000, "{waiting} counters take {keys} keys");
}

#[test]
fn a_day_that_is_used_up_is_refused_to_its_very_end() {
    let mut gateway = Gateway::new(100, Away::Strict);
    gateway.policy = Policy::shared("a day", 100, 86_400, Away::Strict).unwrap();
    gateway.name = gateway.counters.shared_key(&gateway.policy, &[]);
    let grant = |left: u64| Grant { window: START / 86_400, granted: 0, total: 100, rest: 0, left: Duration::from_secs(left) };
    gateway.granted(&gateway.question(), grant(86_400));
    assert_eq!(gateway.decide().0.retry_after, 86_400, "what is told is not shortened");
    gateway.hands.pass_seconds(86_400 - 87);
    assert!(!gateway.decide().0.waits);
    gateway.hands.pass_seconds(2);
    // Clocks may have drifted by more than is left, so the store is asked again.
    gateway.granted(&gateway.question(), grant(85));
    assert_eq!(gateway.decide().0.retry_after, 85);
}

#[test]
fn a_limit_that_is_raised_is_asked_for_although_the_lower_one_was_used_up() {
    let mut gateway = Gateway::new(100, Away::Strict);
    gateway.granted(&gateway.question(), gateway.grant(0, 0));
    assert!(!gateway.decide().0.waits);
    gateway.policy = Policy::shared("gold", 200, 10, Away::Strict).unwrap();
    assert_eq!(gateway.question().limit, 200);
}

#[test]
fn a_machine_that_slept_while_a_question_was_under_way_has_no_credit_of_the_time_before() {
    let mut gateway = Gateway::new(100, Away::Strict);
    let (question, grant, sent) = (gateway.question(), gateway.grant(1, 90), gateway.hands.now());
    // The monotonic clock stands still while a machine sleeps.
    gateway.hands.wall += 11 * SECOND;
    gateway.counters.granted(gateway.hands.now(), sent, &question, grant);
    assert!(!gateway.decide().0.passes);
}

#[test]
fn slices_follow_the_demand_and_a_question_asks_for_all_who_wait() {
    let mut gateway = Gateway::new(10_000, Away::Strict);
    gateway.lend(1_000);
    let question = (0..1_000).find_map(|_| gateway.decide().2).expect("it fetches ahead");
    assert!(gateway.passing() >= 499, "the second half of the slice passes meanwhile");
    gateway.granted(&question, gateway.grant(0, 9_000));
    gateway.hands.pass(SECOND);
    let question = gateway.question();
    assert!((300..1_000).contains(&question.wanted), "500 in the last second, averaged over a little longer: {question:?}");
    (0..2_000).for_each(|_| assert!(gateway.decide().0.waits));
    gateway.granted(&question, gateway.grant(1, 9_000));
    assert!(gateway.decide().0.passes);
    let question = gateway.question();
    assert_eq!(question.wanted, 2_000, "{question:?}");
    gateway.granted(&question, gateway.grant(2_000, 5_000));
    gateway.hands.pass(60 * SECOND);
    assert!(gateway.question().wanted < 50, "nobody has asked for a minute");
}

#[test]
fn what_is_left_of_an_hour_goes_back_once_when_the_gateway_stops() {
    let mut gateway = Gateway::new(100, Away::Strict);
    gateway.lend(5);
    assert!(gateway.counters.returns(gateway.hands.now()).is_empty(), "ten seconds are not worth it");
    gateway.policy = Policy::shared("an hour", 100, 3_600, Away::Strict).unwrap();
    gateway.name = gateway.counters.shared_key(&gateway.policy, &[]);
    (0..5).for_each(|_| assert!(gateway.decide().0.waits));
    gateway.hands.pass(SECOND);
    let grant = Grant { window: START / 3_600, left: Duration::from_secs(3_000), ..gateway.grant(5, 50) };
    gateway.granted(&gateway.question(), grant);
    assert!(gateway.decide().0.passes);
    let returns = gateway.counters.returns(gateway.hands.now());
    let (quota, window) = (gateway.name.1, Duration::from_secs(3_600));
    assert_eq!(returns, [Return { quota, window, number: START / 3_600, credits: 4 }]);
    assert!(gateway.counters.returns(gateway.hands.now()).is_empty());
    assert_eq!(gateway.passing(), 0, "they are not here any more");
}

#[test]
fn epsilon_is_what_was_granted_and_may_be_forgotten_and_two_shares_of_each_process() {
    let epsilon = Epsilon { limit: 200, gateways: 16 };
    assert_eq!([epsilon.store_emptied(150), epsilon.store_emptied(u64::MAX)], [150, 200]);
    assert_eq!([epsilon.grants_lost(3), epsilon.clock_jumped(500)], [3, 200]);
    assert_eq!([epsilon.shares(16), epsilon.shares(0)], [2 * 16 * 12, 0]);
    assert_eq!(Epsilon { limit: 200, gateways: 0 }.shares(5), 0);
}
