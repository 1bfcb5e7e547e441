//! What is written in YAML.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the `authorize` filter.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How many of a credential's scopes are needed.
    pub scopes: Scopes,
    /// Whether a caller must have subscribed to the API (claim `subscribedAPIs`).
    pub subscriptions: Subscriptions,
    /// Kinds of keys that are let in. Empty: both.
    pub key_types: Vec<KeyKind>,
}

/// How many of the listed scopes are needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scopes {
    /// Every one, as OpenAPI says.
    #[default]
    All,
    /// One of them, as the reference product does.
    Any,
}

/// Whether subscriptions count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Subscriptions {
    /// They are not looked at.
    Off,
    /// A credential that lists subscriptions must list this API.
    #[default]
    WhenPresent,
    /// Besides, a credential must list subscriptions.
    Required,
}

/// A kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// For production endpoints.
    Production,
    /// For sandbox endpoints.
    Sandbox,
}
