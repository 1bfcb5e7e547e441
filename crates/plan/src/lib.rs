//! The Plan: everything the gateway must know of the APIs it serves, and the artifact that carries it.
//!
//! The compiler writes a [`Plan`], the gateway reads it; neither looks back into an OpenAPI document. Every node
//! keeps its [`Source`], so an error or a refusal can name the line that decided. A Plan holds lists and sorted maps
//! only, no time and no path of a machine: the same inputs serialise to the same bytes.
//!
//! The artifact protects against change: a digest over every byte, and signatures over the digest. It does not hide
//! anything: definitions are stored readable.

mod artifact;
mod opened;

use std::collections::BTreeMap;

pub use artifact::{Artifact, ArtifactError, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything the gateway serves, in the order of the sorted document names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The project's name: the name of its folder, or what `build` was told.
    pub name: String,
    /// The documents that were read; [`Source::document`] is an index into this list.
    pub documents: Vec<Document>,
    /// The APIs: those of definitions, sorted by base path, then those of routes.
    pub apis: Vec<Api>,
    /// Endpoint groups; operations refer to them by index.
    pub endpoints: Vec<EndpointGroup>,
    /// What the project says to a filter once, for all operations, by the filter's ID: policies, schemas, programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub declared: BTreeMap<String, Value>,
    /// Demands that nobody enforces because the project waived them by name.
    pub waived: Vec<String>,
}

/// One input file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Path relative to the project folder, with `/` on every system.
    pub path: String,
    /// SHA-256 of the bytes, in hex.
    pub sha256: String,
}

/// Where a node was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Index into [`Plan::documents`].
    pub document: u32,
    /// Line, counted from 1.
    pub line: u32,
    /// JSON Pointer (RFC 6901) of the node; empty for the document itself.
    pub pointer: String,
}

/// One API: a definition's operations under a base path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// `info.title`.
    pub title: String,
    /// `info.version`.
    pub version: String,
    /// Normal form, begins with `/` and does not end with one, except for the root API, which is `/`.
    pub base_path: String,
    /// Hosts that it answers to, in normal form and without a port; `*.example.com` stands for every name below `example.com`. None: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Its operations are routes of `gateway.yaml`: a request that none of them matches may be one for a route of less certain hosts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub routes: bool,
    /// Which transports serve it (`x-wso2-transports`).
    pub transports: Transports,
    /// `x-wso2-auth-header`: the header that carries the credential, when it is not the configured one.
    pub auth_header: Option<String>,
    /// Upstreams get the path with the base path in it, as those of gRPC expect.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whole_path: bool,
    /// `x-wso2-owner`.
    pub owner: Option<String>,
    /// Operations, sorted by template and method.
    pub operations: Vec<Operation>,
    /// Where the API begins.
    pub source: Source,
}

/// Which listeners serve an API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transports {
    /// Plain listeners serve it.
    pub http: bool,
    /// TLS listeners serve it.
    pub https: bool,
}

/// One method on one path template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// `operationId`, or `METHOD template` when there is none. Unique within its API.
    pub id: String,
    /// Upper-case method token, or `*` for any.
    pub method: String,
    /// Path template below the base path, as written: `/pets/{petId}`, `/files/*`; or `~` and a regular expression for the whole path.
    pub template: String,
    /// What a request must have besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Most bytes of a request body, where that is less or more than the gateway allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_bytes: Option<u64>,
    /// What happens with a request that passes the chain.
    pub target: Target,
    /// Who may call it.
    pub security: Security,
    /// Settings that filters have here, one entry a filter, sorted by filter ID.
    pub demands: Vec<Demand>,
    /// What the definition says to filters here, one entry a filter, sorted by filter ID.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declarations: Vec<Declaration>,
    /// Where it was written.
    pub source: Source,
}

/// The method of an operation that takes any that can be passed on: all but `CONNECT` and `TRACE`.
pub const ANY_METHOD: &str = "*";

/// What such an operation is said to take, where somebody asks for a list.
pub const USUAL_METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// Something that a request must have for an operation to be meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Where it is looked for.
    pub part: Part,
    /// Name of the field, parameter or cookie.
    pub name: String,
    /// What is asked of it.
    pub test: Test,
}

/// Where a condition looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A field.
    Header,
    /// A parameter of the query.
    Query,
    /// A cookie.
    Cookie,
}

/// What a condition asks of a value. Of several values of the same name, one is enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// It is there, or not.
    Present(bool),
    /// It is this text.
    Is(String),
    /// A regular expression matches the whole of it.
    Matches(String),
}

/// What happens with a request that passes its chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// Forward it; an index into [`Plan::endpoints`] for each key type that has endpoints.
    Endpoints {
        /// Group for production keys, and for callers without a key type.
        production: Option<u32>,
        /// Group for sandbox keys.
        sandbox: Option<u32>,
    },
    /// Answer an OPTIONS that the definition does not declare: the methods of the path, `OPTIONS` included.
    Options {
        /// Value of `Allow`.
        allow: Vec<String>,
    },
}

