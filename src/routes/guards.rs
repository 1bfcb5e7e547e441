//! Which operations of an API stand under the same rules.

use std::collections::HashMap;

use serde_json::Value;
use tollgate_plan::{Operation, Plan, Source, Target};

/// A number for each operation, in the order of the Plan: those of an API with the same number have the same rules, whatever
/// their path, method and endpoint are.
#[derive(Debug, Default)]
pub(super) struct Guards(Vec<u32>);

impl Guards {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut known: HashMap<String, u32> = HashMap::new();
        let mut numbers = Vec::new();
        for operation in plan.apis.iter().flat_map(|api| &api.operations) {
            let next = known.len() as u32;
            numbers.push(*known.entry(rules(operation)).or_insert(next));
        }
        Self(numbers)
    }

    pub(super) fn are_same(&self, one: u32, other: u32) -> bool {
        one == other || self.0.get(one as usize) == self.0.get(other as usize)
    }
}

/// Takes out of a declaration where it stands and for which path: the same words elsewhere are the same rules.
fn without_places(content: &mut Value) {
    match content {
        Value::Object(members) => {
            members.retain(|name, value| !(value.is_string() && matches!(name.as_str(), "source" | "template")));
            members.values_mut().for_each(without_places);
        }
        Value::Array(items) => items.iter_mut().for_each(without_places),
        _ => {}
    }
}

/// All that decides, within an API, who may call an operation and what is demanded of the call.
fn rules(operation: &Operation) -> String {
    let mut rules = operation.clone();
    (rules.id, rules.method, rules.template) = Default::default();
    rules.target = Target::Options { allow: Vec::new() };
    rules.conditions = Vec::new();
    (rules.source, rules.security.source) = Default::default();
    rules.security.alternatives.iter_mut().flat_map(|one| &mut one.credentials).for_each(|one| one.source = Source::default());
    rules.demands.iter_mut().for_each(|demand| demand.source = Source::default());
    for declaration in &mut rules.declarations {
        declaration.source = Source::default();
        without_places(&mut declaration.content);
    }
    format!("{rules:?}")
}
