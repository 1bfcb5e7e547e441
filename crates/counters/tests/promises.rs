//! What each algorithm accepts at most, and what its answers promise to a client.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Dice, Hands, SECOND, ask, decide, fixed, gcra, look, sliding};
use tollgate_counters::{Ask, Counters, Key, Policy};

/// One limit of each algorithm, at random.
fn policies(dice: &mut Dice) -> [(Policy, u64, u64); 3] {
    let (limit, window) = (dice.within(1, 40), dice.within(1, 90));
    [
        (fixed("fixed", limit, window), limit, window),
        (sliding("sliding", limit, window), limit, window),
        (gcra("gcra", limit, window, dice.within(1, 20)), limit, window),
    ]
}

struct Client {
    counters: Counters,
    hands: Hands,
    policy: Policy,
    key: Key,
}

impl Client {
    fn new(policy: Policy) -> Self {
        let mut hands = Hands::new();
        hands.pass(SECOND / 3);
        let counters = Counters::new(hands.now(), 1_000);
        let key = counters.key(&policy, &[b"client"]);
        Self { counters, hands, policy, key }
    }

    fn ask(&self) -> tollgate_counters::Told {
        ask(&self.counters, self.hands.now(), &self.policy, self.key)
    }

    fn look(&self) -> tollgate_counters::Told {
        look(&self.counters, self.hands.now(), &self.policy, self.key)
    }
}

/// Some requests at random moments, then `check`; often enough for each algorithm.
fn often(check: impl Fn(&mut Client, &mut Dice)) {
    for seed in 0..40 {
        let mut dice = Dice(seed);
        for (policy, limit, window) in policies(&mut dice) {
            let mut client = Client::new(policy);
            for _ in 0..20 {
                for _ in 0..dice.below(limit * 2) {
                    client.ask();
                    client.hands.pass(dice.below(window * SECOND / limit));
                }
                check(&mut client, &mut dice);
            }
        }
    }
}

#[test]
fn a_client_alone_that_sends_what_remains_within_the_reset_is_not_refused() {
    often(|client, dice| {
        let told = client.ask();
        let mut moments: Vec<u64> = (0..told.remaining).map(|_| dice.below(told.reset * SECOND + 1)).collect();
        moments.sort_unstable();
        let mut before = 0;
        for moment in moments {
            client.hands.pass(moment - before);
            before = moment;
            assert!(client.ask().accepted, "{told:?}, {:?}", client.policy);
        }
    });
}

#[test]
fn a_refused_client_that_waits_as_long_as_it_is_told_is_accepted_and_one_second_earlier_it_is_not() {
    often(|client, _| {
        let told = loop {
            let told = client.ask();
            if !told.accepted {
                break told;
            }
        };
        assert!(told.retry_after > 0);
        client.hands.pass_seconds(told.retry_after - 1);
        assert!(!client.ask().accepted, "too long a wait: {told:?}, {:?}", client.policy);
        client.hands.pass_seconds(1);
        assert!(client.ask().accepted, "{told:?}, {:?}", client.policy);
    });
}

#[test]
fn several_limits_say_the_longest_wait_of_those_that_refused() {
    let hands = Hands::new();
    let counters = Counters::new(hands.now(), 1_000);
    let policies = [fixed("minute", 1, 60), fixed("hour", 1, 3_600), fixed("day", 9, 86_400), gcra("rate", 1, 10, 1)];
    let limits: Vec<_> = policies.iter().map(|policy| (policy, counters.key(policy, &[]))).collect();
    assert!(decide(&counters, hands.now(), &limits).passes);
    let mut asks: Vec<_> = limits.iter().map(|(policy, key)| Ask::new(policy, *key)).collect();
    let verdict = counters.decide(hands.now(), &mut asks);
    let waits: Vec<_> = asks.iter().map(|ask| ask.told.retry_after).collect();
    assert_eq!(waits, [60, 3_600, 0, 10]);
    assert_eq!((verdict.passes, verdict.retry_after), (false, 3_600));

    asks[1] = asks[1].clone().never_stops();
    assert_eq!(counters.decide(hands.now(), &mut asks).retry_after, 60, "who does not refuse makes nobody wait");
}

#[test]
fn refused_requests_change_no_remainder() {
    let hands = Hands::new();
    let counters = Counters::new(hands.now(), 1_000);
    let used_up = fixed("used up", 1, 60);
    let others = [fixed("fixed", 9, 60), sliding("sliding", 9, 60), gcra("gcra", 9, 60, 5), Policy::concurrent("together", 3).unwrap()];
    let last = (&used_up, counters.key(&used_up, &[]));
    let limits: Vec<_> = others.iter().map(|policy| (policy, counters.key(policy, &[]))).chain([last]).collect();
    assert!(decide(&counters, hands.now(), &limits).passes);
    let left = || limits.iter().map(|(policy, key)| look(&counters, hands.now(), policy, *key)).collect::<Vec<_>>();
    let before = left();
    for _ in 0..50 {
        assert!(!decide(&counters, hands.now(), &limits).passes);
    }
    assert_eq!(left(), before);
}

