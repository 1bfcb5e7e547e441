//! Targets of an endpoint group that cannot be connected to: few requests wait for them, and none is lost.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use nix::sys::socket::{Backlog, listen};
use openssl::ssl::{SslAcceptor, SslMethod};
use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Reply, Settings, Upstream,
    certificates::{Authority, Identity},
    ports::{free_port, listener},
    project::{open_api, operation},
};

/// How long a connection may take in these tests.
const CONNECT: Duration = Duration::from_secs(1);

/// How long the gateway leaves out what could not be connected to.
const REST: Duration = Duration::from_secs(10);

/// Port of a server whose queue of connections is full: the system drops whatever else knocks.
struct Swallowing {
    listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl Swallowing {
    fn new() -> Self {
        let listener = listener();
        listen(&listener, Backlog::new(0).unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let knock = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
        let queue: Vec<_> = std::iter::from_fn(knock).take(16).collect();
        assert!(queue.len() < 16, "the queue is never full");
        Self { listener, _queue: queue }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}

fn gateway(urls: &[String], kind: &str, more: Value) -> Gateway {
    let mut definition = open_api("/", "http://unused.invalid", json!({ "/*": { "get": operation() } }));
    definition["x-wso2-production-endpoints"] = json!({ "urls": urls, "type": kind });
    let mut upstream = json!({ "connect_timeout": "1s" });
    upstream.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Gateway::serving(&definition, Settings::of(json!({ "upstream": upstream })))
}

/// A server that shows this certificate.
pub fn acceptor(identity: &Identity) -> SslAcceptor {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    builder.set_certificate(&identity.certificate).unwrap();
    builder.set_private_key(&identity.key).unwrap();
    builder.build()
}

/// Asks so often, and says how many requests had to wait for a connection that did not come.
fn slow(gateway: &Gateway, requests: usize, status: u16) -> usize {
    let one = |_: &usize| {
        let begun = Instant::now();
        assert_eq!(gateway.get("/x").status(), status);
        begun.elapsed() >= CONNECT
    };
    (0..requests).filter(one).count()
}

/// How many may have to wait within that time: the first, and one each time the rest is over.
fn allowed(since: Instant) -> usize {
    1 + (since.elapsed().as_secs() / REST.as_secs()) as usize
}

#[test]
fn of_two_targets_one_swallows_connections_and_one_request_waits_for_it() {
    for kind in ["load_balance", "failover"] {
        let (swallowing, good) = (Swallowing::new(), Upstream::named("good"));
        let gateway = gateway(&[format!("http://{}", swallowing.address()), good.url()], kind, json!({}));
        let begun = Instant::now();
        let slow = slow(&gateway, 30, 200);
        assert!((1..=allowed(begun)).contains(&slow), "{kind}: {slow} of 30 requests had to wait");
        assert_eq!(good.count(), 30, "{kind}");
        assert_eq!(gateway.metric("tollgate_upstream_failures_total{kind=\"timeout\"}"), Some(slow as f64), "{kind}");
    }
}

#[test]
fn a_target_that_accepts_and_never_answers_the_handshake_is_left_out_as_well() {
    let (folder, authority, silent) = (Folder::new(), Authority::new("root"), listener());
    let identity = authority.issue("upstream", 2, &["localhost"]);
    let good = Upstream::tls(acceptor(&identity), |_| Reply::new(200, "good"));
    let port = silent.local_addr().unwrap().port();
    let urls = [format!("https://localhost:{port}"), good.https("localhost")];
    let gateway = gateway(&urls, "load_balance", json!({ "ca": authority.write(&folder, "ca.pem") }));
    let begun = Instant::now();
    let slow = slow(&gateway, 30, 200);
    // `localhost` may have two addresses, and each of them may swallow.
    assert!((1..=2 * allowed(begun)).contains(&slow), "{slow} of 30 requests had to wait");
    assert_eq!(good.count(), 30);
}

#[test]
fn when_no_target_can_be_connected_to_each_request_still_tries() {
    let urls = [free_port(), free_port()].map(|port| format!("http://127.0.0.1:{port}"));
    let gateway = gateway(&urls, "load_balance", json!({}));
    assert_eq!(slow(&gateway, 5, 502), 0);
    assert!(gateway.log_of(5).iter().all(|line| line["attempts"] == 2 && line["reason"] == "upstream.connect"));
    assert_eq!(gateway.metric("tollgate_upstream_failures_total{kind=\"connect\"}"), Some(10.0));
}
