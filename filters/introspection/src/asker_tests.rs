use std::{
    future::poll_fn,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    task::Poll,
    thread,
};

use futures_util::future::ready;
use serde_json::json;
use tollgate_filter_api::{Interval, RemoteResponse};
use tollgate_filter_testkit::{FakeClock, START};

use super::*;
use crate::config::Config;

fn asker(entries: usize) -> Arc<Asker> {
    let cache = config::Cache { ttl: Interval::seconds(60), negative_ttl: Interval::seconds(10), entries };
    Arc::new(Asker::new(&cache, Arc::new(FakeClock::new(START))))
}

fn now(asker: &Asker) -> Instant {
    asker.clock.instant()
}

fn key(n: usize) -> Key {
    openssl::sha::sha256(&n.to_be_bytes())
}

fn grant() -> Known {
    let settings = json!({ "url": "https://a.example/", "client": { "id": "a", "secret": "${env:PATH}" } });
    let config: Config = serde_json::from_value(settings).unwrap();
    let response = RemoteResponse::of_type(200, "application/json", r#"{"active":true}"#);
    crate::answer::read(&response, "token", &config).unwrap()
}

/// A question that is answered once `go` is set.
fn when(go: &Arc<AtomicBool>) -> impl Future<Output = Said> + Send + 'static {
    let go = go.clone();
    poll_fn(move |_| if go.load(Ordering::Relaxed) { Poll::Ready(Ok(None)) } else { Poll::Pending })
}

fn never() -> std::future::Ready<Said> {
    panic!("asked a second time")
}

fn flight(found: Lookup) -> Shared<Question> {
    match found {
        Lookup::Pending(flight) | Lookup::Started(flight) => flight,
        Lookup::Known(_) => panic!("it is remembered"),
    }
}

#[test]
fn a_question_outlives_the_one_who_asked_first() {
    let (asker, go) = (asker(10), Arc::default());
    let first = flight(asker.find(key(1), now(&asker), || when(&go)));
    assert!(first.clone().now_or_never().is_none());
    let second = flight(asker.find(key(1), now(&asker), never));
    drop(first);
    assert!(second.clone().now_or_never().is_none());
    go.store(true, Ordering::Relaxed);
    assert!(matches!(second.now_or_never(), Some(Ok(None))));
    assert!(matches!(asker.find(key(1), now(&asker), never), Lookup::Known(None)));
    assert!(asker.flights().flying.is_empty());
}

#[test]
fn a_question_that_everybody_left_is_asked_anew_and_leaves_nothing_behind() {
    let (asker, go) = (asker(10), Arc::default());
    for _ in 0..3 {
        let flight = asker.find(key(1), now(&asker), || when(&go));
        assert!(matches!(flight, Lookup::Started(_)));
        drop(flight);
        assert!(asker.flights().flying.is_empty());
    }
}

#[test]
fn no_answer_is_not_remembered() {
    let asker = asker(10);
    for _ in 0..2 {
        let said = flight(asker.find(key(1), now(&asker), || ready(Err("away".to_owned())))).now_or_never();
        assert!(matches!(said, Some(Err(_))));
    }
}

#[test]
fn a_flood_of_bad_tokens_is_bounded_and_drives_out_no_good_one() {
    let asker = asker(100);
    for n in 0..100 {
        flight(asker.find(key(n), now(&asker), || ready(Ok(grant())))).now_or_never().unwrap().unwrap();
    }
    for n in 1000..20_000 {
        flight(asker.find(key(n), now(&asker), || ready(Ok(None)))).now_or_never().unwrap().unwrap();
    }
    assert!(asker.bad.len() <= 100);
    // Shards are not filled evenly; what the good ones lost, they lost to each other.
    let kept = asker.good.len();
    assert!(kept > 50);
    assert_eq!((0..100).filter(|n| matches!(asker.remembered(&key(*n), now(&asker)), Some(Some(_)))).count(), kept);
}

/// Four threads ask the same in the same order, so that they often meet just when an answer comes.
#[test]
fn however_close_the_askers_are_there_is_one_question() {
    const TOKENS: usize = 50_000;
    let (asked, asker) = (AtomicUsize::new(0), asker(TOKENS * 64));
    let ask = |n: usize| {
        let question = || {
            asked.fetch_add(1, Ordering::Relaxed);
            ready(Ok(None))
        };
        if let Lookup::Started(flight) | Lookup::Pending(flight) = asker.find(key(n), now(&asker), question) {
            // When another thread is just polling it, it ends there.
            let _ = flight.now_or_never();
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..TOKENS).for_each(ask));
        }
    });
    assert_eq!(asked.load(Ordering::Relaxed), TOKENS);
}
