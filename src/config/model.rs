//! `gateway.yaml` as it is written: the environment of a gateway, nothing of its APIs.
//!
//! Every setting has a default that is fit for an edge; unknown keys are refused. The doc comments are the manual.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tollgate_filter_api::{Interval, Secret};
use tollgate_routes::Route;

use super::{
    Balance, Canary, Capacity, Check, CircuitBreaker, Discovered, Eject, EndpointTarget, Forwarding, Limits, Mirror, RequestIds, Retry,
    Security, Stores,
};

/// The environment of a gateway.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Where clients connect. At least one.
    pub listeners: Vec<Listener>,
    /// The operator's port: health, metrics, reload. Never reachable through a listener.
    #[serde(default)]
    pub admin: Admin,
    /// The order of the filters, and each filter's defaults. Absent: the catalogue's order, without defaults.
    #[serde(default)]
    pub chain: Option<Vec<Value>>,
    /// What is proxied without an OpenAPI definition, beside the APIs of the artifact.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// How upstreams are reached, unless `endpoints` says otherwise for a group.
    #[serde(default)]
    pub upstream: Upstream,
    /// What this environment changes about single endpoint groups, by name. `*` stands for every group. A group must have an endpoint when
    /// the gateway starts; when it loses the last one later, requests for it get `upstream.connect` until there is one again.
    #[serde(default)]
    pub endpoints: BTreeMap<String, EndpointOverride>,
    /// What clients may spend.
    #[serde(default)]
    pub limits: Limits,
    /// How a path is brought to its normal form.
    #[serde(default)]
    pub paths: Paths,
    /// Addresses of proxies that are believed, as `address/prefix`. The client is the last address in `X-Forwarded-For`, with or
    /// without a port, that is none of theirs; a request whose list holds something else there, such as `unknown`, is refused, as
    /// nobody knows who sent it. `Forwarded` is not read. The fields in `forwarding.md` reach upstreams from these proxies, which
    /// must take away what their own clients write there.
    #[serde(default)]
    pub trusted_proxies: Vec<String>,
    /// What requests say of the way they came.
    #[serde(default)]
    pub forwarding: Forwarding,
    /// Form of error answers.
    #[serde(default)]
    pub errors: Errors,
    /// One JSON line for each request. Of a refusal it has reason and code; `cause`, which says in a word what was wrong; `detail`, which says
    /// in a sentence with what, and by which rule; `asked_by`, the line of the setting or the declaration that decided, or else of what
    /// asked for the filter; and in `alternatives` what came of each way to be let in. `client_id` and `certificate_sha256` say who it was,
    /// as far as that was verified, also of a credential that was refused. `claimed_client_id`, which a forged token names, and
    /// `untrusted_certificate_sha256` are what a stranger showed. A certificate that is refused in the handshake is in the process log.
    /// Of a call of gRPC, `grpc_status` is the code by which it ended; when the gateway refused it, `status` is the one that the refusal
    /// has over plain HTTP, as in the series, and the client got 200.
    #[serde(default)]
    pub access_log: AccessLog,
    /// How requests are named.
    #[serde(default)]
    pub request_id: RequestIds,
    /// How what definitions ask of callers is read.
    #[serde(default)]
    pub security: Security,
    /// Demands of the artifact that this environment does not enforce, by filter ID. Shown at start and as a metric. It is an error where
    /// an operation asks for nothing else: it would be open to everybody.
    #[serde(default)]
    pub waive: Vec<String>,
    /// The same, also where an operation asks for nothing else. Start and metric say which operations are open because of it.
    #[serde(default)]
    pub waive_to_open: Vec<String>,
    /// Which artifacts are accepted.
    #[serde(default)]
    pub artifact: ArtifactTrust,
    /// Whom the gateway believes when it fetches documents, keys for instance, or asks servers, introspection for instance.
    #[serde(default)]
    pub trust: OutgoingTrust,
    /// What the gateway keeps, and where it looks things up.
    #[serde(default)]
    pub stores: Stores,
    /// Stop and hand-over.
    #[serde(default)]
    pub process: Process,
}

impl Gateway {
    /// The headers in which load balancers forward clients' certificates. What is no name of a header is a problem of its listener.
    pub fn certificate_headers(&self) -> impl Iterator<Item = HeaderName> {
        let forwarded = self.listeners.iter().filter_map(|listener| listener.tls.as_ref()?.client_auth.as_ref()?.forwarded.as_ref());
        forwarded.filter_map(|forwarded| HeaderName::from_bytes(forwarded.header.as_bytes()).ok())
    }
}

