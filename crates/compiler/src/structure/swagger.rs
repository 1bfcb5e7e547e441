//! The objects of OpenAPI 2.0 (<https://spec.openapis.org/oas/v2.0>).

use super::openapi::CONTACT;
use super::rules;
use super::schema::EXTERNAL_DOCS;
use super::shape::Rule::{Any, Bool, Count, Filled, Is, List, Map, Number, OneOf, Ref, Requirement, Schema, Text, Uri};
use super::shape::{Key, Rest, Rule, Shape, V20, may, must};

const SCHEMES: Rule = List(&OneOf(&["http", "https", "ws", "wss"]));
const COLLECTION: Rule = OneOf(&["csv", "ssv", "tsv", "pipes", "multi"]);

pub(crate) static DOCUMENT: Shape = Shape {
    name: "the Swagger document",
    fields: &[
        must("swagger", V20, Any),
        must("info", V20, Is(&INFO)),
        may("host", V20, Text),
        may("basePath", V20, Text),
        may("schemes", V20, SCHEMES),
        may("consumes", V20, List(&Text)),
        may("produces", V20, List(&Text)),
        must("paths", V20, Is(&PATHS)),
        may("definitions", V20, Map(Key::Any, &Schema)),
        may("parameters", V20, Map(Key::Any, &Is(&PARAMETER))),
        may("responses", V20, Map(Key::Any, &Ref(&RESPONSE))),
        may("securityDefinitions", V20, Map(Key::Any, &Is(&SECURITY_SCHEME))),
        may("security", V20, List(&Requirement)),
        may("tags", V20, List(&Is(&TAG))),
        may("externalDocs", V20, Is(&EXTERNAL_DOCS)),
    ],
    rest: Rest::Extensions,
    check: Some(rules::document),
};

static INFO: Shape = Shape {
    name: "the info object",
    fields: &[
        must("title", V20, Text),
        may("description", V20, Text),
        may("termsOfService", V20, Text),
        may("contact", V20, Is(&CONTACT)),
        may("license", V20, Is(&LICENSE)),
        must("version", V20, Text),
    ],
    rest: Rest::Extensions,
    check: None,
};

static LICENSE: Shape =
    Shape { name: "the license object", fields: &[must("name", V20, Text), may("url", V20, Uri)], rest: Rest::Extensions, check: None };

static PATHS: Shape = Shape { name: "the paths object", fields: &[], rest: Rest::Keyed(Key::Path, Is(&PATH_ITEM)), check: None };

pub(super) static PATH_ITEM: Shape = Shape {
    name: "a path item",
    fields: &[
        may("$ref", V20, Text),
        may("get", V20, Is(&OPERATION)),
        may("put", V20, Is(&OPERATION)),
        may("post", V20, Is(&OPERATION)),
        may("delete", V20, Is(&OPERATION)),
        may("options", V20, Is(&OPERATION)),
        may("head", V20, Is(&OPERATION)),
        may("patch", V20, Is(&OPERATION)),
        may("parameters", V20, List(&Ref(&PARAMETER))),
    ],
    rest: Rest::Extensions,
    check: Some(rules::path_item),
};

pub(super) static OPERATION: Shape = Shape {
    name: "an operation",
    fields: &[
        may("tags", V20, List(&Text)),
        may("summary", V20, Text),
        may("description", V20, Text),
        may("externalDocs", V20, Is(&EXTERNAL_DOCS)),
        may("operationId", V20, Text),
        may("consumes", V20, List(&Text)),
        may("produces", V20, List(&Text)),
        may("parameters", V20, List(&Ref(&PARAMETER))),
        must("responses", V20, Is(&RESPONSES)),
        may("schemes", V20, SCHEMES),
        may("deprecated", V20, Bool),
        may("security", V20, List(&Requirement)),
    ],
    rest: Rest::Extensions,
    check: Some(rules::operation),
};

