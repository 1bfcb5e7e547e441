//! What a guest can ask of its host, and the state of one instance.

mod buffers;
mod calls;
mod common;
mod link;
mod logs;
mod maps;
mod memory;
mod properties;
mod start;
mod stream;
mod wasi;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tollgate_filter_api::{Bytes, Call, RequestHead, ResponseHead};
use tollgate_sandbox::{
    Guest,
    wasmtime::{Caller, Memory, TypedFunc},
};

pub use calls::{CallAnswer, QueuedCall};
pub use link::linker;
pub use stream::LocalAnswer;

use crate::{abi::ROOT, meters::Meter, program::Common, words::LastWords};

/// A guest that calls its host.
pub type Cx<'c> = Caller<'c, Guest<Host>>;
/// A status, or a trap.
pub type Answered = tollgate_sandbox::wasmtime::Result<i32>;
/// A guest's function that finds room for so many bytes.
pub type Allocate = TypedFunc<u32, u32>;

/// Where a request is, and so what its guest may read and write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// There is no request: the guest starts, or waits.
    #[default]
    Idle,
    /// The request's head, and its body if it is there whole. Nothing has gone out.
    Request,
    /// Pieces of the request's body. Its head has gone.
    RequestBody,
    /// The answer's head, and its body if it is there whole.
    Response,
    /// Pieces of the answer's body. Its head has gone.
    ResponseBody,
    /// It is over.
    Done,
}

/// The state of one instance.
pub struct Host {
    pub common: Arc<Common>,
    pub memory: Option<Memory>,
    /// Taken while it runs: an allocator that asks for memory of its own gets none.
    pub allocate: Option<Allocate>,
    /// For what is handed to the guest.
    scratch: Vec<u8>,
    pub stage: Stage,
    /// The heads are moved in here while the guest may see them.
    pub request: RequestHead,
    pub response: ResponseHead,
    /// What the request asked for, once its head has gone.
    pub kept: Option<Kept>,
    pub call: Option<Call>,
    pub body: Bytes,
    pub body_is_changed: bool,
    /// A status that the guest gave the answer; or the one that the client got.
    pub status: Option<u16>,
    /// What the guest did to the answer's head.
    pub changes: Vec<Change>,
    pub is_paused: bool,
    pub is_closed: bool,
    pub local: Option<LocalAnswer>,
    pub queue: Vec<QueuedCall>,
    /// The answer that the guest is told of.
    pub answer: Option<CallAnswer>,
    /// Calls that were made for this request.
    calls: u32,
    /// Unique as long as the instance lives.
    next_call: u32,
    pub may_call: bool,
    context: u32,
    properties: Vec<(Box<[u8]>, Bytes)>,
    meters: Vec<Meter>,
    /// The first write that was refused: what, and by which rule.
    pub refusal: Option<String>,
    /// Bytes that this callback wrote into heads.
    written: usize,
    pub words: LastWords,
}

/// What a request asked for.
#[derive(Debug)]
pub struct Kept {
    method: Method,
    target: String,
    fields: HeaderMap,
}

/// A change to the head of an answer.
#[derive(Clone, Debug)]
pub enum Change {
    Set(HeaderName, HeaderValue),
    Append(HeaderName, HeaderValue),
    Remove(HeaderName),
}

impl Host {
    /// `None`: heads that stand for none cannot be made.
    pub fn new(common: Arc<Common>) -> Option<Self> {
        Some(Self {
            common,
            request: RequestHead::build("GET", "/").ok()?,
            response: ResponseHead::build(200).ok()?,
            memory: None,
            allocate: None,
            scratch: Vec::new(),
            stage: Stage::Idle,
            kept: None,
            call: None,
            body: Bytes::new(),
            body_is_changed: false,
            status: None,
            changes: Vec::new(),
            is_paused: false,
            is_closed: false,
            local: None,
            queue: Vec::new(),
            answer: None,
            calls: 0,
            next_call: 0,
            may_call: false,
            context: ROOT,
            properties: Vec::new(),
            meters: Vec::new(),
            refusal: None,
            written: 0,
            words: LastWords::default(),
        })
    }

    /// Another request begins, with a context of its own.
    pub fn begin(&mut self, call: Call, context: u32) {
        self.call = Some(call);
        self.context = context;
        self.is_closed = false;
        self.calls = 0;
        self.words.forget();
    }

    /// Before each callback.
    pub const fn enter(&mut self) {
        self.written = 0;
    }

    /// Keeps what is asked for, for the callbacks after the request's head has gone.
    pub fn keep(&mut self) {
        let target = self.target(&self.request);
        self.kept = Some(Kept { method: self.request.method().clone(), target, fields: self.request.fields().clone() });
    }

    /// Nothing of a request may be left for the next one.
    pub fn forget(&mut self) {
        (self.kept, self.call, self.local, self.answer, self.refusal) = (None, None, None, None, None);
        (self.status, self.is_paused, self.body_is_changed, self.may_call) = (None, false, false, false);
        self.body = Bytes::new();
        self.changes.clear();
        self.queue.clear();
        self.properties.clear();
        self.stage = Stage::Idle;
        self.context = ROOT;
    }

    /// The first one counts: what follows may come of it.
    fn refuse(&mut self, what: impl FnOnce() -> String) {
        if self.refusal.is_none() {
            self.refusal = Some(what());
        }
    }
}
