//! Endpoints that come and go under a running gateway, over real sockets.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, Sender},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tollgate_filter_api::Problems;
use tollgate_plan::Plan;

use crate::{
    proxy::{ConfigSource, Gateway, exchange::served::free_address, serve},
    source::{Loaded, PlanSource},
    upstreams::{Supply, Target},
};

/// Longest time for anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

struct Fixed(Value);

impl PlanSource for Fixed {
    fn load(&self) -> Result<Loaded, Problems> {
        let plan: Plan = serde_json::from_value(self.0.clone()).unwrap();
        Ok(Loaded { plan, digest: String::new(), signers: Vec::new(), code: Vec::new() })
    }
}

/// One API, `GET /b/in`, whose group begins with one endpoint.
fn plan(upstream: SocketAddr) -> Value {
    let source = json!({ "document": 0, "line": 1, "pointer": "" });
    let operation = json!({
        "id": "get", "method": "GET", "template": "/in", "target": { "endpoints": { "production": 0, "sandbox": null } },
        "security": { "alternatives": [], "source": source }, "demands": [], "source": source,
    });
    let api = json!({
        "title": "t", "version": "1", "base_path": "/b", "transports": { "http": true, "https": true }, "auth_header": null,
        "owner": null, "operations": [operation], "source": source,
    });
    let urls = [json!({ "url": format!("http://{upstream}"), "etcd_key": null, "source": source })];
    let group = json!({
        "name": "g", "environment": "production", "strategy": "single", "urls": urls, "basic": null, "guards": null, "source": source,
    });
    let mut plan = serde_json::to_value(Plan::default()).unwrap();
    (plan["apis"], plan["endpoints"]) = (json!([api]), json!([group]));
    plan
}

/// A gateway that serves.
struct Running {
    gateway: Arc<Gateway>,
    address: SocketAddr,
}

impl Running {
    fn new(upstream: SocketAddr, more: &str) -> Self {
        let (address, admin) = (free_address(), free_address());
        let text = format!("listeners: [{{ address: '{address}' }}]\nadmin: {{ address: '{admin}' }}\naccess_log: {{ to: 'off' }}\n{more}");
        let config = ConfigSource::Text { name: "test".into(), text, base: std::path::PathBuf::new() };
        let gateway = Gateway::load(Arc::new(Fixed(plan(upstream))), config, &[]).unwrap();
        let served = gateway.clone();
        std::thread::spawn(move || serve(&served, false));
        await_that("the gateway listens", || TcpStream::connect(address).is_ok());
        Self { gateway, address }
    }

    fn supply(&self, upstreams: &[&Backend]) {
        let targets: Vec<_> = upstreams.iter().map(|backend| Target::new(format!("http://{}", backend.address))).collect();
        self.gateway.current().upstreams.group(0).supply(Supply { by: "a test", targets: &targets }).unwrap();
    }

    fn client(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(BufReader::new(stream))
    }
}

/// An upstream that answers every request with its name.
struct Backend {
    address: SocketAddr,
    /// Connections that nobody has closed.
    open: Arc<AtomicUsize>,
    /// Connections there ever were.
    accepted: Arc<AtomicUsize>,
}

impl Backend {
    /// Calls `before` before each answer.
    fn new(name: usize, before: impl Fn() + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (open, accepted, before) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(before));
        let (count, ever) = (open.clone(), accepted.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, count, before) = (stream.unwrap(), count.clone(), before.clone());
                count.fetch_add(1, Ordering::SeqCst);
                ever.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let mut stream = BufReader::new(stream);
                    while head(&mut stream).is_some() {
                        before();
                        let name = name.to_string();
                        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{name}", name.len());
                        if stream.get_mut().write_all(answer.as_bytes()).is_err() {
                            break;
                        }
                    }
                    count.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, open, accepted }
    }

    fn is_left_alone(&self) -> bool {
        self.open.load(Ordering::SeqCst) == 0
    }
}

/// A head in lower case, up to its empty line.
fn head(stream: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        stream.read_line(&mut head).ok().filter(|read| *read > 0)?;
    }
    Some(head.to_ascii_lowercase())
}

/// A client with one connection.
struct Client(BufReader<TcpStream>);

