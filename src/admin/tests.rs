//! The port's answers as a function, and its server over real sockets.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::timeout,
};
use tollgate_filter_api::{Problem, Problems};

use super::{AdminResponse, AdminView, BoxFuture, ChangeRefused, handle, serve};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Gateway {
    missing: Vec<String>,
    problems: Option<Problems>,
    reloads: AtomicUsize,
    /// When there is one, a reload says that it began and waits for it.
    held: Mutex<Option<(Arc<Notify>, Arc<Notify>)>>,
}

impl AdminView for Gateway {
    fn ready(&self) -> Vec<String> {
        self.missing.clone()
    }

    fn metrics(&self) -> String {
        assert!(self.problems.is_none(), "a gateway that fails");
        "tollgate_connections 0\n".into()
    }

    fn plan(&self) -> Value {
        json!({ "apis": [] })
    }

    fn artifact(&self) -> Value {
        json!({ "digest": "aaaa" })
    }

    fn revocation(&self) -> Value {
        json!({ "entries": 0 })
    }

    fn revoke(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Value, ChangeRefused>> {
        Box::pin(async move {
            match body.as_slice() {
                b"good" => Ok(json!({ "sequence": 1 })),
                b"much" => Err(ChangeRefused::Full("no room".into())),
                b"" => Err(ChangeRefused::Unavailable("no journal".into())),
                _ => Err(ChangeRefused::Bad("no JSON".into())),
            }
        })
    }

    fn quotas(&self) -> Value {
        json!({ "keys": 0 })
    }

    fn upstreams(&self) -> Value {
        json!([{ "group": "pets" }])
    }

    fn coverage(&self) -> Value {
        json!({ "operations": [] })
    }

    fn blocks(&self) -> Value {
        json!([{ "user": "mallory" }])
    }

    fn change_blocks(&self, body: Vec<u8>) -> BoxFuture<'_, Result<Value, ChangeRefused>> {
        self.revoke(body)
    }

    fn reload(&self) -> BoxFuture<'_, Result<u64, Problems>> {
        Box::pin(async {
            let held = self.held.lock().unwrap().clone();
            if let Some((began, go)) = held {
                began.notify_one();
                go.notified().await;
            }
            let count = self.reloads.fetch_add(1, Ordering::SeqCst) as u64;
            self.problems.clone().map_or(Ok(count + 2), Err)
        })
    }
}

async fn ask(gateway: &Gateway, method: &str, path: &str, body: &[u8]) -> AdminResponse {
    handle(&method.parse().unwrap(), path, body, gateway).await
}

fn body(answer: &AdminResponse) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

