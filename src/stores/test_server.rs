//! A small HTTP server that answers as the test says, faults included.

use std::{
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use openssl::{
    asn1::Asn1Time,
    bn::BigNum,
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    ssl::{Ssl, SslContext, SslMethod},
    x509::{X509, X509Name, extension::SubjectAlternativeName},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};

use super::tended::lock;

/// What is written, and whether the connection is closed after that or left hanging.
pub(super) struct Reply {
    pub(super) bytes: Vec<u8>,
    pub(super) hang: bool,
}

impl Reply {
    pub(super) fn raw(text: impl Into<Vec<u8>>) -> Self {
        Self { bytes: text.into(), hang: false }
    }

    pub(super) fn hanging(text: impl Into<Vec<u8>>) -> Self {
        Self { bytes: text.into(), hang: true }
    }

    pub(super) fn ok(body: &str) -> Self {
        Self::status("200 OK", "", body)
    }

    pub(super) fn status(status: &str, fields: &str, body: &str) -> Self {
        Self::raw(format!("HTTP/1.1 {status}\r\n{fields}content-length: {}\r\n\r\n{body}", body.len()))
    }
}

type Script = Arc<dyn Fn(usize) -> Reply + Send + Sync>;

pub(super) struct TestServer {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl TestServer {
    /// Answers request `n`, counted from 0, with `script(n)`.
    pub(super) async fn start(script: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(None, Arc::new(script)).await
    }

    /// The same over TLS.
    pub(super) async fn start_tls(identity: &Identity, script: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(Some(identity.context()), Arc::new(script)).await
    }

    async fn with(tls: Option<SslContext>, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = requests.clone();
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (seen, script, tls) = (seen.clone(), script.clone(), tls.clone());
                tokio::spawn(async move {
                    let Some(tls) = tls else { return serve(tcp, &seen, &script).await };
                    let mut stream = tokio_openssl::SslStream::new(Ssl::new(&tls).unwrap(), tcp).unwrap();
                    if Pin::new(&mut stream).accept().await.is_ok() {
                        serve(stream, &seen, &script).await;
                    }
                });
            }
        });
        Self { address, requests, task }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn requests(&self) -> Vec<String> {
        lock(&self.requests).clone()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, seen: &Mutex<Vec<String>>, script: &Script) {
    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(n) => head.extend_from_slice(&chunk[..n]),
        }
    }
    let number = {
        let mut seen = lock(seen);
        seen.push(String::from_utf8_lossy(&head).into_owned());
        seen.len() - 1
    };
    let reply = script(number);
    let _ = stream.write_all(&reply.bytes).await;
    let _ = stream.flush().await;
    if reply.hang {
        std::future::pending::<()>().await;
    }
    let _ = stream.shutdown().await;
}

/// A self-signed certificate for one name, and its key.
pub(super) struct Identity {
    certificate: X509,
    key: PKey<Private>,
}

impl Identity {
    pub(super) fn new(name: &str) -> Self {
        Self::named(name, true)
    }

    /// Its subject has the name, and nothing else does.
    pub(super) fn of_subject(name: &str) -> Self {
        Self::named(name, false)
    }

    fn named(name: &str, alternative: bool) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut subject = X509Name::builder().unwrap();
        subject.append_entry_by_text("CN", name).unwrap();
        let subject = subject.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap()).unwrap();
        builder.set_subject_name(&subject).unwrap();
        builder.set_issuer_name(&subject).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        builder.set_pubkey(&key).unwrap();
        if alternative {
            let names = SubjectAlternativeName::new().dns(name).build(&builder.x509v3_context(None, None)).unwrap();
            builder.append_extension(names).unwrap();
        }
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        Self { certificate: builder.build(), key }
    }

    fn context(&self) -> SslContext {
        let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
        context.set_certificate(&self.certificate).unwrap();
        context.set_private_key(&self.key).unwrap();
        context.build()
    }

    pub(super) fn write_certificate(&self, folder: &TempDir) -> PathBuf {
        let path = folder.path("ca.pem");
        std::fs::write(&path, self.certificate.to_pem().unwrap()).unwrap();
        path
    }
}

/// A folder that is removed in the end.
pub(super) struct TempDir(PathBuf);

impl TempDir {
    pub(super) fn new() -> Self {
        use std::sync::atomic::AtomicU32;
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("tollgate-stores-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server that keeps connections, each for so many requests; the one after that finds it closed.
pub(super) struct KeepAlive {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl KeepAlive {
    pub(super) async fn start(per_connection: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, requests) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (opened, seen) = (connections.clone(), requests.clone());
        let task = tokio::spawn(async move {
            while let Ok((mut tcp, _)) = listener.accept().await {
                opened.fetch_add(1, Ordering::Relaxed);
                let seen = seen.clone();
                tokio::spawn(async move {
                    for _ in 0..per_connection {
                        let mut piece = [0; 4096];
                        match tcp.read(&mut piece).await {
                            Ok(0) | Err(_) => return,
                            Ok(_) => seen.fetch_add(1, Ordering::Relaxed),
                        };
                        let _ = tcp.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
                    }
                });
            }
        });
        Self { address, connections, requests, task }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for KeepAlive {
    fn drop(&mut self) {
        self.task.abort();
    }
}
