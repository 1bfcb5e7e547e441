//! An issuer that changes its keys, or is away: a good token is never called a bad one.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Settings, Upstream,
    project::{artifact, open_api, operation},
    token::Issuer,
    until,
    upstream::Reply,
};

const ISSUER: &str = "https://issuer.example";

/// Serves the keys of the moment.
struct Server {
    server: Upstream,
    keys: Arc<Mutex<Issuer>>,
    away: Arc<AtomicBool>,
}

impl Server {
    fn start() -> Self {
        let (keys, away) = (Arc::new(Mutex::new(Issuer::with_kid(ISSUER, "key-0"))), Arc::new(AtomicBool::new(false)));
        let (shown, gone) = (keys.clone(), away.clone());
        let base = Arc::new(Mutex::new(String::new()));
        let own = base.clone();
        let server = Upstream::answering(move |message| {
            if message.target() == "/.well-known/openid-configuration" {
                let uri = format!("{}/jwks", own.lock().unwrap());
                return Reply::new(200, json!({ "issuer": ISSUER, "jwks_uri": uri }).to_string());
            }
            if gone.load(Ordering::SeqCst) {
                return Reply::new(500, "");
            }
            Reply::new(200, shown.lock().unwrap().jwks().to_string())
        });
        *base.lock().unwrap() = server.url();
        Self { server, keys, away }
    }

    /// New keys, and nothing of the old ones.
    fn rotate(&self, number: usize) {
        *self.keys.lock().unwrap() = Issuer::with_kid(ISSUER, &format!("key-{number}"));
    }

    fn token(&self) -> String {
        self.keys.lock().unwrap().token(json!({}))
    }

    fn fetches(&self) -> usize {
        self.server.count()
    }
}

fn gateway(issuer: &Server, upstream: &Upstream) -> Gateway {
    gateway_with(json!({ "jwks": format!("{}/jwks", issuer.server.url()) }), upstream)
}

fn gateway_with(keys: Value, upstream: &Upstream) -> Gateway {
    let folder = Folder::new();
    let mut definition = open_api("/a", &upstream.url(), json!({ "/x": { "get": operation() } }));
    definition["x-wso2-disable-security"] = false.into();
    let built = artifact(&folder, &definition);
    let chain: Value = json!([{ "jwt": { "issuers": [{ "issuer": ISSUER, "any_audience": true, "keys": keys }] } }]);
    Gateway::start_in(folder, &built, Settings::of(json!({ "chain": chain })))
}

fn status(gateway: &Gateway, token: &str) -> (u16, Option<String>) {
    let answer = gateway.send("GET", "/a/x", &[&format!("Authorization: Bearer {token}")], b"");
    (answer.status(), answer.field("retry-after").map(str::to_owned))
}

#[test]
fn new_keys_never_make_a_good_token_a_bad_one_and_the_issuer_is_asked_every_ten_seconds_at_most() {
    rotate_twice(|issuer| json!({ "jwks": format!("{}/jwks", issuer.server.url()) }));
}

#[test]
fn new_keys_cost_an_issuer_that_says_itself_where_they_are_no_more() {
    rotate_twice(|issuer| json!({ "discovery": issuer.server.url() }));
}

fn rotate_twice(keys: impl FnOnce(&Server) -> Value) {
    let (issuer, upstream) = (Server::start(), Upstream::start());
    let gateway = gateway_with(keys(&issuer), &upstream);
    assert_eq!(status(&gateway, &issuer.token()).0, 200);
    let (begun, fetches) = (Instant::now(), issuer.fetches());
    let mut seen = [0; 2];
    for number in 1..=2 {
        issuer.rotate(number);
        let token = issuer.token();
        until("the new key to be known", || match status(&gateway, &token) {
            (200, _) => {
                seen[0] += 1;
                Some(())
            }
            (503, Some(_)) => {
                seen[1] += 1;
                None
            }
            other => panic!("a good token was answered {other:?}"),
        });
    }
    let allowed = begun.elapsed().as_secs() / 10 + 1;
    let asked = issuer.fetches() - fetches;
    println!("{seen:?} answers of 200 and 503 over two rotations; the issuer was asked {asked} times in {:?}", begun.elapsed());
    assert!(asked as u64 <= allowed, "{asked} in {:?}", begun.elapsed());
}

