//! A block, as it is written.

use std::{borrow::Cow, net::IpAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Requests that are refused: those that have all that it names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Block {
    /// The base path of an API.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// An application: the claim `application.id`, or else the client that the credential names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// The subject of a credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Addresses and networks, such as `10.0.0.0/8`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub client: Vec<String>,
}

/// What blocks can be told of a request.
pub trait Caller {
    /// The base path of its API, without a slash at its end.
    fn api(&self) -> &[u8];
    /// The subjects of its credentials.
    fn users(&self) -> impl Iterator<Item = &[u8]>;
    /// The applications of its credentials.
    fn applications(&self) -> impl Iterator<Item = Cow<'_, [u8]>>;
    /// The client's address.
    fn address(&self) -> IpAddr;
}
