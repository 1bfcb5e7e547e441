//! The objects of OpenAPI 3.0, 3.1 and 3.2 (<https://spec.openapis.org/oas/>).

use super::rules;
use super::schema::EXTERNAL_DOCS;
use super::shape::Rule::{Any, Bool, Email, Filled, Is, List, Map, OneOf, Ref, Requirement, Schema, Text, Uri};
use super::shape::{FROM31, Key, Rest, Shape, V3, V30, V32, may, must};

pub(crate) static DOCUMENT: Shape = Shape {
    name: "the OpenAPI document",
    fields: &[
        must("openapi", V3, Text),
        may("$self", V32, Uri),
        must("info", V3, Is(&INFO)),
        may("jsonSchemaDialect", FROM31, Uri),
        may("servers", V3, List(&Is(&SERVER))),
        must("paths", V30, Is(&PATHS)),
        may("paths", FROM31, Is(&PATHS)),
        may("webhooks", FROM31, Map(Key::Any, &Ref(&PATH_ITEM))),
        may("components", V3, Is(&COMPONENTS)),
        may("security", V3, List(&Requirement)),
        may("tags", V3, List(&Is(&TAG))),
        may("externalDocs", V3, Is(&EXTERNAL_DOCS)),
    ],
    rest: Rest::Extensions,
    check: Some(rules::document),
};

pub(crate) static INFO: Shape = Shape {
    name: "the info object",
    fields: &[
        must("title", V3, Text),
        may("summary", FROM31, Text),
        may("description", V3, Text),
        may("termsOfService", V3, Uri),
        may("contact", V3, Is(&CONTACT)),
        may("license", V3, Is(&LICENSE)),
        must("version", V3, Text),
    ],
    rest: Rest::Extensions,
    check: None,
};

pub(super) static CONTACT: Shape = Shape {
    name: "the contact object",
    fields: &[may("name", super::shape::ALL, Text), may("url", super::shape::ALL, Uri), may("email", super::shape::ALL, Email)],
    rest: Rest::Extensions,
    check: None,
};

static LICENSE: Shape = Shape {
    name: "the license object",
    fields: &[must("name", V3, Text), may("identifier", FROM31, Text), may("url", V3, Uri)],
    rest: Rest::Extensions,
    check: Some(rules::license),
};

static SERVER: Shape = Shape {
    name: "a server object",
    fields: &[
        must("url", V3, Text),
        may("description", V3, Text),
        may("name", V32, Text),
        may("variables", V3, Map(Key::Any, &Is(&SERVER_VARIABLE))),
    ],
    rest: Rest::Extensions,
    check: Some(rules::server),
};

static SERVER_VARIABLE: Shape = Shape {
    name: "a server variable",
    fields: &[may("enum", V30, List(&Text)), may("enum", FROM31, Filled(&Text)), must("default", V3, Text), may("description", V3, Text)],
    rest: Rest::Extensions,
    check: Some(rules::server_variable),
};

static COMPONENTS: Shape = Shape {
    name: "the components object",
    fields: &[
        may("schemas", V3, Map(Key::Component, &Schema)),
        may("responses", V3, Map(Key::Component, &Ref(&RESPONSE))),
        may("parameters", V3, Map(Key::Component, &Ref(&PARAMETER))),
        may("examples", V3, Map(Key::Component, &Ref(&EXAMPLE))),
        may("requestBodies", V3, Map(Key::Component, &Ref(&REQUEST_BODY))),
        may("headers", V3, Map(Key::Component, &Ref(&HEADER))),
        may("securitySchemes", V3, Map(Key::Component, &Ref(&SECURITY_SCHEME))),
        may("links", V3, Map(Key::Component, &Ref(&LINK))),
        may("callbacks", V3, Map(Key::Component, &Ref(&CALLBACK))),
        may("pathItems", FROM31, Map(Key::Component, &Ref(&PATH_ITEM))),
        may("mediaTypes", V32, Map(Key::Component, &Ref(&MEDIA_TYPE))),
    ],
    rest: Rest::Extensions,
    check: None,
};

pub(super) static PATHS: Shape = Shape { name: "the paths object", fields: &[], rest: Rest::Keyed(Key::Path, Is(&PATH_ITEM)), check: None };

