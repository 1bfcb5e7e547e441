//! One endpoint, as a URL or with what is to be said of it beside.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};

/// One endpoint of a group: its URL, or an object with `url` and what else is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointTarget {
    /// Where it is.
    pub url: String,
    /// Its share of the requests beside those of the others, 0 to 1000.
    pub weight: u32,
    /// Where it stands.
    pub zone: Option<String>,
    /// 0 comes first.
    pub priority: u8,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Object {
    /// Where it is.
    url: String,
    /// Its share of the requests beside those of the others, 0 to 1000. With 0 it takes no new requests.
    #[serde(default = "one")]
    #[schemars(range(max = 1000))]
    weight: u32,
    /// Where it stands: see `upstream.zone`.
    #[serde(default)]
    zone: Option<String>,
    /// 0 comes first. Later ones are used when not enough of those before them are ready: see `balance.min_ready`.
    #[serde(default)]
    priority: u8,
}

fn one() -> u32 {
    1
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = EndpointTarget;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a URL, or an object with `url`")
    }

    fn visit_str<E: de::Error>(self, url: &str) -> Result<Self::Value, E> {
        Ok(EndpointTarget { url: url.to_owned(), weight: 1, zone: None, priority: 0 })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let Object { url, weight, zone, priority } = Object::deserialize(MapAccessDeserializer::new(map))?;
        if weight > 1000 {
            return Err(de::Error::custom(format_args!("expected a weight from 0 to 1000, found {weight}")));
        }
        Ok(EndpointTarget { url, weight, zone, priority })
    }
}

impl<'de> Deserialize<'de> for EndpointTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for EndpointTarget {
    fn schema_name() -> Cow<'static, str> {
        "EndpointTarget".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let object = generator.subschema_for::<Object>();
        schemars::json_schema!({ "anyOf": [{ "type": "string" }, object] })
    }
}
