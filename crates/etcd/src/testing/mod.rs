//! An etcd that does what each test tells it, and a mirror that remembers.

pub(crate) mod proto;
mod ranges;

use std::sync::{Arc, Mutex};

use bytes::{BufMut, Bytes, BytesMut};
use h2::{RecvStream, SendStream, server};
use http::{HeaderMap, Request, Response};
use prost::Message;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use crate::{
    keys::Keys,
    mirror::{Full, Mirror, Refused},
    settings::Settings,
};
use proto::{Event, KeyValue, RangeResponse, ResponseHeader, WatchRequest, WatchResponse};

pub(crate) const CLUSTER: u64 = 7;
pub(crate) const PREFIX: &str = "/revoked/";

/// One call that a [`Recorder`] received.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Recorded {
    Begin,
    Without(Vec<String>),
    Listed(String, String),
    Replace(i64, bool),
    Put(String, String, i64),
    Delete(String, i64),
    Complete(i64),
    Lost(String),
}

/// Remembers everything.
#[derive(Default)]
pub(crate) struct Recorder {
    recorded: Mutex<Vec<Recorded>>,
    more: Notify,
    full: Mutex<usize>,
}

/// A key without the prefix, or a value.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_prefix(PREFIX.as_bytes()).unwrap_or(bytes)).into_owned()
}

impl Recorder {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Has no room for so many listings.
    pub(crate) fn refuse(&self, listings: usize) {
        *self.full.lock().unwrap() = listings;
    }

    fn add(&self, recorded: Recorded) {
        self.recorded.lock().unwrap().push(recorded);
        self.more.notify_one();
    }

    pub(crate) fn all(&self) -> Vec<Recorded> {
        self.recorded.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, recorded: &Recorded) -> usize {
        self.all().iter().filter(|one| *one == recorded).count()
    }

    pub(crate) fn causes(&self) -> Vec<String> {
        let cause = |recorded| if let Recorded::Lost(cause) = recorded { Some(cause) } else { None };
        self.all().into_iter().filter_map(cause).collect()
    }

    /// Waits until the recorded calls fit.
    pub(crate) async fn until(&self, what: &str, fits: impl Fn(&Self) -> bool) {
        let wait = async {
            while !fits(self) {
                self.more.notified().await;
            }
        };
        let waited = tokio::time::timeout(std::time::Duration::from_secs(30), wait).await;
        assert!(waited.is_ok(), "waited in vain for {what}: {:?}", self.all());
    }
}

impl Mirror for Recorder {
    fn without(&self, refused: &[Refused]) {
        if !refused.is_empty() {
            self.add(Recorded::Without(refused.iter().map(|refused| refused.keys.beginning().to_owned()).collect()));
        }
    }

    fn begin(&self) {
        self.add(Recorded::Begin);
    }

    fn listed(&self, key: &[u8], value: &[u8]) {
        self.add(Recorded::Listed(text(key), text(value)));
    }

    fn replace(&self, revision: i64, comparable: bool) -> Result<(), Full> {
        let mut full = self.full.lock().unwrap();
        if *full > 0 {
            *full -= 1;
            return Err(Full("no room".to_owned()));
        }
        self.add(Recorded::Replace(revision, comparable));
        Ok(())
    }

    fn put(&self, key: &[u8], value: &[u8], revision: i64) {
        self.add(Recorded::Put(text(key), text(value), revision));
    }

    fn delete(&self, key: &[u8], revision: i64) {
        self.add(Recorded::Delete(text(key), revision));
    }

    fn complete(&self, revision: i64) {
        self.add(Recorded::Complete(revision));
    }

    fn lost(&self, cause: &str) {
        self.add(Recorded::Lost(cause.to_owned()));
    }
}

/// Where a member listens.
pub(crate) struct Fake {
    listener: TcpListener,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings::new(vec![format!("http://{}", self.listener.local_addr().unwrap())], vec![Keys::Prefix(PREFIX.into())])
    }

    pub(crate) async fn accept_raw(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    pub(crate) async fn accept(&self) -> Connection {
        Connection(server::handshake(self.accept_raw().await).await.unwrap())
    }
}

/// A connection of the mirror.
pub(crate) struct Connection(server::Connection<TcpStream, Bytes>);

impl Connection {
    /// The next call; `None` when the mirror has left.
    pub(crate) async fn call(&mut self) -> Option<Call> {
        let (request, respond) = self.0.accept().await?.ok()?;
        Some(Call { request, respond, inbox: BytesMut::new() })
    }

