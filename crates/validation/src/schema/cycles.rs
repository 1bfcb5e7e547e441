//! Schemas that lead back to themselves, cut where they refer to each other.
//!
//! What says why a value does not fit goes every way through a schema, and remembers nothing: where two ways lead from a value to a part of
//! it, as in an `allOf` of which two schemas have the same member, a value nested 30 deep would be looked at a billion times. So there a
//! reference only decides ([`KEYWORD`]), and what it leads to is explained apart, once for each value.

use serde_json::{Map, Value, json};

use crate::rules::{SchemaNumber, Schemas, URI};

/// A reference that only decides.
pub(super) const KEYWORD: &str = "x-decides";

/// Keywords that ask what others have looked at, which a reference that only decides does not say.
const UNEVALUATED: [&str; 2] = ["unevaluatedProperties", "unevaluatedItems"];

/// The number that a reference between schemas leads to.
pub(super) fn number(reference: &str) -> Option<SchemaNumber> {
    reference.strip_prefix(URI)?.strip_prefix("#/$defs/")?.parse().ok()
}

/// Schemas that lead back to themselves from which on they are cut also to decide: each would have all of them in it, and take gigabytes.
const MANY: usize = 64;

/// All schemas, with their references cut that may be part of a circle.
pub(super) struct Cut {
    pub schemas: Vec<Value>,
    /// There are many circles, and no keyword was left out: they decide as the schemas that were written.
    pub decides: bool,
}

/// `None` when there is no circle.
pub(super) fn cut(written: &Schemas) -> Option<Cut> {
    let all = &written.schemas;
    let targets: Vec<Vec<usize>> = all.iter().map(|one| targets(&one.schema, all.len())).collect();
    let circular = circular(&targets);
    let cut = |(at, one): (usize, &crate::rules::WrittenSchema)| {
        let leads_back = circular[at] && targets[at].iter().any(|target| circular[*target]);
        if leads_back { without(&one.schema, &circular) } else { one.schema.clone() }
    };
    let many = circular.iter().filter(|circular| **circular).count() >= MANY;
    let decides = many && !all.iter().any(|one| is_unevaluated_asked(&one.schema));
    circular.contains(&true).then(|| Cut { schemas: all.iter().enumerate().map(cut).collect(), decides })
}

fn is_unevaluated_asked(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(key, value)| UNEVALUATED.contains(&key.as_str()) || is_unevaluated_asked(value)),
        Value::Array(items) => items.iter().any(is_unevaluated_asked),
        _ => false,
    }
}

fn targets(schema: &Value, all: usize) -> Vec<usize> {
    let (mut found, mut open) = (Vec::new(), vec![schema]);
    while let Some(value) = open.pop() {
        let target = value.get("$ref").and_then(Value::as_str).and_then(number);
        found.extend(target.map(|target| target as usize).filter(|target| *target < all));
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(members) => open.extend(members.values()),
            _ => {}
        }
    }
    found
}

/// Which schemas lead into a circle: those that are left when all are taken away that lead nowhere but to what was taken away.
fn circular(targets: &[Vec<usize>]) -> Vec<bool> {
    let mut sources = vec![Vec::new(); targets.len()];
    for (at, all) in targets.iter().enumerate() {
        all.iter().for_each(|target| sources[*target].push(at));
    }
    let mut left: Vec<usize> = targets.iter().map(Vec::len).collect();
    let mut ends: Vec<usize> = (0..left.len()).filter(|at| left[*at] == 0).collect();
    while let Some(end) = ends.pop() {
        for source in &sources[end] {
            left[*source] -= 1;
            if left[*source] == 0 {
                ends.push(*source);
            }
        }
    }
    left.iter().map(|left| *left > 0).collect()
}

/// As deep as a definition may be, so it may recurse.
fn without(schema: &Value, circular: &[bool]) -> Value {
    let cut = |(key, value): (&String, &Value)| {
        let target = value.as_str().filter(|_| key == "$ref").and_then(number);
        match target {
            Some(number) if circular.get(number as usize) == Some(&true) => Some((KEYWORD.to_owned(), json!(number))),
            _ if UNEVALUATED.contains(&key.as_str()) => None,
            _ => Some((key.clone(), without(value, circular))),
        }
    };
    match schema {
        Value::Object(members) => Value::Object(members.iter().filter_map(cut).collect::<Map<_, _>>()),
        Value::Array(items) => items.iter().map(|item| without(item, circular)).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{WrittenSchema, reference};

    #[test]
    fn references_are_cut_where_they_lead_into_a_circle_and_nowhere_else() {
        let to = |number| json!({ "$ref": reference(number) });
        let schemas = [to(1), json!({"items": to(2), "not": to(3)}), json!({"properties": {"a": to(1)}}), json!({"type": "string"})];
        let written = |schemas: &[Value]| Schemas {
            schemas: schemas.iter().map(|schema| WrittenSchema { schema: schema.clone(), file: String::new() }).collect(),
        };
        let is = |number: u32| json!({ KEYWORD: number });
        let expected = vec![is(1), json!({"items": is(2), "not": to(3)}), json!({"properties": {"a": is(1)}}), json!({"type": "string"})];
        let found = cut(&written(&schemas)).map(|cut| (cut.schemas, cut.decides));
        assert_eq!(found, Some((expected, false)));
        assert!(cut(&written(&[to(1), json!({"items": to(2)}), json!(true)])).is_none());
    }
}