#[test]
fn an_issuer_that_is_away_leaves_known_keys_in_force_and_unknown_ones_undecided() {
    let (issuer, upstream) = (Server::start(), Upstream::start());
    let gateway = gateway(&issuer, &upstream);
    let known = issuer.token();
    assert_eq!(status(&gateway, &known).0, 200);
    issuer.away.store(true, Ordering::SeqCst);
    issuer.rotate(1);
    let unknown = issuer.token();
    let made_up = Issuer::with_kid(ISSUER, "made-up").token(json!({}));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(12) {
        assert_eq!(status(&gateway, &known).0, 200);
        for token in [&unknown, &made_up] {
            let (status, retry) = status(&gateway, token);
            assert_eq!((status, retry.is_some()), (503, true));
        }
    }
    issuer.away.store(false, Ordering::SeqCst);
    until("the key to be known", || (status(&gateway, &unknown).0 == 200).then_some(()));
    until("the made-up one to be told from it", || (status(&gateway, &made_up).0 == 401).then_some(()));
}

#[test]
fn an_issuer_says_itself_where_its_keys_are() {
    let (issuer, upstream) = (Server::start(), Upstream::start());
    let gateway = gateway_with(json!({ "discovery": issuer.server.url() }), &upstream);
    assert_eq!(status(&gateway, &issuer.token()).0, 200);
    assert_eq!(status(&gateway, &Issuer::with_kid(ISSUER, "key-0").token(json!({}))).0, 401);
    let asked: Vec<String> = issuer.server.requests().iter().map(|request| request.message.target().to_owned()).collect();
    assert_eq!(asked[0], "/.well-known/openid-configuration");
    assert!(asked[1..].iter().all(|target| target == "/jwks") && asked.len() > 1, "{asked:?}");
}

/// An issuer at the server's `jwks`.
fn configured(name: &str, keys: &Server) -> Value {
    json!({ "issuer": name, "any_audience": true, "refresh": "1s", "max_age": "1h", "keys": { "jwks": format!("{}/jwks", keys.server.url()) } })
}

/// A gateway whose issuers are there at its first start, and which is then started again with `away` of them away.
fn started_again(issuers: [&Server; 2], away: &[&Server], ready_after: &str, upstream: &Upstream) -> Gateway {
    let folder = Folder::new();
    let mut definition = open_api("/a", &upstream.url(), json!({ "/x": { "get": operation() } }));
    definition["x-wso2-disable-security"] = false.into();
    let built = artifact(&folder, &definition);
    let [first, second] = issuers;
    let chain = json!([{ "jwt": { "issuers": [configured(ISSUER, first), configured("https://second.example", second)] } }]);
    let settings = Settings::of(json!({ "chain": chain, "process": { "ready_after": ready_after } }));
    let mut gateway = Gateway::start_in(folder, &built, settings);
    gateway.signal("KILL");
    gateway.wait();
    away.iter().for_each(|server| server.away.store(true, Ordering::SeqCst));
    gateway.child = gateway.spawn_beside(&[]);
    until("the admin port", || std::net::TcpStream::connect(("127.0.0.1", gateway.ports.admin)).is_ok().then_some(()));
    gateway
}