    /// The next call, a question that was asked whole.
    pub(crate) async fn question<Q: Message + Default>(&mut self) -> (Q, Call) {
        let mut call = self.call().await.expect("the mirror should ask");
        let question = self.during(call.read()).await;
        (question, call)
    }

    /// Carries the connection while something else goes on, which must not need new calls.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            done = &mut work => done,
            _ = self.0.accept() => panic!("the mirror asked for something else, or left"),
        }
    }

    /// A listing of these keys, and the watch behind it.
    pub(crate) async fn listed(&mut self, pairs: &[(&str, &str)], revision: i64) -> (WatchRequest, Watch) {
        let (_, call) = self.question::<crate::testing::proto::RangeRequest>().await;
        call.answer(&page(pairs, revision, false));
        self.watched(revision).await
    }

    /// The watch, which is there.
    pub(crate) async fn watched(&mut self, revision: i64) -> (WatchRequest, Watch) {
        let (request, call) = self.question::<WatchRequest>().await;
        let mut watch = Watch(call.begin());
        watch.say(&WatchResponse { created: true, watch_id: 1, ..word(revision) });
        (request, watch)
    }

    /// Carries the connection until it ends.
    pub(crate) async fn rest(mut self) {
        while let Some(Ok(_)) = self.0.accept().await {}
    }
}

/// One call.
pub(crate) struct Call {
    pub(crate) request: Request<RecvStream>,
    pub(crate) respond: server::SendResponse<Bytes>,
    inbox: BytesMut,
}

impl Call {
    pub(crate) async fn read<Q: Message + Default>(&mut self) -> Q {
        while self.inbox.len() < 5 || self.inbox.len() < 5 + u32::from_be_bytes(self.inbox[1..5].try_into().unwrap()) as usize {
            let piece = self.request.body_mut().data().await.unwrap().unwrap();
            self.inbox.extend_from_slice(&piece);
        }
        let length = u32::from_be_bytes(self.inbox[1..5].try_into().unwrap()) as usize;
        let message = self.inbox.split_to(5 + length);
        Q::decode(&message[5..]).unwrap()
    }

    pub(crate) fn begin(mut self) -> SendStream<Bytes> {
        self.open()
    }

    /// Begins the answer, while more may be asked.
    pub(crate) fn open(&mut self) -> SendStream<Bytes> {
        let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        self.respond.send_response(head, false).unwrap()
    }

    pub(crate) fn answer(self, message: &impl Message) {
        let mut body = self.begin();
        body.send_data(frame(&message.encode_to_vec()), false).unwrap();
        body.send_trailers(status("0", "")).unwrap();
    }

    pub(crate) fn refuse(mut self, code: &str, message: &str) {
        let mut head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        head.headers_mut().extend(status(code, message));
        self.respond.send_response(head, true).unwrap();
    }
}

/// The answering side of a watch.
pub(crate) struct Watch(SendStream<Bytes>);

impl Watch {
    pub(crate) fn say(&mut self, word: &WatchResponse) {
        self.0.send_data(frame(&word.encode_to_vec()), false).unwrap();
    }
}

pub(crate) fn status(code: &str, message: &str) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert("grpc-status", code.parse().unwrap());
    fields.insert("grpc-message", message.parse().unwrap());
    fields
}

pub(crate) fn frame(message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(message.len() as u32);
    bytes.put_slice(message);
    bytes.freeze()
}

pub(crate) fn header(revision: i64) -> Option<ResponseHeader> {
    Some(ResponseHeader { cluster_id: CLUSTER, revision })
}

pub(crate) fn pair(key: &str, value: &str, revision: i64) -> KeyValue {
    KeyValue { key: format!("{PREFIX}{key}").into(), mod_revision: revision, value: value.into() }
}

pub(crate) fn page(pairs: &[(&str, &str)], revision: i64, more: bool) -> RangeResponse {
    RangeResponse { header: header(revision), kvs: pairs.iter().map(|(key, value)| pair(key, value, revision)).collect(), more }
}

/// A word of the watch without a change: it has told everything until then.
pub(crate) fn word(revision: i64) -> WatchResponse {
    WatchResponse { header: header(revision), watch_id: -1, ..WatchResponse::default() }
}

pub(crate) fn put(key: &str, revision: i64) -> Event {
    Event { kind: 0, kv: Some(pair(key, "", revision)) }
}

pub(crate) fn deleted(key: &str, revision: i64) -> Event {
    Event { kind: crate::testing::proto::DELETE, kv: Some(pair(key, "", revision)) }
}
