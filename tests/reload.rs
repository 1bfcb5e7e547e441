//! Change while traffic runs: nothing is lost, and what is broken changes nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use tollgate_tests::{
    Client, Folder, Gateway, Reply, Settings, Upstream,
    certificates::{Authority, connector},
    ledger,
    project::{artifact_in, open_api, operation},
    until,
};

/// Clients that ask as fast as they can until they are stopped.
struct Load {
    stop: Arc<AtomicBool>,
    good: Arc<AtomicUsize>,
    threads: Vec<thread::JoinHandle<Vec<String>>>,
}

impl Load {
    /// Half of the clients keep their connection, half open one for each request; of four clients, one opens it ahead of time.
    fn start(port: u16, clients: usize) -> Self {
        let (stop, good) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let threads = (0..clients)
            .map(|n| {
                let (stop, good) = (stop.clone(), good.clone());
                // Those that connect ahead begin one after the other, so that some are waited for whenever a process stops.
                let ahead = (n % 4 == 3).then(|| AHEAD * n as u32 / clients as u32);
                thread::spawn(move || client(port, n % 2 == 0, ahead, &stop, &good))
            })
            .collect();
        Self { stop, good, threads }
    }

    fn so_far(&self) -> usize {
        self.good.load(Ordering::Relaxed)
    }

    /// Waits for so many more good answers.
    fn more(&self, count: usize) {
        let goal = self.so_far() + count;
        until("traffic to go on", || (self.so_far() >= goal).then_some(()));
    }

    /// Number of good answers, and everything that went wrong.
    fn stop(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let wrong = self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        (self.good.load(Ordering::Relaxed), wrong)
    }
}

/// How far ahead of its request a connection may be opened: longer than kept connections have when a process stops.
const AHEAD: Duration = Duration::from_secs(2);

fn client(port: u16, keep: bool, ahead: Option<Duration>, stop: &AtomicBool, good: &AtomicUsize) -> Vec<String> {
    let mut wrong = Vec::new();
    thread::sleep(ahead.unwrap_or_default());
    let mut kept: Option<Client> = None;
    while !stop.load(Ordering::Relaxed) {
        let mut client = kept.take().unwrap_or_else(|| Client::connect(port));
        if ahead.is_some() {
            thread::sleep(AHEAD);
        }
        match client.ask("GET", "/a/x", &[], b"") {
            Ok(answer) if answer.status() == 200 => {
                good.fetch_add(1, Ordering::Relaxed);
                let closing = answer.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
                kept = (keep && !closing).then_some(client);
            }
            Ok(answer) => wrong.push(answer.start),
            Err(error) => wrong.push(error.to_string()),
        }
    }
    wrong
}

#[test]
fn a_hundred_reloads_of_which_half_are_broken_lose_no_request() {
    let upstream = Upstream::start();
    let folder = Folder::new();
    let version = |name: &str, more: &str| {
        let definition = open_api("/", &upstream.url(), json!({ "/a/x": { "get": operation() }, more: { "get": operation() } }));
        std::fs::read(artifact_in(&folder, &definition, name)).unwrap()
    };
    let versions = [version("one", "/one"), version("two", "/two")];
    let gateway = Gateway::start(&folder.join("one.toll"), Settings::default());
    let load = Load::start(gateway.ports.plain, 4);
    for n in 0..100 {
        load.more(5);
        if n % 2 == 0 {
            let answer = gateway.reload_with(&versions[n / 2 % 2]);
            assert_eq!(answer.status(), 200, "{}", answer.text());
        } else {
            let mut broken = versions[0].clone();
            let at = (n * 97) % broken.len();
            broken[at] ^= 0x20;
            assert_eq!(gateway.reload_with(&broken).status(), 409);
        }
    }
    load.more(20);
    let (good, wrong) = load.stop();
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(upstream.count(), good);
    ledger::compare(&gateway.log_of(good), &upstream);
    assert_eq!(gateway.metric("tollgate_reloads_total{result=\"ok\"}"), Some(50.0));
    assert_eq!(gateway.metric("tollgate_reloads_total{result=\"failed\"}"), Some(50.0));
}

#[test]
fn hup_puts_a_new_artifact_in_force() {
    let upstream = Upstream::start();
    let folder = Folder::new();
    let version =
        |name: &str, path: &str| artifact_in(&folder, &open_api("/a", &upstream.url(), json!({ path: { "get": operation() } })), name);
    let (one, two) = (version("one", "/one"), version("two", "/two"));
    let gateway = Gateway::start(&one, Settings::default());
    assert_eq!((gateway.get("/a/one").status(), gateway.get("/a/two").status()), (200, 404));
    std::fs::rename(two, one).unwrap();
    gateway.signal("HUP");
    until("the new artifact", || (gateway.get("/a/two").status() == 200).then_some(()));
    assert_eq!(gateway.get("/a/one").status(), 404);
}

