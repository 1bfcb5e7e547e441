//! What is written in `gateway.yaml`, what a definition declares of an operation, and what `policies.yaml` says once for all.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::{ByteSize, Interval};
use tollgate_throttling::Block;

/// Settings of the `throttle` filter.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Policies by name. They stand beside those of `policies.yaml`, and take the place of one that has the same name.
    pub policies: BTreeMap<String, Policy>,
    /// Limits on top of the tiers of the definition. A request has to keep all of them.
    pub limits: Vec<Limit>,
    /// Tiers that a verified credential names.
    pub tiers: Tiers,
    /// Policy for callers whom no filter knows, by the address of the client.
    pub anonymous: Option<String>,
    /// Requests that are refused whatever they have left. `stores.blocks` of `gateway.yaml` has those that change at run time.
    pub blocks: Vec<Block>,
    /// Whether all gateways with the same store (`stores.redis` of `gateway.yaml`) count together, for every policy that does not say it
    /// itself.
    pub shared: Sharing,
    /// Most requests that one client address, or one network of 64 bits of IPv6, has in progress, about. It takes no memory for an address, and
    /// is checked before all limits. Where tens of thousands of requests are in progress, a client with fewer may be refused too: set it
    /// far above what a good client needs, or use a policy with `concurrent`, which is exact.
    pub shield: Option<u32>,
    /// What clients are told of their limits.
    pub headers: Headers,
    /// Limits only count and report, and refuse nothing. Blocks and the shield hold all the same.
    pub shadow: bool,
    /// How the traffic manager of `stores.traffic_manager` is worked with.
    pub traffic_manager: Option<TrafficManager>,
}

/// How the traffic manager is worked with.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrafficManager {
    /// What becomes of limits of the gateway's own.
    pub local: Local,
    /// What else the traffic manager is told of a request, so that conditions of its policies can ask for it. Its address is always told.
    pub properties: Properties,
}

/// What becomes of limits of the gateway's own beside a traffic manager.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Local {
    /// They count too: no gateway lets more pass than they say, whatever the traffic manager decides, or when it is away. A tier that
    /// has a policy here is such a limit; one that has none is not.
    #[default]
    Ceiling,
    /// There are none. Tiers are only told.
    Off,
}

/// Names of what the traffic manager is told, 16 at most, none of them twice. It is told the last value of a parameter, the first of a header, and of each value
/// the first 512 bytes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Properties {
    /// Headers.
    pub headers: Vec<String>,
    /// Parameters of the query.
    pub query: Vec<String>,
    /// Claims of the verified credential.
    pub claims: Vec<String>,
}

/// Tiers that a verified credential names, as tokens and keys of the reference product do.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tiers {
    /// Whether the claim `application.tier` names a policy of `applicationPolicies`. Requests of one user by one application
    /// (`application.id`) are counted together.
    pub application: bool,
    /// Whether `subscriptionTier` of the API's entry in the claim `subscribedAPIs` names a policy of `subscriptionPolicies`. Requests of one
    /// application to one API are counted together.
    pub subscription: bool,
    /// Whether a subscription's tier also limits how fast its application calls the API: the claim `tierInfo` has `spikeArrestLimit` and
    /// `spikeArrestUnit` (`sec`, `min`, `hour`, `day`) for it. As many requests pass at once, and then as they come free evenly. Each gateway
    /// counts these for itself, whatever `shared` says. The reference product carries them, and enforces none.
    pub spike_arrest: bool,
    /// Subscription tier of callers whose credential names none for the API. Without it they have no limit of this kind.
    pub unsubscribed: Option<String>,
}

