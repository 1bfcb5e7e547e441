//! What is written in YAML.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IntoDeserializer},
};
use tollgate_filter_api::{Interval, Secret};
use tollgate_password::Hash;

/// Settings of the `basic_auth` filter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who may call, by name. A name holds no colon.
    pub users: BTreeMap<String, User>,
    /// What a client may show the person at its end, in the challenge.
    #[serde(default = "realm")]
    pub realm: String,
    /// The header that carries the credential.
    #[serde(default = "authorization")]
    pub header: String,
    /// Whether the header goes to the upstream.
    #[serde(default)]
    pub forward: bool,
    /// What is remembered of comparisons with slow hashes.
    #[serde(default)]
    pub cache: Cache,
}

/// Somebody who may call.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The password's hash, as `tollgate password` prints it, or a reference to it: `${env:NAME}` or `${file:/path}`. Argon2
    /// (`$argon2id$…`, `$argon2i$…`), bcrypt (`$2b$…`), or, with a warning, a plain digest of the reference product:
    /// `@sha256:{HEX}`, `@sha384:{HEX}`, `@sha512:{HEX}`, SHA-1 as 40 digits.
    pub hash: PasswordHash,
    /// What the user was granted.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// What is remembered of comparisons with slow hashes, by a digest under a key of this process.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cache {
    /// How long.
    pub ttl: Interval,
    /// Most names with their passwords, right and wrong ones each.
    pub entries: usize,
}

impl Default for Cache {
    fn default() -> Self {
        Self { ttl: Interval::seconds(300), entries: 10_000 }
    }
}

/// A hash in the settings.
#[derive(Clone, Debug)]
pub struct PasswordHash(pub(crate) Hash);

impl<'de> Deserialize<'de> for PasswordHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let hash = if text.starts_with("${") {
            let secret = Secret::deserialize(text.into_deserializer())?;
            Hash::parse(secret.expose())
        } else {
            Hash::parse(&text)
        };
        hash.map(Self).map_err(D::Error::custom)
    }
}

impl JsonSchema for PasswordHash {
    fn schema_name() -> Cow<'static, str> {
        "PasswordHash".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

fn realm() -> String {
    "api".to_owned()
}

fn authorization() -> String {
    "authorization".to_owned()
}
