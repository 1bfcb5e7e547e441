//! What a lease makes of what the store tells it.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{
    SECOND, START,
    gateway::{Gateway, MILLISECOND},
};
use tollgate_counters::{Ask, Away, Grant, Heard, Policy};

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
fn a_request_that_was_held_up_after_it_had_read_the_clock_makes_no_slice_last_longer() {
    let gateway = Gateway::new(100, Away::Strict);
    let moment = |seconds: u64| gateway.hands.after(seconds * SECOND);
    let decide = |seconds: u64| {
        let mut asks = [Ask::shared(&gateway.policy, gateway.name)];
        let verdict = gateway.counters.decide(moment(seconds), &mut asks);
        (verdict.passes, gateway.counters.question(&asks[0]))
    };
    // Another request has seen five seconds pass.
    let question = decide(5).1.unwrap();
    gateway.counters.granted(moment(5), moment(5), &question, Grant { left: Duration::from_secs(5), ..gateway.grant(1, 90) });
    assert!(decide(5).0);
    let question = decide(1).1.unwrap();
    gateway.counters.granted(moment(5), moment(1), &question, Grant { left: Duration::from_secs(4), ..gateway.grant(1, 90) });
    assert!(!decide(5).0, "four seconds from the first one");
}

#[test]
fn the_highest_total_is_reported_although_the_store_forgets_it() {
    let mut gateway = Gateway::new(100, Away::Strict);
    gateway.granted(&gateway.question(), Grant { total: 70, ..gateway.grant(1, 30) });
    assert_eq!(gateway.passing(), 1);
    gateway.hands.pass(SECOND);
    gateway.granted(&gateway.question(), Grant { total: 1, ..gateway.grant(1, 99) });
    let reports = gateway.counters.reports(gateway.hands.now());
    assert_eq!(
        reports.iter().map(|report| (report.number, report.wanted, report.seen, report.seen_in)).collect::<Vec<_>>(),
        [(0, 0, 70, START / 10)]
    );
}

#[test]
fn a_store_that_grants_nothing_of_what_is_left_is_asked_again_a_little_later() {
    let mut gateway = Gateway::new(100, Away::Share);
    gateway.granted(&gateway.question(), gateway.grant(0, 40));
    let (verdict, told, question) = gateway.decide();
    assert!(!verdict.waits && told.away && question.is_none());
    gateway.hands.pass(50 * MILLISECOND);
    assert!(gateway.decide().2.is_some());
}
