//! Parameters of an operation, as a request writes them.

use serde_json::{Map, Value};

use super::{broken, schemas::Definition};

/// One parameter with a good value.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub place: String,
    pub name: String,
    pub required: bool,
    explode: bool,
    style: Option<String>,
    pub schema: Value,
    pub value: Value,
}

/// Fields that belong to the message, or that no parameter describes.
const RESERVED: [&str; 12] = [
    "accept",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "range",
    "te",
    "transfer-encoding",
    "upgrade",
];

impl Definition {
    /// Those of an operation with a good value each: all that are required, and others where one is easily written. `Err` names a required
    /// one without.
    pub fn parameters(&self, item: &Value, operation: &Value) -> Result<Vec<Parameter>, String> {
        let mut by_name = Map::new();
        for list in [&item["parameters"], &operation["parameters"]] {
            for parameter in list.as_array().into_iter().flatten() {
                let parameter = self.resolve(parameter);
                by_name.insert(format!("{} {}", parameter["in"], parameter["name"]), parameter.clone());
            }
        }
        let mut all = Vec::new();
        for declared in by_name.values() {
            if !is_written(declared) {
                continue;
            }
            match self.parameter(declared) {
                Some(parameter) => all.push(parameter),
                None if declared["required"] == true => return Err(format!("no sample of the parameter {}", declared["name"])),
                None => {}
            }
        }
        Ok(all)
    }

    fn parameter(&self, declared: &Value) -> Option<Parameter> {
        let (place, name) = (declared["in"].as_str()?, declared["name"].as_str()?);
        let schema = declared.get("schema")?;
        let value = self.sample(schema).filter(|value| place != "cookie" && is_flat(value))?;
        let style = declared["style"].as_str().map(str::to_owned);
        let explode =
            declared["explode"].as_bool().unwrap_or(matches!(place, "query") && style.as_deref().is_none_or(|style| style == "form"));
        Some(Parameter {
            place: place.to_owned(),
            name: name.to_owned(),
            required: declared["required"] == true,
            explode,
            style,
            schema: schema.clone(),
            value,
        })
    }

    /// Good texts of scalars, broken: the rule, and the text.
    pub fn broken_texts(&self, parameter: &Parameter) -> Vec<(String, String)> {
        let Some(flat) = self.flat(&parameter.schema) else { return Vec::new() };
        let (mut all, types) = (Vec::new(), flat.types());
        let untyped = types.iter().all(|name| matches!(*name, "integer" | "number" | "boolean"));
        match &parameter.value {
            Value::Number(_) | Value::Bool(_) if untyped && !types.is_empty() => all.push(("type".to_owned(), "abc".to_owned())),
            _ => {}
        }
        if flat.choices.is_empty() && parameter.value.is_string() && types.contains(&"string") {
            if flat.says.contains_key("enum") {
                all.push(("enum".to_owned(), "none-of-them".to_owned()));
            }
            all.extend(broken::texts_of(&flat).into_iter().map(|(rule, text)| (rule.to_owned(), text)));
        }
        if parameter.value.is_number() {
            all.extend(broken::numbers_of(&flat).into_iter().map(|(rule, number)| (rule.to_owned(), number.to_string())));
        }
        // No field has such a value, and no segment is empty.
        all.retain(|(_, text)| text.is_ascii() || parameter.place != "header");
        all.retain(|(_, text)| !text.is_empty() || parameter.place == "query");
        all
    }
}

/// Whether a request can have it: not every description knows what a field's name is.
fn is_written(declared: &Value) -> bool {
    let name = declared["name"].as_str().unwrap_or_default().to_ascii_lowercase();
    // The last are for a platform before the gateway to say; from clients they are taken away.
    let reserved = name.is_empty() || RESERVED.contains(&name.as_str()) || name.starts_with("x-vercel-");
    declared["in"] != "header" || !reserved
}

fn is_flat(value: &Value) -> bool {
    match value {
        Value::Array(all) => all.iter().all(|item| !item.is_array() && !item.is_object() && !item.is_null()),
        Value::Object(_) | Value::Null => false,
        _ => true,
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// With everything escaped that could mean something.
pub fn escaped(text: &str) -> String {
    let mut written = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => written.push(char::from(byte)),
            _ => written.push_str(&format!("%{byte:02X}")),
        }
    }
    written
}

/// A request's target and fields.
#[derive(Clone, Debug, Default)]
pub struct Written {
    pub target: String,
    pub fields: Vec<String>,
}

/// Writes them, one of them with another text or none.
pub fn write(template: &str, parameters: &[Parameter], other: Option<(&str, Option<&str>)>) -> Written {
    let mut target = template.to_owned();
    let (mut query, mut fields) = (Vec::new(), Vec::new());
    for parameter in parameters {
        let replaced = other.filter(|(name, _)| *name == format!("{} {}", parameter.place, parameter.name)).map(|(_, text)| text);
        if replaced == Some(None) {
            continue;
        }
        let items: Vec<String> = match (replaced.flatten(), &parameter.value) {
            (Some(text), _) => vec![text.to_owned()],
            (None, Value::Array(all)) => all.iter().map(text).collect(),
            (None, value) => vec![text(value)],
        };
        match parameter.place.as_str() {
            "path" => target = target.replace(&format!("{{{}}}", parameter.name), &joined(&items, ",")),
            "header" => fields.push(format!("{}: {}", parameter.name, items.join(","))),
            _ => query.extend(pairs(parameter, &items)),
        }
    }
    if !query.is_empty() {
        target = format!("{target}?{}", query.join("&"));
    }
    Written { target, fields }
}

fn joined(items: &[String], separator: &str) -> String {
    items.iter().map(|item| escaped(item)).collect::<Vec<_>>().join(separator)
}

fn pairs(parameter: &Parameter, items: &[String]) -> Vec<String> {
    let name = escaped(&parameter.name);
    if parameter.explode {
        return items.iter().map(|item| format!("{name}={}", escaped(item))).collect();
    }
    let separator = match parameter.style.as_deref() {
        Some("spaceDelimited") => "%20",
        Some("pipeDelimited") => "|",
        _ => ",",
    };
    vec![format!("{name}={}", joined(items, separator))]
}
