//! The same value with one rule of its schema broken.

use serde_json::{Value, json};

use super::{
    checked::is_of,
    schemas::{Definition, Flat},
    texts,
};

/// One rule, and a value that breaks it.
#[derive(Clone, Debug)]
pub struct Broken {
    pub rule: String,
    /// Where.
    pub pointer: String,
    pub value: Value,
}

/// A longer list or text would be a test of limits.
const LONGEST: usize = 5_000;

impl Definition {
    /// Every way that is known to break a good value. What only one branch of a choice says is left alone.
    pub fn broken(&self, schema: &Value, good: &Value) -> Vec<Broken> {
        let mut found = Vec::new();
        self.places(schema, good, good, "", &mut found);
        found
    }

    fn places(&self, schema: &Value, whole: &Value, here: &Value, pointer: &str, found: &mut Vec<Broken>) {
        let Some(flat) = self.flat(schema) else { return };
        for (rule, value) in self.broken_here(&flat, here) {
            let mut broken = whole.clone();
            match broken.pointer_mut(pointer) {
                Some(place) => *place = value,
                None => continue,
            }
            found.push(Broken { rule, pointer: pointer.to_owned(), value: broken });
        }
        match here {
            Value::Object(object) => {
                for (name, value) in object {
                    if let Some(schema) = flat.properties().and_then(|all| all.get(name)) {
                        self.places(schema, whole, value, &format!("{pointer}/{}", escaped(name)), found);
                    }
                }
            }
            Value::Array(items) => {
                if let (Some(schema), Some(item)) = (flat.says.get("items"), items.first()) {
                    self.places(schema, whole, item, &format!("{pointer}/0"), found);
                }
            }
            _ => {}
        }
    }

    fn broken_here(&self, flat: &Flat, good: &Value) -> Vec<(String, Value)> {
        let mut all = Vec::new();
        let mut add = |rule: &str, value: Option<Value>| all.extend(value.map(|value| (rule.to_owned(), value)));
        add("type", wrong_type(flat));
        add("enum", flat.values("enum").map(|_| json!("none of them")).filter(|_| good.is_string()));
        match good {
            Value::Object(object) => {
                for name in flat.values("required").unwrap_or_default().iter().filter_map(Value::as_str) {
                    if object.contains_key(name) {
                        let mut less = object.clone();
                        less.remove(name);
                        add("required", Some(less.into()));
                    }
                }
                for rule in ["additionalProperties", "unevaluatedProperties"] {
                    if flat.says.get(rule) == Some(&Value::Bool(false)) {
                        let mut more = object.clone();
                        more.insert("nobody-knows-this".into(), 1.into());
                        add(rule, Some(more.into()));
                    }
                }
            }
            Value::Array(items) => {
                let longer = flat.size("maxItems").filter(|most| *most < LONGEST);
                add("maxItems", longer.and_then(|most| items.first().map(|item| vec![item.clone(); most + 1].into())));
                add("minItems", flat.size("minItems").filter(|least| *least > 0).map(|least| items[..least - 1].to_vec().into()));
                let twice = flat.says.get("uniqueItems") == Some(&Value::Bool(true));
                add("uniqueItems", items.first().filter(|_| twice).map(|item| vec![item.clone(); 2].into()));
            }
            Value::String(_) => texts_of(flat).into_iter().for_each(|(rule, text)| add(rule, Some(text.into()))),
            Value::Number(_) => numbers_of(flat).into_iter().for_each(|(rule, number)| add(rule, Some(number))),
            _ => {}
        }
        all
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

pub fn wrong_type(flat: &Flat) -> Option<Value> {
    let (types, nullable) = (flat.says.get("type")?, flat.says.get("nullable"));
    [json!(true), json!({ "a": 1 }), json!(["a"]), json!(1.5), json!("text")].into_iter().find(|value| !is_of(types, nullable, value))
}

/// Texts that break one rule each.
pub fn texts_of(flat: &Flat) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    if let Some(most) = flat.size("maxLength").filter(|most| *most < LONGEST) {
        all.push(("maxLength", "a".repeat(most + 1)));
    }
    if let Some(least) = flat.size("minLength").filter(|least| *least > 0) {
        all.push(("minLength", "a".repeat(least - 1)));
    }
    if let Some(text) = flat.text("pattern").and_then(texts::breaking) {
        all.push(("pattern", text.to_owned()));
    }
    if flat.text("format").and_then(texts::of_format).is_some() {
        all.push(("format", texts::NO_FORMAT.to_owned()));
    }
    all
}

pub fn numbers_of(flat: &Flat) -> Vec<(&'static str, Value)> {
    let beyond =
        |name: &str, step: f64| flat.number(name).map(|bound| json!(bound + step)).filter(|value| value.as_f64() != flat.number(name));
    let mut all = Vec::new();
    all.extend(beyond("minimum", -1.0).map(|value| ("minimum", whole(value))));
    all.extend(beyond("maximum", 1.0).map(|value| ("maximum", whole(value))));
    all
}

/// `2` rather than `2.0`.
fn whole(value: Value) -> Value {
    match value.as_f64() {
        Some(number) if number.fract() == 0.0 && number.abs() < 1e15 => json!(number as i64),
        _ => value,
    }
}
