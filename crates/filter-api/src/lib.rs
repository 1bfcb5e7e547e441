//! The contract between the gateway and its filters.
//!
//! A filter decides about one request at a time. Its decision is a function of its settings, the facts of the request, the
//! shared state it asked [`Env`] for, and the clock; nothing else can be reached from here. Authors write [`Filter`]; the
//! object-safe [`DynFilter`] is implemented once for all of them, and [`Kind`] is what the catalogue lists.
//!
//! What the types enforce: a filter that promises a fact cannot let a request pass without it; one that did not declare a
//! need cannot read it; a refusal can only be made from a [`Reason`] that the manual lists. What they do not enforce: that a
//! filter looks at every spelling of a credential, or that it does not block the thread.

mod body;
mod call;
mod carrier;
mod declared;
mod decode;
mod env;
mod escapes;
mod facts;
mod fault;
mod filter;
mod head;
mod kind;
mod outside;
pub mod pointer;
mod problem;
mod readiness;
mod reason;
mod request_id;
mod scheme;
mod secret;
mod suggest;
mod units;

pub use body::Body;
pub use call::{Call, Forwarded, OperationInfo};
pub use carrier::Carrier;
pub use declared::{Declared, DeclaredHeader, RequiredScopes, ScopeAlternatives};
pub use decode::decode;
pub use env::{Clock, Counter, Document, DocumentPolicy, Env, Gauge, Judgement, Location, Metrics, Moment, Shared, Version, World};
pub use escapes::percent_decoded;
pub use facts::{
    AllCredentials, Certificate, Credentials, Fact, FactSet, Facts, KeyType, NoCertificate, Peer, Principal, PrincipalParts, Token,
};
pub use fault::Fault;
pub use filter::{AnswerCx, AnswerUse, BodyUse, ChunkCx, Cx, DoneCx, Filter, Flow, Outcome, Posture, ResponseCx, UpstreamCx};
pub use head::{IllegalHeader, RequestHead, ResponseHead};
pub use kind::{
    BuildFilter, CheckSettings, DynAnswer, DynChunk, DynCx, DynDone, DynFilter, DynResponse, DynUpstream, FilterFuture, Kind, MetricDoc,
    NamedApis,
};
pub use outside::{Remote, RemoteError, RemoteFuture, RemotePolicy, RemoteRequest, RemoteResponse, Revocations, RevokedBy};
pub use problem::{Problem, Problems, Severity};
pub use readiness::{Awaited, Readiness};
pub use reason::{Answer, Meaning, Reason};
pub use request_id::RequestId;
pub use scheme::{NoCredential, behind_scheme, bytes_behind_scheme, has_scheme};
pub use secret::Secret;
pub use suggest::{edits, nearest};
pub use units::{ByteSize, Interval};

pub use bytes::Bytes;
pub use http::{HeaderName, HeaderValue, Method, StatusCode};
