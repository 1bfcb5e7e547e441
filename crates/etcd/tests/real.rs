//! Against a real etcd: everything that can happen to it must end in a mirror that holds what it holds.

#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;
use tollgate_etcd::{ClientCertificate, Full, Keys, Mirror, Settings, run};
use tollgate_filter_api::Secret;
use tollgate_tests::{
    Folder,
    certificates::Authority,
    parts::{Etcd, Partition},
    revoking::percentiles,
    until,
};

const PREFIX: &str = "/revoked/";

#[derive(Default)]
struct State {
    view: BTreeMap<String, String>,
    listing: BTreeMap<String, String>,
    listings: usize,
    /// Keys that a comparable listing showed to be wrong.
    wrong: Vec<String>,
    revision: i64,
    completed: usize,
    causes: Vec<String>,
}

/// Holds what etcd holds.
#[derive(Default)]
struct Copy(Mutex<State>);

/// A key without the prefix, or a value.
fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.strip_prefix(PREFIX.as_bytes()).unwrap_or(bytes).to_vec()).unwrap()
}

impl Mirror for Copy {
    fn begin(&self) {
        self.0.lock().unwrap().listing.clear();
    }

    fn listed(&self, key: &[u8], value: &[u8]) {
        self.0.lock().unwrap().listing.insert(text(key), text(value));
    }

    fn replace(&self, revision: i64, comparable: bool) -> Result<(), Full> {
        let mut state = self.0.lock().unwrap();
        let listing = std::mem::take(&mut state.listing);
        if comparable {
            let before = &state.view;
            let missing = listing.keys().filter(|key| !before.contains_key(*key));
            let wrong = missing.chain(before.keys().filter(|key| !listing.contains_key(*key))).cloned().collect::<Vec<_>>();
            state.wrong.extend(wrong);
        }
        state.view = listing;
        state.listings += 1;
        state.revision = revision;
        Ok(())
    }

    fn put(&self, key: &[u8], value: &[u8], revision: i64) {
        let mut state = self.0.lock().unwrap();
        state.view.insert(text(key), text(value));
        state.revision = state.revision.max(revision);
    }

    fn delete(&self, key: &[u8], revision: i64) {
        let mut state = self.0.lock().unwrap();
        state.view.remove(&text(key));
        state.revision = state.revision.max(revision);
    }

    fn complete(&self, revision: i64) {
        let mut state = self.0.lock().unwrap();
        state.revision = state.revision.max(revision);
        state.completed += 1;
    }

    fn lost(&self, cause: &str) {
        self.0.lock().unwrap().causes.push(cause.to_owned());
    }
}

/// A mirror on a thread of its own.
struct Running {
    copy: Arc<Copy>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    fn start(settings: Settings) -> Self {
        let (copy, (stop, stopped)) = (Arc::<Copy>::default(), oneshot::channel::<()>());
        let mirror = copy.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let stop = async {
                let _ = stopped.await;
            };
            runtime.block_on(run(settings, mirror, stop)).unwrap();
        });
        Self { copy, stop: Some(stop), thread: Some(thread) }
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.copy.0.lock().unwrap())
    }

    fn reaches(&self, revision: i64) {
        until(&format!("revision {revision}"), || self.state(|state| state.revision >= revision).then_some(()));
    }

    fn keys(&self) -> Vec<String> {
        self.state(|state| state.view.keys().cloned().collect())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let ended = self.thread.take().map(thread::JoinHandle::join);
        assert!(thread::panicking() || ended.is_some_and(|ended| ended.is_ok()));
    }
}

fn settings(url: String) -> Settings {
    let mut settings = Settings::new(vec![url], vec![Keys::Prefix(PREFIX.into())]);
    settings.heartbeat = Duration::from_secs(1);
    settings
}

fn key(name: &str) -> String {
    format!("{PREFIX}{name}")
}

