//! What the list costs: memory by the resident set, and the time of a look-up. With ten million entries:
//!
//! `cargo test --release -p tollgate-revocations --test cost -- --ignored --nocapture`

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use tollgate_filter_api::{Principal, PrincipalParts, Token};
use tollgate_revocations::{Input, List, Seed, Statement, pair};

const NOW: u32 = 1_800_000_000;

/// Tokens that are looked up.
const TOKENS: usize = 20_000;

/// Bytes of memory that this process holds.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1024
}

/// A signature as ES256 makes them, which has a twin.
fn signature(number: usize) -> String {
    format!("{number:A>85}A")
}

/// Half of the entries name a `jti`, half a signature; as in the reference product's messages, none says which.
fn entry(number: usize) -> Statement {
    let name = if number.is_multiple_of(2) { format!("revoked-{number:036}") } else { signature(number) };
    pair(name.as_bytes(), b"3600", NOW).unwrap()
}

fn token(id: Option<String>, signature: Option<String>) -> Principal {
    let twin = signature.as_deref().map(|signature| format!("{}B", &signature[..signature.len() - 1]));
    let token = Token { id, signature, twin, issued: Some(1_700_000_000), ..Token::default() };
    Principal::new(PrincipalParts {
        filter: "jwt",
        subject: Some("alice".into()),
        client: Some("app".into()),
        token: Some(token),
        ..PrincipalParts::default()
    })
}

/// How long it takes to look each of them up: median and 99th percentile.
fn times(list: &List, tokens: &[Principal], revoked: bool) -> (Duration, Duration) {
    let mut times: Vec<Duration> = tokens
        .iter()
        .map(|token| {
            // A request has just verified its token, so that is at hand; the list is not.
            let parts = token.token.as_ref().unwrap();
            black_box((parts.id.clone(), parts.signature.clone()));
            let begun = Instant::now();
            let found = black_box(list.find(black_box(token), || NOW));
            let time = begun.elapsed();
            assert_eq!(found.is_some(), revoked);
            time
        })
        .collect();
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

/// Bytes that an entry takes, and the medians of looking one name up and all that an ES256 token is known by.
struct Cost {
    bytes: f64,
    name: Duration,
    token: Duration,
}

fn cost(entries: usize) -> Cost {
    let before = resident();
    let list = List::new(Seed::random(), entries + 1);
    for first in (0..entries).step_by(10_000) {
        let said: Vec<Statement> = (first..entries.min(first + 10_000)).map(entry).collect();
        list.add(Input::Etcd, &said, NOW).unwrap();
    }
    let bytes = (resident() - before) as f64 / list.len() as f64;
    println!("{} entries: {bytes:.1} bytes of resident memory an entry", list.len());
    let measured = |what: &str, revoked: bool, make: &dyn Fn(usize) -> Principal| {
        let tokens: Vec<Principal> = (0..TOKENS).map(make).collect();
        let (median, p99) = times(&list, &tokens, revoked);
        println!("{what}: median {median:?}, p99 {p99:?}");
        median
    };
    let scattered = |number: usize| number.wrapping_mul(7919) % (entries / 2) * 2;
    let good = |number: usize| Some(format!("good-{number:036}"));
    let missing = measured("one name, not on the list", false, &|number| token(good(number), None));
    let there = measured("one name on the list", true, &|number| token(Some(format!("revoked-{:036}", scattered(number))), None));
    let whole = measured("a token by jti, signature and its twin, not on the list", false, &|number| {
        token(good(number), Some(signature(entries + number)))
    });
    measured("a token by its signature", true, &|number| token(good(number), Some(signature(scattered(number) + 1))));
    Cost { bytes, name: missing.max(there), token: whole }
}

/// Without optimisation everything takes some ten times as long.
const SLOWER: u32 = if cfg!(debug_assertions) { 20 } else { 1 };

fn is_kept(promise: &Cost) {
    assert!(promise.bytes <= 40.0, "{} bytes", promise.bytes);
    assert!(promise.name < Duration::from_micros(1) * SLOWER, "{:?}", promise.name);
    assert!(promise.token < Duration::from_micros(3) * SLOWER, "{:?}", promise.token);
}

#[test]
fn an_entry_takes_at_most_40_bytes_and_a_look_up_less_than_a_microsecond() {
    is_kept(&cost(300_000));
}

#[test]
#[ignore = "takes a minute, and says something only when it is optimised and alone"]
fn ten_million_entries_take_at_most_40_bytes_each_and_a_look_up_less_than_a_microsecond() {
    is_kept(&cost(10_000_000));
}
