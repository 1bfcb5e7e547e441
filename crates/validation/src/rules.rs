//! What a definition says of messages, as the Plan carries it: whatever version of OpenAPI it has, in one form.
//!
//! The compiler writes it, and whoever validates reads it. Schemas are JSON Schema 2020-12 and stand in one list for the whole project;
//! everything else refers to them by number. What is not sent is left out, and so the same definition always gives the same text.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A schema's place in [`Schemas`].
pub type SchemaNumber = u32;

/// Every schema of a project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schemas {
    /// By number.
    #[serde(default)]
    pub schemas: Vec<WrittenSchema>,
}

/// One schema: something that others refer to, or what an operation has in place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenSchema {
    /// JSON Schema 2020-12. A `$ref` reads `tollgate:schemas#/$defs/NUMBER`; `x-line` is the line of the object around it in the definition.
    pub schema: Value,
    /// The file it stands in.
    pub file: String,
}

/// Where the schema of that number is, for a `$ref`.
pub fn reference(number: SchemaNumber) -> String {
    format!("{URI}#/$defs/{number}")
}

/// The document that has every schema.
pub const URI: &str = "tollgate:schemas";

/// What is said of one operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationRules {
    /// Title of its API.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api: String,
    /// Version of its API.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The template of its path, below the base path.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub template: String,
    /// Names in the query that are no parameters and all the same known, such as that of an API key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_query: Vec<String>,
    /// Its parameters, those of its path included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<ParameterRule>,
    /// The body of its requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyRule>,
    /// Its answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<AnswerRule>,
}

impl OperationRules {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty() && self.body.is_none() && self.answers.is_empty()
    }
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In a segment of the path.
    Path,
    /// In the query.
    Query,
    /// The whole query, in one value (OpenAPI 3.2).
    Querystring,
    /// In a field.
    Header,
    /// In `Cookie`.
    Cookie,
}

impl Place {
    /// As a definition spells it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Querystring => "querystring",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }
}

/// One parameter, or one field of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterRule {
    /// Where it stands.
    #[serde(rename = "in")]
    pub place: Place,
    /// Its name.
    pub name: String,
    /// A request without it is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// An empty value counts as none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_empty: bool,
    /// How its value is written.
    pub form: Form,
    /// What its value must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<SchemaNumber>,
    /// `file:line`.
    pub source: String,
}

/// How a value is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// By the rules of a style.
    Style(Style),
    /// As a document of this media type, percent-encoded where its place asks for it.
    Content(String),
}

/// How lists and objects are taken apart. What separates their parts is looked for before anything is percent-decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// `a,b`, `R,1,G,2`.
    Simple,
    /// `a,b`, `R=1,G=2`.
    SimpleExplode,
    /// `.a,b`, `.R,1`.
    Label,
    /// `.a.b`, `.R=1.G=2`.
    LabelExplode,
    /// `;n=a,b`, `;n=R,1`.
    Matrix,
    /// `;n=a;n=b`, `;R=1;G=2`.
    MatrixExplode,
    /// `n=a,b`, `n=R,1`.
    Form,
    /// `n=a&n=b`, `R=1&G=2`.
    FormExplode,
    /// `n=a%20b`, or with `+`.
    SpaceDelimited,
    /// `n=a|b`, or with `%7C`.
    PipeDelimited,
    /// Separated by tabs: `tsv` of OpenAPI 2.0.
    TabDelimited,
    /// `n[R]=1&n[G]=2`.
    DeepObject,
    /// In a cookie, with nothing escaped (OpenAPI 3.2): `n=a,b`, `n=R,1`.
    Cookie,
    /// In a cookie, with nothing escaped: `n=a; n=b`, `R=1; G=2`.
    CookieExplode,
}

/// The body of requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BodyRule {
    /// A request without one is refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// What it may be.
    pub content: Vec<MediaRule>,
    /// `file:line`.
    pub source: String,
}

/// A body of one media type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaRule {
    /// The media type or range, as written.
    pub range: String,
    /// What the body must be. None: anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<SchemaNumber>,
    /// What each item of a body must be that is a sequence (OpenAPI 3.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item_schema: Option<SchemaNumber>,
    /// How the members of a form are written, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub encoding: BTreeMap<String, Encoding>,
    /// `file:line`.
    pub source: String,
}

/// How a member of a form is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoding {
    /// Media types it may have, as part of a multipart body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub content_types: Vec<String>,
    /// How it is taken apart in a form; none: as `form` with explode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<Style>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerRule {
    /// `200`, `2XX` or `default`.
    pub status: String,
    /// Its fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<ParameterRule>,
    /// What it may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<MediaRule>,
    /// `file:line`.
    pub source: String,
}