#[test]
fn twenty_thousand_keys_are_read_and_a_change_arrives_at_once() {
    let etcd = Etcd::start();
    let keys: Vec<String> = (0..20_000).map(|number| key(&format!("key-{number:05}"))).collect();
    etcd.put("/revoke", "before the prefix");
    etcd.put("/revoked0", "behind the prefix");
    let written = etcd.put_all(&keys);
    let begun = Instant::now();
    let running = Running::start(settings(etcd.url()));
    running.reaches(written);
    println!("20,000 keys were there after {:?}", begun.elapsed());
    let names: Vec<String> = keys.iter().map(|key| key[PREFIX.len()..].to_owned()).collect();
    assert_eq!(running.keys(), names);

    let mut times = Vec::new();
    for number in 0..500 {
        let begun = Instant::now();
        let written = etcd.put(&key("new"), &number.to_string());
        while running.state(|state| state.revision < written) {
            thread::sleep(Duration::from_micros(100));
        }
        times.push(begun.elapsed());
        assert_eq!(running.state(|state| state.view["new"].clone()), number.to_string());
    }
    let (median, p99) = percentiles(times);
    println!("500 writes, from before each to the mirror: median {median:?}, p99 {p99:?}");
    assert!(median < Duration::from_millis(250), "{median:?}");
    let deleted = etcd.delete(&key("new"));
    running.reaches(deleted);
    assert_eq!(running.keys(), names);
    assert_eq!(running.state(|state| (state.listings, state.causes.len())), (1, 0));
}

#[test]
fn a_member_that_is_killed_is_found_again_and_the_watch_goes_on() {
    let mut etcd = Etcd::start();
    let running = Running::start(settings(etcd.url()));
    running.reaches(etcd.put(&key("a"), ""));
    etcd.kill();
    until("the loss to show", || running.state(|state| !state.causes.is_empty()).then_some(()));
    etcd.restart();
    running.reaches(etcd.put(&key("b"), ""));
    assert_eq!(running.keys(), ["a", "b"]);
    assert_eq!(running.state(|state| state.listings), 1, "it went on from what it had seen");

    etcd.freeze();
    until("the silence to show", || {
        running.state(|state| state.causes.iter().any(|cause| cause.contains("nothing was heard"))).then_some(())
    });
    etcd.thaw();
    running.reaches(etcd.put(&key("c"), ""));
    assert_eq!(running.keys(), ["a", "b", "c"]);
    assert_eq!(running.state(|state| state.listings), 1);
}

#[test]
fn what_happened_behind_a_partition_is_known_after_it_also_when_it_was_compacted() {
    let etcd = Etcd::start();
    let network = Partition::before(etcd.port);
    let running = Running::start(settings(format!("http://127.0.0.1:{}", network.port)));
    running.reaches(etcd.put(&key("a"), ""));
    for (round, compacted) in [("1", false), ("2", true)] {
        let losses = running.state(|state| state.causes.len());
        network.cut();
        etcd.delete(&key("a"));
        etcd.put(&key("between"), "");
        etcd.delete(&key("between"));
        let put = etcd.put(&key(&format!("b{round}")), "");
        until("the loss to show", || running.state(|state| state.causes.len() > losses).then_some(()));
        if compacted {
            etcd.compact(put);
        }
        network.heal();
        running.reaches(put);
    }
    assert_eq!(running.keys(), ["b1", "b2"]);
    assert_eq!(running.state(|state| state.listings), 2, "one at the start, one because the history was gone");
}

#[test]
fn another_cluster_in_the_same_place_is_listed_anew() {
    let mut etcd = Etcd::start();
    let running = Running::start(settings(etcd.url()));
    running.reaches((0..20).map(|number| etcd.put(&key(&format!("old-{number}")), "")).max().unwrap());
    etcd.lose_everything();
    etcd.restart();
    etcd.put(&key("new"), "");
    until("the new cluster's keys", || (running.keys() == ["new"]).then_some(()));
    assert_eq!(running.state(|state| state.listings), 2);
}

#[test]
fn a_listing_beside_the_watch_finds_what_is_wrong_and_mends_it() {
    let etcd = Etcd::start();
    let mut settings = settings(etcd.url());
    settings.relist = Duration::from_secs(1);
    let running = Running::start(settings);
    running.reaches(etcd.put(&key("a"), ""));
    until("quiet listings", || running.state(|state| state.listings >= 3).then_some(()));
    assert_eq!(running.state(|state| state.wrong.clone()), Vec::<String>::new());
    running.state(|state| {
        state.view.remove("a");
        state.view.insert("made up".to_owned(), String::new());
    });
    until("the difference", || running.state(|state| state.wrong.len() == 2).then_some(()));
    assert_eq!(running.keys(), ["a"]);
}

