//! What is written in YAML.

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::ByteSize;

/// Settings of the `compress` filter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What is offered. Of those that a client likes as well, the first one is taken.
    pub codings: Vec<Coding>,
    /// Media types that are compressed; `text/*` and `application/*+json` stand for many. Of `text/event-stream` each piece is sent on at once.
    pub types: Vec<String>,
    /// Answers that say that they are shorter are left alone.
    pub min_bytes: ByteSize,
}

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Coding {
    /// Zstandard (RFC 8878), level 3.
    Zstd,
    /// Brotli (RFC 7932), quality 4.
    Br,
    /// gzip (RFC 1952), level 5.
    Gzip,
}

impl Coding {
    /// Its name in fields.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Br => "br",
            Self::Gzip => "gzip",
        }
    }
}

const TYPES: [&str; 10] = [
    "text/*",
    "application/json",
    "application/*+json",
    "application/xml",
    "application/*+xml",
    "application/javascript",
    "application/wasm",
    "application/x-ndjson",
    "font/ttf",
    "image/svg+xml",
];

impl Default for Config {
    fn default() -> Self {
        Self { codings: vec![Coding::Br, Coding::Zstd, Coding::Gzip], types: TYPES.map(str::to_owned).to_vec(), min_bytes: ByteSize(1024) }
    }
}