#[test]
fn a_limit_that_never_stops_tells_what_it_would_have_done_if_it_stopped() {
    for seed in 0..60 {
        let mut dice = Dice(seed);
        for (policy, _, window) in policies(&mut dice) {
            let mut client = Client::new(policy);
            let shadow = client.counters.key(&client.policy, &[b"shadow"]);
            for _ in 0..100 {
                let mut asks = [Ask::new(&client.policy, shadow).never_stops()];
                assert!(client.counters.decide(client.hands.now(), &mut asks).passes);
                assert_eq!(asks[0].told, client.ask());
                client.hands.pass(dice.below(window * SECOND / 10));
            }
        }
    }
}

/// The moments, in nanoseconds, at which a client is accepted that asks as often as it can, between pauses.
fn accepted(client: &mut Client, dice: &mut Dice, window: u64) -> Vec<u64> {
    let mut moments = Vec::new();
    for _ in 0..60 {
        while client.ask().accepted {
            moments.push(client.hands.wall);
        }
        client.hands.pass(dice.below(window * SECOND));
    }
    moments
}

/// The most that fall in one stretch of that length.
fn densest(moments: &[u64], stretch: u64) -> usize {
    let from = |start: &u64| moments.iter().filter(|moment| (*start..start + stretch).contains(moment)).count();
    moments.iter().map(from).max().unwrap_or_default()
}

#[test]
fn no_stretch_of_one_window_accepts_more_than_the_table_says() {
    for seed in 0..30 {
        let mut dice = Dice(seed);
        let (limit, window, burst) = (dice.within(1, 12), dice.within(1, 20), dice.within(1, 6));
        let stretch = window * SECOND;
        for policy in [fixed("fixed", limit, window), sliding("sliding", limit, window)] {
            let mut client = Client::new(policy);
            let moments = accepted(&mut client, &mut dice, window);
            assert!(densest(&moments, stretch) as u64 <= 2 * limit);
            let window_of = |moment: &u64| moment / stretch;
            let fullest = moments.chunk_by(|a, b| window_of(a) == window_of(b)).map(<[u64]>::len).max();
            assert!(fullest.unwrap() as u64 <= limit);
        }
        let mut client = Client::new(gcra("gcra", limit, window, burst));
        let moments = accepted(&mut client, &mut dice, window);
        for share in [0, 1, 3, 10] {
            let most = burst + share * limit / 3;
            assert!(densest(&moments, share * stretch / 3 + 1) as u64 <= most, "seed {seed}: {share}/3 of a window");
        }
    }
}

#[test]
fn a_client_that_times_its_requests_gets_nearly_twice_a_sliding_limit_into_one_window_length() {
    let (limit, window) = (1_000, 10);
    let mut client = Client::new(sliding("sliding", limit, window));
    client.hands.wall = client.hands.wall / (window * SECOND) * (window * SECOND) + (window - 1) * SECOND + 999_000_000;
    let mut moments = Vec::new();
    for _ in 0..10_500 {
        while client.ask().accepted {
            moments.push(client.hands.wall);
        }
        client.hands.pass(SECOND / 1_000);
    }
    let most = densest(&moments, window * SECOND);
    assert!((1_900..=2_000).contains(&most), "{most}");
}

#[test]
fn a_steady_caller_gets_what_a_sliding_limit_says() {
    let (limit, window) = (1_000, 10);
    let mut client = Client::new(sliding("sliding", limit, window));
    let mut moments = Vec::new();
    for _ in 0..20_000 {
        if client.ask().accepted {
            moments.push(client.hands.wall);
        }
        client.hands.pass(SECOND / 200);
    }
    let later: Vec<_> = moments.into_iter().filter(|moment| *moment > client.hands.wall - 60 * SECOND).collect();
    let most = densest(&later, window * SECOND);
    assert!((980..=1_010).contains(&most), "{most}");
}

#[test]
fn a_rate_that_does_not_come_out_even_is_not_rounded_in_the_clients_favour() {
    let mut client = Client::new(gcra("seven a second", 7, 1, 1));
    assert!(client.ask().accepted);
    client.hands.pass(SECOND / 7);
    assert!(!client.ask().accepted);
    client.hands.pass(1);
    assert!(client.ask().accepted);
}

#[test]
fn a_full_bucket_says_that_nothing_more_comes() {
    let client = Client::new(gcra("gcra", 10, 1, 1));
    assert_eq!(client.look().remaining, 0);
    assert!(client.ask().accepted);
    let told = client.ask();
    assert_eq!((told.accepted, told.remaining, told.reset, told.retry_after), (false, 0, 1, 1));
}
