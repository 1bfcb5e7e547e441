//! Schemas that say of a value what they say of the same value again, without end.
//!
//! `A` is whatever `B` is and `B` whatever `A` is: nothing is said, and everything would be accepted.

use std::collections::HashMap;

use serde_json::Value;
use tollgate_filter_api::Problem;
use tollgate_validation::rules::{Schemas, reference};

/// Keywords whose schemas are about the same value.
const SAME: [&str; 3] = ["allOf", "oneOf", "anyOf"];
const SAME_ONE: [&str; 4] = ["not", "if", "then", "else"];
const SAME_MAP: &str = "dependentSchemas";

pub(super) fn problems(schemas: &Schemas) -> Vec<Problem> {
    let numbers: HashMap<String, usize> = (0..schemas.schemas.len()).map(|number| (reference(number as u32), number)).collect();
    let edges: Vec<Vec<(usize, u64)>> = schemas.schemas.iter().map(|one| same(&one.schema, &numbers)).collect();
    let mut state = vec![State::New; edges.len()];
    let mut found = Vec::new();
    for begin in 0..edges.len() {
        search(begin, &edges, &mut state, &mut |from, line| {
            let message = "this schema refers to itself for the same value, so that it says nothing";
            let problem =
                Problem::error("schema.loop", message).hint("one of the references on the way must lead to something with a type");
            found.push(problem.at(&schemas.schemas[from].file, u32::try_from(line).unwrap_or(0), ""));
        });
    }
    found
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done,
}

/// Depth first, with a stack of its own.
fn search(begin: usize, edges: &[Vec<(usize, u64)>], state: &mut [State], report: &mut dyn FnMut(usize, u64)) {
    if state[begin] != State::New {
        return;
    }
    state[begin] = State::Open;
    let mut stack = vec![(begin, 0)];
    while let Some((node, next)) = stack.last_mut() {
        let node = *node;
        let Some((target, line)) = edges[node].get(*next).copied() else {
            state[node] = State::Done;
            stack.pop();
            continue;
        };
        *next += 1;
        match state[target] {
            State::New => {
                state[target] = State::Open;
                stack.push((target, 0));
            }
            State::Open => report(node, line),
            State::Done => {}
        }
    }
}

/// The schemas that one refers to for the same value, and the lines that do.
fn same(schema: &Value, numbers: &HashMap<String, usize>) -> Vec<(usize, u64)> {
    let mut found = Vec::new();
    let mut open = vec![schema];
    while let Some(schema) = open.pop() {
        if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|reference| numbers.get(reference)) {
            found.push((*target, schema.get("x-line").and_then(Value::as_u64).unwrap_or(0)));
        }
        for key in SAME {
            open.extend(schema.get(key).and_then(Value::as_array).into_iter().flatten());
        }
        open.extend(schema.get(SAME_MAP).and_then(Value::as_object).into_iter().flat_map(|members| members.values()));
        open.extend(SAME_ONE.iter().filter_map(|key| schema.get(*key)));
    }
    found
}
