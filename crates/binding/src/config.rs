//! What is written in YAML of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_filter_api::{ByteSize, Interval, Secret};
use tollgate_jose::Algorithm;

/// Which proofs of possession are accepted.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DpopConfig {
    /// URLs at which clients see this gateway, with a path when one is put in front of the gateway's. Empty: the connection's
    /// scheme and the request's `Host`, which clients of HTTP/2 do not send: set this for them.
    pub origins: Vec<String>,
    /// Algorithms of proofs.
    pub algorithms: Vec<Algorithm>,
    /// Oldest proof.
    pub max_age: Interval,
    /// How far a proof's `iat` may lie ahead.
    pub clock_skew: Interval,
    /// Longest proof that is looked at.
    pub max_proof_bytes: ByteSize,
    /// Most proofs remembered, so that none is used twice, about 60 bytes each; one value for all operations. A sixteenth of
    /// them is for one client. When there is no room, requests are answered 503.
    pub replay_entries: usize,
    /// Whether the proof goes to the upstream.
    pub forward_proof: bool,
    /// Demand in each proof a nonce that the gateway chose (RFC 9449 §8). Off unless set; `nonce: {}` does for a single node.
    pub nonce: Option<NonceConfig>,
}

/// How nonces are chosen.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NonceConfig {
    /// Time after which there is a new nonce. The one before is accepted for as long again.
    pub period: Interval,
    /// What nonces are made from, at least 32 bytes, the same on every node that clients may reach. Absent: each process makes its own, and
    /// another one's nonces are not known.
    pub secret: Option<Secret>,
}

impl Default for NonceConfig {
    fn default() -> Self {
        Self { period: Interval::seconds(300), secret: None }
    }
}

impl Default for DpopConfig {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            algorithms: Algorithm::ALL.to_vec(),
            max_age: Interval::seconds(300),
            clock_skew: Interval::seconds(60),
            max_proof_bytes: ByteSize(4 << 10),
            replay_entries: 1_000_000,
            forward_proof: false,
            nonce: None,
        }
    }
}

/// Which tokens must prove their sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SenderConstrained {
    /// Those with `cnf`; others are good for whoever holds them.
    #[default]
    WhenBound,
    /// All: a token without `cnf` is refused.
    Required,
}
