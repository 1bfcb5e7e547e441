//! The contract between the gateway and its filters.
//!
//! A filter decides about one request at a time. Its decision is a function of its settings, the facts of the request, the
//! shared state it asked [`Env`] for, and the clock; nothing else can be reached from here. Authors write [`Filter`]; the
//! object-safe [`DynFilter`] is implemented once for all of them, and [`Kind`] is what the catalogue lists.
//!
//! What the types enforce: a filter that promises a fact cannot let a request pass without it; one that did not declare a
//! need cannot read it; a refusal can only be made from a [`Reason`] that the manual lists and a [`Cause`] that the operator reads. What
//! they do not enforce: that a filter looks at every spelling of a credential, or that it does not block the thread.

mod contract;
mod request;
mod settings;
mod world;

pub use contract::body::Body;
pub use contract::call::{Call, Forwarded, OperationInfo, below};
pub use contract::cause::{Cause, CauseKind, Pointer, Rule, Shown};
pub use contract::facts::{
    AllCredentials, Certificate, Credentials, Fact, FactSet, Facts, KeyType, NoCertificate, Peer, Principal, PrincipalParts, Token,
};
pub use contract::fault::Fault;
pub use contract::filter::{
    AnswerCx, AnswerSet, AnswerUse, BodyUse, ChunkCx, Cx, DoneCx, Filter, Flow, Outcome, Posture, RequestChunkCx, ResponseCx, Rewrites,
    UpstreamCx, essence, is_endless,
};
pub use contract::kind::{
    BuildFilter, CheckSettings, DynAnswer, DynChunk, DynCx, DynDone, DynFilter, DynPage, DynRequestChunk, DynResponse, DynUpstream,
    FilterFuture, Kind, MetricDoc, NamedApis,
};
pub use contract::page::{Page, PageCx};
pub use contract::reason::{Answer, Meaning, ProblemType, Reason, Reply};
pub use contract::subscription::Subscriptions;
pub use request::carrier::Carrier;
pub use request::escapes::percent_decoded;
pub use request::head::{AnswerHead, Former, IllegalHeader, IllegalStatus, RequestHead, ResponseHead};
pub use request::quality::quality;
pub use request::request_id::RequestId;
pub use request::reserved::reserved;
pub use request::scheme::{NoCredential, behind_scheme, bytes_behind_scheme, has_scheme};
pub use settings::date::Date;
pub use settings::declared::{Declared, DeclaredHeader, RequiredScopes, ScopeAlternatives};
pub use settings::decode::decode;
pub use settings::pointer;
pub use settings::problem::{Problem, Problems, Severity};
pub use settings::secret::Secret;
pub use settings::suggest::{edits, nearest};
pub use settings::units::{ByteSize, Interval};
pub use world::env::{Clock, Counter, Document, DocumentPolicy, Env, Gauge, Judgement, Location, Metrics, Moment, Shared, Version, World};
pub use world::log_limiter::LogLimiter;
pub use world::outside::{
    Remote, RemoteError, RemoteFuture, RemotePolicy, RemoteRequest, RemoteResponse, Revocations, RevokedBy, Standing,
};
pub use world::readiness::{Awaited, Readiness};
pub use world::views::{Note, View, Views};

pub use bytes::Bytes;
pub use http::{HeaderName, HeaderValue, Method, StatusCode};
