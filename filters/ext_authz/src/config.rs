//! What is written in YAML.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::{ByteSize, Interval};

/// Settings of the `ext_authz` filter: one of `http` and `grpc`, and what goes there and back.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A service that is asked over HTTP/1.1.
    #[serde(default)]
    pub http: Option<Http>,
    /// A service that is asked by `envoy.service.auth.v3.Authorization/Check` over HTTP/2.
    #[serde(default)]
    pub grpc: Option<Grpc>,
    /// Which fields go where.
    #[serde(default)]
    pub headers: Headers,
    /// Send the body as well, which is read whole for that: at most so many bytes. A longer one is refused. Absent: no body is sent.
    #[serde(default)]
    pub body: Option<ByteSize>,
    /// What becomes of a request about which the service says nothing that is understood.
    #[serde(default)]
    pub failure: Failure,
    /// Words for the service, in `context_extensions` of a gRPC question.
    #[serde(default)]
    pub context: BTreeMap<String, String>,
}

/// A service that is asked over HTTP/1.1.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where it is. Path and query are those of the request, behind `path_prefix`.
    pub url: String,
    /// What stands before the path of the request.
    #[serde(default)]
    pub path_prefix: String,
    /// How it is reached.
    #[serde(flatten)]
    pub reach: Reach,
}

/// A service that is asked over gRPC.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grpc {
    /// Where it is; a path is not used.
    pub url: String,
    /// How it is reached.
    #[serde(flatten)]
    pub reach: Reach,
}

/// How the service is reached.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Reach {
    /// Time for one question.
    #[serde(default = "timeout")]
    pub timeout: Interval,
    /// Certificates to trust instead of `trust.ca` and the machine's, PEM.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Ask another machine without TLS. Whoever is on the way reads the credentials, and can let anybody in.
    #[serde(default)]
    pub plaintext: bool,
    /// Longest answer.
    #[serde(default = "longest")]
    pub max_bytes: ByteSize,
}

/// Which fields go where. `*` at the end of a name stands for any rest.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Headers {
    /// Fields of the request that go to the service. Absent: `authorization` over HTTP, all over gRPC.
    pub request: Option<Vec<String>>,
    /// Fields that the service sets for the upstream, by their whole names. What a client sends in them never reaches the upstream.
    pub upstream: Vec<String>,
    /// Fields of the request that a gRPC service may take away before it goes upstream.
    pub remove: Vec<String>,
    /// Fields of a refusal that go to the client. `content-type` goes with every body.
    pub client: Vec<String>,
    /// Fields that the service adds to the answer of a request that passes.
    pub client_on_success: Vec<String>,
}

/// What becomes of a request when the service is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// It ends with 503.
    #[default]
    Refuse,
    /// It passes, as if there were no service.
    Allow,
}

fn timeout() -> Interval {
    Interval(std::time::Duration::from_millis(500))
}

fn longest() -> ByteSize {
    ByteSize(64 << 10)
}
