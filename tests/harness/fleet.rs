//! Gateways that count together, over one upstream that notes when each request was sent and when it arrived.
//!
//! A limit has the condition that the request has the header `X-Limited`: one without it shows how long a request takes that no limit holds up.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::{
    Client, Folder, Gateway, Reply, Response, Settings, Upstream,
    project::{artifact, everything, open_api},
    until,
};

/// What a request with a limit carries: when it was sent, in nanoseconds since 1970.
const LIMITED: &str = "X-Limited";

/// A pause of a client between two requests.
const PAUSE: Duration = Duration::from_millis(10);

/// Connections of a client to each gateway.
const CONNECTIONS: usize = 4;

/// Gateways with one artifact.
pub struct Fleet {
    pub gateways: Vec<Gateway>,
    /// When each request with a limit was sent, and when it arrived upstream; since 1970.
    pub arrived: Arc<Mutex<Vec<(Duration, Duration)>>>,
    _upstream: Upstream,
    _folder: Folder,
}

impl Fleet {
    /// One gateway for each `stores.redis`, all with the policy `shared`, which counts all requests with a limit together.
    pub fn start(stores: &[Value], policy: &Value) -> Self {
        let limits = json!([{ "policy": "shared", "key": ["api"], "when": [{ "header": LIMITED }] }]);
        Self::with(stores, &json!({ "policies": { "shared": policy }, "limits": limits }))
    }

    /// One gateway for each `stores.redis`, all with these settings of the filter `throttle`.
    pub fn with(stores: &[Value], throttle: &Value) -> Self {
        let arrived = Arc::<Mutex<Vec<_>>>::default();
        let seen = arrived.clone();
        let upstream = Upstream::answering(move |request| {
            if let Some(sent) = request.field(LIMITED) {
                seen.lock().unwrap().push((Duration::from_nanos(sent.parse().unwrap()), since_1970()));
            }
            Reply::new(200, "")
        });
        let folder = Folder::new();
        let artifact = artifact(&folder, &open_api("/a", &upstream.url(), everything()));
        let start = |store: &Value| {
            let config = json!({ "chain": [{ "throttle": throttle }], "stores": { "redis": store } });
            Gateway::start(&artifact, Settings::of(config))
        };
        let gateways = thread::scope(|scope| {
            let starting: Vec<_> = stores.iter().map(|store| scope.spawn(move || start(store))).collect();
            starting.into_iter().map(|starting| starting.join().unwrap()).collect()
        });
        Self { gateways, arrived, _upstream: upstream, _folder: folder }
    }

    /// Waits until every gateway knows of all others.
    #[must_use]
    pub fn together(self) -> Self {
        self.connected(true);
        for gateway in &self.gateways {
            gateway.metric_reaches("tollgate_quota_store_gateways", self.gateways.len() as f64);
        }
        self
    }

    /// Waits until every gateway has a connection to the store, or none has.
    pub fn connected(&self, connected: bool) {
        for gateway in &self.gateways {
            let is = || gateway.metric("tollgate_quota_store_connected") == Some(f64::from(u8::from(connected)));
            until("the gauge of the connection", || is().then_some(()));
        }
    }

    /// One request with a limit.
    pub fn ask(&self, gateway: usize) -> Response {
        ask(&mut self.gateways[gateway].connect(), true).unwrap()
    }

    /// How many of so many requests with a limit passed, on one connection.
    pub fn passing(&self, gateway: usize, requests: usize) -> usize {
        let mut client = self.gateways[gateway].connect();
        (0..requests).filter(|_| ask(&mut client, true).unwrap().status() == 200).count()
    }

    /// Requests with a limit and without, in turns, from several clients of every gateway.
    pub fn load(&self) -> Load {
        let over = Arc::<AtomicBool>::default();
        let client = |gateway: usize| {
            let (over, port) = (over.clone(), self.gateways[gateway].ports.plain);
            thread::spawn(move || {
                let (mut client, mut calls) = (Client::connect(port), Vec::new());
                while !over.load(SeqCst) {
                    for limited in [true, false] {
                        let (begun, at) = (Instant::now(), since_1970());
                        let answer = ask(&mut client, limited).unwrap();
                        calls.push(Call { gateway, limited, at, took: begun.elapsed(), status: answer.status() });
                        thread::sleep(PAUSE);
                    }
                }
                calls
            })
        };
        let gateways = (0..self.gateways.len()).flat_map(|gateway| [gateway; CONNECTIONS]);
        Load { clients: gateways.map(client).collect(), over }
    }

    /// How many requests surely were let through in each window of so many seconds, and in each row of neighbouring windows: they were sent
    /// after the first began, and arrived before the last ended.
    pub fn surely(&self, seconds: u64) -> BTreeMap<(u64, u64), usize> {
        let arrived = self.arrived.lock().unwrap();
        let window = |at: &Duration| at.as_secs() / seconds;
        let Some(first) = arrived.iter().map(|(sent, _)| window(sent)).min() else { return BTreeMap::new() };
        let last = arrived.iter().map(|(_, arrived)| window(arrived)).max().unwrap_or(first);
        let within = |from, to| arrived.iter().filter(|(sent, arrived)| window(sent) >= from && window(arrived) <= to).count();
        (first..=last).flat_map(|from| (from..=last).map(move |to| (from, to))).map(|(from, to)| ((from, to), within(from, to))).collect()
    }
}

/// Clients at work.
pub struct Load {
    clients: Vec<JoinHandle<Vec<Call>>>,
    over: Arc<AtomicBool>,
}

impl Load {
    /// Stops, and says what came of each request.
    pub fn end(self) -> Vec<Call> {
        self.over.store(true, SeqCst);
        self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    }
}

/// A request and its answer.
pub struct Call {
    pub gateway: usize,
    pub limited: bool,
    /// When it was sent, since 1970.
    pub at: Duration,
    pub took: Duration,
    pub status: u16,
}

fn ask(client: &mut Client, limited: bool) -> std::io::Result<Response> {
    let sent = format!("{LIMITED}: {}", since_1970().as_nanos());
    let fields: &[&str] = if limited { &[&sent] } else { &[] };
    client.ask("GET", "/a/x", fields, b"")
}

pub fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}
