//! A gateway with operations whose answers are read, an upstream that answers as it is told, and clients of both versions.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tollgate_filter_api::Problems;
use tollgate_plan::{Demand, Operation, Plan, Source};

use super::filter;
use crate::{
    proxy::{
        ConfigSource, Gateway,
        exchange::served::{self, free_address, head},
        serve,
    },
    source::{Loaded, PlanSource},
};

/// Most bytes that the filter accepts.
pub const LIMIT: usize = 1 << 20;

/// What the upstream does with a request.
type Answers = Arc<dyn Fn(&str, &mut TcpStream) -> Option<()> + Send + Sync>;

struct Fixed(Plan);

impl PlanSource for Fixed {
    fn load(&self) -> Result<Loaded, Problems> {
        Ok(Loaded { plan: self.0.clone(), digest: String::new(), signers: Vec::new(), code: Vec::new() })
    }
}

fn operation(method: &str, template: &str, settings: Value) -> Operation {
    served::operation(method, template, "reader", settings)
}

fn plan(upstream: SocketAddr) -> Plan {
    let json = json!({ "limit": LIMIT, "media_types": ["application/json"] });
    let ok = json!({ "limit": LIMIT, "statuses": [200] });
    let with_body = json!({ "limit": LIMIT, "media_types": ["application/json"], "request_body": LIMIT });
    let operations = vec![
        operation("GET", "/json", json.clone()),
        operation("HEAD", "/json", json.clone()),
        operation("POST", "/json", json),
        operation("POST", "/body", with_body),
        operation("GET", "/ok", ok),
        operation("GET", "/twice", json!({ "limit": 0, "statuses": [2, 404], "doubles": true })),
        operation("HEAD", "/twice", json!({ "limit": 0, "doubles": true })),
        operation("POST", "/twice", json!({ "limit": 0, "statuses": [400], "doubles": true })),
        operation("GET", "/all", json!({ "limit": LIMIT })),
    ];
    served::plan(operations, &[format!("http://{upstream}"), format!("http://{upstream}/spare")])
}

fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// Reads the body that a head announces.
pub fn body(stream: &mut impl Read, head: &str) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    if let Some(length) = field(head, "content-length") {
        all.resize(length.parse().ok()?, 0);
        stream.read_exact(&mut all).ok()?;
    } else if field(head, "transfer-encoding") == Some("chunked") {
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).ok()?;
                line.push(byte[0]);
            }
            let size = usize::from_str_radix(std::str::from_utf8(&line).ok()?.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).ok()?;
            all.extend_from_slice(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    }
    Some(all)
}

/// What is wrong with a filter that has such settings.
pub fn refusal(settings: Value) -> String {
    let source = Source::default();
    let mut plan = plan(SocketAddr::from(([127, 0, 0, 1], 9)));
    plan.apis[0].operations[0].demands = vec![Demand { filter: "reader".into(), settings, source }];
    let text = "listeners: [{ address: '127.0.0.1:0' }]\nchain: [reader]\n".to_owned();
    let config = ConfigSource::Text { name: "test".into(), text, base: std::path::PathBuf::new() };
    Gateway::load(Arc::new(Fixed(plan)), config, &filter::KINDS).err().map(|problems| problems.to_string()).unwrap_or_default()
}

/// Runs a gateway over an upstream that answers each connection's requests one after the other.
pub struct World {
    pub http1: SocketAddr,
    pub h2c: SocketAddr,
    /// Heads that the upstream got.
    pub heads: Arc<Mutex<Vec<String>>>,
}

impl World {
    pub fn new(more: &str, answers: impl Fn(&str, &mut TcpStream) -> Option<()> + Send + Sync + 'static) -> Self {
        let (http1, h2c, admin) = (free_address(), free_address(), free_address());
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let upstream = upstream(Arc::new(answers), heads.clone());
        let text = format!(
            "listeners: [{{ address: '{http1}' }}, {{ address: '{h2c}', h2c: true }}]\nadmin: {{ address: '{admin}' }}\n\
             access_log: {{ to: 'off' }}\nchain: [reader]\n{more}"
        );
        let config = ConfigSource::Text { name: "test".into(), text, base: std::path::PathBuf::new() };
        let gateway = Gateway::load(Arc::new(Fixed(plan(upstream))), config, &filter::KINDS).unwrap();
        std::thread::spawn(move || serve(&gateway, false));
        for address in [http1, h2c] {
            while TcpStream::connect(address).is_err() {
                std::thread::yield_now();
            }
        }
        Self { http1, h2c, heads }
    }

