//! A store that means harm changes nothing but a counter.

use std::{
    sync::atomic::Ordering::SeqCst,
    time::{Duration, Instant},
};

use tollgate_counters::Away;
use tollgate_lender::Settings;

use super::{
    gateway::{Ended, Gateway, PATIENCE, until},
    liar::{Liar, Lie, Lies},
};

const LIMIT: u64 = 1_000_000;

/// What the socket buffers of both sides may hold, and more.
const BUFFERS: usize = 64 << 20;

/// A gateway at an honest store that begins to lie, until something shows.
async fn lied_to(lies: Lies, shows: impl Fn(&Gateway) -> bool) -> (Liar, Gateway) {
    let liar = Liar::start();
    let gateway = Gateway::start(Settings::new(format!("redis://127.0.0.1:{}", liar.port)), LIMIT, Away::Strict).connected().await;
    gateway.pass(1).await;
    liar.lies(lies);
    let (begun, mut number) = (Instant::now(), 0_u32);
    // Each request has a quota of its own, so that none is served by what is here.
    while !shows(&gateway) {
        assert!(begun.elapsed() < tollgate_tests::PATIENCE, "nothing shows: {:?}", gateway.seen.causes.lock().unwrap());
        number += 1;
        let fresh = gateway.counters.shared_key(&gateway.policy, &[&number.to_be_bytes()]);
        let begun = Instant::now();
        assert_eq!(gateway.request_of(fresh).await, Ended::Away);
        assert!(begun.elapsed() < PATIENCE * 20, "{:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    (liar, gateway)
}

/// Nothing was granted, the lie was counted, and an honest store is found again.
async fn is_counted(lies: Lies) {
    let (liar, gateway) = lied_to(lies, |gateway| gateway.seen.unsound.load(SeqCst) > 0).await;
    is_found_again(&liar, &gateway).await;
}

async fn is_found_again(liar: &Liar, gateway: &Gateway) {
    liar.lies(("", Lie::None));
    let fresh = gateway.counters.shared_key(&gateway.policy, &[b"honest"]);
    let begun = Instant::now();
    while gateway.request_of(fresh).await != Ended::Passed {
        assert!(begun.elapsed() < tollgate_tests::PATIENCE, "{:?}", gateway.seen.causes.lock().unwrap());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_do_not_fit_grant_nothing() {
    for numbers in [
        |a| [a.now / a.length, -1, a.seen, a.limit],
        |a| [a.now / a.length, a.wanted + 1, a.seen + a.wanted + 1, a.limit - a.seen - a.wanted - 1],
        |a| [a.now / a.length - 1, a.wanted, a.wanted, a.limit - a.wanted],
        |a| [a.now / a.length + 1, a.wanted, a.wanted, a.limit - a.wanted],
        |a| [a.now / a.length, a.wanted, a.limit + a.wanted, 0],
        |a| [a.now / a.length, a.wanted, 0, a.limit],
        |a| [a.now / a.length, a.wanted, a.wanted, i64::MAX],
        |_| [i64::MIN, i64::MIN, i64::MIN, i64::MIN],
    ] as [fn(&super::liar::Asked) -> [i64; 4]; 8]
    {
        is_counted(("QUESTION", Lie::Numbers(numbers))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_grants_nothing() {
    for offset in [3_600_000, -3_600_000] {
        is_counted(("QUESTION", Lie::Time(offset))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_another_form_grant_nothing() {
    for bytes in [
        &b"+OK\r\n"[..],
        b":5\r\n",
        b"$-1\r\n",
        b"*0\r\n",
        b"*6\r\n+a\r\n+b\r\n+c\r\n+d\r\n+e\r\n+f\r\n",
        b"*6\r\n*0\r\n*0\r\n*0\r\n*0\r\n*0\r\n*0\r\n",
        b"%1\r\n+a\r\n+b\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\0\0\0\0\r\n",
        b"*-7\r\n",
        b"|1\r\n+a\r\n+b\r\n:1\r\n",
        b"$99999999999999999999\r\n",
    ] {
        is_counted(("QUESTION", Lie::Bytes(bytes))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_read_of_an_answer_than_it_may_hold() {
    for bytes in [&b"$4000000000\r\n"[..], b"*1000000000\r\n$60000\r\n", b"+", b"-ERR ", b":1\r\n+"] {
        let (liar, gateway) = lied_to(("QUESTION", Lie::Endless(bytes)), |gateway| gateway.seen.unsound.load(SeqCst) > 0).await;
        until("the connection to end", || liar.taken.load(SeqCst) > 0).await;
        assert!(liar.taken.load(SeqCst) < BUFFERS, "{} bytes were taken", liar.taken.load(SeqCst));
        is_found_again(&liar, &gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_while_a_gateway_gets_to_know_the_store() {
    for name in ["ROLE", "INFO", "CONFIG", "SCRIPT", "EVALSHA"] {
        let liar = Liar::start();
        liar.lies((name, Lie::Endless(b"$4000000000\r\n")));
        let gateway = Gateway::start(Settings::new(format!("redis://127.0.0.1:{}", liar.port)), LIMIT, Away::Strict);
        until("the lie to show", || gateway.seen.unsound.load(SeqCst) > 0 && liar.taken.load(SeqCst) > 0).await;
        assert!(liar.taken.load(SeqCst) < BUFFERS, "{name}: {} bytes were taken", liar.taken.load(SeqCst));
        assert_eq!(gateway.request().await, Ended::Away);
        is_found_again(&liar, &gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_half_an_answer_end_at_the_time_limit() {
    let silent = [Lie::Silence, Lie::Broken(b""), Lie::Bytes(b"-READONLY no\r\n")].map(|lie| (lie, true));
    // What follows half an answer is garbage.
    let half = [Lie::Broken(b"*6\r\n:17"), Lie::Bytes(b"*6\r\n:1")].map(|lie| (lie, false));
    for (lie, sound) in silent.into_iter().chain(half) {
        let (liar, gateway) = lied_to(("QUESTION", lie), |gateway| gateway.seen.causes.lock().unwrap().len() > 2).await;
        assert!(!sound || gateway.seen.unsound.load(SeqCst) == 0);
        is_found_again(&liar, &gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_always_has_some_left_grants_a_gateway_no_more_than_the_limit() {
    let liar = Liar::start();
    let gateway = Gateway::start(Settings::new(format!("redis://127.0.0.1:{}", liar.port)), 300, Away::Strict).connected().await;
    // When nothing is left it goes on.
    liar.lies((
        "QUESTION",
        Lie::Numbers(|a| {
            let left = a.limit - a.seen;
            let granted = if left > 0 { a.wanted.min(left) } else { a.wanted };
            let total = (a.seen + granted).min(a.limit);
            [a.now / a.length, granted, total, a.limit - total]
        }),
    ));
    let begun = Instant::now();
    let mut passed = 0;
    while begun.elapsed() < Duration::from_secs(2) {
        match gateway.request().await {
            Ended::Passed => passed += 1,
            Ended::UsedUp | Ended::Away => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
    assert!((250..=300).contains(&passed), "{passed} of 300");
}
