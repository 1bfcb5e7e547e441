//! What is written in YAML.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tollgate_changes::{cookies, heads::Changes, query};
use tollgate_filter_api::{ByteSize, Interval};
use tollgate_xml::Options;

/// Settings of the `transform` filter.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Changes to requests, seen by later filters and by the upstream.
    pub request: Request,
    /// Changes to the upstream's answers. Those that the gateway makes stay as they are.
    pub response: Response,
    /// What a body may have at most.
    pub limits: Limits,
}

/// Changes to a request. All values are made of the request as it came, then all changes are done.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// Another method. Not for HEAD and CONNECT.
    pub method: Option<String>,
    /// Another path below the API's base path, with facts such as `${path.id}` in it. The request is refused when one of them is not known.
    pub path: Option<String>,
    /// Changes to the query.
    pub query: query::Changes,
    /// Changes to the header.
    pub headers: Changes,
    /// Changes to the cookies that the client sends.
    pub cookies: cookies::Changes,
    /// What is done to the body, step by step.
    pub body: Vec<Step>,
    /// What becomes of a body of another media type than the first step reads.
    pub other_bodies: Other,
}

impl Request {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { method, path, query, headers, cookies, body, other_bodies: _ } = self;
        let target = method.is_none() && path.is_none() && query.is_empty();
        target && headers.is_empty() && cookies.is_empty() && body.is_empty()
    }
}

/// Changes to an answer of the upstream.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Response {
    /// Statuses whose answers are changed, each a code or a class: `404`, or `2` for all from 200 to 299. Empty: every one.
    pub statuses: Vec<u16>,
    /// Status to other status; the first is a code or a class. An answer without a body keeps its own.
    pub status: BTreeMap<String, u16>,
    /// Changes to the header.
    pub headers: Changes,
    /// Cookies that the client is not to be given.
    pub remove_cookies: Vec<String>,
    /// What is done to the body, step by step.
    pub body: Vec<Step>,
    /// Places in JSON bodies that no client sees, as JSON Pointers in which `*` is every member and every item. They are removed last, whatever
    /// the status.
    pub redact: Vec<String>,
    /// What becomes of a body of another media type than the first step reads.
    pub other_bodies: Other,
}

impl Default for Response {
    fn default() -> Self {
        Self {
            statuses: vec![2],
            status: BTreeMap::new(),
            headers: Changes::default(),
            remove_cookies: Vec::new(),
            body: Vec::new(),
            redact: Vec::new(),
            other_bodies: Other::default(),
        }
    }
}

impl Response {
    pub(crate) fn is_empty(&self) -> bool {
        let Self { status, headers, remove_cookies, body, redact, statuses: _, other_bodies: _ } = self;
        status.is_empty() && headers.is_empty() && remove_cookies.is_empty() && body.is_empty() && redact.is_empty()
    }
}

/// One change to a body: exactly one of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// A JSON Patch (RFC 6902): a list of operations, all of which must be possible.
    pub patch: Option<Value>,
    /// A JSON Merge Patch (RFC 7396): members to set, and with `null` to remove.
    pub merge: Option<Value>,
    /// Places that are removed, as JSON Pointers in which `*` is every member and every item.
    pub remove: Option<Vec<String>>,
    /// What a program in jq makes of a JSON body. It must come to exactly one value; `[…]` makes one of several.
    pub jq: Option<String>,
    /// Another body, written by a template. As the first step it also makes bodies for requests that have none.
    pub template: Option<TemplateStep>,
    /// The document in XML that a JSON body stands for.
    pub to_xml: Option<Conversion>,
    /// The JSON value that a document in XML stands for.
    pub to_json: Option<Conversion>,
}

impl Step {
    /// How many things it says.
    pub(crate) fn count(&self) -> usize {
        let Self { patch, merge, remove, jq, template, to_xml, to_json } = self;
        let edits = [patch.is_some(), merge.is_some(), remove.is_some(), jq.is_some()];
        edits.into_iter().chain([template.is_some(), to_xml.is_some(), to_json.is_some()]).filter(|is| *is).count()
    }
}

/// A template in the language of Jinja. It knows the facts by their names, such as `principal.subject`, `path.id` and `header["x-a"]`; `body`, when
/// that is JSON; `text`, the body as text; and of an answer `status`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateStep {
    /// The template.
    pub text: String,
    /// Media type of what it writes. JSON and XML have values escaped accordingly; what is to be JSON must come out as JSON.
    #[serde(rename = "type", default = "json")]
    pub media_type: String,
}

fn json() -> String {
    "application/json".to_owned()
}

/// What becomes of a body that cannot be changed because it is of another media type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Other {
    /// The message is refused.
    #[default]
    Refuse,
    /// It goes on as it is.
    Pass,
}

/// What a body may have at most, before and after.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes.
    pub body: ByteSize,
    /// Arrays and objects in each other, up to 256.
    pub depth: u16,
    /// Values of all kinds.
    pub values: u32,
    /// Time that a program in jq may take, two seconds at most.
    pub jq: Interval,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: ByteSize(1 << 20), depth: 64, values: 100_000, jq: Interval(Duration::from_millis(50)) }
    }
}

/// How JSON becomes XML and back.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Conversion {
    /// Which JSON stands for which XML.
    pub convention: Convention,
    /// The outermost element, where the definition names none.
    pub root: String,
    /// The items of a list that is the whole value, where the definition names none.
    pub item: String,
}

impl Default for Conversion {
    fn default() -> Self {
        let Options { root, item, .. } = Options::default();
        Self { convention: Convention::default(), root, item }
    }
}

/// Which JSON stands for which XML.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Convention {
    /// As the definition's schema of the body and its `xml` objects say. Without them members are elements, items of a list are elements of the same
    /// name, `@name` is an attribute, `#text` the text beside elements, and every text is a string.
    #[default]
    Schema,
    /// As the reference product does it, whatever the schema says.
    Wso2,
}
