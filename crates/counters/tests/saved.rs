//! Quotas over a restart, and files that are not what they should be.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    fs,
    hash::Hasher,
    io,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    thread,
};

use common::{Hands, SECOND, ask, bytes, fixed, gcra, look, passing, sliding};
use siphasher::sip128::{Hasher128, SipHasher13};
use tollgate_counters::{Counters, LoadError, Policy};

const DAY: u64 = 86_400;

fn saved(counters: &Counters, hands: &Hands) -> Vec<u8> {
    let mut file = Vec::new();
    counters.save(hands.now(), &mut file).unwrap();
    file
}

fn load(hands: &Hands, file: &[u8]) -> Result<Counters, LoadError> {
    Counters::load(hands.now(), 1_000, file)
}

/// Counters with three used of five a day, and their file.
fn three_used() -> (Hands, Policy, Vec<u8>) {
    let hands = Hands::new();
    let (counters, policy) = (Counters::new(hands.now(), 1_000), fixed("day", 5, DAY));
    assert_eq!(passing(&counters, hands.now(), &policy, counters.key(&policy, &[b"app"]), 3), 3);
    let file = saved(&counters, &hands);
    (hands, policy, file)
}

#[test]
fn quotas_of_a_day_and_more_go_on_after_a_restart_and_shorter_ones_begin_anew() {
    let mut hands = Hands::new();
    let counters = Counters::new(hands.now(), 1_000);
    let week = 7 * DAY;
    let long = [fixed("day", 9, DAY), sliding("week", 9, week), gcra("slow", 9, DAY, 9), bytes("volume", 9, 30 * DAY)];
    let short = [fixed("hour", 9, 3_600), gcra("fast", 9, 60, 9), Policy::concurrent("together", 9).unwrap()];
    let all = || long.iter().chain(&short);
    for policy in all() {
        assert_eq!(passing(&counters, hands.now(), policy, counters.key(policy, &[b"app"]), 4), 4);
    }
    counters.add(hands.now(), &long[3], counters.key(&long[3], &[b"app"]), 4);
    let left = |counters: &Counters, hands: &Hands| -> Vec<_> {
        all().map(|policy| look(counters, hands.now(), policy, counters.key(policy, &[b"app"]))).collect()
    };
    let before = left(&counters, &hands);
    let loaded = load(&hands, &saved(&counters, &hands)).unwrap();
    let after = left(&loaded, &hands);
    assert_eq!(before[..4], after[..4]);
    assert_eq!(after[4..].iter().map(|told| told.remaining).collect::<Vec<_>>(), [8, 8, 8]);
    assert_eq!(loaded.keys(), 4);

    let old = saved(&counters, &hands);
    hands.pass_seconds(40 * DAY);
    assert_eq!(load(&hands, &old).unwrap().keys(), 0, "what is over is not loaded");
    assert_eq!(counters.save(hands.now(), io::sink()).unwrap(), 0, "what is over is not saved");
}

#[test]
fn a_clock_that_stands_behind_the_file_opens_no_second_window() {
    let (mut hands, policy, file) = three_used();
    hands.wall -= 3_600 * SECOND;
    let loaded = load(&hands, &file).unwrap();
    let told = look(&loaded, hands.now(), &policy, loaded.key(&policy, &[b"app"]));
    assert_eq!((told.remaining, told.reset), (1, DAY));
    hands.wall -= DAY * SECOND;
    assert!(matches!(load(&hands, &file), Err(LoadError::Future(seconds)) if seconds == DAY + 3_600));
}

#[test]
fn a_file_that_is_cut_off_or_has_one_wrong_byte_is_refused() {
    let (hands, _, file) = three_used();
    assert_eq!(file.len(), 32 + 28 + 28);
    assert!(load(&hands, &file).is_ok());
    for length in 0..file.len() {
        let error = load(&hands, &file[..length]).unwrap_err();
        assert!(matches!((length, &error), (0..8, LoadError::Foreign) | (8.., LoadError::CutOff)), "{length}: {error:?}");
    }
    for (at, bit) in (0..file.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
        let mut wrong = file.clone();
        wrong[at] ^= 1 << bit;
        let error = load(&hands, &wrong).unwrap_err();
        assert!(error.to_string().contains("remove") || error.to_string().contains("release"), "no way out: {error}");
    }
}

/// Sums a file up again, so that what it says is looked at.
fn forged(mut file: Vec<u8>, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    file.truncate(file.len() - 16);
    change(&mut file);
    let mut sum = SipHasher13::new();
    sum.write(&file);
    file.extend_from_slice(&sum.finish128().as_bytes());
    file
}

