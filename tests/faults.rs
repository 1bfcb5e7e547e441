//! What clients see when an upstream fails: each row of the table in `docs/upstreams.md`, by a GET, a POST, and a call of a real gRPC client.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use nix::sys::socket::{setsockopt, sockopt::Linger};
use serde_json::{Value, json};
use tollgate_tests::{
    Gateway, Settings, Upstream,
    certificates::Authority,
    parts::grpc,
    project::{open_api, operation},
};

use crate::{endpoints::Blackhole, targets::acceptor};

/// What the server does with a connection on which a request has come.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Silence,
    Drip,
    Close,
    Reset,
    /// Sends the head and a part of the body first.
    ResetLater,
    CloseLater,
    SilenceLater,
    HugeHead,
    Nonsense,
    Answers503,
}

/// Empty SETTINGS.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
/// `:status: 200` and `content-type: application/grpc`, on stream 1.
const GRPC_HEAD: &[u8] = b"\x00\x00\x14\x01\x04\x00\x00\x00\x01\x88\x0f\x10\x10application/grpc";
/// A message of two bytes, on stream 1.
const GRPC_MESSAGE: &[u8] = &[0, 0, 7, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, b'h', b'i'];
/// `:status: 503` as a literal, and the end of stream 1.
const GRPC_503: &[u8] = b"\x00\x00\x05\x01\x05\x00\x00\x00\x01\x08\x03503";
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nthe beginning";

/// A server that counts requests and fails.
struct Failing {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Failing {
    fn new(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, requests) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let count = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let count = count.clone();
                // An error is the gateway's leaving.
                thread::spawn(move || fail(stream, fault, &count).unwrap_or_default());
            }
        });
        Self { address, requests }
    }
}

fn fail(mut stream: TcpStream, fault: Fault, requests: &AtomicUsize) -> std::io::Result<()> {
    let h2 = await_request(&mut stream)?;
    requests.fetch_add(1, SeqCst);
    if h2 {
        stream.write_all(SETTINGS)?;
    }
    let begin = |stream: &mut TcpStream| {
        stream.write_all(if h2 { GRPC_HEAD } else { HEAD }).and_then(|()| stream.write_all(if h2 { GRPC_MESSAGE } else { b"" }))
    };
    match fault {
        Fault::Silence => {}
        Fault::Drip if h2 => drip(&mut stream, GRPC_HEAD)?,
        Fault::Drip => drip(&mut stream, HEAD)?,
        Fault::Close => return Ok(()),
        Fault::Reset => return reset(&stream),
        Fault::ResetLater => {
            begin(&mut stream)?;
            thread::sleep(Duration::from_millis(200));
            return reset(&stream);
        }
        Fault::CloseLater => return begin(&mut stream),
        Fault::SilenceLater => begin(&mut stream)?,
        Fault::HugeHead if h2 => huge(&mut stream, &[0x40, 0, 0, 1, 0, 0, 0, 0, 1])?,
        Fault::HugeHead => stream.write_all(["HTTP/1.1 200 OK\r\nX: ", &"x".repeat(2 << 20), "\r\n\r\n"].concat().as_bytes())?,
        Fault::Nonsense => stream.write_all(&[b'?'; 64])?,
        Fault::Answers503 if h2 => stream.write_all(GRPC_503)?,
        Fault::Answers503 => stream.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")?,
    }
    while stream.read(&mut [0; 4096])? > 0 {}
    Ok(())
}

/// Reads until a request has come, and says whether it is one of HTTP/2: then a HEADERS frame has come.
fn await_request(stream: &mut TcpStream) -> std::io::Result<bool> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(mut rest) = bytes.strip_prefix(PREFACE) {
            while let [a, b, c, kind, _, _, _, _, _, after @ ..] = rest {
                if *kind == 1 {
                    return Ok(true);
                }
                rest = after.get(usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c)..).unwrap_or_default();
            }
        } else if !PREFACE.starts_with(&bytes[..bytes.len().min(PREFACE.len())]) && bytes.windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(false);
        }
        match stream.read(&mut piece)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => bytes.extend_from_slice(&piece[..n]),
        }
    }
}

