//! What is written in YAML.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tollgate_filter_api::{AnswerSet, ByteSize, Interval, Problem};

/// Longest time that any callback may be given.
const LONGEST: Duration = Duration::from_secs(2);
/// Most memory of an instance.
const MOST_MEMORY: u64 = 1 << 30;

/// Settings of the `wasm` filter.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// File of a module, which runs before those that the definition names. None: only those.
    pub module: Option<PathBuf>,
    /// What the module gets as its configuration: a text, or a map that it gets as JSON.
    pub configuration: Value,
    /// How the module gets the bodies of requests.
    pub request_body: BodyMode,
    /// How the module gets the bodies of answers.
    pub response_body: BodyMode,
    /// The answers whose bodies modules get. Those of the others go past them.
    pub answers: Answers,
    /// What a module may have at most.
    pub limits: Limits,
    /// Whether an instance serves one request after the other.
    pub isolation: Isolation,
    /// Upstreams that modules may call, by the name under which they do.
    pub calls: BTreeMap<String, Upstream>,
    /// Settings of modules that the definition names, by their name there.
    pub interceptors: BTreeMap<String, Interceptor>,
}

/// Settings of a module that the definition names.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Interceptor {
    /// What it gets as its configuration: a text, or a map that it gets as JSON.
    pub configuration: Value,
    /// How it gets the bodies of requests.
    pub request_body: BodyMode,
    /// How it gets the bodies of answers.
    pub response_body: BodyMode,
}

/// How a module gets bodies.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum BodyMode {
    /// Not at all; they stream past it.
    #[default]
    None,
    /// Piece by piece, when the head has gone.
    Stream,
    /// Whole, while the head can still be changed.
    Whole,
}

/// Some answers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Answers {
    /// Statuses, each a code or a class: `404`, or `2` for all from 200 to 299. Empty: every one.
    pub statuses: Vec<u16>,
    /// Media types without parameters, or ranges such as `text/*`. Empty: every one, except those without an end.
    pub media_types: Vec<String>,
}

/// Whether an instance serves one request after the other.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// It does, as long as it is well. What it keeps in its memory the next request finds.
    #[default]
    Pooled,
    /// Each request has a fresh one, which takes some 20 µs more, and the time that the module needs to start.
    Request,
}

/// An upstream that modules may call.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// `http` or `https` URL. The module says method, path and query; host and port are these.
    pub url: String,
    /// Time for the whole exchange, whatever the module asks for.
    #[serde(default = "five_seconds")]
    pub timeout: Interval,
    /// Largest answer.
    #[serde(default = "one_mebibyte")]
    pub max_bytes: ByteSize,
    /// Certificates to trust instead of the machine's, PEM.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

fn five_seconds() -> Interval {
    Interval::seconds(5)
}

fn one_mebibyte() -> ByteSize {
    ByteSize(1 << 20)
}

/// What a module may have at most.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Memory of an instance.
    pub memory: ByteSize,
    /// Time of a callback; at most 2 s.
    pub callback: Interval,
    /// Time of all callbacks of a request, apart from pieces of bodies that stream; at most 2 s. Waiting for calls is not counted.
    pub request: Interval,
    /// Time of each callback at the start of an instance; at most 2 s.
    pub start: Interval,
    /// Instances at the same time, so also requests. What is more is refused with 503.
    pub instances: u32,
    /// Bytes of the module.
    pub module: ByteSize,
    /// Bytes of its configuration.
    pub configuration: ByteSize,
    /// Bytes of a body that it gets whole, holds back, or makes.
    pub body: ByteSize,
    /// Calls for a request.
    pub calls: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let millis = |millis| Interval(Duration::from_millis(millis));
        Self {
            memory: ByteSize(tollgate_sandbox::MEMORY as u64),
            callback: millis(10),
            request: millis(50),
            start: millis(100),
            instances: 512,
            module: ByteSize(4 << 20),
            configuration: ByteSize(1 << 20),
            body: ByteSize(1 << 20),
            calls: 8,
        }
    }
}

impl Config {
    /// The answers whose bodies modules get.
    pub(crate) fn answer_set(&self) -> AnswerSet {
        let Answers { statuses, media_types } = self.answers.clone();
        // Every one that ends.
        let media_types = if media_types.is_empty() { vec!["*/*".to_owned()] } else { media_types };
        AnswerSet { statuses, media_types: media_types.into_iter().map(|one| one.to_ascii_lowercase()).collect() }
    }

    /// What is wrong with the numbers.
    pub(crate) fn judge(&self) -> Result<(), Problem> {
        let limits = &self.limits;
        for (name, time) in [("callback", limits.callback), ("request", limits.request), ("start", limits.start)] {
            if time.0 > LONGEST || time.0.is_zero() {
                return Err(Problem::setting(
                    format!("/limits/{name}"),
                    format!("expected more than no time, and at most 2s, found {time}"),
                ));
            }
        }
        if limits.memory.0 == 0 || limits.memory.0 > MOST_MEMORY {
            return Err(Problem::setting("/limits/memory", format!("expected from 1B to 1GiB, found {}", limits.memory)));
        }
        if limits.instances == 0 {
            return Err(Problem::setting("/limits/instances", "expected at least 1: without an instance every request is refused"));
        }
        match self.answer_set().fault() {
            Some(fault) => Err(Problem::setting("/answers", fault)),
            None => Ok(()),
        }
    }
}

/// A configuration as the module gets it.
pub(crate) fn text(configuration: &Value) -> Result<String, &'static str> {
    match configuration {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Object(_) => Ok(configuration.to_string()),
        _ => Err("expected a text or a map"),
    }
}