#[test]
fn a_file_that_says_what_no_gateway_writes_is_refused_although_its_checksum_is_right() {
    let (hands, _, file) = three_used();
    assert!(load(&hands, &forged(file.clone(), |_| ())).is_ok());
    let damaged = |change: fn(&mut Vec<u8>)| match load(&hands, &forged(file.clone(), change)) {
        Err(LoadError::Damaged(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(damaged(|file| file[32..36].copy_from_slice(&4096_u32.to_le_bytes())), "a counter lies outside");
    assert_eq!(damaged(|file| file[36] &= !1), "a counter should not have been saved");
    assert_eq!(damaged(|file| file[48..52].copy_from_slice(&u32::MAX.to_le_bytes())), "a window ends too late");
    assert_eq!(damaged(|file| file.splice(60..60, file[32..60].to_vec()).for_each(drop)), "one counter comes twice");
    assert_eq!(damaged(|file| file[64] = 2), "counters are missing");
    let mut longer = file.clone();
    longer.push(0);
    assert!(matches!(load(&hands, &longer), Err(LoadError::Damaged("something follows its end"))));
    assert!(matches!(load(&hands, &forged(file.clone(), |file| file[7] = 2)), Err(LoadError::Version(2))));
    assert!(matches!(load(&hands, b"{\"counters\": []}"), Err(LoadError::Foreign)));
    assert!(matches!(Counters::load(hands.now(), 0, &file[..]), Err(LoadError::TooMany(0))));
}

#[test]
fn an_endless_file_ends_at_the_bound() {
    struct Endless(u64);
    impl io::Read for Endless {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let header = [b"tollcnt\x01".as_slice(), &[0; 24]].concat();
            for place in to.iter_mut() {
                // Records that are over, with a number in their key.
                let (record, at) = (self.0.saturating_sub(32) / 28, self.0.saturating_sub(32) % 28);
                *place = match at {
                    _ if self.0 < 32 => header[self.0 as usize],
                    4 => 1,
                    8..12 => record.to_le_bytes()[at as usize - 8],
                    _ => 0,
                };
                self.0 += 1;
            }
            Ok(to.len())
        }
    }
    assert!(matches!(Counters::load(Hands::new().now(), 1_000, Endless(0)), Err(LoadError::TooMany(2_000))));
}

#[test]
fn a_file_written_while_requests_pass_has_what_was_counted_before_and_nothing_that_was_not() {
    let hands = Hands::new();
    let counters = Counters::new(hands.now(), 100_000);
    let policy = fixed("day", 1_000_000, DAY);
    let keys: Vec<_> = (0_u64..500).map(|number| counters.key(&policy, &[&number.to_le_bytes()])).collect();
    let (over, begun) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let _end = Raised(&over);
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    keys.iter().for_each(|key| assert!(ask(&counters, hands.now(), &policy, *key).accepted));
                    begun.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let used = |counters: &Counters| -> Vec<_> {
            keys.iter().map(|key| 999_999 - look(counters, hands.now(), &policy, *key).remaining).collect()
        };
        while begun.load(Ordering::Relaxed) < 8 {
            thread::yield_now();
        }
        for _ in 0..10 {
            let before = used(&counters);
            let file = saved(&counters, &hands);
            let after = used(&counters);
            let between = used(&load(&hands, &file).unwrap());
            assert!(before.iter().zip(&between).zip(&after).all(|((before, between), after)| before <= between && between <= after));
        }
    });
}

/// Raises a flag when it is dropped: threads must also end when the test fails.
struct Raised<'f>(&'f AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A folder that is gone with its value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("tollgate-counters-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn the_file_is_replaced_whole_and_is_its_owners_alone() {
    let (folder, mut hands, policy) = (Folder::new(), Hands::new(), fixed("day", 5, DAY));
    let (path, beside) = (folder.0.join("counters"), folder.0.join("counters.new"));
    let counters = Counters::load_file(hands.now(), 1_000, &path).unwrap();
    let key = counters.key(&policy, &[b"app"]);
    // What a crash has left.
    fs::write(&beside, "half").unwrap();
    for used in 1..=3 {
        assert!(ask(&counters, hands.now(), &policy, key).accepted);
        assert_eq!(counters.save_file(hands.now(), &path).unwrap(), 1);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!beside.exists());
        hands.pass_seconds(1);
        let loaded = Counters::load_file(hands.now(), 1_000, &path).unwrap();
        assert_eq!(loaded.key(&policy, &[b"app"]), key);
        assert_eq!(look(&loaded, hands.now(), &policy, key).remaining, 4 - used);
    }
    // It cannot be written beside, so the old one stays.
    fs::create_dir(&beside).unwrap();
    assert!(ask(&counters, hands.now(), &policy, key).accepted);
    assert!(counters.save_file(hands.now(), &path).is_err());
    let loaded = Counters::load_file(hands.now(), 1_000, &path).unwrap();
    assert_eq!(look(&loaded, hands.now(), &policy, key).remaining, 1);
    assert!(matches!(Counters::load_file(hands.now(), 1_000, &folder.0), Err(LoadError::Read(_))));
}