#[test]
fn a_gateway_is_not_ready_before_it_has_the_keys_of_each_issuer_and_stays_ready_when_they_are_away_later() {
    let (one, other, upstream) = (Server::start(), Server::start(), Upstream::start());
    let gateway = started_again([&one, &other], &[&other], "1h", &upstream);
    let waits = || Some(gateway.admin("/readyz")).filter(|ready| ready.text().contains("second.example"));
    let said = until("the second issuer to be waited for", waits);
    assert_eq!(said.status(), 503);
    until("the first one's keys", || (status(&gateway, &one.token()).0 == 200).then_some(()));
    let said = gateway.admin("/readyz");
    assert!(said.status() == 503 && !said.text().contains(ISSUER), "{}", said.text());
    other.away.store(false, Ordering::SeqCst);
    until("the gateway to be ready", || (gateway.admin("/readyz").status() == 200).then_some(()));
    for server in [&one, &other] {
        server.away.store(true, Ordering::SeqCst);
    }
    gateway.metric_reaches(&format!(r#"tollgate_document_fetch_failures_total{{document="{}/jwks"}}"#, one.server.url()), 1.0);
    assert_eq!(gateway.admin("/readyz").status(), 200);
}

#[test]
fn an_issuer_that_is_down_keeps_the_others_clients_out_for_a_time_and_one_that_has_never_been_there_for_ever() {
    let (one, other, upstream) = (Server::start(), Server::start(), Upstream::start());
    let gateway = started_again([&one, &other], &[&other], "1s", &upstream);
    until("the gateway to be ready", || (gateway.admin("/readyz").status() == 200).then_some(()));
    assert!(gateway.stderr().contains("process.ready_after"), "{}", gateway.stderr());
    assert_eq!(status(&gateway, &one.token()).0, 200);
    let (one, other) = (Server::start(), Server::start());
    let gateway = started_again([&one, &other], &[&one, &other], "1s", &upstream);
    until("the time to be over", || (one.fetches() > 3 && other.fetches() > 3).then_some(()));
    assert_eq!(gateway.admin("/readyz").status(), 503);
}

#[test]
fn a_set_without_a_usable_key_is_kept_out_and_told_and_a_key_that_cannot_be_used_spoils_no_other() {
    let upstream = Upstream::start();
    let keys = Issuer::with_kid(ISSUER, "good");
    let served = Arc::new(Mutex::new(json!({ "keys": [] })));
    let mut bad = keys.jwks()["keys"][0].clone();
    (bad["kid"], bad["use"]) = (json!("for encryption"), json!("enc"));
    let mut good = keys.jwks()["keys"][0].clone();
    for (name, nothing) in [("use", json!(null)), ("key_ops", json!([])), ("x5c", json!([])), ("oth", json!([])), ("d", json!(null))] {
        good[name] = nothing;
    }
    *served.lock().unwrap() = json!({ "keys": [bad, good] });
    let shown = served.clone();
    let server = Upstream::answering(move |_| Reply::new(200, shown.lock().unwrap().to_string()));
    let source = json!({ "jwks": format!("{}/jwks", server.url()) });
    let gateway = gateway_refreshing(source, &upstream);
    let token = keys.token(json!({}));
    assert_eq!(status(&gateway, &token).0, 200);
    let told = || gateway.stderr().matches("for encryption").count();
    assert_eq!(told(), 1, "{}", gateway.stderr());
    *served.lock().unwrap() = json!({ "keys": [] });
    let fetched = server.count();
    until("the empty set to be fetched twice", || (server.count() > fetched + 1).then_some(()));
    assert_eq!(status(&gateway, &token).0, 200);
    gateway.metric_reaches(r#"tollgate_jwt_keys_unreadable_total{issuer="https://issuer.example"}"#, 1.0);
    gateway.metric_reaches(r#"tollgate_jwt_keys_dropped_total{why="purpose"}"#, 1.0);
    assert!(gateway.stderr().contains("no key in it can verify a token"), "{}", gateway.stderr());
    assert_eq!(told(), 1, "once, and not at every refresh");
}

/// A gateway that fetches the keys every second.
fn gateway_refreshing(keys: Value, upstream: &Upstream) -> Gateway {
    let folder = Folder::new();
    let mut definition = open_api("/a", &upstream.url(), json!({ "/x": { "get": operation() } }));
    definition["x-wso2-disable-security"] = false.into();
    let built = artifact(&folder, &definition);
    let issuer = json!({ "issuer": ISSUER, "any_audience": true, "refresh": "1s", "keys": keys });
    Gateway::start_in(folder, &built, Settings::of(json!({ "chain": [{ "jwt": { "issuers": [issuer] } }] })))
}