    /// The head of the request that called itself so, as the upstream got it.
    pub fn sent(&self, name: &str) -> String {
        let heads = self.heads.lock().unwrap();
        heads.iter().find(|head| head.contains(&format!("?{name} "))).cloned().expect("the upstream got it")
    }

    /// Asks over both versions.
    pub fn both(&self, method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> [Got; 2] {
        [self.http1(method, &format!("{target}-1"), fields, body), self.h2c(method, &format!("{target}-2"), fields, body)]
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.http1).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    pub fn http1(&self, method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Got {
        Got::over(&mut self.connect(), method, target, fields, body)
    }

    pub fn h2c(&self, method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Got {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let socket = tokio::net::TcpStream::connect(self.h2c).await.unwrap();
            let (mut client, connection) = h2::client::handshake(socket).await.unwrap();
            tokio::spawn(connection);
            let mut request = http::Request::builder().method(method).uri(format!("http://h{target}"));
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            let (response, mut send) = client.send_request(request.body(()).unwrap(), body.is_empty()).unwrap();
            if !body.is_empty() {
                let mut left = Bytes::copy_from_slice(body);
                while !left.is_empty() {
                    send.reserve_capacity(left.len());
                    let granted = std::future::poll_fn(|cx| send.poll_capacity(cx)).await.unwrap().unwrap();
                    send.send_data(left.split_to(granted), left.is_empty()).unwrap();
                }
            }
            let (parts, mut stream) = response.await.unwrap().into_parts();
            let (mut body, mut broken) = (Vec::new(), false);
            while let Some(piece) = stream.data().await {
                let Ok(piece) = piece else {
                    broken = true;
                    break;
                };
                stream.flow_control().release_capacity(piece.len()).unwrap();
                body.extend_from_slice(&piece);
            }
            Got { status: parts.status.as_u16(), fields: parts.headers, body, broken, interim: Vec::new() }
        })
    }
}

/// What a client got.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub fields: HeaderMap,
    pub body: Vec<u8>,
    /// The answer ended before its end.
    pub broken: bool,
    /// Statuses of interim answers.
    pub interim: Vec<u16>,
}

impl Got {
    /// Asks over a connection of HTTP/1.1.
    pub fn over(stream: &mut TcpStream, method: &str, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Self {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: h\r\n");
        fields.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
        if !body.is_empty() {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        write!(stream, "{head}\r\n").unwrap();
        let _ = stream.write_all(body);
        Self::read(stream, method)
    }

    /// Reads an answer of HTTP/1.1.
    pub fn read(stream: &mut TcpStream, method: &str) -> Self {
        let mut interim = Vec::new();
        loop {
            let text = head(stream).expect("an answer");
            let status: u16 = text[9..12].parse().unwrap();
            if status < 200 && status != 101 {
                interim.push(status);
                continue;
            }
            let mut fields = HeaderMap::new();
            for (name, value) in text.lines().skip(1).filter_map(|line| line.split_once(": ")) {
                fields.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
            }
            let bodiless = method == "HEAD" || matches!(status, 101 | 204 | 304);
            let read = if bodiless { Some(Vec::new()) } else { self::body(stream, &text) };
            return Self { status, fields, broken: read.is_none(), body: read.unwrap_or_default(), interim };
        }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.to_str().unwrap())
    }

    /// The reason of an answer that the gateway made.
    pub fn reason(&self) -> Option<String> {
        let problem: Value = serde_json::from_slice(&self.body).ok()?;
        Some(problem["type"].as_str()?.strip_prefix("urn:tollgate:reason:")?.to_owned())
    }
}

fn upstream(answers: Answers, heads: Arc<Mutex<Vec<String>>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (answers, heads) = (answers.clone(), heads.clone());
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                while let Some(head) = head(&mut stream) {
                    heads.lock().unwrap().push(head.clone());
                    if answers(&head, &mut stream).is_none() {
                        break;
                    }
                }
            });
        }
    });
    address
}