/// So much in so much time, or at the same time. It has one of `requests`, `bytes` and `concurrent`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Requests in the time that `per` says.
    #[serde(default)]
    pub requests: Option<u64>,
    /// Bytes of bodies in the time that `per` says, those of requests and of answers together. They are counted when a request is over.
    #[serde(default)]
    pub bytes: Option<ByteSize>,
    /// Requests at the same time. Has no `per`.
    #[serde(default)]
    pub concurrent: Option<u64>,
    /// The time: whole seconds, from `1s` to `365d`.
    #[serde(default)]
    pub per: Option<Interval>,
    /// How requests are counted.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// Requests that may come at once. For `gcra` alone; by default as many as `requests`.
    #[serde(default)]
    pub burst: Option<u64>,
    /// Whether what is over the limit is refused. Otherwise it is counted and reported.
    #[serde(default = "stops")]
    pub stop: bool,
    /// Whether all gateways with the same store count together; by default what the filter's `shared` says. For `requests` of `fixed` windows.
    #[serde(default)]
    pub shared: Option<Sharing>,
}

/// Whether all gateways with the same store count together, and what one does while the store is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sharing {
    /// Each counts for itself.
    #[default]
    Local,
    /// Together. While the store is away, each lets its part of the limit pass: of N gateways the N-th.
    Share,
    /// Together. While the store is away, nothing passes.
    Strict,
}

fn stops() -> bool {
    true
}

/// How requests are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// In windows that follow one another, counted from 1970. At most the limit in a window, and twice the limit around the edge of two.
    #[default]
    Fixed,
    /// By this window and a share of the one before. Never suddenly twice the limit; who tries gets close to it within a window's length.
    Sliding,
    /// Evenly spread, with a burst. At most the burst and what the rate gives, in any time.
    Gcra,
}

/// A limit for everybody with the same key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// The policy, when it is the same for all.
    #[serde(default)]
    pub policy: Option<String>,
    /// The policy, when a claim of the verified credential names it.
    #[serde(default)]
    pub plan: Option<Plan>,
    /// What tells those apart who are counted apart: `client.address`, `api`, `operation`, `principal.subject`, `principal.client`,
    /// `principal.issuer`, `principal.key_type`, `certificate.sha256`, `claim.NAME`, `header.NAME`, `query.NAME`, `path.NAME` (a parameter
    /// of the operation's path). Requests without one of them are counted together.
    pub key: Vec<String>,
    /// What must hold of a request for the limit to apply, all of it. Empty: it always does.
    #[serde(default)]
    pub when: Vec<Condition>,
}

/// What holds of a request, or does not. It has one of `client`, `header`, `query` and `claim`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// Addresses and networks, such as `10.0.0.0/8`: the client's is one of them.
    pub client: Vec<String>,
    /// A header: one of its fields has a value of `is`.
    pub header: Option<String>,
    /// A parameter of the query: one of its values is in `is`.
    pub query: Option<String>,
    /// A claim of the verified credential: it, or an element of it when it is a list, is in `is`.
    pub claim: Option<String>,
    /// The values. Empty: any is good, as long as there is one.
    pub is: Vec<String>,
    /// Whether it must not hold.
    pub not: bool,
}

/// A policy that the caller's credential names.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The claim.
    pub claim: String,
    /// Policies that it may name.
    pub policies: Vec<String>,
    /// The policy when it names none of these, or the credential has no such claim.
    pub otherwise: String,
}

/// What clients are told of their limits.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Headers {
    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11).
    pub ratelimit: bool,
    /// `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset`, in seconds.
    pub x_ratelimit: bool,
}

impl Default for Headers {
    fn default() -> Self {
        Self { ratelimit: true, x_ratelimit: false }
    }
}

/// The tier of an operation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Declaration {
    /// Where it counts.
    pub level: Level,
    /// Its policy, when there is one.
    pub policy: Option<String>,
}

/// Who is counted together under a tier of the definition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// All requests to the API.
    Api,
    /// All requests to the operation.
    #[default]
    Resource,
}

/// What `policies.yaml` says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Project {
    pub resource: BTreeMap<String, ProjectPolicy>,
    pub application: BTreeMap<String, ProjectPolicy>,
    pub subscription: BTreeMap<String, ProjectPolicy>,
}

/// A policy of `policies.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectPolicy {
    pub count: u64,
    pub window_seconds: u64,
    pub stop_on_quota: bool,
    /// File and line.
    pub source: String,
}
