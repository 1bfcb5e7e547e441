//! Prints what ten million entries cost: memory by the resident set, and the time of a look-up that misses and of one that hits.

use std::{
    hint::black_box,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use tollgate_filter_api::{Principal, PrincipalParts, Token};
use tollgate_revocations::{Input, List, Seed, pair};

const ENTRIES: usize = 10_000_000;
const LOOKUPS: usize = 1_000_000;

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn token(prefix: &str, number: usize) -> Principal {
    let token = Token { id: Some(format!("{prefix}-{number:036}")), ..Token::default() };
    Principal::new(PrincipalParts { filter: "example", token: Some(token), ..PrincipalParts::default() })
}

fn measure(list: &List, now: u32, prefix: &str) {
    let tokens: Vec<Principal> = (0..LOOKUPS).map(|n| token(prefix, n.wrapping_mul(7919) % ENTRIES)).collect();
    let mut times: Vec<u128> = Vec::with_capacity(LOOKUPS);
    let mut hits = 0_usize;
    for token in &tokens {
        // A request has just verified its token, so that is at hand; the list is not.
        black_box(token.token.as_ref().and_then(|token| token.id.as_ref()).map(|id| id.bytes().fold(0_u8, u8::wrapping_add)));
        let begun = Instant::now();
        hits += usize::from(black_box(list.find(black_box(token), || now)).is_some());
        times.push(begun.elapsed().as_nanos());
    }
    times.sort_unstable();
    println!("{prefix}: {hits} of {LOOKUPS} found; median {} ns, p99 {} ns", times[LOOKUPS / 2], times[LOOKUPS / 100 * 99]);
}

fn main() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as u32);
    let before = resident();
    let list = List::new(Seed::random(), ENTRIES + 1);
    for batch in 0..ENTRIES / 100_000 {
        let said: Vec<_> =
            (0..100_000).filter_map(|n| pair(format!("revoked-{:036}", batch * 100_000 + n).as_bytes(), b"3600", now).ok()).collect();
        if let Err(full) = list.add(Input::Etcd, &said, now) {
            println!("{full}");
        }
    }
    let used = resident() - before;
    println!("{} entries: {:.1} bytes of resident memory an entry", list.len(), used as f64 / list.len() as f64);
    measure(&list, now, "good");
    measure(&list, now, "revoked");
}