fn drip(stream: &mut TcpStream, head: &[u8]) -> std::io::Result<()> {
    head.iter().try_for_each(|byte| {
        thread::sleep(Duration::from_millis(300));
        stream.write_all(&[*byte])
    })
}

/// A header block without an end.
fn huge(stream: &mut TcpStream, head: &[u8; 9]) -> std::io::Result<()> {
    let mut block = vec![0; 0x4000];
    // A literal field whose value is longer than anybody takes.
    block[..8].copy_from_slice(&[0x88, 0x00, 0x01, b'x', 0x7f, 0x80, 0x80, 0x7f]);
    let mut first = *head;
    (first[0], first[1], first[2]) = (0, 0x40, 0);
    stream.write_all(&first)?;
    stream.write_all(&block)?;
    let continuation = [0, 0x40, 0, 9, 0, 0, 0, 0, 1];
    (0..200).try_for_each(|_| stream.write_all(&continuation).and_then(|()| stream.write_all(&[b'x'; 0x4000])))
}

fn reset(stream: &TcpStream) -> std::io::Result<()> {
    setsockopt(stream, Linger, &nix::libc::linger { l_onoff: 1, l_linger: 0 }).map_err(std::io::Error::from)
}

/// Where a fault is met; what counts requests there; and what must stay as it is meanwhile.
struct Place {
    url: String,
    requests: Option<Arc<AtomicUsize>>,
    _kept: Box<dyn std::any::Any>,
}

fn place(fault: &str) -> Place {
    let of = |fault| {
        let failing = Failing::new(fault);
        Place { url: format!("http://{}", failing.address), requests: Some(failing.requests.clone()), _kept: Box::new(failing) }
    };
    match fault {
        "refuses connections" => {
            let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            Place { url: format!("http://{closed}"), requests: None, _kept: Box::new(()) }
        }
        "swallows connections" => {
            let hole = Blackhole::new();
            Place { url: format!("http://{}", hole.address), requests: None, _kept: Box::new(hole) }
        }
        "accepts and says nothing" => of(Fault::Silence),
        "drips its head" => of(Fault::Drip),
        "closes before it answers" => of(Fault::Close),
        "resets before it answers" => of(Fault::Reset),
        "resets in the middle of its answer" => of(Fault::ResetLater),
        "ends its answer too soon" => of(Fault::CloseLater),
        "falls silent in the middle of its answer" => of(Fault::SilenceLater),
        "sends a head of more than a megabyte" => of(Fault::HugeHead),
        "sends what is not HTTP" => of(Fault::Nonsense),
        "answers 503" => of(Fault::Answers503),
        "shows a certificate that nobody vouches for" => {
            let identity = Authority::new("nobody").issue("localhost", 2, &["localhost"]);
            let server = Upstream::tls(acceptor(&identity), |_| tollgate_tests::Reply::new(200, "never"));
            Place { url: server.https("localhost"), requests: None, _kept: Box::new(server) }
        }
        "has a name without an address" => Place { url: "http://nobody.invalid".into(), requests: None, _kept: Box::new(()) },
        other => panic!("the table has a fault that nobody makes: {other}"),
    }
}

/// A row of the table.
struct Row {
    fault: String,
    get: String,
    post: String,
    grpc: String,
    within: Duration,
    failure: String,
}

fn rows() -> Vec<Row> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/upstreams.md")).unwrap();
    let table = page.lines().skip_while(|line| !line.starts_with("| fault |")).skip(2).take_while(|line| line.starts_with('|'));
    table
        .map(|line| {
            let cells: Vec<String> = line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
            let [fault, get, post, grpc, within, failure] = cells.try_into().unwrap();
            let within = Duration::from_secs(within.trim_end_matches('s').parse().unwrap());
            Row { fault, get, post, grpc, within, failure }
        })
        .collect()
}

