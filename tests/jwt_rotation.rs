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