pub(super) static PATH_ITEM: Shape = Shape {
    name: "a path item",
    fields: &[
        may("$ref", V3, Text),
        may("summary", V3, Text),
        may("description", V3, Text),
        may("get", V3, Is(&OPERATION)),
        may("put", V3, Is(&OPERATION)),
        may("post", V3, Is(&OPERATION)),
        may("delete", V3, Is(&OPERATION)),
        may("options", V3, Is(&OPERATION)),
        may("head", V3, Is(&OPERATION)),
        may("patch", V3, Is(&OPERATION)),
        may("trace", V3, Is(&OPERATION)),
        may("query", V32, Is(&OPERATION)),
        may("additionalOperations", V32, Map(Key::Method, &Is(&OPERATION))),
        may("servers", V3, List(&Is(&SERVER))),
        may("parameters", V3, List(&Ref(&PARAMETER))),
    ],
    rest: Rest::Extensions,
    check: Some(rules::path_item),
};

pub(super) static OPERATION: Shape = Shape {
    name: "an operation",
    fields: &[
        may("tags", V3, List(&Text)),
        may("summary", V3, Text),
        may("description", V3, Text),
        may("externalDocs", V3, Is(&EXTERNAL_DOCS)),
        may("operationId", V3, Text),
        may("parameters", V3, List(&Ref(&PARAMETER))),
        may("requestBody", V3, Ref(&REQUEST_BODY)),
        must("responses", V30, Is(&RESPONSES)),
        may("responses", FROM31, Is(&RESPONSES)),
        may("callbacks", V3, Map(Key::Any, &Ref(&CALLBACK))),
        may("deprecated", V3, Bool),
        may("security", V3, List(&Requirement)),
        may("servers", V3, List(&Is(&SERVER))),
    ],
    rest: Rest::Extensions,
    check: Some(rules::operation),
};

pub(super) static PARAMETER: Shape = Shape {
    name: "a parameter",
    fields: &[
        must("name", V3, Text),
        must("in", V3 & !V32, OneOf(&["path", "query", "header", "cookie"])),
        must("in", V32, OneOf(&["path", "query", "querystring", "header", "cookie"])),
        may("description", V3, Text),
        may("required", V3, Bool),
        may("deprecated", V3, Bool),
        may("allowEmptyValue", V3, Bool),
        may("style", V3, Text),
        may("explode", V3, Bool),
        may("allowReserved", V3, Bool),
        may("schema", V3, Schema),
        may("example", V3, Any),
        may("examples", V3, Map(Key::Any, &Ref(&EXAMPLE))),
        may("content", V3, Map(Key::Media, &Ref(&MEDIA_TYPE))),
    ],
    rest: Rest::Extensions,
    check: Some(rules::parameter),
};

static HEADER: Shape = Shape {
    name: "a header",
    fields: &[
        may("description", V3, Text),
        may("required", V3, Bool),
        may("deprecated", V3, Bool),
        may("allowEmptyValue", V30, Bool),
        may("style", V3, OneOf(&["simple"])),
        may("explode", V3, Bool),
        may("allowReserved", V30, Bool),
        may("schema", V3, Schema),
        may("example", V3, Any),
        may("examples", V3, Map(Key::Any, &Ref(&EXAMPLE))),
        may("content", V3, Map(Key::Media, &Ref(&MEDIA_TYPE))),
    ],
    rest: Rest::Extensions,
    check: Some(rules::header),
};

static REQUEST_BODY: Shape = Shape {
    name: "a request body",
    fields: &[may("description", V3, Text), must("content", V3, Map(Key::Media, &Ref(&MEDIA_TYPE))), may("required", V3, Bool)],
    rest: Rest::Extensions,
    check: None,
};

static MEDIA_TYPE: Shape = Shape {
    name: "a media type",
    fields: &[
        may("schema", V3, Schema),
        may("itemSchema", V32, Schema),
        may("example", V3, Any),
        may("examples", V3, Map(Key::Any, &Ref(&EXAMPLE))),
        may("encoding", V3, Map(Key::Any, &Is(&ENCODING))),
        may("prefixEncoding", V32, List(&Is(&ENCODING))),
        may("itemEncoding", V32, Is(&ENCODING)),
    ],
    rest: Rest::Extensions,
    check: Some(rules::media_type),
};

static ENCODING: Shape = Shape {
    name: "an encoding",
    fields: &[
        may("contentType", V3, Text),
        may("headers", V3, Map(Key::Any, &Ref(&HEADER))),
        may("style", V3, OneOf(&["form", "spaceDelimited", "pipeDelimited", "deepObject"])),
        may("explode", V3, Bool),
        may("allowReserved", V3, Bool),
        may("encoding", V32, Map(Key::Any, &Is(&ENCODING))),
        may("prefixEncoding", V32, List(&Is(&ENCODING))),
        may("itemEncoding", V32, Is(&ENCODING)),
    ],
    rest: Rest::Extensions,
    check: Some(rules::encoding),
};