impl Client {
    fn send(&mut self) {
        self.0.get_mut().write_all(b"GET /b/in HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    }

    /// Status and body.
    fn answer(&mut self) -> (u16, String) {
        let head = head(&mut self.0).expect("an answer");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ").and_then(|n| n.parse().ok())).unwrap_or(0);
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (head[9..12].parse().unwrap(), String::from_utf8(body).unwrap())
    }

    fn ask(&mut self) -> (u16, String) {
        self.send();
        self.answer()
    }
}

fn await_that(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

const SWAPS: usize = 10_000;
const CLIENTS: usize = 4;
const BACKENDS: usize = 24;

/// The backends of the set with that number: each is there twice in a row, and then not for a long time.
fn is_in(set: usize, backend: usize) -> bool {
    backend == set % BACKENDS || backend == (set + 1) % BACKENDS
}

/// How far the swaps are. A request that began when `done` was `a` and ended when `begun` was `b` took one of the sets from `a` to `b`.
#[derive(Default)]
struct Swaps {
    begun: AtomicUsize,
    done: AtomicUsize,
    over: AtomicBool,
}

/// Asks until the swaps are over, and tells of each answer. How many there were, and how many of them could have come from an endpoint that
/// had left.
fn load(swaps: &Swaps, mut client: Client, tell: &Sender<()>) -> (usize, usize) {
    let (mut all, mut telling) = (0, 0);
    while !swaps.over.load(Ordering::SeqCst) {
        let first = swaps.done.load(Ordering::SeqCst);
        let (status, name) = client.ask();
        let last = swaps.begun.load(Ordering::SeqCst);
        assert_eq!(status, 200, "{name}");
        let backend: usize = name.parse().unwrap();
        assert!((first..=last).any(|set| is_in(set, backend)), "an answer of {backend}, which is in none of the sets {first} to {last}");
        all += 1;
        telling += usize::from(last - first + 2 < BACKENDS);
        tell.send(()).unwrap();
    }
    (all, telling)
}

#[test]
fn endpoints_are_swapped_ten_thousand_times_under_load_and_no_request_fails_or_meets_one_that_has_left() {
    let backends: Vec<Backend> = (0..BACKENDS).map(|name| Backend::new(name, || ())).collect();
    let running = Running::new(backends[0].address, "");
    running.supply(&[&backends[0], &backends[1]]);
    let swaps = Swaps::default();
    let (tell, answered) = mpsc::channel();
    let (all, telling) = std::thread::scope(|scope| {
        let load = |tell| load(&swaps, running.client(), &tell);
        let clients: Vec<_> = std::iter::repeat_n(tell, CLIENTS).map(|tell| scope.spawn(move || load(tell))).collect();
        for set in 1..=SWAPS {
            swaps.begun.store(set, Ordering::SeqCst);
            running.supply(&[&backends[set % BACKENDS], &backends[(set + 1) % BACKENDS]]);
            swaps.done.store(set, Ordering::SeqCst);
            if answered.recv_timeout(PATIENCE).is_err() {
                // A client has failed, and says why.
                break;
            }
        }
        swaps.over.store(true, Ordering::SeqCst);
        let counts = clients.into_iter().map(|client| client.join().unwrap());
        counts.fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1))
    });
    assert!(all >= SWAPS && telling > all / 2, "of {all} answers {telling} tell something");
    for backend in (0..BACKENDS).filter(|backend| !is_in(SWAPS, *backend)) {
        await_that("connections to endpoints that have left are closed", || backends[backend].is_left_alone());
    }
}

#[test]
fn a_request_at_an_endpoint_that_leaves_is_finished_there_and_then_its_connections_are_closed() {
    let (arrived, seen) = mpsc::channel();
    let (go, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let old = Backend::new(1, move || {
        arrived.send(()).unwrap();
        wait.lock().unwrap().recv().unwrap();
    });
    let new = Backend::new(2, || ());
    let running = Running::new(old.address, "");
    let mut before = running.client();
    before.send();
    seen.recv_timeout(PATIENCE).unwrap();
    running.supply(&[&new]);
    let mut after = running.client();
    assert_eq!(after.ask(), (200, "2".to_owned()));
    assert!(!old.is_left_alone());
    go.send(()).unwrap();
    assert_eq!(before.answer(), (200, "1".to_owned()));
    await_that("the connection is closed", || old.is_left_alone());
    assert_eq!(before.ask(), (200, "2".to_owned()), "the client's connection lives on");
}

#[test]
fn a_connection_to_an_endpoint_that_stays_outlives_a_reload_and_a_supply() {
    let (backend, other) = (Backend::new(1, || ()), Backend::new(2, || ()));
    let running = Running::new(backend.address, "");
    let client = Mutex::new(running.client());
    let ask = || assert_eq!(client.lock().unwrap().ask(), (200, "1".to_owned()));
    ask();
    // The client may have the whole answer a moment before the connection it came over is kept.
    await_that("a connection is used again", || {
        let before = backend.accepted.load(Ordering::SeqCst);
        running.supply(&[&backend, &other]);
        running.supply(&[&backend]);
        running.gateway.reload().unwrap();
        ask();
        backend.accepted.load(Ordering::SeqCst) == before
    });
}

#[test]
fn a_group_without_endpoints_answers_as_one_that_cannot_be_reached_until_there_is_one_again() {
    let refusing = free_address();
    let backend = Backend::new(1, || ());
    let running = Running::new(refusing, "");
    let mut client = running.client();
    let mut refusal = || {
        let (status, body) = client.ask();
        let mut body: Value = serde_json::from_str(&body).unwrap();
        body.as_object_mut().unwrap().remove("request_id").unwrap();
        client = running.client();
        (status, body)
    };
    let unreachable = refusal();
    assert_eq!((unreachable.0, &unreachable.1["reason"]), (502, &json!("upstream.connect")));
    running.supply(&[]);
    assert_eq!(refusal(), unreachable);
    running.supply(&[&backend]);
    assert_eq!(client.ask(), (200, "1".to_owned()));
}

/// The connection to an upstream that speaks HTTP/2 is the engine's, which would keep it.
#[tokio::test]
async fn connections_over_http2_are_closed_too_when_their_endpoint_has_left() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let upstream = tokio::spawn(async move {
        let mut connection = h2::server::handshake(listener.accept().await.unwrap().0).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            respond.send_response(http::Response::builder().status(204).body(()).unwrap(), true).unwrap();
        }
    });
    let supplied = tokio::task::spawn_blocking(move || {
        let running = Running::new(address, "upstream: { http: '2' }\n");
        let mut client = running.client();
        for _ in 0..2 {
            assert_eq!(client.ask().0, 204);
        }
        running.supply(&[]);
        running
    });
    supplied.await.unwrap();
    tokio::time::timeout(PATIENCE, upstream).await.expect("the connection is closed").unwrap();
}
