//! What is written in YAML.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_binding::{DpopConfig, SenderConstrained};
use tollgate_filter_api::{ByteSize, Interval, Secret};

/// Settings of the `introspection` filter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The introspection endpoint; `https`, or `http` on this machine.
    pub url: String,
    /// What the gateway proves itself with.
    pub client: Client,
    /// Certificates to trust instead of `trust.ca` and the machine's, PEM.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Who issues the tokens: the principal's issuer. An answer that names another is refused.
    #[serde(default)]
    pub issuer: Option<String>,
    /// The audiences this API answers to; when there are any, `aud` of the answer must hold one.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// Values of `token_type` that are accepted, without regard to case. An empty one stands for an answer without: some
    /// servers then say a refresh token is good. With a proof it is `DPoP` in place of `Bearer`, which need not be listed.
    #[serde(default = "types")]
    pub token_types: Vec<String>,
    /// Whether a token must be bound to its client by `cnf`.
    #[serde(default)]
    pub sender_constrained: SenderConstrained,
    /// Accept the scheme `DPoP` (RFC 9449) beside `Bearer`. Off unless set; a token that is bound to a key is then refused.
    #[serde(default)]
    pub dpop: Option<DpopConfig>,
    /// The member of the answer that says `PRODUCTION` or `SANDBOX`; a token without it is for production.
    #[serde(default = "key_type_claim")]
    pub key_type_claim: String,
    /// Time for one question.
    #[serde(default = "two_seconds")]
    pub timeout: Interval,
    /// What is remembered.
    #[serde(default)]
    pub cache: Cache,
    /// Also ask about tokens that look like a JWT; otherwise those are for another alternative.
    #[serde(default)]
    pub jwt: bool,
    /// The header that carries the token.
    #[serde(default = "authorization")]
    pub header: String,
    /// Whether the header goes to the upstream.
    #[serde(default)]
    pub forward: bool,
    /// Longest token that is asked about.
    #[serde(default = "eight_kib")]
    pub max_length: ByteSize,
}

/// What the gateway proves itself with.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Client id.
    pub id: String,
    /// Client secret, by reference.
    pub secret: Secret,
    /// Send both in the body instead of in `Authorization`.
    #[serde(default)]
    pub post: bool,
    /// Ask with an access token of the gateway's own, got with them, for issuers that tell a client about its own tokens only.
    #[serde(default)]
    pub token: Option<OwnToken>,
}

/// Where the gateway gets an access token for itself, by the client credentials grant.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnToken {
    /// The token endpoint; `https`, or `http` on this machine.
    pub url: String,
    /// The scopes that the introspection endpoint asks for, with spaces between them.
    #[serde(default)]
    pub scope: Option<String>,
}

/// What is remembered of answers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cache {
    /// How long a good token is not asked about again, at most 60s: a revocation takes that long.
    pub ttl: Interval,
    /// How long a bad one is not, at most 60s.
    pub negative_ttl: Interval,
    /// Most tokens remembered, good and bad ones each; about 2 KiB a good one, 64 KiB when the issuer says that much.
    pub entries: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self { ttl: Interval::seconds(60), negative_ttl: Interval::seconds(10), entries: 10_000 }
    }
}

fn types() -> Vec<String> {
    ["Bearer", "access_token"].map(str::to_owned).to_vec()
}

fn key_type_claim() -> String {
    "keytype".to_owned()
}

fn two_seconds() -> Interval {
    Interval::seconds(2)
}

fn authorization() -> String {
    "authorization".to_owned()
}

fn eight_kib() -> ByteSize {
    ByteSize(8 << 10)
}
