//! What is written in YAML, and what the definition declares.

use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of the `media_types` filter. What stands here takes the place of what the definition declares.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Media types that a request's body may have. Ranges such as `image/*` are allowed. Empty: those that the definition declares, or
    /// any when it declares none.
    pub consumes: Vec<String>,
    /// Media types of the answers, one of which the client must accept. Empty: those that the definition declares; when it declares
    /// none, `Accept` is not looked at.
    pub produces: Vec<String>,
}

/// The media types of an operation, as its definition declares them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Declaration {
    /// Of the request's body.
    pub consumes: Vec<String>,
    /// Of the answers to requests that succeed.
    pub produces: Vec<String>,
}
