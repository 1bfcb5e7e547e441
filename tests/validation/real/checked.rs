//! Whether a sample fits its schema, in a few lines of its own: what is sent as good must be good by somebody's word.

use serde_json::{Map, Value};

use super::{schemas::Definition, texts};

/// Deep enough for every sample.
const DEPTH: usize = 64;

impl Definition {
    /// As a request has it: members that are only read are not demanded.
    pub fn fits(&self, schema: &Value, value: &Value) -> bool {
        self.judge(schema, value, DEPTH)
    }

    fn judge(&self, schema: &Value, value: &Value, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        let Value::Object(says) = schema else { return *schema == Value::Bool(true) };
        if says.contains_key("$ref") {
            let target = self.judge(self.resolve(schema), value, depth);
            if self.old || !target {
                return target;
            }
        }
        says.iter().all(|(name, rule)| self.keeps(says, name, rule, value, depth))
    }

    fn keeps(&self, says: &Map<String, Value>, name: &str, rule: &Value, value: &Value, depth: usize) -> bool {
        let list = rule.as_array().map(Vec::as_slice).unwrap_or_default();
        let fitting = || list.iter().filter(|one| self.judge(one, value, depth)).count();
        match name {
            "allOf" => fitting() == list.len(),
            "anyOf" => fitting() > 0,
            "oneOf" => fitting() == 1,
            "not" => !self.judge(rule, value, depth),
            "enum" => list.contains(value),
            "const" => rule == value,
            "type" => is_of(rule, says.get("nullable"), value),
            "properties" => members(value).all(|(key, member)| rule.get(key).is_none_or(|schema| self.judge(schema, member, depth))),
            "additionalProperties" | "unevaluatedProperties" => {
                let known = |key: &str| says.get("properties").is_some_and(|all| all.get(key).is_some());
                name == "unevaluatedProperties" || members(value).all(|(key, member)| known(key) || self.judge(rule, member, depth))
            }
            "required" => value.is_null() || !value.is_object() || list.iter().all(|key| self.has(says, key.as_str().unwrap(), value)),
            "items" => value.as_array().is_none_or(|all| all.iter().all(|item| self.judge(rule, item, depth))),
            _ => bounded(says, name, rule, value),
        }
    }

    fn has(&self, says: &Map<String, Value>, key: &str, value: &Value) -> bool {
        value.get(key).is_some() || says.get("properties").and_then(|all| all.get(key)).is_some_and(|schema| self.is_read_only(schema))
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

pub fn is_of(types: &Value, nullable: Option<&Value>, value: &Value) -> bool {
    let one = |name: &Value| match name.as_str().unwrap_or_default() {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    };
    let allowed = types.as_array().map_or_else(|| one(types), |all| all.iter().any(one));
    allowed || (value.is_null() && nullable == Some(&Value::Bool(true)))
}

fn bounded(says: &Map<String, Value>, name: &str, rule: &Value, value: &Value) -> bool {
    let (number, bound) = (value.as_f64(), rule.as_f64().unwrap_or(f64::NAN));
    let length = value.as_str().map(|text| text.chars().count() as f64);
    let items = value.as_array().map(|all| all.len() as f64);
    let exclusive = |name: &str| says.get(name) == Some(&Value::Bool(true));
    match name {
        "minimum" => number.is_none_or(|number| number > bound || (number == bound && !exclusive("exclusiveMinimum"))),
        "maximum" => number.is_none_or(|number| number < bound || (number == bound && !exclusive("exclusiveMaximum"))),
        "exclusiveMinimum" if rule.is_number() => number.is_none_or(|number| number > bound),
        "exclusiveMaximum" if rule.is_number() => number.is_none_or(|number| number < bound),
        "minLength" => length.is_none_or(|length| length >= bound),
        "maxLength" => length.is_none_or(|length| length <= bound),
        "minItems" => items.is_none_or(|items| items >= bound),
        "maxItems" => items.is_none_or(|items| items <= bound),
        "minProperties" => value.as_object().is_none_or(|all| all.len() as f64 >= bound),
        "maxProperties" => value.as_object().is_none_or(|all| all.len() as f64 <= bound),
        "pattern" => {
            value.as_str().is_none_or(|text| texts::matching(rule.as_str().unwrap(), &[text], 0, usize::MAX).as_deref() == Some(text))
        }
        _ => true,
    }
}
