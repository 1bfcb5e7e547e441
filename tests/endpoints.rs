//! Endpoints that share requests: checks, ejection, cookies, and what the admin port says of them.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, getsockname, listen, socket};
use serde_json::{Value, json};
use tollgate_document::{Document, Limits};
use tollgate_tests::{
    Client, Gateway, Reply, Response, Settings, Upstream,
    parts::{GrpcServer, grpc},
    project::{everything, open_api},
    until,
};

/// What an upstream answers to requests and to checks; it can be changed.
struct Switched {
    upstream: Upstream,
    answer: Arc<AtomicU16>,
    health: Arc<AtomicU16>,
}

impl Switched {
    fn new(name: &'static str) -> Self {
        let (answer, health) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicU16::new(200)));
        let (said, checked) = (answer.clone(), health.clone());
        let upstream = Upstream::answering(move |request| {
            let is_check = request.start.starts_with("GET /health ");
            let status = if is_check { &checked } else { &said }.load(SeqCst);
            Reply::new(status, if is_check { "all is well" } else { name })
        });
        Self { upstream, answer, health }
    }

    fn url(&self) -> String {
        self.upstream.url()
    }
}

/// A gateway over a group `pets` of these URLs, with these settings of the group.
pub(super) fn gateway(urls: &[String], pets: Value) -> Gateway {
    let mut definition = open_api("/a", "", everything());
    definition["x-wso2-endpoints"] = json!([{ "pets": { "urls": urls } }]);
    definition["x-wso2-production-endpoints"] = "#/x-wso2-endpoints/pets".into();
    let settings = json!({ "endpoints": { "pets": pets }, "upstream": { "connect_timeout": "2s" } });
    Gateway::serving(&definition, Settings::of(settings))
}

fn get(client: &mut Client) -> Response {
    client.ask("GET", "/a/x", &[], b"").unwrap()
}

/// Who answers so many requests.
fn answers(gateway: &Gateway, requests: usize) -> Vec<String> {
    let mut client = gateway.connect();
    (0..requests).map(|_| get(&mut client).text()).collect()
}

fn shown(gateway: &Gateway, place: usize) -> Value {
    let page: Value = serde_json::from_str(&gateway.admin("/upstreams").text()).unwrap();
    page[0]["endpoints"][place].clone()
}

fn ready(gateway: &Gateway, count: f64) {
    let series = r#"tollgate_upstream_endpoints_ready{group="pets/production"}"#;
    until("the endpoints to be ready", || (gateway.metric(series) == Some(count)).then_some(()));
}

#[test]
fn an_endpoint_whose_check_fails_gets_no_requests_until_it_succeeds_and_the_operator_sees_why() {
    let (one, two) = (Switched::new("one"), Switched::new("two"));
    one.health.store(500, SeqCst);
    let http = json!({ "path": "/health", "body": "is well" });
    let check = json!({ "probe": { "http": http }, "interval": "100ms", "timeout": "1s", "healthy": 1, "unhealthy": 1 });
    let gateway = gateway(&[one.url(), two.url()], json!({ "check": check }));
    ready(&gateway, 1.0);
    assert!(answers(&gateway, 10).iter().all(|name| name == "two"));
    let seen = shown(&gateway, 0);
    assert_eq!(
        (&seen["ready"], &seen["why"], &seen["detail"]),
        (&json!(false), &json!("check"), &json!("its check failed: it has answered 500"))
    );
    assert!(seen["since"].as_str().unwrap().starts_with("20"), "{seen}");
    one.health.store(200, SeqCst);
    ready(&gateway, 2.0);
    let answers = answers(&gateway, 10);
    assert_eq!(answers.iter().filter(|name| *name == "one").count(), 5);
    let said = gateway.stderr();
    assert_eq!(said.matches("takes no requests: its check failed").count(), 1, "{said}");
    assert_eq!(said.matches("the check finds").count(), 1, "{said}");
    let checks = one.upstream.requests().into_iter().filter(|request| request.message.start.contains("/health")).count();
    assert!(checks >= 2);
}