#[test]
fn listings_under_change_never_lose_a_key() {
    let etcd = Etcd::start();
    etcd.put_all(&(0..5000).map(|number| key(&format!("old-{number}"))).collect::<Vec<_>>());
    let mut settings = settings(etcd.url());
    settings.relist = Duration::from_secs(1);
    let running = Running::start(settings);
    let mut last = 0;
    let mut written = Vec::new();
    let begun = Instant::now();
    // Long enough for several listings.
    while running.state(|state| state.listings) < 4 {
        assert!(begun.elapsed() < Duration::from_secs(60));
        let name = format!("new-{}", written.len());
        last = etcd.put(&key(&name), "");
        running.reaches(last);
        written.push(name);
        let missing = running.state(|state| written.iter().filter(|name| !state.view.contains_key(*name)).cloned().collect::<Vec<_>>());
        assert_eq!(missing, Vec::<String>::new());
    }
    running.reaches(last);
    println!("{} keys were written beside {} listings", written.len(), running.state(|state| state.listings));
    assert_eq!(running.keys().len(), 5000 + written.len());
    assert_eq!(running.state(|state| state.wrong.clone()), Vec::<String>::new());
}

#[test]
fn users_and_certificates_are_shown_and_wrong_ones_are_named() {
    let (authority, other, folder) = (Authority::new("etcd"), Authority::new("other"), Folder::new());
    let own = authority.issue("n1", 2, &["127.0.0.1", "localhost"]);
    let client = authority.issue("root", 3, &[]);
    let mut etcd = Etcd::secure(&authority, &own, &client);
    etcd.ctl(&["put", &key("a"), "1"]);
    etcd.demand_users("gateway", "pa:ss word", PREFIX);
    let (certificate, key_file) = client.write(&folder, "client");
    let mut good = settings(etcd.url());
    good.ca = Some(authority.write(&folder, "ca.pem"));
    good.client_certificate = Some(ClientCertificate { certificate, key: key_file });
    (good.username, good.password) = (Some("gateway".into()), Some(Secret::new("pa:ss word")));

    let running = Running::start(good.clone());
    until("the keys", || (running.keys() == ["a"]).then_some(()));
    etcd.ctl(&["put", &key("b"), "2"]);
    until("the change", || (running.keys() == ["a", "b"]).then_some(()));
    drop(running);

    let named = |what: &str, change: &dyn Fn(&mut Settings)| {
        let mut settings = good.clone();
        change(&mut settings);
        let running = Running::start(settings);
        let cause = until(what, || running.state(|state| state.causes.first().cloned()));
        assert!(cause.contains(what), "{cause}");
        assert!(running.keys().is_empty());
    };
    named("refused the credentials", &|settings| settings.password = Some(Secret::new("wrong")));
    named("certificate is not accepted", &|settings| settings.ca = Some(other.write(&folder, "other.pem")));
    named("permission denied", &|settings| settings.keys = vec![Keys::Prefix("/secrets/".into())]);
    // With TLS 1.3 the refusal of a client without a certificate comes after the handshake.
    named("https://127.0.0.1", &|settings| settings.client_certificate = None);
}

#[test]
fn a_thousand_ranges_share_one_connection_and_each_change_arrives_at_once() {
    const RANGES: usize = 1000;
    let etcd = Etcd::start();
    let mut settings = settings(etcd.url());
    let range = |number: usize| {
        if number.is_multiple_of(2) { Keys::Prefix(key(&format!("{number}/"))) } else { Keys::One(key(&number.to_string())) }
    };
    let written = |number: usize| if number.is_multiple_of(2) { key(&format!("{number}/x")) } else { key(&number.to_string()) };
    settings.keys = (0..RANGES).map(range).collect();
    etcd.put_all(&(0..RANGES / 2).map(written).collect::<Vec<_>>());
    etcd.put(&key("1/strange"), "beside a key that is meant");
    // etcd connects to itself for what is written here.
    let (before, begun) = (etcd.connections(), Instant::now());
    let running = Running::start(settings);
    until("everything", || (running.keys().len() == RANGES / 2 && running.state(|state| state.completed > 0)).then_some(()));
    let first = begun.elapsed();
    let mut times = Vec::new();
    for number in RANGES / 2..RANGES / 2 + 100 {
        let begun = Instant::now();
        let revision = etcd.put(&written(number), "v");
        running.reaches(revision);
        times.push(begun.elapsed());
    }
    assert_eq!(running.keys().len(), RANGES / 2 + 100);
    assert!(running.state(|state| state.causes.is_empty()));
    assert_eq!(etcd.connections(), before + 1);
    let (median, p99) = percentiles(times);
    println!("{RANGES} ranges: followed after {first:?}; from a write to the mirror median {median:?}, p99 {p99:?}");
    assert!(median < Duration::from_millis(100));
}