pub(super) static RESPONSES: Shape =
    Shape { name: "the responses object", fields: &[], rest: Rest::Keyed(Key::Status, Ref(&RESPONSE)), check: Some(rules::responses) };

static RESPONSE: Shape = Shape {
    name: "a response",
    fields: &[
        may("summary", V32, Text),
        must("description", V3 & !V32, Text),
        may("description", V32, Text),
        may("headers", V3, Map(Key::Any, &Ref(&HEADER))),
        may("content", V3, Map(Key::Media, &Ref(&MEDIA_TYPE))),
        may("links", V3, Map(Key::Component, &Ref(&LINK))),
    ],
    rest: Rest::Extensions,
    check: None,
};

static CALLBACK: Shape = Shape { name: "a callback", fields: &[], rest: Rest::Keyed(Key::Any, Ref(&PATH_ITEM)), check: None };

static EXAMPLE: Shape = Shape {
    name: "an example",
    fields: &[
        may("summary", V3, Text),
        may("description", V3, Text),
        may("dataValue", V32, Any),
        may("serializedValue", V32, Text),
        may("value", V3, Any),
        may("externalValue", V3, Uri),
    ],
    rest: Rest::Extensions,
    check: Some(rules::example),
};

static LINK: Shape = Shape {
    name: "a link",
    fields: &[
        may("operationRef", V3, Uri),
        may("operationId", V3, Text),
        may("parameters", V3, Map(Key::Any, &Any)),
        may("requestBody", V3, Any),
        may("description", V3, Text),
        may("server", V3, Is(&SERVER)),
    ],
    rest: Rest::Extensions,
    check: Some(rules::link),
};

static TAG: Shape = Shape {
    name: "a tag",
    fields: &[
        must("name", V3, Text),
        may("summary", V32, Text),
        may("description", V3, Text),
        may("externalDocs", V3, Is(&EXTERNAL_DOCS)),
        may("parent", V32, Text),
        may("kind", V32, Text),
    ],
    rest: Rest::Extensions,
    check: None,
};

static SECURITY_SCHEME: Shape = Shape {
    name: "a security scheme",
    fields: &[
        must("type", V30, OneOf(&["apiKey", "http", "oauth2", "openIdConnect"])),
        must("type", FROM31, OneOf(&["apiKey", "http", "mutualTLS", "oauth2", "openIdConnect"])),
        may("description", V3, Text),
        may("name", V3, Text),
        may("in", V3, OneOf(&["query", "header", "cookie"])),
        may("scheme", V3, Text),
        may("bearerFormat", V3, Text),
        may("flows", V3, Is(&FLOWS)),
        may("openIdConnectUrl", V3, Uri),
        may("oauth2MetadataUrl", V32, Uri),
        may("deprecated", V32, Bool),
    ],
    rest: Rest::Extensions,
    check: Some(rules::security_scheme),
};

static FLOWS: Shape = Shape {
    name: "the OAuth flows",
    fields: &[
        may("implicit", V3, Is(&IMPLICIT)),
        may("password", V3, Is(&TOKEN_FLOW)),
        may("clientCredentials", V3, Is(&TOKEN_FLOW)),
        may("authorizationCode", V3, Is(&CODE_FLOW)),
        may("deviceAuthorization", V32, Is(&DEVICE_FLOW)),
    ],
    rest: Rest::Extensions,
    check: None,
};

static IMPLICIT: Shape = Shape {
    name: "an implicit flow",
    fields: &[must("authorizationUrl", V3, Uri), may("refreshUrl", V3, Uri), must("scopes", V3, Map(Key::Any, &Text))],
    rest: Rest::Extensions,
    check: None,
};

static TOKEN_FLOW: Shape = Shape {
    name: "an OAuth flow",
    fields: &[must("tokenUrl", V3, Uri), may("refreshUrl", V3, Uri), must("scopes", V3, Map(Key::Any, &Text))],
    rest: Rest::Extensions,
    check: None,
};

static CODE_FLOW: Shape = Shape {
    name: "an authorization code flow",
    fields: &[
        must("authorizationUrl", V3, Uri),
        must("tokenUrl", V3, Uri),
        may("refreshUrl", V3, Uri),
        must("scopes", V3, Map(Key::Any, &Text)),
    ],
    rest: Rest::Extensions,
    check: None,
};

static DEVICE_FLOW: Shape = Shape {
    name: "a device authorization flow",
    fields: &[
        must("deviceAuthorizationUrl", V32, Uri),
        must("tokenUrl", V32, Uri),
        may("refreshUrl", V32, Uri),
        must("scopes", V32, Map(Key::Any, &Text)),
    ],
    rest: Rest::Extensions,
    check: None,
};
