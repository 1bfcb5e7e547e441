//! What is written in YAML.

use std::{borrow::Cow, collections::BTreeMap, path::PathBuf};

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
    #[serde(default)]
    pub users: BTreeMap<String, User>,
    /// Who else may call, by a file of names and hashes.
    pub htpasswd: Option<Htpasswd>,
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

/// A file of names and hashes, as Apache's `htpasswd` writes it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Htpasswd {
    /// The file, relative to the folder of `gateway.yaml`. On each line a name, a colon and a hash: bcrypt (`htpasswd -B`), Argon2, or, with a
    /// warning, `{SHA}`. A new version takes effect within some ten seconds.
    pub file: PathBuf,
    /// What each of its users was granted.
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