#[test]
fn a_tcp_check_finds_out_who_does_not_listen_without_a_request() {
    let two = Switched::new("two");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let check = json!({ "probe": "tcp", "interval": "100ms", "timeout": "1s" });
    let gateway = gateway(&[format!("http://{closed}"), two.url()], json!({ "check": check }));
    ready(&gateway, 1.0);
    assert!(answers(&gateway, 4).iter().all(|name| name == "two"));
    assert_eq!(gateway.metric(r#"tollgate_upstream_failures_total{kind="connect"}"#), Some(0.0));
    // Somebody listens there from now on.
    let _listening = TcpListener::bind(closed).unwrap();
    ready(&gateway, 2.0);
}

#[test]
fn a_grpc_check_asks_a_real_server_for_its_health() {
    let (one, two) = (GrpcServer::start(), GrpcServer::start());
    let turn = |status: &str| {
        let call = json!({ "method": "/demo.Echo/Turn", "kind": "unary", "messages": [status] });
        assert_eq!(grpc::one(one.plain, &call)["status"], 0);
    };
    for (service, known) in [(json!({}), true), (json!({ "service": "demo.Echo" }), true), (json!({ "service": "demo.None" }), false)] {
        let check = json!({ "probe": { "grpc": service }, "interval": "100ms", "timeout": "2s", "healthy": 1, "unhealthy": 1 });
        let gateway = gateway(&[one.url(), two.url()], json!({ "check": check, "http": "2" }));
        ready(&gateway, if known { 2.0 } else { 0.0 });
        if known {
            turn("2");
            ready(&gateway, 1.0);
            assert_eq!(shown(&gateway, 0)["detail"], "its check failed: its serving status is 2");
            turn("1");
            ready(&gateway, 2.0);
        } else {
            assert_eq!(shown(&gateway, 0)["detail"], "its check failed: its grpc-status is 5");
        }
    }
}

#[test]
fn an_endpoint_that_fails_in_a_row_is_ejected_and_is_back_after_its_time() {
    let (one, two) = (Switched::new("one"), Switched::new("two"));
    one.answer.store(503, SeqCst);
    let gateway = gateway(&[one.url(), two.url()], json!({ "eject": { "consecutive": 3, "time": "1s" } }));
    let mut client = gateway.connect();
    let failed = (0..20).filter(|_| get(&mut client).status() == 503).count();
    assert_eq!(failed, 3);
    assert_eq!(shown(&gateway, 0)["why"], "failures");
    assert_eq!(gateway.metric(r#"tollgate_upstream_ejections_total{group="pets/production"}"#), Some(1.0));
    one.answer.store(200, SeqCst);
    until("the endpoint to be back", || (get(&mut client).text() == "one").then_some(()));
}

#[test]
fn a_cookie_keeps_a_client_with_its_endpoint_also_through_a_reload() {
    let all = [Switched::new("one"), Switched::new("two"), Switched::new("three")];
    let urls = all.each_ref().map(Switched::url);
    let gateway = gateway(&urls, json!({ "balance": { "sticky": { "cookie": "node" } } }));
    let first = gateway.get("/a/x");
    let cookie = first.field("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    for round in 0..2 {
        for _ in 0..6 {
            let answer = gateway.send("GET", "/a/x", &[&format!("Cookie: {cookie}")], b"");
            assert_eq!((answer.text(), answer.field("set-cookie")), (first.text(), None));
        }
        if round == 0 {
            assert_eq!(gateway.reload().status(), 200);
        }
    }
}

#[test]
fn what_the_guide_shows_is_served() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/upstreams.md")).unwrap();
    let shown = page.split("```yaml").nth(1).unwrap().split("```").next().unwrap().replace("http://10.", "http://127.");
    let settings = Document::parse("upstreams.md", shown.as_bytes(), &Limits::default()).unwrap().value();
    let gateway = gateway(&["http://127.0.0.1:1".to_owned()], settings["endpoints"]["pets"].clone());
    let page: Value = serde_json::from_str(&gateway.admin("/upstreams").text()).unwrap();
    let groups: Vec<_> = page.as_array().unwrap().iter().map(|group| group["group"].as_str().unwrap()).collect();
    assert_eq!(groups, ["pets", "pets@canary", "pets@mirror"]);
    assert_eq!((&page[0]["strategy"], &page[0]["endpoints"][1]["weight"]), (&json!("least_requests"), &json!(3)));
}

/// An address where nobody accepts: whoever connects waits.
pub(super) struct Blackhole {
    pub(super) address: SocketAddr,
    _held: Vec<TcpStream>,
    _listener: OwnedFd,
}

impl Blackhole {
    pub(super) fn new() -> Self {
        let listener = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None).unwrap();
        bind(listener.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
        listen(&listener, Backlog::new(1).unwrap()).unwrap();
        let bound: SockaddrIn = getsockname(listener.as_raw_fd()).unwrap();
        let address = SocketAddr::from((bound.ip(), bound.port()));
        // The queue takes a few, and then no more.
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300));
        let held = std::iter::from_fn(|| connect().ok()).take(64).collect();
        assert!(connect().is_err(), "the queue is full");
        Self { address, _held: held, _listener: listener }
    }
}

#[test]
fn beside_an_endpoint_that_swallows_connections_at_most_one_of_ten_requests_is_slow() {
    let (hole, good) = (Blackhole::new(), Switched::new("good"));
    for strategy in ["round_robin", "least_requests", "ewma"] {
        let urls = [format!("http://{}", hole.address), good.url()];
        let gateway = gateway(&urls, json!({ "balance": { "strategy": strategy } }));
        let mut client = gateway.connect();
        let mut slow = 0;
        for _ in 0..10 {
            let begun = Instant::now();
            assert_eq!(get(&mut client).text(), "good");
            slow += usize::from(begun.elapsed() > Duration::from_secs(1));
        }
        assert!(slow <= 1, "{strategy}: {slow} of ten were slow");
    }
}

#[test]
fn of_ten_endpoints_three_that_fail_cost_clients_next_to_nothing_after_two_seconds() {
    let failing = Arc::new(AtomicUsize::new(0));
    let upstreams: Vec<Upstream> = (0..10)
        .map(|number| {
            let failing = failing.clone();
            // Three of them fail from some moment on, each in its way.
            Upstream::answering(move |_| match (failing.load(SeqCst), number) {
                (1, 2) => Reply::new(503, "no"),
                (1, 5) => Reply::raw("").close(),
                (1, 7) => Reply::new(502, "no"),
                _ => Reply::new(200, "yes"),
            })
        })
        .collect();
    let urls: Vec<String> = upstreams.iter().map(Upstream::url).collect();
    let retry = json!({ "count": 2, "statuses": [502, 503], "interval": "1ms" });
    let gateway = gateway(&urls, json!({ "retry": retry, "eject": { "consecutive": 3, "rate": 50, "requests": 5 } }));
    let mut client = gateway.connect();
    (0..200).for_each(|_| assert_eq!(get(&mut client).status(), 200));
    failing.store(1, SeqCst);
    let begun = Instant::now();
    let (mut early, mut late, mut late_failed) = (0, 0, 0);
    while begun.elapsed() < Duration::from_secs(2) || late < 2000 {
        let failed = get(&mut client).status() != 200;
        if begun.elapsed() < Duration::from_secs(2) {
            early += usize::from(failed);
        } else {
            (late, late_failed) = (late + 1, late_failed + usize::from(failed));
        }
    }
    println!("{early} failed in the first two seconds, {late_failed} of {late} after them");
    assert!(late_failed * 1000 < late, "{late_failed} of {late}");
}
