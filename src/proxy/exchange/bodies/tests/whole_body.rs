//! pingora.md §2.3: a body over 64 KiB that is read early must still reach the upstream, whole, whatever the protocol.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, LazyLock, mpsc},
    time::Duration,
};

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tollgate_filter_api::{BodyUse, Cause, CauseKind, Cx, Env, Fault, Filter, Flow, Kind, Problem, Problems, Reason, Rule};
use tollgate_plan::Plan;

use crate::{
    proxy::{
        ConfigSource, Gateway,
        exchange::served::{free_address, head, operation, plan},
        serve,
    },
    source::{Loaded, PlanSource},
};

const LIMIT: usize = 400_000;
static BAD: Reason = Reason::refused("body_reader.bad", 422, 0, "The body is bad", "It begins with `bad`.");

/// Refuses bodies that begin with `bad`, and puts as many `x` in the place of one as it says itself: `become 12`.
struct BodyReader;

/// No settings.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

impl Filter for BodyReader {
    const ID: &'static str = "body_reader";
    type Config = NoSettings;
    type Declared = ();
    type Needs = ();
    type Gives = ();
    type State = ();

    fn build(_: NoSettings, (): (), _: &Env) -> Result<Self, Problem> {
        Ok(Self)
    }

    fn request_body(&self) -> BodyUse {
        BodyUse::Whole(LIMIT)
    }

    async fn on_request(&self, cx: Cx<'_, Self>) -> Result<Flow<()>, Fault> {
        let Some(body) = cx.body else { return Err(Fault::new("body_reader.none", "there is no body")) };
        if let Some(size) = body.strip_prefix(b"become ".as_slice()) {
            let size = std::str::from_utf8(size).unwrap().trim_end().parse().unwrap();
            body.replace(vec![b'x'; size]);
        }
        Ok(if body.starts_with(b"bad") {
            Flow::Stop(BAD.because(Cause::new(CauseKind::Malformed, "body", Rule::Fixed("a test"))))
        } else {
            Flow::Next(())
        })
    }
}

static KINDS: [Kind; 1] = [Kind::of::<BodyReader>("", &[])];

struct Fixed(Plan);

impl PlanSource for Fixed {
    fn load(&self) -> Result<Loaded, Problems> {
        Ok(Loaded { plan: self.0.clone(), digest: String::new(), signers: Vec::new(), code: Vec::new() })
    }
}

/// An upstream that tells how many body bytes each request brought; answers 200 with the number.
fn upstream() -> (SocketAddr, mpsc::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let tell = tell.clone();
            std::thread::spawn(move || while one(stream.as_ref().unwrap(), &tell).is_some() {});
        }
    });
    (address, told)
}

fn one(mut stream: &TcpStream, tell: &mpsc::Sender<usize>) -> Option<()> {
    let head = head(&mut stream)?;
    let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: ").and_then(|n| n.parse().ok()))?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    tell.send(body.iter().filter(|byte| **byte == b'x').count()).ok()?;
    let text = length.to_string();
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()).ok()
}

struct Running {
    http1: SocketAddr,
    h2c: SocketAddr,
    told: std::sync::Mutex<mpsc::Receiver<usize>>,
}

/// One gateway for all tests of this file; they take turns, because it tells of bodies in order.
static RUNNING: LazyLock<Running> = LazyLock::new(|| {
    let (http1, h2c, admin) = (free_address(), free_address(), free_address());
    let (address, told) = upstream();
    let text = format!(
        "listeners: [{{ address: '{http1}' }}, {{ address: '{h2c}', h2c: true }}]\nadmin: {{ address: '{admin}' }}\naccess_log: {{ to: 'off' }}\n"
    );
    let config = ConfigSource::Text { name: "test".into(), text, base: std::path::PathBuf::new() };
    let gateway = Gateway::load(
        Arc::new(Fixed(plan(vec![operation("POST", "/in", "body_reader", json!({}))], &[format!("http://{address}")]))),
        config,
        &KINDS,
    )
    .unwrap();
    std::thread::spawn(move || serve(&gateway, false));
    for address in [http1, h2c] {
        while TcpStream::connect(address).is_err() {
            std::thread::yield_now();
        }
    }
    Running { http1, h2c, told: std::sync::Mutex::new(told) }
});

