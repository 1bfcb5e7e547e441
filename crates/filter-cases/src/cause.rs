//! Whether the cause of a refusal fits: what it says decided is there, and it shows nothing that is secret.

use std::sync::OnceLock;

use http::{HeaderMap, HeaderName, header};
use serde_json::{Map, Value};
use tollgate_filter_api::{Answer, Carrier, Cause, Kind, Meaning, RequestHead, Rule, pointer};

use crate::options::Tree;

/// Shorter texts stand in a secret by chance.
const LEAST: usize = 8;

/// Fields whose values nobody may see, whatever the filter.
const SECRET_FIELDS: [HeaderName; 4] =
    [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE, HeaderName::from_static("dpop")];

/// What a filter was built from.
pub(crate) struct Origin {
    kind: Kind,
    settings: Value,
    declared: Value,
    /// Made for the first cause that names a setting which nobody wrote.
    tree: OnceLock<Tree>,
}

/// What the log must not hold of a request.
pub(crate) struct Secrets(Vec<String>);

impl Origin {
    pub(crate) fn new(kind: Kind, settings: Value, declared: Value) -> Self {
        Self { kind, settings, declared, tree: OnceLock::new() }
    }

    /// What is secret of the settings.
    fn secrets(&self) -> Vec<String> {
        let (tree, mut found) = (self.tree(), Vec::new());
        written_secrets(tree, &tree.root, &self.settings, &mut found);
        found
    }

    /// What is wrong with an answer's cause.
    pub(crate) fn check(&self, answer: &Answer, secrets: &Secrets) -> Result<(), String> {
        let cause = match (answer.cause(), answer.reason().meaning) {
            (Some(cause), meaning) if meaning != Meaning::Reply => cause,
            (None, Meaning::Reply) => return Ok(()),
            (None, _) => return Err("it has no cause".into()),
            (Some(_), _) => return Err("a reply has no cause".into()),
        };
        let rule = cause.rule();
        match rule {
            Rule::Setting(setting) if !self.is_setting(&setting.text()) => Err(format!("its cause names the {rule}, which there is not")),
            Rule::Declaration(declared) if !declared.text().is_empty() && self.declared.pointer(&declared.text()).is_none() => {
                Err(format!("its cause names the {rule}, which the definition does not make"))
            }
            Rule::Gateway(pointer) if !pointer.starts_with('/') => Err(format!("its cause names the {rule}, which is no pointer")),
            Rule::Fixed("") => Err("its cause does not say what decided".into()),
            _ => secrets.are_kept_by(cause, &self.secrets()),
        }
    }

    fn is_setting(&self, pointer: &str) -> bool {
        self.settings.pointer(pointer).is_some() || (self.may_be_left_out(pointer) && self.is_in_schema(pointer))
    }

    /// Whether the last part of a pointer that is written is no list: an index that is not there was never written.
    fn may_be_left_out(&self, pointer: &str) -> bool {
        let mut written = pointer;
        while self.settings.pointer(written).is_none() {
            written = written.rfind('/').map_or("", |end| &written[..end]);
        }
        !self.settings.pointer(written).is_some_and(Value::is_array)
    }

    fn is_in_schema(&self, pointer: &str) -> bool {
        let tree = self.tree();
        let step = |shapes: Vec<Map<String, Value>>, token: &str| -> Vec<Map<String, Value>> {
            shapes.iter().filter_map(|shape| below(shape, token)).flat_map(|schema| tree.shapes(schema)).collect()
        };
        pointer::tokens(pointer).is_some_and(|mut tokens| !tokens.by_ref().fold(tree.shapes(&tree.root), step).is_empty())
    }

    fn tree(&self) -> &Tree {
        self.tree.get_or_init(|| Tree::of(&self.kind))
    }
}

/// The schema of a member or an item.
fn below<'s>(shape: &'s Map<String, Value>, token: &str) -> Option<&'s Value> {
    let name = pointer::unescape(token)?;
    let member = shape.get("properties").and_then(|properties| properties.get(&*name));
    member.or_else(|| shape.get("additionalProperties").filter(|schema| schema.is_object())).or_else(|| shape.get("items"))
}

fn fields(fields: &HeaderMap, found: &mut Vec<String>) {
    for value in SECRET_FIELDS.iter().flat_map(|name| fields.get_all(name)) {
        let text = String::from_utf8_lossy(value.as_bytes());
        // The credential without its scheme, and cookies without their names.
        found.extend(text.split([' ', ';', '=']).map(str::to_owned));
        found.push(text.into_owned());
    }
}

/// Texts in places of the settings that are kept from print.
fn written_secrets(tree: &Tree, schema: &Value, settings: &Value, found: &mut Vec<String>) {
    for shape in tree.shapes(schema) {
        match settings {
            Value::String(text) if shape.get("writeOnly") == Some(&Value::Bool(true)) => found.push(text.clone()),
            Value::Object(members) => {
                for (name, value) in members {
                    if let Some(schema) = below(&shape, &pointer::escape(name)) {
                        written_secrets(tree, schema, value, found);
                    }
                }
            }
            Value::Array(items) => {
                for (schema, item) in items.iter().filter_map(|item| Some((shape.get("items")?, item))) {
                    written_secrets(tree, schema, item, found);
                }
            }
            _ => {}
        }
    }
}

impl Secrets {
    /// The credentials of a request, its query and its body.
    pub(crate) fn of(req: &RequestHead, carrier: Option<&Carrier>, body: Option<&[u8]>) -> Self {
        let mut found = Vec::new();
        fields(req.fields(), &mut found);
        let carried = carrier.map(|carrier| carrier.values(req)).unwrap_or_default();
        found.extend(carried.iter().map(|value| String::from_utf8_lossy(value).into_owned()));
        let query = req.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        found.extend(query.map(|(_, value)| value.to_owned()));
        found.extend(body.map(|body| String::from_utf8_lossy(body).into_owned()));
        Self(found)
    }

    fn are_kept_by(&self, cause: &Cause, written: &[String]) -> Result<(), String> {
        let sentence = cause.to_string();
        let shown = cause.shown().filter(|shown| shown.len() >= LEAST);
        let mut secrets = self.0.iter().chain(written).filter(|secret| secret.len() >= LEAST);
        let told = secrets.any(|secret| sentence.contains(secret.as_str()) || shown.is_some_and(|shown| secret.contains(shown)));
        if told { Err(format!("its cause shows a secret: {sentence}")) } else { Ok(()) }
    }
}