/// One address that clients connect to.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Address and port.
    #[schemars(with = "String")]
    pub address: SocketAddr,
    /// Serve HTTP/2 with prior knowledge on this plain port, and nothing else.
    #[serde(default)]
    pub h2c: bool,
    /// Each connection begins with a header of the PROXY protocol, version 1 or 2, and the client is who that says. Connections without one, and
    /// those from addresses that are not in `trusted_proxies`, are closed.
    #[serde(default)]
    pub proxy_protocol: bool,
    /// Encrypt. HTTP/2 is negotiated by ALPN.
    #[serde(default)]
    pub tls: Option<Tls>,
    /// Connections at the same time on this listener. Absent: as `limits.connections` allows. Counted as `connections`.
    #[serde(default)]
    pub connections: Option<usize>,
}

/// The gateway's side of a TLS connection.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain, PEM, leaf first.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
    /// Further certificates. A client is shown the one that has the name it asks for among its alternative names, and the one above when none
    /// has it.
    #[serde(default)]
    pub certificates: Vec<KeyPair>,
    /// Which versions and suites of TLS are spoken.
    #[serde(default)]
    pub profile: TlsProfile,
    /// How often these files, and those of `client_auth`, are looked at: a change counts for new handshakes, and for the next
    /// request of a kept connection, without a reload. What cannot be used leaves the old in force.
    #[serde(default = "ten_seconds")]
    pub refresh: Interval,
    /// Offer HTTP/2.
    #[serde(default = "yes")]
    pub http2: bool,
    /// Ask clients for a certificate.
    #[serde(default)]
    pub client_auth: Option<ClientAuth>,
}

/// Versions and suites. Of those that both sides have, the client's first choice is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TlsProfile {
    /// TLS 1.2 and 1.3 as in Mozilla's intermediate profile, version 6.
    #[default]
    Intermediate,
    /// TLS 1.3 alone, as in Mozilla's modern profile.
    Modern,
    /// TLS 1.3, and TLS 1.2 with the two suites that both FAPI 1.0 Part 2 §8.5 and BCP 195 allow, AES-GCM after ECDHE. They need an
    /// RSA certificate: with any other, only TLS 1.3 is spoken.
    Fapi,
}

/// What clients must prove about themselves in the handshake.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientAuth {
    /// Whether a client without a trusted certificate is let in.
    pub mode: ClientAuthMode,
    /// Certificates that client chains must end in, PEM: roots, and intermediates that clients may leave out. Must hold a root.
    pub ca: PathBuf,
    /// Certificate revocation lists, PEM or DER. When there is one, every authority of a chain must have a list here that is in
    /// force: a certificate that cannot be judged is not trusted.
    #[serde(default)]
    pub crl: Vec<PathBuf>,
    /// What a list past its next update is worth.
    #[serde(default)]
    pub crl_stale: CrlStale,
    /// Most certificates between a client's own and the one its chain ends in.
    #[serde(default = "eight")]
    pub depth: u8,
    /// A load balancer in front, where the clients' TLS ends, forwards their certificates.
    #[serde(default)]
    pub forwarded: Option<ForwardedCertificate>,
}

/// A client's certificate in a header. It counts from a balancer alone, is judged by the same `ca` and `crl`, and is then the client's as
/// if it had been shown in the handshake. The header never reaches an upstream, in no spelling. `mode` speaks of the balancer's own
/// connection; and as it speaks for clients of many hosts, its server name need not be the request's `Host`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardedCertificate {
    /// The header's name. Its value is PEM, percent-encoded, or base64, bare or between colons as RFC 9440 has it.
    pub header: String,
    /// SHA-256 digests of the balancers' own certificates, in hexadecimal. What a balancer sends without the header comes from a
    /// client without a certificate; so it must take away, or replace, what clients send under this name.
    pub balancers: Vec<String>,
}

/// What a revocation list past its next update is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CrlStale {
    /// Nothing: its authority's certificates are not trusted until there is a new one.
    #[default]
    Closed,
    /// What it lists stays revoked, everything else counts as good.
    Open,
}

/// Whether a client certificate is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthMode {
    /// A certificate that does not verify counts as none.
    Optional,
    /// The handshake fails without a certificate that verifies.
    Required,
}