fn connect() -> TcpStream {
    let stream = TcpStream::connect(RUNNING.http1).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn answer(stream: &mut TcpStream) -> (u16, String) {
    let head = head(stream).expect("an answer");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ").and_then(|n| n.parse().ok())).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head[9..12].parse().unwrap(), String::from_utf8(body).unwrap())
}

fn post(stream: &mut TcpStream, body: &[u8]) -> (u16, String) {
    write!(stream, "POST /b/in HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
    let _ = stream.write_all(body);
    answer(stream)
}

#[test]
fn a_body_of_any_size_arrives_whole_and_the_connection_lives_on() {
    let told = RUNNING.told.lock().unwrap();
    let mut stream = connect();
    for size in [0, 1, 65_535, 65_536, 65_537, 300_000, 10] {
        let (status, text) = post(&mut stream, &vec![b'x'; size]);
        assert_eq!((status, text), (200, size.to_string()));
        assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(size));
    }
}

#[test]
fn a_chunked_body_arrives_whole() {
    let told = RUNNING.told.lock().unwrap();
    let mut stream = connect();
    write!(stream, "POST /b/in HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    for _ in 0..30 {
        write!(stream, "2710\r\n{}\r\n", "x".repeat(10_000)).unwrap();
    }
    write!(stream, "0\r\n\r\n").unwrap();
    assert_eq!(answer(&mut stream), (200, "300000".to_owned()));
    assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(300_000));
}

#[test]
fn a_body_that_a_filter_replaced_goes_upstream_in_place_of_the_clients() {
    let told = RUNNING.told.lock().unwrap();
    let mut stream = connect();
    for size in [0, 5, 1_000, 70_000, 300_000] {
        for padding in [0, 100_000] {
            let body = format!("become {size}{}", " ".repeat(padding));
            assert_eq!(post(&mut stream, body.as_bytes()), (200, size.to_string()));
            assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(size));
        }
    }
}

#[test]
fn nothing_of_a_refused_body_reaches_the_upstream() {
    let told = RUNNING.told.lock().unwrap();
    let body = [b"bad".as_slice(), &[b'x'; 200_000]].concat();
    assert_eq!(post(&mut connect(), &body).0, 422);
    assert_eq!(post(&mut connect(), &vec![b'x'; LIMIT + 1]).0, 413);
    assert!(told.try_recv().is_err());
}

#[test]
fn a_client_that_waits_for_100_is_told_to_go_on() {
    let told = RUNNING.told.lock().unwrap();
    let mut stream = connect();
    write!(stream, "POST /b/in HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n").unwrap();
    assert!(head(&mut stream).unwrap().starts_with("http/1.1 100"));
    stream.write_all(&[b'x'; 100_000]).unwrap();
    assert_eq!(answer(&mut stream), (200, "100000".to_owned()));
    assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(100_000));
}

/// The lock is the tests' turn; nothing else on this runtime wants it.
#[allow(clippy::await_holding_lock)]
#[tokio::test]
async fn http2_bodies_arrive_whole_too() {
    let told = RUNNING.told.lock().unwrap();
    for size in [1_000, 300_000] {
        let socket = tokio::net::TcpStream::connect(RUNNING.h2c).await.unwrap();
        let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::post("http://h/b/in").body(()).unwrap();
        let (response, mut send) = client.send_request(request, false).unwrap();
        let mut left = Bytes::from(vec![b'x'; size]);
        while !left.is_empty() {
            send.reserve_capacity(left.len());
            let granted = std::future::poll_fn(|cx| send.poll_capacity(cx)).await.unwrap().unwrap();
            send.send_data(left.split_to(granted), left.is_empty()).unwrap();
        }
        assert_eq!(response.await.unwrap().status(), 200);
        assert_eq!(told.recv_timeout(Duration::from_secs(10)), Ok(size));
    }
}
