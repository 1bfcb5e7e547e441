//! What a message says of its body, and the body against what is declared.

use std::sync::Arc;

use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use tollgate_filter_api::{Bytes, Env, HeaderValue};
use tollgate_validation::{Bodies, BodyLimits, Finding, Part, Schema, Which, json::Tree};

/// Bytes from which on a body is judged beside the requests.
pub const LARGE: usize = 256 << 10;

/// What stands in a head about the body.
#[derive(Clone, Debug, Default)]
pub struct Label {
    content_type: Option<HeaderValue>,
    encoding: Option<String>,
    /// `Content-Type` stands more than once, or is no text.
    unclear: bool,
}

impl Label {
    pub fn of(fields: &HeaderMap) -> Self {
        let mut types = fields.get_all(CONTENT_TYPE).iter();
        let content_type = types.next().cloned();
        let unclear = types.next().is_some() || content_type.as_ref().is_some_and(|value| value.to_str().is_err());
        let mut codings = fields.get_all(CONTENT_ENCODING).iter().peekable();
        let encoding = codings.peek().is_some().then(|| {
            let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            codings.map(text).collect::<Vec<_>>().join(",")
        });
        Self { content_type, encoding, unclear }
    }

    /// What is declared of such a body.
    pub fn which(&self, bodies: &Bodies) -> Option<Which> {
        bodies.which(self.content_type()).filter(|_| !self.unclear)
    }

    /// Whether it says what the body is.
    pub fn says_type(&self) -> bool {
        self.content_type.is_some()
    }

    fn content_type(&self) -> Option<&str> {
        self.content_type.as_ref()?.to_str().ok()
    }
}

/// The bodies of requests, or of one answer.
#[derive(Clone, Debug)]
pub struct Judge {
    pub bodies: Arc<Bodies>,
    pub limits: Arc<BodyLimits>,
}

impl Judge {
    /// What is wrong with a body. `seen` is called with a value that fits.
    pub fn now(&self, which: Which, label: &Label, body: &[u8], seen: &dyn Fn(&Schema, &Tree<'_>)) -> Vec<Finding> {
        self.bodies.judge(which, label.content_type(), label.encoding.as_deref(), body, &self.limits, Part::Body, seen)
    }

    /// The same for a large body, on another thread when one is free.
    pub async fn beside(&self, which: Which, label: &Label, body: &Bytes, env: &Env) -> Vec<Finding> {
        let (this, label_too, bytes) = (self.clone(), label.clone(), body.clone());
        let judged = env.beside(move || this.now(which, &label_too, &bytes, &|_, _| {})).await;
        judged.unwrap_or_else(|| self.now(which, label, body, &|_, _| {}))
    }
}