/// The operator's port.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Address and port; loopback by default. Anything else needs `public: true`.
    #[schemars(with = "String")]
    pub address: SocketAddr,
    /// Allows an address that is not loopback. The port has no authentication of its own.
    pub public: bool,
}

impl Default for Admin {
    fn default() -> Self {
        Self { address: SocketAddr::from(([127, 0, 0, 1], 9901)), public: false }
    }
}

/// How upstreams are reached.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Upstream {
    /// HTTP version. Upstreams of gRPC definitions are spoken to in HTTP/2, unless `endpoints` says otherwise for their group.
    pub http: UpstreamHttp,
    /// Certificates that upstream chains must end in, PEM. Absent: the system's. An upstream's name must be among the alternative names of
    /// its certificate; its subject is no name (RFC 9525).
    pub ca: Option<PathBuf>,
    /// The gateway's own certificate towards upstreams.
    pub client_certificate: Option<KeyPair>,
    /// Send the client's `Host` upstream instead of the endpoint's.
    pub preserve_host: bool,
    /// Time for TCP and TLS together. An address that could not be connected to is left out for ten seconds, unless the group has no
    /// other; then a single request tries it.
    pub connect_timeout: Interval,
    /// Longest silence while an answer is awaited or read. Of 10 s and more it may last up to a second longer.
    pub read_timeout: Interval,
    /// Longest standstill while a request is written.
    pub write_timeout: Interval,
    /// Longest time from the request, or from the latest piece of its body, to the head of the final answer. Interim answers do not
    /// prolong it, and the seventeenth of them ends the request. Absent: two seconds more than `read_timeout`. Shorter than
    /// `read_timeout` it needs HTTP/1.1.
    pub response_header_timeout: Option<Interval>,
    /// Longest time for the whole exchange, from the first attempt to connect to the end of the answer, further attempts included. A
    /// tunnel after 101, such as a WebSocket, may go on. Over HTTP/2, an upstream that falls silent may take up to as long again. The
    /// `grpc-timeout` of a gRPC call counts besides, and what is left of the shorter one is what the upstream is told.
    /// Absent or `0s`: no limit.
    pub request_timeout: Option<Interval>,
    /// How long an unused connection is kept. Of 10 s and more it may be a second longer.
    pub idle_timeout: Interval,
    /// Time between two DNS look-ups of a name; the last answer is kept when one fails.
    pub dns_refresh: Interval,
    /// Where this gateway stands. Endpoints of the same zone come before others.
    pub zone: Option<String>,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            http: UpstreamHttp::Auto,
            ca: None,
            client_certificate: None,
            preserve_host: false,
            connect_timeout: Interval::seconds(5),
            read_timeout: Interval::seconds(60),
            write_timeout: Interval::seconds(30),
            response_header_timeout: None,
            request_timeout: None,
            idle_timeout: Interval::seconds(60),
            dns_refresh: Interval::seconds(30),
            zone: None,
        }
    }
}

