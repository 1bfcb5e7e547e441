//! How requests are named.

use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_filter_api::Problem;

/// How requests are named, in the access log, towards upstreams and clients.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestIds {
    /// The field that carries the id. Begins with `x-` or ends in `-id`.
    pub header: String,
    /// Whose ids are taken over when they are one UUID or 32 hex digits. What is anything else, or comes twice, is replaced and never
    /// repeated.
    pub from: IdSource,
    /// How an id is written.
    pub format: IdFormat,
    /// Whether upstreams get it. Without it they get none, whatever the client sent.
    pub upstream: bool,
    /// Which answers carry it.
    pub answers: IdAnswers,
}

impl Default for RequestIds {
    fn default() -> Self {
        Self {
            header: "x-request-id".to_owned(),
            from: IdSource::Gateway,
            format: IdFormat::Hex,
            upstream: true,
            answers: IdAnswers::Gateway,
        }
    }
}

/// Whose ids are taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdSource {
    /// Nobody's: each request gets a fresh one.
    #[default]
    Gateway,
    /// Those of `trusted_proxies`.
    TrustedProxies,
    /// Every client's. A client can then give two requests one name.
    Clients,
}

/// How an id is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdFormat {
    /// 32 hex digits.
    #[default]
    Hex,
    /// A UUID, as `x-fapi-interaction-id` asks for.
    Uuid,
}

/// Which answers carry the id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdAnswers {
    /// Those that the gateway makes.
    #[default]
    Gateway,
    /// Those of upstreams too, in place of what they wrote there.
    All,
}

/// Fields that are the gateway's for another purpose.
const TAKEN: [&str; 6] = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-real-ip", "x-jwt-assertion"];

impl RequestIds {
    /// The field's name.
    ///
    /// # Errors
    /// When it is none, or one that means something else.
    pub fn field(&self) -> Result<HeaderName, Problem> {
        let name = HeaderName::from_bytes(self.header.as_bytes()).ok();
        let own =
            |name: &HeaderName| (name.as_str().starts_with("x-") || name.as_str().ends_with("-id")) && !TAKEN.contains(&name.as_str());
        name.filter(own).ok_or_else(|| {
            let message = format!("{:?} is not the name of a field for ids", self.header);
            Problem::error("config.request_id", message).hint("write one that begins with `x-` or ends in `-id`")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_means_something_else_cannot_carry_ids() {
        let field = |header: &str| RequestIds { header: header.to_owned(), ..RequestIds::default() }.field();
        assert_eq!(field("X-FAPI-Interaction-Id").unwrap(), "x-fapi-interaction-id");
        assert_eq!(field("Correlation-Id").unwrap(), "correlation-id");
        for header in ["", "a b", "host", "authorization", "cookie", "content-length", "X-Forwarded-For", "x-jwt-assertion"] {
            assert!(field(header).is_err(), "{header}");
        }
    }
}
