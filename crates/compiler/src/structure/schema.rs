//! Schema objects: the subset of 2.0 and 3.0, and JSON Schema 2020-12 of 3.1.
//!
//! Only the form of keywords is judged; what a schema allows is not modelled here. Keywords that 3.1 does not know are
//! annotations there and are left alone.

use super::rules;
use super::shape::Rule::{
    Any, Bool, Count, Filled, Is, List, Map, Names, Number, OneOf, OrList, Positive, Schema, SchemaOrBool, Text, Uri,
};
use super::shape::{ALL, FROM31, Key, Rest, Rule, Shape, V3, V20, V30, V32, may, must};

pub(super) static EXTERNAL_DOCS: Shape = Shape {
    name: "external documentation",
    fields: &[may("description", ALL, Text), must("url", ALL, Uri)],
    rest: Rest::Extensions,
    check: None,
};

const TYPES_30: Rule = OneOf(&["array", "boolean", "integer", "number", "object", "string"]);
const TYPES_20: Rule = OneOf(&["array", "boolean", "integer", "null", "number", "object", "string", "file"]);
const TYPES_31: Rule = OneOf(&["array", "boolean", "integer", "null", "number", "object", "string"]);

/// 2.0 and 3.0.
pub(super) static OLD: Shape = Shape {
    name: "a schema",
    fields: &[
        may("title", ALL, Text),
        may("description", ALL, Text),
        may("format", ALL, Text),
        may("default", ALL, Any),
        may("multipleOf", ALL, Positive),
        may("maximum", ALL, Number),
        may("exclusiveMaximum", ALL, Bool),
        may("minimum", ALL, Number),
        may("exclusiveMinimum", ALL, Bool),
        may("maxLength", ALL, Count),
        may("minLength", ALL, Count),
        may("pattern", ALL, Text),
        may("maxItems", ALL, Count),
        may("minItems", ALL, Count),
        may("uniqueItems", ALL, Bool),
        may("maxProperties", ALL, Count),
        may("minProperties", ALL, Count),
        may("required", ALL, Names),
        may("enum", ALL, Filled(&Any)),
        may("type", V30, TYPES_30),
        may("type", V20, OrList(&TYPES_20, &TYPES_20)),
        may("not", V30, Schema),
        may("allOf", ALL, List(&Schema)),
        may("oneOf", V30, List(&Schema)),
        may("anyOf", V30, List(&Schema)),
        may("items", V30, Schema),
        may("items", V20, OrList(&Schema, &Schema)),
        may("properties", ALL, Map(Key::Any, &Schema)),
        may("additionalProperties", ALL, SchemaOrBool),
        may("nullable", V30, Bool),
        may("discriminator", V30, Is(&DISCRIMINATOR)),
        may("discriminator", V20, Text),
        may("readOnly", ALL, Bool),
        may("writeOnly", V30, Bool),
        may("example", ALL, Any),
        may("externalDocs", ALL, Is(&EXTERNAL_DOCS)),
        may("deprecated", V30, Bool),
        may("xml", ALL, Is(&XML)),
    ],
    rest: Rest::Extensions,
    check: Some(rules::old_schema),
};

/// 3.1 and 3.2.
pub(super) static NEW: Shape = Shape {
    name: "a schema",
    fields: &[
        may("$id", FROM31, Uri),
        may("$schema", FROM31, Uri),
        may("$ref", FROM31, Text),
        may("$anchor", FROM31, Text),
        may("$dynamicRef", FROM31, Text),
        may("$dynamicAnchor", FROM31, Text),
        may("$comment", FROM31, Text),
        may("$defs", FROM31, Map(Key::Any, &Schema)),
        may("definitions", FROM31, Map(Key::Any, &Schema)),
        may("title", FROM31, Text),
        may("description", FROM31, Text),
        may("format", FROM31, Text),
        may("default", FROM31, Any),
        may("multipleOf", FROM31, Positive),
        may("maximum", FROM31, Number),
        may("exclusiveMaximum", FROM31, Number),
        may("minimum", FROM31, Number),
        may("exclusiveMinimum", FROM31, Number),
        may("maxLength", FROM31, Count),
        may("minLength", FROM31, Count),
        may("pattern", FROM31, Text),
        may("maxItems", FROM31, Count),
        may("minItems", FROM31, Count),
        may("uniqueItems", FROM31, Bool),
        may("maxContains", FROM31, Count),
        may("minContains", FROM31, Count),
        may("maxProperties", FROM31, Count),
        may("minProperties", FROM31, Count),
        may("required", FROM31, Names),
        may("dependentRequired", FROM31, Map(Key::Any, &Names)),
        may("enum", FROM31, List(&Any)),
        may("const", FROM31, Any),
        may("type", FROM31, OrList(&TYPES_31, &TYPES_31)),
        may("allOf", FROM31, Filled(&Schema)),
        may("oneOf", FROM31, Filled(&Schema)),
        may("anyOf", FROM31, Filled(&Schema)),
        may("not", FROM31, Schema),
        may("if", FROM31, Schema),
        may("then", FROM31, Schema),
        may("else", FROM31, Schema),
        may("dependentSchemas", FROM31, Map(Key::Any, &Schema)),
        may("prefixItems", FROM31, Filled(&Schema)),
        may("items", FROM31, Schema),
        may("contains", FROM31, Schema),
        may("properties", FROM31, Map(Key::Any, &Schema)),
        may("patternProperties", FROM31, Map(Key::Any, &Schema)),
        may("additionalProperties", FROM31, Schema),
        may("propertyNames", FROM31, Schema),
        may("unevaluatedItems", FROM31, Schema),
        may("unevaluatedProperties", FROM31, Schema),
        may("contentEncoding", FROM31, Text),
        may("contentMediaType", FROM31, Text),
        may("contentSchema", FROM31, Schema),
        may("readOnly", FROM31, Bool),
        may("writeOnly", FROM31, Bool),
        may("deprecated", FROM31, Bool),
        may("examples", FROM31, List(&Any)),
        may("example", FROM31, Any),
        may("discriminator", FROM31, Is(&DISCRIMINATOR)),
        may("externalDocs", FROM31, Is(&EXTERNAL_DOCS)),
        may("xml", FROM31, Is(&XML)),
    ],
    rest: Rest::Anything,
    check: None,
};

static DISCRIMINATOR: Shape = Shape {
    name: "a discriminator",
    fields: &[must("propertyName", V3, Text), may("mapping", V3, Map(Key::Any, &Text)), may("defaultMapping", V32, Text)],
    rest: Rest::Extensions,
    check: None,
};

static XML: Shape = Shape {
    name: "an XML object",
    fields: &[
        may("name", ALL, Text),
        may("namespace", ALL, Uri),
        may("prefix", ALL, Text),
        may("attribute", ALL, Bool),
        may("wrapped", ALL, Bool),
        may("nodeType", V32, OneOf(&["element", "attribute", "text", "cdata", "none"])),
    ],
    rest: Rest::Extensions,
    check: Some(rules::xml),
};
