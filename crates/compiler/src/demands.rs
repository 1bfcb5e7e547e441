//! What the extensions ask of filters, as data the filters read.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tollgate_document::{Shape, nearest};
use tollgate_filter_api::{Problem, Problems};
use tollgate_plan::{Demand, Source};

use crate::extensions::{GENERIC, HOSTS};
use crate::input::sources::short;
use crate::input::spot::Spot;

/// Demands being gathered for one operation.
#[derive(Clone, Default)]
pub(crate) struct Demands(Vec<Demand>);

impl Demands {
    pub(crate) fn add(&mut self, filter: &str, settings: Value, source: Source) {
        self.0.push(Demand { filter: filter.to_owned(), settings, source });
    }

    /// Sorted by filter, otherwise in the order in which they were added.
    pub(crate) fn finish(mut self) -> Vec<Demand> {
        self.0.sort_by(|a, b| a.filter.cmp(&b.filter));
        self.0
    }

    /// The `x-tollgate-<filter>` extensions of a level: merged over what less specific levels said.
    pub(crate) fn generic(&mut self, spot: &Spot<'_>, problems: &mut Problems) {
        for (key, value) in spot.entries() {
            let Some(filter) = key.strip_prefix(GENERIC).filter(|_| key != HOSTS) else { continue };
            let id = filter.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if filter.is_empty() || !id {
                let message = format!("`{}` names no filter", short(key));
                problems.push(value.error("extension.value", message).hint("a filter ID reads `rate_limit`"));
                continue;
            }
            let settings = match value.node.as_bool() {
                Some(true) => json!({}),
                _ if value.is(Shape::Object) => value.value(),
                _ => {
                    let message = format!("`{key}` must be an object with the filter's settings, or `true`");
                    problems.push(value.error("extension.value", message));
                    continue;
                }
            };
            self.merge(filter, settings, value.source());
        }
    }

    /// Whether a filter is told to look neither at requests nor at answers.
    pub(crate) fn switches_off(&self, filter: &str) -> bool {
        let demand = self.0.iter().rev().find(|demand| demand.filter == filter);
        demand.is_some_and(|demand| ["request", "response"].iter().all(|way| demand.settings[way] == "off"))
    }

    fn merge(&mut self, filter: &str, settings: Value, source: Source) {
        match self.0.iter_mut().rev().find(|d| d.filter == filter) {
            Some(demand) => {
                merge(&mut demand.settings, settings);
                demand.source = source;
            }
            None => self.add(filter, settings, source),
        }
    }
}

/// Objects are merged key by key; anything else is replaced.
fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

/// Bytes of a value, roughly.
pub(crate) fn weight(value: &Value) -> usize {
    32 + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(members) => members.iter().map(|(key, value)| 24 + key.len() + weight(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// `x-wso2-cors`, in any of its three spellings.
pub(crate) fn cors(root: &Spot<'_>, demands: &mut Demands, problems: &mut Problems) {
    let Some(spot) = root.get("x-wso2-cors") else { return };
    if !spot.is(Shape::Object) {
        problems.push(spot.error("extension.value", "`x-wso2-cors` must be an object"));
        return;
    }
    let mut settings = BTreeMap::new();
    let mut enabled = true;
    for (key, value) in spot.entries() {
        let Some((name, is_list)) = cors_key(key) else {
            problems.push(unknown_key(key, &value, "extension.unknown", &CORS.map(|(camel, _, _)| camel)));
            continue;
        };
        let read = if is_list { text_list(&value) } else { value.node.as_bool().map(Value::Bool) };
        match read {
            Some(Value::Bool(on)) if name == "enabled" => enabled = on,
            Some(read) => {
                settings.insert(name.to_owned(), read);
            }
            None => {
                let expected = if is_list { "a list of strings" } else { "true or false" };
                problems.push(value.error("extension.value", format!("`{key}` must be {expected}")));
            }
        }
    }
    for (name, default) in [("allow_origins", json!(["*"])), ("allow_credentials", json!(false)), ("expose_headers", json!([]))] {
        settings.entry(name.to_owned()).or_insert(default);
    }
    if enabled {
        demands.add("cors", Value::Object(settings.into_iter().collect::<Map<_, _>>()), spot.source());
    }
}

/// Spelling of the reference product, our setting, whether it is a list.
const CORS: [(&str, &str, bool); 6] = [
    ("accessControlAllowOrigins", "allow_origins", true),
    ("accessControlAllowHeaders", "allow_headers", true),
    ("accessControlAllowMethods", "allow_methods", true),
    ("accessControlExposeHeaders", "expose_headers", true),
    ("accessControlAllowCredentials", "allow_credentials", false),
    ("corsConfigurationEnabled", "enabled", false),
];

fn cors_key(key: &str) -> Option<(&'static str, bool)> {
    let fold = |text: &str| text.replace(['-', '_'], "").to_ascii_lowercase();
    let folded = fold(key);
    CORS.iter().find(|(camel, _, _)| fold(camel) == folded).map(|(_, name, is_list)| (*name, *is_list))
}

/// A list of strings; one string stands for a list of it.
fn text_list(spot: &Spot<'_>) -> Option<Value> {
    match spot.node.shape() {
        Shape::String => Some(json!([spot.node.as_str()?])),
        Shape::Array => {
            let texts: Option<Vec<&str>> = spot.node.items().map(|item| item.as_str()).collect();
            texts.map(|texts| json!(texts))
        }
        _ => None,
    }
}

/// What to say of a key that is read by nobody: an error when it is close to one that is, as a slip would change what is enforced.
pub(crate) fn unknown_key(key: &str, value: &Spot<'_>, code: &'static str, known: &[&str]) -> Problem {
    let message = format!("unknown key `{}`", short(key));
    match nearest(key, known.iter().copied()) {
        Some(near) => value.error(code, message).hint(format!("did you mean `{near}`?")),
        None => value.warning(code, message).hint(format!("known are {}", known.join(", "))),
    }
}
