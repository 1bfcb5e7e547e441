//! What is written in YAML.

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::ByteSize;
use tollgate_validation::{BodyLimits, json};

/// Settings of the `validate` filter.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What is done with requests that are not what the definition says.
    pub request: Mode,
    /// What is done with answers that are not what the definition says. `enforce` holds an answer back until it was judged.
    pub response: Mode,
    /// APIs with modes of their own, which win over those above and over what definitions ask for.
    pub apis: Vec<ApiModes>,
    /// What is done with parameters in the query that the definition does not name.
    pub unknown_query: Unknown,
    /// What is done with a body where the definition has none.
    pub undeclared_body: Unknown,
    /// What is done with members that go the other way only: `readOnly` ones in requests, `writeOnly` ones in answers.
    pub other_way: OtherWay,
    /// Which status and code a refusal has.
    pub codes: Codes,
    /// What a body may have at most, whatever the definition says.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            request: Mode::Enforce,
            response: Mode::Off,
            apis: Vec::new(),
            unknown_query: Unknown::default(),
            undeclared_body: Unknown::default(),
            other_way: OtherWay::default(),
            codes: Codes::default(),
            limits: Limits::default(),
        }
    }
}

/// Modes of one API.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiModes {
    /// Its title.
    pub name: String,
    /// Its version; `*` for every one.
    #[serde(default = "every")]
    pub version: String,
    /// In place of the general one.
    #[serde(default)]
    pub request: Option<Mode>,
    /// In place of the general one.
    #[serde(default)]
    pub response: Option<Mode>,
}

fn every() -> String {
    "*".to_owned()
}

impl Config {
    /// The modes for requests and answers of an API.
    pub(crate) fn modes(&self, api: &str, version: &str) -> (Mode, Mode) {
        let mut named = self.apis.iter().filter(|one| one.name == api && (one.version == "*" || one.version == version));
        // The most precise one counts.
        let own = named.clone().find(|one| one.version != "*").or_else(|| named.next());
        let of = |mode: fn(&ApiModes) -> Option<Mode>| own.and_then(mode);
        (of(|own| own.request).unwrap_or(self.request), of(|own| own.response).unwrap_or(self.response))
    }
}

/// What is done with a message that is not what it should be.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It is refused.
    Enforce,
    /// It is counted and shown to the operator, and goes on unchanged.
    Report,
    /// Nobody looks.
    Off,
}

/// What is done with something that is too much.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// Nothing.
    #[default]
    Ignore,
    /// It is counted and shown to the operator.
    Report,
    /// The message is refused, where messages are refused at all.
    Refuse,
}

/// What is done with a member that goes the other way only.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum OtherWay {
    /// Nothing: OpenAPI only says that it should not be sent.
    #[default]
    Ignore,
    /// The message does not fit.
    Refuse,
}

/// Status and code of a refusal.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Codes {
    /// Requests 400, answers 502. With `errors: wso2` those of the reference product since 3.1: 400 with code 400, 500 with code 500.
    #[default]
    Current,
    /// Those of the reference product 3.0: requests 422 with code 900915, answers 500 with code 900916.
    #[serde(rename = "wso2_3.0")]
    Wso2V30,
}

/// What a body may have at most.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes, as sent. Applies to bodies that are judged; `limits.body_bytes` of the gateway applies to all.
    pub body: ByteSize,
    /// Bytes once it is decompressed, if it is compressed.
    pub decompressed: ByteSize,
    /// How many times larger it may become by that.
    pub ratio: u32,
    /// Arrays and objects in each other; at most 256.
    pub depth: u16,
    /// Values of all kinds; parts of a form.
    pub values: u32,
    /// Bytes of a string, or of a name.
    pub string: ByteSize,
    /// Characters of a number.
    pub number: u16,
}

impl Default for Limits {
    fn default() -> Self {
        let json = json::Limits::default();
        Self {
            body: ByteSize(1 << 20),
            decompressed: ByteSize(8 << 20),
            ratio: 100,
            depth: u16::try_from(json.depth).unwrap_or(u16::MAX),
            values: u32::try_from(json.values).unwrap_or(u32::MAX),
            string: ByteSize(json.string as u64),
            number: u16::try_from(json.number).unwrap_or(u16::MAX),
        }
    }
}

impl Limits {
    /// As they are applied.
    pub(crate) fn of_bodies(&self) -> BodyLimits {
        let size = |size: ByteSize| usize::try_from(size.0).unwrap_or(usize::MAX);
        let values = self.values as usize;
        let json = json::Limits { depth: self.depth.into(), values, string: size(self.string), number: self.number.into() };
        BodyLimits { json, decoded: size(self.decompressed), ratio: self.ratio as usize, parts: values.min(1_000) }
    }
}