/// Who may call an operation: one alternative is enough, each asks for all of its credentials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Security {
    /// Tried in order. No alternative at all: open to everybody. An alternative without credentials: anonymous callers
    /// are let in, but a credential that is presented must be good.
    pub alternatives: Vec<Alternative>,
    /// Filters whose credentials were demanded here and are waived; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<String>,
    /// The line that decided: the requirement, the extension, or the API when nothing was written.
    pub source: Source,
}

/// Credentials that are all needed together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alternative {
    /// One for each scheme.
    pub credentials: Vec<Credential>,
}

/// The credential of a definition that says `oauth2`, `openIdConnect` or `bearer`, or nothing at all.
pub const TOKEN: &str = "jwt";

/// One credential that a caller must present.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// ID of the filter that checks it: `jwt`, `basic_auth`, `api_key`, `mtls`.
    pub filter: String,
    /// Name of the security scheme in the definition; empty when the extension or the default demanded it.
    pub scheme: String,
    /// Scopes, all of which are needed.
    pub scopes: Vec<String>,
    /// What the definition says of it to the filter, such as `in` and `name` of an API key.
    pub declared: BTreeMap<String, Value>,
    /// Where the requirement or scheme was written.
    pub source: Source,
}

/// Settings of a filter for one operation. The operation is not served without the filter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demand {
    /// Filter ID, such as `cors` or `throttle`.
    pub filter: String,
    /// The operation's own settings; they win over the operator's defaults.
    pub settings: Value,
    /// Where it was asked for.
    pub source: Source,
}

/// What the definition says to a filter of one operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// Filter ID, such as `media_types` or `throttle`.
    pub filter: String,
    /// What is said, in the form that the filter reads.
    pub content: Value,
    /// The operation is not served without the filter.
    pub demanded: bool,
    /// Where it was said.
    pub source: Source,
}

impl Operation {
    /// The filters without which it is not served, and where they were asked for.
    pub fn demanded(&self) -> impl Iterator<Item = (&str, &Source)> {
        let demands = self.demands.iter().map(|demand| (demand.filter.as_str(), &demand.source));
        let declared = self.declarations.iter().filter(|declaration| declaration.demanded);
        demands.chain(declared.map(|declaration| (declaration.filter.as_str(), &declaration.source)))
    }
}

/// Upstream servers that can stand for each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointGroup {
    /// The reference name, or the name derived from API or operation; what configuration overrides refer to.
    pub name: String,
    /// For which key type the group was written: `prod` or `sand` in the reference product's override names.
    pub environment: Environment,
    /// How a peer is picked.
    pub strategy: Strategy,
    /// At least one.
    pub urls: Vec<EndpointUrl>,
    /// Credentials the gateway presents to the upstream.
    pub basic: Option<UpstreamBasic>,
    /// The upstream speaks HTTP/2, without TLS by prior knowledge, unless the environment says otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub http2: bool,
    /// What guards its endpoints: `advanceEndpointConfig`.
    pub guards: Option<Guards>,
    /// Where it was written.
    pub source: Source,
}

/// What guards the endpoints of a group. Times are in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guards {
    /// Longest silence while an answer is awaited.
    pub timeout: Option<u64>,
    /// What is tried again.
    pub retry: Option<RetryGuard>,
    /// When an endpoint is not asked.
    pub circuit_breaker: Option<CircuitGuard>,
    /// How many requests may be in progress.
    pub pool: Option<PoolGuard>,
    /// Where it was written.
    pub source: Source,
}

/// What is tried again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryGuard {
    /// Further attempts.
    pub count: u32,
    /// The pause before the first.
    pub interval: u64,
    /// What it is multiplied by from then on.
    pub factor: f64,
    /// The longest pause.
    pub longest: u64,
    /// Statuses after which there is one.
    pub statuses: Vec<u16>,
}

/// When an endpoint is not asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CircuitGuard {
    /// Requests that the window must have.
    pub requests: u32,
    /// The rolling window.
    pub window: u64,
    /// What it rolls by.
    pub bucket: u64,
    /// It opens when more than this part of the requests failed.
    pub threshold: f64,
    /// How long after the last failure one request tries it.
    pub reset: u64,
    /// Statuses that are failures.
    pub statuses: Vec<u16>,
}

/// How many requests may be in progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolGuard {
    /// Connections to one endpoint that are in use at the same time; `None` for any number.
    pub active: Option<u32>,
    /// How long a request waits for one.
    pub wait: u64,
}

/// Key type that an endpoint group serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Production keys, and requests without a key.
    Production,
    /// Sandbox keys.
    Sandbox,
}

/// How a peer is picked from a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The first URL only.
    Single,
    /// Round robin; on a connection error the next one, at most once round.
    LoadBalance,
    /// Stay with the last one that worked; move on at a connection error, 501, 502, 503 or 504.
    Failover,
}

/// One upstream address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointUrl {
    /// Absolute `http` or `https` URL, with an optional path and query, without user information or fragment.
    pub url: String,
    /// The etcd key that may replace it at run time.
    pub etcd_key: Option<String>,
    /// Where it was written.
    pub source: Source,
}

/// Basic credentials towards an upstream; the password is never in a definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamBasic {
    /// User name, as written.
    pub username: String,
    /// Where it was written.
    pub source: Source,
}
