//! The settings of a filter, and who wrote which of them.

use serde_json::{Map, Value};
use tollgate_filter_api::Problem;
use tollgate_plan::{Plan, Source};

use super::origins::Origins;
use crate::config::FilterSpec;

/// Settings that an operation's definition laid over those of the operator.
pub(super) struct Settings<'a> {
    /// What the filter is built from.
    pub merged: Value,
    spec: &'a FilterSpec,
    /// The operator's file.
    file: &'a str,
    /// The definition's part, and where it stands.
    over: Option<(&'a Value, &'a Source)>,
}

impl<'a> Settings<'a> {
    /// The operator's alone.
    pub fn of_operator(spec: &'a FilterSpec, file: &'a str) -> Self {
        Self { merged: spec.settings.clone(), spec, file, over: None }
    }

    /// The definition's over the operator's, key by key; maps are merged, everything else is replaced.
    #[must_use]
    pub fn under(mut self, over: &'a Value, source: &'a Source) -> Self {
        self.merged = merge(&self.merged, over);
        self.over = Some((over, source));
        self
    }

    /// Where each value was written.
    pub fn origins(&self, plan: &Plan) -> Origins {
        let definition = self.over.map(|(settings, source)| (settings.clone(), plan.written(source)));
        Origins { operator: self.spec.pointer.clone(), definition }
    }

    /// Puts a problem where the setting was written: in the operator's file, or in the definition. What nobody wrote, a default for
    /// instance, stands with what is written around it, or else at the demand for the filter.
    pub fn place(&self, problem: Problem, plan: &Plan, demand: &Source) -> Problem {
        let written = deepest(&self.merged, &problem.pointer);
        let here = |layer: &Value| layer.pointer(written).is_some();
        let in_definition = self.over.filter(|(over, _)| !written.is_empty() && here(over));
        if let Some((_, source)) = in_definition {
            let pointer = format!("{}{}", source.pointer, problem.pointer);
            return at(problem, plan, source, pointer);
        }
        let unset = self.spec.settings.as_object().is_none_or(Map::is_empty);
        if self.spec.pointer.is_empty() || (unset && self.over.is_some()) {
            let source = self.over.map_or(demand, |(_, source)| source);
            return at(problem, plan, source, source.pointer.clone());
        }
        let pointer = format!("{}{}", self.spec.pointer, problem.pointer);
        problem.at(self.file, 0, pointer)
    }
}

/// Puts a problem where a definition has its cause.
pub(super) fn at(problem: Problem, plan: &Plan, source: &Source, pointer: impl Into<String>) -> Problem {
    let document = plan.documents.get(source.document as usize);
    problem.at(document.map_or("", |document| document.path.as_str()), source.line, pointer)
}

/// The longest beginning of a pointer that settings have.
fn deepest<'p>(settings: &Value, pointer: &'p str) -> &'p str {
    let mut written = pointer;
    while settings.pointer(written).is_none() {
        written = written.rfind('/').map_or("", |end| &written[..end]);
    }
    written
}

fn merge(under: &Value, over: &Value) -> Value {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            let mut merged = under.clone();
            for (key, value) in over {
                let value = merged.get(key).map_or_else(|| value.clone(), |below| merge(below, value));
                merged.insert(key.clone(), value);
            }
            Value::Object(merged)
        }
        (_, over) => over.clone(),
    }
}