#[tokio::test]
async fn each_page_answers_in_its_type() {
    let gateway = Gateway::default();
    for (path, content_type, text) in [
        ("/livez", "text/plain; charset=utf-8", "ok\n"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8", "tollgate_connections 0\n"),
        ("/plan", "application/json", "{\"apis\":[]}\n"),
        ("/artifact", "application/json", "{\"digest\":\"aaaa\"}\n"),
        ("/coverage", "application/json", "{\"operations\":[]}\n"),
        ("/readyz", "application/json", "{\"ready\":true,\"missing\":[]}\n"),
    ] {
        let answer = ask(&gateway, "GET", path, b"").await;
        assert_eq!((answer.status, answer.content_type, answer.body.as_str()), (StatusCode::OK, content_type, text), "{path}");
    }
}

#[tokio::test]
async fn a_gateway_that_lacks_something_lives_but_is_not_ready_and_says_what_it_lacks() {
    let gateway = Gateway { missing: vec!["keys of https://issuer.example".into()], ..Gateway::default() };
    let answer = ask(&gateway, "GET", "/readyz", b"").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(body(&answer)["missing"], json!(["keys of https://issuer.example"]));
    assert_eq!(ask(&gateway, "GET", "/livez", b"").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_reload_says_the_generation() {
    let answer = ask(&Gateway::default(), "POST", "/reload", b"").await;
    assert_eq!((answer.status, body(&answer)), (StatusCode::OK, json!({ "generation": 2 })));
}

#[tokio::test]
async fn a_reload_that_fails_says_every_problem_as_data_and_as_text() {
    let problems = Problems(vec![Problem::error("a.b", "one").at("x.yaml", 3, "/p"), Problem::error("c.d", "two")]);
    let gateway = Gateway { problems: Some(problems), ..Gateway::default() };
    let answer = ask(&gateway, "POST", "/reload", b"").await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    let body = body(&answer);
    assert_eq!(body["problems"].as_array().unwrap().len(), 2);
    assert_eq!((&body["problems"][0]["code"], &body["problems"][0]["line"]), (&json!("a.b"), &json!(3)));
    assert_eq!(body["text"], "x.yaml:3: error[a.b]: one (at /p)\nerror[c.d]: two");
}

#[tokio::test]
async fn an_unknown_path_is_404_and_a_wrong_method_405_with_allow() {
    let gateway = Gateway::default();
    for path in ["/", "", "/reload/", "/livez2", "/LIVEZ", "//livez"] {
        assert_eq!(ask(&gateway, "GET", path, b"").await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for (method, path, allow) in [("GET", "/reload", "POST"), ("POST", "/plan", "GET, HEAD"), ("DELETE", "/livez", "GET, HEAD")] {
        let answer = ask(&gateway, method, path, b"").await;
        assert_eq!((answer.status, answer.allow), (StatusCode::METHOD_NOT_ALLOWED, Some(allow)), "{method} {path}");
    }
    assert_eq!(gateway.reloads.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_body_that_nothing_would_read_is_refused() {
    let gateway = Gateway::default();
    assert_eq!(ask(&gateway, "POST", "/reload", b"{}").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(gateway.reloads.load(Ordering::SeqCst), 0);
}

/// A server on a free port.
struct Port {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<std::io::Result<()>>,
}

impl Port {
    fn open(gateway: Arc<Gateway>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(listener, gateway, async {
            let _ = stopped.await;
        }));
        Self { address, stop: Some(stop), server }
    }

    /// Sends bytes, and reads until the server closes.
    async fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        answer
    }

    async fn request(&self, method: Method, path: &str, fields: &str) -> String {
        self.send(&format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", self.address)).await
    }
}

#[tokio::test]
async fn the_server_answers_one_request_and_closes() {
    let port = Port::open(Arc::default());
    let answer = port.request(Method::GET, "/livez?x=1", "").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
    assert!(answer.contains("x-content-type-options: nosniff\r\n") && answer.contains("cache-control: no-store\r\n"), "{answer}");
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let answer = Port::open(Arc::default()).request(Method::HEAD, "/livez", "").await;
    assert!(answer.contains("content-length: 3\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn p45_a_rebound_name_reads_and_changes_nothing() {
    let gateway = Arc::new(Gateway::default());
    let port = Port::open(gateway.clone());
    let (own, evil) = (port.address.to_string(), format!("evil.example:{}", port.address.port()));
    for (request, host) in [("GET /plan", &evil), ("POST /reload", &evil), ("GET http://evil.example/plan", &own)] {
        let answer = port.send(&format!("{request} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 421 ") && !answer.contains("apis"), "{answer}");
    }
    assert_eq!(gateway.reloads.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_web_page_cannot_reload() {
    let gateway = Arc::new(Gateway::default());
    let port = Port::open(gateway.clone());
    let answer = port.request(Method::POST, "/reload", "Origin: https://evil.example\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    assert_eq!(gateway.reloads.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_large_body_is_not_read() {
    let port = Port::open(Arc::default());
    let answer = port.request(Method::POST, "/reload", &format!("Content-Length: {}\r\n", 1 << 30)).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_gateway_that_panics_answers_500_and_goes_on() {
    let gateway = Gateway { problems: Some(Problems::default()), ..Gateway::default() };
    let port = Port::open(Arc::new(gateway));
    assert!(port.request(Method::GET, "/metrics", "").await.starts_with("HTTP/1.1 500 "));
    assert!(port.request(Method::GET, "/livez", "").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_reload_goes_on_when_the_one_who_asked_has_gone_and_blocks_nobody() {
    let (began, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let gateway = Arc::new(Gateway { held: Mutex::new(Some((began.clone(), go.clone()))), ..Gateway::default() });
    let port = Port::open(gateway.clone());
    let mut stream = TcpStream::connect(port.address).await.unwrap();
    stream.write_all(format!("POST /reload HTTP/1.1\r\nHost: {}\r\n\r\n", port.address).as_bytes()).await.unwrap();
    timeout(PATIENCE, began.notified()).await.unwrap();
    drop(stream);
    assert!(port.request(Method::GET, "/livez", "").await.starts_with("HTTP/1.1 200 "));
    go.notify_one();
    let done = async {
        while gateway.reloads.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, done).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_ends_its_request_is_let_go() {
    let port = Port::open(Arc::default());
    let mut stream = TcpStream::connect(port.address).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: ").await.unwrap();
    let mut answer = Vec::new();
    let began = tokio::time::Instant::now();
    // The clock is paused and leaps to the next deadline whenever all are idle.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(began.elapsed() >= Duration::from_secs(10) && began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test]
async fn shutdown_ends_the_server_and_closes_the_port() {
    let mut port = Port::open(Arc::default());
    assert!(port.request(Method::GET, "/livez", "").await.starts_with("HTTP/1.1 200 "));
    port.stop.take().unwrap().send(()).unwrap();
    timeout(PATIENCE, &mut port.server).await.unwrap().unwrap().unwrap();
    assert!(TcpStream::connect(port.address).await.is_err());
}

#[tokio::test]
async fn revocations_are_taken_from_a_body_and_each_failure_has_its_status() {
    let gateway = Gateway::default();
    for (body, status) in [("good", 200), ("much", 507), ("", 503), ("x", 400)] {
        assert_eq!(ask(&gateway, "POST", "/revocations", body.as_bytes()).await.status, status, "{body}");
    }
    assert_eq!(ask(&gateway, "GET", "/revocations", b"").await.allow, Some("POST"));
    assert_eq!(ask(&gateway, "GET", "/revocation", b"").await.status, StatusCode::OK);
}
