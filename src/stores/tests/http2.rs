use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use http::{HeaderMap, HeaderValue, Response};
use openssl::ssl::{AlpnError, Ssl, SslContext, SslContextBuilder, SslMethod, select_next_proto};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tollgate_filter_api::{Metrics, Remote, RemotePolicy, World};
use tollgate_testkit::{Folder, certificates::Identity};

use super::*;
use crate::stores::{Documents, ServerTrust, SystemClock, test_server::local};

const POLICY: RemotePolicy = RemotePolicy { timeout: Duration::from_secs(5), max_bytes: 1000, ca: None };

/// Answers in HTTP/2: the path says how.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(tls: Option<SslContext>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::<AtomicUsize>::default();
        let seen = connections.clone();
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                seen.fetch_add(1, SeqCst);
                let tls = tls.clone();
                tokio::spawn(async move {
                    let Some(tls) = tls else { return serve(tcp).await };
                    let mut stream = tokio_openssl::SslStream::new(Ssl::new(&tls).unwrap(), tcp).unwrap();
                    if Pin::new(&mut stream).accept().await.is_ok() {
                        serve(stream).await;
                    }
                });
            }
        });
        Self { address, connections, task }
    }

    fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        match request.uri().path() {
            "/refuse" => respond.send_reset(h2::Reason::REFUSED_STREAM),
            "/break" => respond.send_reset(h2::Reason::INTERNAL_ERROR),
            "/silent" => {
                tokio::spawn(async move {
                    std::future::pending::<()>().await;
                    drop((request, respond));
                });
            }
            "/leave" => {
                answer(respond, "0", 1);
                connection.graceful_shutdown();
            }
            "/fail" => answer(respond, "14", 1),
            "/large" => answer(respond, "0", 2000),
            _ => answer(respond, "0", 3),
        }
    }
}

fn answer(mut respond: h2::server::SendResponse<Bytes>, status: &str, bytes: usize) {
    let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut body = respond.send_response(head, false).unwrap();
    body.send_data(vec![b'x'; bytes].into(), false).unwrap();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    body.send_trailers(trailers).unwrap();
}

/// A server's side that agrees to HTTP/2, or has no opinion.
fn context(identity: &Identity, agrees: bool) -> SslContext {
    let mut context: SslContextBuilder = SslContext::builder(SslMethod::tls_server()).unwrap();
    context.set_certificate(&identity.certificate).unwrap();
    context.set_private_key(&identity.key).unwrap();
    if agrees {
        context.set_alpn_select_callback(|_, offered| select_next_proto(b"\x02h2", offered).ok_or(AlpnError::NOACK));
    }
    context.build()
}

struct Asker {
    documents: Documents,
    metrics: Metrics,
}

impl Asker {
    fn new() -> Self {
        let metrics = Metrics::default();
        Self { documents: Documents::new("", ServerTrust::System, Arc::new(SystemClock), metrics.clone()), metrics }
    }

    fn remote(&self, url: &str, policy: RemotePolicy) -> Arc<dyn Remote> {
        self.documents.remote_http2(url, policy).unwrap()
    }

    fn of(&self, server: &Server) -> Arc<dyn Remote> {
        self.remote(&format!("http://{}", server.address), POLICY)
    }

    fn failures(&self) -> f64 {
        let mut found = 0.0;
        self.metrics.read(|name, _, value, _| {
            if name == "remote_failures_total" {
                found += value;
            }
        });
        found
    }
}

fn question(path: &str) -> RemoteRequest {
    RemoteRequest { method: http::Method::POST, target: Some(path.parse().unwrap()), headers: Vec::new(), body: Bytes::from_static(b"q") }
}

#[tokio::test]
async fn questions_share_one_connection_and_trailers_stand_among_the_fields() {
    let (server, asker) = (Server::start(None).await, Asker::new());
    let remote = asker.of(&server);
    let answers = futures_util::future::join_all((0..50).map(|_| remote.call(question("/a")))).await;
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!((answer.status, &answer.body[..], &answer.fields["grpc-status"]), (200, &b"xxx"[..], &HeaderValue::from_static("0")));
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_question_that_is_refused_unread_is_asked_once_more_and_others_are_not() {
    let (server, asker) = (Server::start(None).await, Asker::new());
    let remote = asker.of(&server);
    assert!(remote.call(question("/refuse")).await.is_err());
    assert!(remote.call(question("/break")).await.is_err());
    assert_eq!((remote.call(question("/a")).await.unwrap().status, asker.failures()), (200, 2.0));
    assert_eq!(server.connections(), 1, "a stream that is reset does not cost the connection");
}

#[tokio::test]
async fn a_connection_that_the_server_leaves_is_replaced() {
    let (server, asker) = (Server::start(None).await, Asker::new());
    let remote = asker.of(&server);
    for _ in 0..5 {
        assert_eq!(remote.call(question("/leave")).await.unwrap().status, 200);
        assert_eq!(remote.call(question("/a")).await.unwrap().status, 200);
    }
    assert_eq!(asker.failures(), 0.0);
}

#[tokio::test]
async fn silence_and_length_are_bounded_for_the_one_question() {
    let (server, asker) = (Server::start(None).await, Asker::new());
    let remote = asker.remote(&format!("http://{}", server.address), RemotePolicy { timeout: Duration::from_millis(300), ..POLICY });
    let (silent, good) = tokio::join!(remote.call(question("/silent")), remote.call(question("/a")));
    assert!(silent.unwrap_err().to_string().contains("no complete answer within 300ms"));
    assert_eq!(good.unwrap().status, 200);
    assert!(remote.call(question("/large")).await.unwrap_err().to_string().contains("longer than the 1000 bytes"));
    assert_eq!((remote.call(question("/a")).await.unwrap().status, server.connections()), (200, 1));
}

#[tokio::test]
async fn a_server_that_says_it_failed_is_left_alone_after_a_while() {
    let (server, asker) = (Server::start(None).await, Asker::new());
    let remote = asker.of(&server);
    let mut said = Vec::new();
    for _ in 0..50 {
        said.push(remote.call(question("/fail")).await.map(|answer| answer.fields["grpc-status"].clone()));
    }
    assert_eq!(said[0].as_ref().unwrap(), "14");
    assert!(said.last().unwrap().as_ref().unwrap_err().to_string().contains("left alone"), "{said:?}");
}

#[tokio::test]
async fn over_tls_the_server_has_to_agree_to_http2() {
    let (identity, folder, asker) = (local(), Folder::new(), Asker::new());
    let ca = folder.write("ca.pem", identity.certificate.to_pem().unwrap());
    for (agrees, expected) in [(true, Ok(200)), (false, Err(()))] {
        let server = Server::start(Some(context(&identity, agrees))).await;
        let url = format!("https://localhost:{}", server.address.port());
        let answer = asker.remote(&url, RemotePolicy { ca: Some(ca.clone()), ..POLICY }).call(question("/a")).await;
        if let Err(error) = &answer {
            assert!(error.to_string().contains("does not agree to HTTP/2"), "{error}");
        }
        assert_eq!(answer.map(|answer| answer.status).map_err(drop), expected);
    }
}

#[tokio::test]
async fn a_server_that_speaks_http1_alone_is_no_answer() {
    let server = crate::stores::test_server::KeepAlive::start(usize::MAX).await;
    let answer = Asker::new().remote(&server.url(), POLICY).call(question("/a")).await;
    assert!(answer.unwrap_err().to_string().contains("broken HTTP answer"));
}