/// HTTP version towards an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum UpstreamHttp {
    /// By ALPN; HTTP/1.1 without TLS.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// HTTP/1.1.
    #[serde(rename = "1")]
    One,
    /// HTTP/2, without TLS by prior knowledge.
    #[serde(rename = "2")]
    Two,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyPair {
    /// Certificate chain, PEM, leaf first.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

/// What an environment changes about an endpoint group.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EndpointOverride {
    /// Endpoints in place of the production ones; for a group of routes, which has no others, also called `urls`.
    #[serde(alias = "urls")]
    pub production: Option<Vec<EndpointTarget>>,
    /// Endpoints in place of the sandbox ones.
    pub sandbox: Option<Vec<EndpointTarget>>,
    /// Where the endpoints come from while the gateway runs, for each side. Until they are known, those of `production` and `sandbox`, or else of
    /// the definition, serve. Not for `*`.
    pub discovery: Option<Discovered>,
    /// Credentials the gateway presents.
    pub basic: Option<Basic>,
    /// HTTP version.
    pub http: Option<UpstreamHttp>,
    /// Certificates that the chain must end in, PEM.
    pub ca: Option<PathBuf>,
    /// The gateway's own certificate.
    pub client_certificate: Option<KeyPair>,
    /// Name to verify and to send as SNI, when the URL has an address or another name.
    pub server_name: Option<String>,
    /// Send the client's `Host`.
    pub preserve_host: Option<bool>,
    /// Longest silence while an answer is awaited or read.
    pub read_timeout: Option<Interval>,
    /// Longest time from the request to the head of the final answer.
    pub response_header_timeout: Option<Interval>,
    /// Longest time for the whole exchange; `0s`: no limit.
    pub request_timeout: Option<Interval>,
    /// Time for TCP and TLS together.
    pub connect_timeout: Option<Interval>,
    /// Longest standstill while a request is written.
    pub write_timeout: Option<Interval>,
    /// How long an unused connection is kept.
    pub idle_timeout: Option<Interval>,
    /// How the endpoints share the requests.
    pub balance: Option<Balance>,
    /// When an endpoint takes no requests for a while because others failed. Absent: as with no settings in it.
    pub eject: Option<Eject>,
    /// How each endpoint is checked. Absent: not at all.
    pub check: Option<Check>,
    /// What is tried again. Absent: as `advanceEndpointConfig` of the definition says, or else nothing but what cannot have happened yet.
    pub retry: Option<Retry>,
    /// When an endpoint is not asked at all. Absent: as `advanceEndpointConfig` of the definition says, or else never.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// How many requests may be in progress. Absent: as `advanceEndpointConfig` of the definition says, or else any number.
    pub capacity: Option<Capacity>,
    /// Endpoints that take a part of the requests. Not for `*`.
    pub canary: Option<Canary>,
    /// Endpoints that get copies of requests. Not for `*`.
    pub mirror: Option<Mirror>,
}

/// Credentials of basic authentication.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// User name; absent: the definition's.
    #[serde(default)]
    pub username: Option<String>,
    /// Password, by reference.
    pub password: Secret,
}

/// How a path is brought to its normal form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Paths {
    /// `%2F` in a segment. Kept, it is part of its segment. A path is refused all the same when a reader who takes it as a
    /// slash sees a dot segment, or an operation with other rules.
    pub encoded_slash: Keep,
    /// `;` or `%3B` in a segment: some upstreams cut off what follows it. Kept, it is part of its segment. A path is refused all
    /// the same when what is left for them is a dot segment, or an operation with other rules.
    pub semicolon: Keep,
}

/// Whether something doubtful is kept as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Answer 400.
    #[default]
    Refuse,
    /// Leave it as it is.
    Keep,
}

/// Form of error answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Errors {
    /// RFC 9457 problem documents.
    #[default]
    Problem,
    /// The reference product's fault bodies, byte for byte.
    Wso2,
}

/// One JSON line for each request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccessLog {
    /// `stdout`, `off`, or a file that is appended to. HUP opens the file anew, so that it can be moved away.
    pub to: String,
}

impl Default for AccessLog {
    fn default() -> Self {
        Self { to: "stdout".into() }
    }
}

/// Which artifacts are accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ArtifactTrust {
    /// Ed25519 public keys, PEM. When there is one, an artifact must be signed by one of them.
    pub trusted_keys: Vec<PathBuf>,
}

/// Whose certificates count when the gateway itself is the client. Upstreams have `upstream.ca`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutgoingTrust {
    /// Certificates that chains must end in, PEM, instead of the system's. Read again at each reload.
    pub ca: Option<PathBuf>,
}

/// Stop and hand-over.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Process {
    /// Worker threads for requests; 0 takes one for each core.
    pub threads: usize,
    /// How long requests may go on after TERM. A connection that was accepted and has asked nothing yet is waited for as long as a header
    /// may take.
    pub grace: Interval,
    /// How long after its start `/readyz` waits for the keys of every issuer. Afterwards those of one issuer are enough, so that an issuer
    /// that is down does not keep the others' clients out. Once ready, the gateway stays so until it stops: an outage of an issuer must
    /// not take every gateway out of service at once.
    pub ready_after: Interval,
    /// Socket over which QUIT hands the listeners to a process started with `--upgrade`.
    pub upgrade_socket: Option<PathBuf>,
}

impl Default for Process {
    fn default() -> Self {
        Self { threads: 0, grace: Interval::seconds(30), ready_after: Interval::seconds(60), upgrade_socket: None }
    }
}

fn eight() -> u8 {
    8
}

fn ten_seconds() -> Interval {
    Interval::seconds(10)
}

fn yes() -> bool {
    true
}