#[test]
fn a_reload_with_a_broken_gateway_yaml_keeps_the_old_configuration() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    let path = gateway.folder.join("gateway.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen('{', "{ \"nonsense\": 1, ", 1)).unwrap();
    let answer = gateway.reload();
    assert_eq!(answer.status(), 409);
    assert!(answer.text().contains("nonsense"), "{}", answer.text());
    assert_eq!(gateway.get("/x").status(), 200);
}

#[test]
fn term_finishes_what_is_under_way_and_ends_with_0() {
    let upstream = Upstream::answering(|_| Reply::raw("").then(Duration::from_secs(2), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"));
    let mut gateway = Gateway::over(&upstream.url(), Settings::of(json!({ "process": { "grace": "10s" } })));
    let mut client = gateway.connect();
    client.write("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    until("the request upstream", || (upstream.count() == 1).then_some(()));
    let begun = Instant::now();
    gateway.signal("TERM");
    assert_eq!(client.answer("GET").unwrap().text(), "late");
    assert_eq!(gateway.wait(), 0);
    assert!(begun.elapsed() < Duration::from_secs(15), "it took {:?}", begun.elapsed());
    assert!(std::net::TcpStream::connect(("127.0.0.1", gateway.ports.plain)).is_err());
    assert_eq!(gateway.log_of(1).len(), 1);
}

/// Hands over to a new process while so many clients ask, and says what went wrong.
fn hand_over(clients: usize, requests: usize) {
    let upstream = Upstream::start();
    let folder = Folder::new();
    let artifact = artifact_in(&folder, &open_api("/a", &upstream.url(), json!({ "/x": { "get": operation() } })), "a");
    let socket = folder.join("upgrade.sock");
    let mut gateway = Gateway::start(&artifact, Settings::of(json!({ "process": { "upgrade_socket": &socket, "grace": "20s" } })));
    let load = Load::start(gateway.ports.plain, clients);
    load.more(requests);
    let mut second = gateway.spawn_beside(&["--upgrade"]);
    until("the new process to wait for the sockets", || socket.exists().then_some(()));
    gateway.signal("QUIT");
    let code = gateway.wait();
    load.more(requests);
    let (good, wrong) = load.stop();
    let alive = second.try_wait().unwrap().is_none();
    let _ = second.kill();
    let _ = second.wait();
    assert!(alive && code == 0, "old {code}, new alive: {alive}; {}", gateway.stderr());
    assert_eq!(wrong, Vec::<String>::new(), "of {good}");
    assert_eq!(upstream.count(), good);
}

#[test]
fn quit_hands_the_sockets_to_a_new_process_without_losing_a_request() {
    hand_over(2, 50);
}

#[test]
fn a_hand_over_on_a_busy_machine_loses_no_request() {
    let busy = Arc::new(AtomicBool::new(true));
    let spin = |busy: Arc<AtomicBool>| move || while busy.load(Ordering::Relaxed) {};
    let spinning: Vec<_> = (0..2).map(|_| thread::spawn(spin(busy.clone()))).collect();
    hand_over(64, 2_000);
    busy.store(false, Ordering::Relaxed);
    spinning.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_renewed_certificate_is_in_force_after_a_reload_and_a_broken_one_is_not() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let (certificate, key) = old.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let settings = Settings { tls: Some(json!({ "certificate": certificate, "key": key })), ..Settings::default() };
    let gateway = Gateway::over(&upstream.url(), settings);
    let accepts = |authority: &Authority| Client::tls(gateway.ports.tls, "localhost", &connector(authority, None, b"", None)).is_ok();
    assert!(accepts(&old) && !accepts(&new));
    let mut kept = Client::tls(gateway.ports.tls, "localhost", &connector(&old, None, b"", None)).unwrap();
    assert_eq!(kept.ask("GET", "/x", &[], b"").unwrap().status(), 200);
    folder.write("gateway.pem", "garbage");
    assert_eq!(gateway.reload().status(), 409);
    assert!(accepts(&old));
    new.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    assert_eq!(gateway.reload().status(), 200);
    assert!(accepts(&new) && !accepts(&old));
    assert_eq!(kept.ask("GET", "/x", &[], b"").unwrap().status(), 200);
}

#[test]
fn a_log_that_was_moved_away_goes_on_in_a_new_file_after_hup_and_no_line_is_lost() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    let path = gateway.folder.join("access.log");
    for round in 1..=3 {
        assert_eq!(gateway.get("/before").status(), 200);
        gateway.log_of(1);
        let moved = gateway.folder.join(format!("access.log.{round}"));
        std::fs::rename(&path, &moved).unwrap();
        assert_eq!(gateway.get("/between").status(), 200);
        gateway.signal("HUP");
        until("the new file", || path.exists().then_some(()));
        assert_eq!(gateway.get("/after").status(), 200);
        gateway.log_of(1);
        let lines = |path: &std::path::Path| std::fs::read_to_string(path).unwrap().lines().count();
        until("all lines", || {
            (lines(&path) + (1..=round).map(|n| lines(&gateway.folder.join(format!("access.log.{n}")))).sum::<usize>() == 3 * round)
                .then_some(())
        });
    }
}