pub(super) static PARAMETER: Shape = Shape {
    name: "a parameter",
    fields: &[
        must("name", V20, Text),
        must("in", V20, OneOf(&["query", "header", "path", "formData", "body"])),
        may("description", V20, Text),
        may("required", V20, Bool),
        may("schema", V20, Schema),
        may("type", V20, OneOf(&["string", "number", "integer", "boolean", "array", "file"])),
        may("allowEmptyValue", V20, Bool),
        may("format", V20, Text),
        may("items", V20, Is(&ITEMS)),
        may("collectionFormat", V20, COLLECTION),
        may("default", V20, Any),
        may("maximum", V20, Number),
        may("exclusiveMaximum", V20, Bool),
        may("minimum", V20, Number),
        may("exclusiveMinimum", V20, Bool),
        may("maxLength", V20, Count),
        may("minLength", V20, Count),
        may("pattern", V20, Text),
        may("maxItems", V20, Count),
        may("minItems", V20, Count),
        may("uniqueItems", V20, Bool),
        may("enum", V20, Filled(&Any)),
        may("multipleOf", V20, Number),
    ],
    rest: Rest::Extensions,
    check: Some(rules::parameter_20),
};

static ITEMS: Shape = Shape {
    name: "an items object",
    fields: &[
        must("type", V20, OneOf(&["string", "number", "integer", "boolean", "array"])),
        may("format", V20, Text),
        may("items", V20, Is(&ITEMS)),
        may("collectionFormat", V20, OneOf(&["csv", "ssv", "tsv", "pipes"])),
        may("default", V20, Any),
        may("maximum", V20, Number),
        may("exclusiveMaximum", V20, Bool),
        may("minimum", V20, Number),
        may("exclusiveMinimum", V20, Bool),
        may("maxLength", V20, Count),
        may("minLength", V20, Count),
        may("pattern", V20, Text),
        may("maxItems", V20, Count),
        may("minItems", V20, Count),
        may("uniqueItems", V20, Bool),
        may("enum", V20, Filled(&Any)),
        may("multipleOf", V20, Number),
    ],
    rest: Rest::Extensions,
    check: None,
};

static RESPONSES: Shape =
    Shape { name: "the responses object", fields: &[], rest: Rest::Keyed(Key::Status, Ref(&RESPONSE)), check: Some(rules::responses) };

static RESPONSE: Shape = Shape {
    name: "a response",
    fields: &[
        must("description", V20, Text),
        may("schema", V20, Schema),
        may("headers", V20, Map(Key::Any, &Is(&HEADER))),
        may("examples", V20, Map(Key::Any, &Any)),
    ],
    rest: Rest::Extensions,
    check: None,
};

static HEADER: Shape = Shape {
    name: "a header",
    fields: &[
        must("type", V20, OneOf(&["string", "number", "integer", "boolean", "array"])),
        may("description", V20, Text),
        may("format", V20, Text),
        may("items", V20, Is(&ITEMS)),
        may("collectionFormat", V20, OneOf(&["csv", "ssv", "tsv", "pipes"])),
        may("default", V20, Any),
        may("maximum", V20, Number),
        may("exclusiveMaximum", V20, Bool),
        may("minimum", V20, Number),
        may("exclusiveMinimum", V20, Bool),
        may("maxLength", V20, Count),
        may("minLength", V20, Count),
        may("pattern", V20, Text),
        may("maxItems", V20, Count),
        may("minItems", V20, Count),
        may("uniqueItems", V20, Bool),
        may("enum", V20, Filled(&Any)),
        may("multipleOf", V20, Number),
    ],
    rest: Rest::Extensions,
    check: None,
};

static TAG: Shape = Shape {
    name: "a tag",
    fields: &[must("name", V20, Text), may("description", V20, Text), may("externalDocs", V20, Is(&EXTERNAL_DOCS))],
    rest: Rest::Extensions,
    check: None,
};

static SECURITY_SCHEME: Shape = Shape {
    name: "a security scheme",
    fields: &[
        must("type", V20, OneOf(&["basic", "apiKey", "oauth2"])),
        may("description", V20, Text),
        may("name", V20, Text),
        may("in", V20, OneOf(&["query", "header"])),
        may("flow", V20, OneOf(&["implicit", "password", "application", "accessCode"])),
        may("authorizationUrl", V20, Uri),
        may("tokenUrl", V20, Uri),
        may("scopes", V20, Map(Key::Any, &Text)),
    ],
    rest: Rest::Extensions,
    check: Some(rules::security_scheme_20),
};
