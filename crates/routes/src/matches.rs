//! What a route asks of a field, a parameter or a cookie.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use tollgate_plan::Test;

/// What is asked of a value: a text that it is, `{ regex: EXPRESSION }` that matches the whole of it, or `{ present: true }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match(pub Test);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Object {
    /// An expression that matches the whole of a value.
    #[serde(default)]
    regex: Option<String>,
    /// Whether there is one.
    #[serde(default)]
    present: Option<bool>,
}

struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = Match;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, `{ regex: EXPRESSION }` or `{ present: true }`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Match, E> {
        Ok(Match(Test::Is(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Match, A::Error> {
        match Object::deserialize(MapAccessDeserializer::new(map))? {
            Object { regex: Some(regex), present: None } => Ok(Match(Test::Matches(regex))),
            Object { regex: None, present: Some(present) } => Ok(Match(Test::Present(present))),
            _ => Err(de::Error::custom("expected either `regex` or `present`, and one of them")),
        }
    }
}

impl<'de> Deserialize<'de> for Match {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

impl JsonSchema for Match {
    fn schema_name() -> Cow<'static, str> {
        "RouteMatch".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let object = generator.subschema_for::<Object>();
        schemars::json_schema!({ "anyOf": [{ "type": "string" }, object] })
    }
}
