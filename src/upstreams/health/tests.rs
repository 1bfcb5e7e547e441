//! Ejection, its back-off, and shares that begin small.

use super::*;
use crate::upstreams::Strategy;

fn health(change: impl FnOnce(&mut Ejection)) -> (Health, Ejection) {
    let mut policy = Policy::new(Strategy::RoundRobin);
    policy.ejection.iter_mut().for_each(|ejection| ejection.consecutive = 3);
    policy.ejection.as_mut().map(change).unwrap();
    (Health::new(&policy, None), policy.ejection.unwrap())
}

fn standing(health: &Health, now: u64) -> Standing {
    health.standing(Vec::new, Instant::now(), now, Duration::from_secs(10))
}

#[test]
fn failures_in_a_row_eject_and_a_success_between_them_does_not() {
    let (health, ejection) = health(|_| ());
    for failed in [true, true, false, true, true] {
        assert_eq!(health.outcome(&ejection, 0, failed), None);
    }
    assert_eq!(health.outcome(&ejection, 0, true), Some(Why::Failures(3)));
}

#[test]
fn a_rate_counts_when_there_are_enough_requests() {
    let (health, ejection) = health(|ejection| (ejection.rate, ejection.requests, ejection.consecutive) = (50, 10, 0));
    for request in 0..9 {
        assert_eq!(health.outcome(&ejection, 0, request % 2 == 0), None);
    }
    assert_eq!(health.outcome(&ejection, 0, true), Some(Why::Rate(60)));
    assert_eq!(health.outcome(&ejection, 20_000, true), None, "the window has gone on");
}

#[test]
fn each_ejection_lasts_twice_as_long_until_it_has_done_well_for_long() {
    let (health, ejection) = health(|ejection| (ejection.base, ejection.most) = (Duration::from_secs(10), Duration::from_secs(30)));
    let eject = |now| health.eject(&ejection, now, Why::Failures(3)).map(|time| time.as_secs());
    assert_eq!(eject(0), Some(10));
    assert_eq!(eject(9_999), None);
    assert_eq!(standing(&health, 9_999), Standing::Out(Why::Failures(3), 10_000));
    assert_eq!([eject(10_000), eject(30_000)], [Some(20), Some(30)]);
    assert_eq!(eject(60_000 + 30_001), Some(10));
}

#[test]
fn one_that_is_back_begins_with_a_small_share() {
    let (health, ejection) = health(|_| ());
    assert_eq!(standing(&health, 0), Standing::Ready(1.0, u64::MAX));
    health.eject(&ejection, 0, Why::Failures(3)).unwrap();
    assert!(matches!(standing(&health, 5_000), Standing::Out(..)));
    assert_eq!(standing(&health, 10_000), Standing::Ready(0.1, 10_500));
    assert_eq!(standing(&health, 15_000), Standing::Ready(0.5, 15_500));
    assert_eq!(standing(&health, 20_000), Standing::Ready(1.0, u64::MAX));
}

#[test]
fn a_check_is_news_when_it_changes_something() {
    let (health, _) = health(|_| ());
    assert!(!health.checked(None));
    assert!(health.checked(Some("status 500".to_owned())) && !health.checked(Some("status 503".to_owned())));
    assert_eq!(standing(&health, 0), Standing::Out(Why::Check("status 503".to_owned()), u64::MAX));
    assert!(health.checked(None));
    assert!(matches!(standing(&health, 0), Standing::Ready(..)));
}