/// The time that a busy machine may add.
const BUSY: Duration = Duration::from_secs(4);

fn gateway(url: &str, http: &str) -> Gateway {
    let definition = open_api("/demo.Echo", url, json!({ "/Unary": { "get": operation(), "post": operation() } }));
    let upstream = json!({ "connect_timeout": "1s", "read_timeout": "1s", "http": http });
    Gateway::serving(&definition, Settings { h2c: true, ..Settings::of(json!({ "upstream": upstream })) })
}

fn failures(gateway: &Gateway) -> Vec<String> {
    let kinds = ["resolve", "connect", "tls", "timeout", "broken", "status"];
    let count = |kind: &&str| gateway.metric(&format!(r#"tollgate_upstream_failures_total{{kind="{kind}"}}"#)) > Some(0.0);
    kinds.iter().filter(|kind| count(kind)).map(|kind| (*kind).to_owned()).collect()
}

/// `STATUS REASON`, or `incomplete`.
fn by_http(gateway: &Gateway, method: &str) -> String {
    let mut client = gateway.connect();
    match client.ask(method, "/demo.Echo/Unary", &[], if method == "POST" { b"order" } else { b"" }) {
        Err(_) => "incomplete".to_owned(),
        Ok(answer) => {
            let body: Value = serde_json::from_str(&answer.text()).unwrap_or_default();
            let reason = body["type"].as_str().and_then(|kind| kind.rsplit(['/', ':', '#']).next()).unwrap_or_default();
            format!("{} {reason}", answer.status()).trim().to_owned()
        }
    }
}

fn by_grpc(gateway: &Gateway) -> String {
    let call = json!({ "method": "/demo.Echo/Unary", "kind": "unary", "messages": ["order"] });
    let status = grpc::one(gateway.ports.h2c, &call)["status"].as_u64();
    let name = match status {
        Some(4) => "DEADLINE_EXCEEDED",
        Some(13) => "INTERNAL",
        Some(14) => "UNAVAILABLE",
        other => panic!("{other:?}"),
    };
    name.to_owned()
}

/// How a client asks, and over which version the upstream is.
type Ask<'a> = (&'a str, &'a str, fn(&Gateway) -> String, &'a str);

/// What is wrong with a row.
fn judge(row: &Row) -> Vec<String> {
    let mut wrong = Vec::new();
    let asks: [Ask<'_>; 3] = [
        ("GET", &row.get, |gateway| by_http(gateway, "GET"), "1"),
        ("POST", &row.post, |gateway| by_http(gateway, "POST"), "1"),
        ("gRPC", &row.grpc, by_grpc, "2"),
    ];
    for (method, expected, ask, http) in asks {
        let place = place(&row.fault);
        let gateway = gateway(&place.url, http);
        let begun = Instant::now();
        let found = ask(&gateway);
        let took = begun.elapsed();
        let mut expect = |what: &str, found: String, expected: &str| {
            if found != expected {
                wrong.push(format!("{}, {method}: {what} {found}, expected {expected}", row.fault));
            }
        };
        expect("answer", found, expected);
        expect("failure", failures(&gateway).join(" "), &row.failure);
        if took > row.within + BUSY {
            wrong.push(format!("{}, {method}: took {took:?}", row.fault));
        }
        let seen = place.requests.map_or(0, |requests| requests.load(SeqCst));
        if seen > 1 && method != "GET" {
            wrong.push(format!("{}, {method}: was seen {seen} times", row.fault));
        }
    }
    wrong
}

#[test]
fn each_fault_of_an_upstream_looks_as_the_manual_says() {
    let rows = rows();
    assert_eq!(rows.len(), 14);
    let wrong: Vec<String> = thread::scope(|scope| {
        let judged: Vec<_> = rows.iter().map(|row| scope.spawn(|| judge(row))).collect();
        judged.into_iter().flat_map(|judged| judged.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
