//! What is written in YAML.

use std::{fmt, marker::PhantomData, path::PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer, value::SeqAccessDeserializer},
};
use tollgate_binding::{DpopConfig, SenderConstrained};
use tollgate_filter_api::{ByteSize, Interval};
use tollgate_jose::Algorithm;

/// Settings of the `jwt` filter.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The issuers whose tokens are accepted, each with keys of its own. At least one.
    pub issuers: Vec<IssuerConfig>,
    /// Algorithms accepted here, of those that an issuer's `algorithms` allow. Absent: all of them. A definition narrows them for its API by
    /// `x-tollgate-jwt: { algorithms: [PS256, ES256] }`.
    pub algorithms: Option<Vec<Algorithm>>,
    /// The header that carries the token. When it is another than `authorization`, that one is not looked at and passes.
    pub header: String,
    /// The scheme before the token, compared without regard to case. Empty: the whole value is the token.
    pub scheme: String,
    /// Whether a token must be bound to its client by `cnf`.
    pub sender_constrained: SenderConstrained,
    /// Accept the scheme `DPoP` (RFC 9449) beside `scheme`. Off unless set; a token that is bound to a key is then refused.
    pub dpop: Option<DpopConfig>,
    /// Whether the header goes to the upstream. Off, as upstreams should not be able to use a caller's token elsewhere.
    pub forward_token: bool,
    /// The protection space named in `WWW-Authenticate`.
    pub realm: String,
    /// The cache of verified tokens.
    pub cache: CacheConfig,
    /// Longest token that is looked at.
    pub max_token_bytes: ByteSize,
    /// Compatibility: also accept base64url with `=` at the end, which RFC 7515 forbids and the reference product makes.
    pub padded: bool,
    /// Compatibility: read an `iat` of 11 or more digits as milliseconds, which RFC 7519 forbids and the reference product makes.
    pub iat_in_ms: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            algorithms: None,
            header: "authorization".to_owned(),
            scheme: "Bearer".to_owned(),
            sender_constrained: SenderConstrained::WhenBound,
            dpop: None,
            forward_token: false,
            realm: "api".to_owned(),
            cache: CacheConfig::default(),
            max_token_bytes: ByteSize(8 << 10),
            padded: false,
            iat_in_ms: false,
        }
    }
}

/// How many verified tokens are remembered.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CacheConfig {
    /// Most tokens remembered, about 1 KiB each; 0 verifies every token anew.
    pub entries: usize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { entries: 10_000 }
    }
}

/// One issuer and what its tokens must be like.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerConfig {
    /// `iss` of its tokens, equal byte for byte.
    pub issuer: String,
    /// The audiences this API answers to; `aud` must hold one of them. Required unless `any_audience` is set.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// Accept tokens made for anybody. A token that another service was sent can then be used here.
    #[serde(default)]
    pub any_audience: bool,
    /// Algorithms accepted; never `none`, never a symmetric one.
    #[serde(default = "all_algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are: one source or a list of them.
    pub keys: OneOrMany<KeySource>,
    /// Time between two regular fetches of the keys.
    #[serde(default = "five_minutes")]
    pub refresh: Interval,
    /// How long keys are used after their source last confirmed them. Later, requests are answered 503.
    #[serde(default = "one_day")]
    pub max_age: Interval,
    /// Accept a key set over plain `http` from another host. Whoever is on the way can then put in keys.
    #[serde(default)]
    pub plain_http: bool,
    /// How far clocks may be apart when `exp`, `nbf` and `iat` are judged.
    #[serde(default = "one_minute")]
    pub clock_skew: Interval,
    /// Longest time between `iat` and `exp`; tokens that live longer, or have no `iat`, are refused.
    #[serde(default)]
    pub max_lifetime: Option<Interval>,
    /// Longest time since `iat`; older tokens, or those without `iat`, are refused.
    #[serde(default)]
    pub max_token_age: Option<Interval>,
    /// Values of `typ` that are accepted, without regard to case and a leading `application/`. An empty one stands for a
    /// token without `typ`. For RFC 9068 alone: `[at+jwt]`.
    #[serde(default = "access_token_types")]
    pub typ: Vec<String>,
    /// The claim that names the subject.
    #[serde(default = "subject_claim")]
    pub subject_claim: String,
    /// The claim that holds the scopes, a string or a list. Default: `scope`, else `scp`.
    #[serde(default)]
    pub scope_claim: Option<String>,
    /// The claim that names the client application. Default: `azp`, else `client_id`, else `consumerKey`.
    #[serde(default)]
    pub client_claim: Option<String>,
    /// The claim that says `PRODUCTION` or `SANDBOX`; a token without it is for production.
    #[serde(default = "key_type_claim")]
    pub key_type_claim: String,
}

/// Where keys come from.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// A JSON Web Key Set: a file, or an `https` URL.
    Jwks(String),
    /// The `https` URL of an OpenID provider, whose document says where its keys are. The document is at
    /// `/.well-known/openid-configuration` below the URL, and must name this `issuer`.
    Discovery(String),
    /// A file with one or more public keys in PEM (`BEGIN PUBLIC KEY`).
    Pem(PathBuf),
    /// A file with one or more certificates in PEM. Only the public key and the validity period count, not who signed it.
    Certificate(PathBuf),
}

/// By hand, as the derived one describes the alternatives and leaves the keys themselves without a word.
impl JsonSchema for KeySource {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "KeySource".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "object",
            "properties": {
                "jwks": { "type": "string", "description": "A JSON Web Key Set: a file, or an `https` URL." },
                "discovery": {
                    "type": "string",
                    "description": "The `https` URL of an OpenID provider, whose document says where its keys are. The document is at `/.well-known/openid-configuration` below the URL, and must name this `issuer`."
                },
                "pem": { "type": "string", "description": "A file with one or more public keys in PEM (`BEGIN PUBLIC KEY`)." },
                "certificate": {
                    "type": "string",
                    "description": "A file with one or more certificates in PEM. Only the public key and the validity period count, not who signed it."
                },
            },
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        })
    }
}

fn all_algorithms() -> Vec<Algorithm> {
    Algorithm::ALL.to_vec()
}

fn five_minutes() -> Interval {
    Interval::seconds(300)
}

fn one_day() -> Interval {
    Interval::seconds(86_400)
}

fn one_minute() -> Interval {
    Interval::seconds(60)
}

fn access_token_types() -> Vec<String> {
    ["", "JWT", "at+jwt"].map(str::to_owned).to_vec()
}

fn subject_claim() -> String {
    "sub".to_owned()
}

fn key_type_claim() -> String {
    "keytype".to_owned()
}

/// A list whose brackets may be left out when it has one item.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData))
    }
}

struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one item or a list of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(OneOrMany)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|item| OneOrMany(vec![item]))
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        schemars::json_schema!({ "anyOf": [item, { "type": "array", "items": item, "minItems": 1 }] })
    }
}
