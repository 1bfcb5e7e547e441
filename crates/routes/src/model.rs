//! What is written in YAML.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;
use tollgate_filter_api::{ByteSize, Interval};

use crate::Match;

/// Requests that are passed on without an OpenAPI definition. Of several routes that match a request the most specific one is meant: by host,
/// then by path, then by the number of `headers`, `query` and `cookies`, then by method.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Route {
    /// What logs and metrics call it. Absent: its path.
    pub name: Option<String>,
    /// Hosts, without a port: `shop.example`, or `*.shop.example` for every name below it. Absent: every host. A request whose host is none
    /// of any route or API gets 421.
    pub hosts: Vec<String>,
    /// The path: `/a` alone, `/a/*` and everything below, `/users/{id}` with any segment in place of the braces, or `~ EXPRESSION`,
    /// which has to match the whole path. `{id}.json` and a template come before an expression, that before `/*`. What is compared is
    /// decoded. Absent: every path.
    pub path: Option<String>,
    /// Methods. `GET` includes `HEAD`. Absent: any but `CONNECT` and `TRACE`.
    pub methods: Vec<String>,
    /// Fields that the request must have.
    pub headers: BTreeMap<String, Match>,
    /// Parameters of the query that it must have, decoded.
    pub query: BTreeMap<String, Match>,
    /// Cookies that it must have.
    pub cookies: BTreeMap<String, Match>,
    /// Where the request goes: a URL, a list of URLs that share the requests, or the name of an entry of `endpoints` that has `urls`. A path in the
    /// URL goes before the request's. Absent: one of the filters must answer.
    pub upstream: Option<Upstream>,
    /// Who may call it. Needed when the chain has a filter that checks credentials, and in a project.
    pub security: Option<Security>,
    /// Settings of filters for this route, by the filter's ID: they go before those of `chain`.
    pub filters: BTreeMap<String, Value>,
    /// Longest silence while an answer is awaited. Absent: `upstream.read_timeout`. Not with the name of an entry of `endpoints`, which has its
    /// own.
    pub read_timeout: Option<Interval>,
    /// Most bytes of a request's body. Absent: `limits.body_bytes`.
    pub body_bytes: Option<ByteSize>,
}

/// Where requests of a route go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// To one of these URLs.
    Urls(Vec<String>),
    /// To the group of that name.
    Named(String),
}

struct UpstreamForm;

impl<'de> Visitor<'de> for UpstreamForm {
    type Value = Upstream;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a URL, a list of URLs, or the name of an entry of `endpoints`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Upstream, E> {
        Ok(if text.contains("://") { Upstream::Urls(vec![text.to_owned()]) } else { Upstream::Named(text.to_owned()) })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Upstream, A::Error> {
        let mut urls = Vec::new();
        while let Some(url) = items.next_element()? {
            urls.push(url);
        }
        if urls.is_empty() { Err(de::Error::invalid_length(0, &self)) } else { Ok(Upstream::Urls(urls)) }
    }
}

impl<'de> Deserialize<'de> for Upstream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UpstreamForm)
    }
}

impl JsonSchema for Upstream {
    fn schema_name() -> Cow<'static, str> {
        "RouteUpstream".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }] })
    }
}

/// Who may call a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// Everybody.
    Open,
    /// Whoever meets one of these.
    AnyOf(Vec<Requirement>),
}

/// Credentials that are needed together: the ID of each filter that checks one, and the scopes that it must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirement(pub BTreeMap<String, Vec<String>>);

struct SecurityForm;

impl<'de> Visitor<'de> for SecurityForm {
    type Value = Security;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`open`, or a list of filters that check credentials, such as `[jwt]`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Security, E> {
        if text == "open" { Ok(Security::Open) } else { Err(E::invalid_value(de::Unexpected::Str(text), &self)) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Security, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = items.next_element()? {
            all.push(one);
        }
        if all.is_empty() { Err(de::Error::invalid_length(0, &self)) } else { Ok(Security::AnyOf(all)) }
    }
}

impl<'de> Deserialize<'de> for Security {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecurityForm)
    }
}

impl JsonSchema for Security {
    fn schema_name() -> Cow<'static, str> {
        "RouteSecurity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let scopes = serde_json::json!({ "type": "array", "items": { "type": "string" } });
        let one = serde_json::json!({ "anyOf": [{ "type": "string" }, { "type": "object", "additionalProperties": scopes, "minProperties": 1 }] });
        schemars::json_schema!({ "anyOf": [{ "const": "open" }, { "type": "array", "items": one, "minItems": 1 }] })
    }
}

struct RequirementForm;

impl<'de> Visitor<'de> for RequirementForm {
    type Value = Requirement;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the ID of a filter that checks credentials, or an object of such with their scopes")
    }

    fn visit_str<E: de::Error>(self, filter: &str) -> Result<Requirement, E> {
        Ok(Requirement(BTreeMap::from([(filter.to_owned(), Vec::new())])))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Requirement, A::Error> {
        let mut all = BTreeMap::new();
        while let Some((filter, scopes)) = members.next_entry()? {
            all.insert(filter, scopes);
        }
        if all.is_empty() { Err(de::Error::invalid_length(0, &self)) } else { Ok(Requirement(all)) }
    }
}

impl<'de> Deserialize<'de> for Requirement {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RequirementForm)
    }
}
