//! What a definition says to filters of an operation: one reader for each filter that definitions say something to.
//!
//! A reader writes one section an operation. It judges what it reads, so that a filter need not.

pub(crate) mod deprecation;

use self::deprecation::Ends;
use serde_json::{Map, Value, json};
use tollgate_filter_api::Problems;
use tollgate_plan::{Declaration, Source};
use tollgate_validation::rules::OperationRules;

use crate::demands::unknown_key;
use crate::input::spot::Spot;
use crate::media_types::MediaTypes;
use crate::policies;
use crate::rules;

/// The filter that cached answers are for.
const RESPONSE_CACHE: &str = "response_cache";
const MEDIA_TYPES: &str = "media_types";

/// Sections being gathered for one operation.
#[derive(Clone, Default)]
pub(crate) struct Declarations(Vec<Declaration>);

impl Declarations {
    /// Sorted by filter.
    pub(crate) fn finish(mut self) -> Vec<Declaration> {
        self.0.sort_by(|a, b| a.filter.cmp(&b.filter));
        self.0
    }

    fn demand(&mut self, filter: &str, content: Value, source: Source) {
        self.0.push(Declaration { filter: filter.to_owned(), content, demanded: true, source });
    }

    /// Adds to the list of that name in a filter's section, which begins with the first entry.
    pub(crate) fn append(&mut self, filter: &str, name: &str, entry: Value, source: Source) {
        let Some(section) = self.0.iter_mut().find(|declaration| declaration.filter == filter) else {
            return self.demand(filter, json!({ name: [entry] }), source);
        };
        match section.content.get_mut(name) {
            Some(Value::Array(list)) => list.push(entry),
            _ => section.content[name] = json!([entry]),
        }
    }

    /// The list of that name in a filter's section.
    pub(crate) fn list(&self, filter: &str, name: &str) -> &[Value] {
        let section = self.0.iter().find(|declaration| declaration.filter == filter);
        section.and_then(|section| section.content.get(name)).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// What bodies are declared to be. Nobody has to compare it.
    pub(crate) fn media_types(&mut self, types: &MediaTypes, source: Source) {
        if types.is_empty() {
            return;
        }
        let mut content = Map::new();
        for (name, list) in [("consumes", &types.consumes), ("produces", &types.produces)] {
            if !list.is_empty() {
                content.insert(name.to_owned(), json!(list));
            }
        }
        let content = Value::Object(content);
        self.0.push(Declaration { filter: MEDIA_TYPES.to_owned(), content, demanded: false, source });
    }

    /// What is said of messages. Nobody has to hold them to it.
    pub(crate) fn rules(&mut self, rules: &OperationRules, source: Source) {
        if !rules.is_empty() {
            self.0.push(Declaration { filter: rules::FILTER.to_owned(), content: json!(rules), demanded: false, source });
        }
    }

    /// The tier in force, and the level at which it counts.
    pub(crate) fn tier(&mut self, level: &str, policy: &str, source: Source) {
        self.demand(policies::FILTER, json!({"level": level, "policy": policy}), source);
    }

    /// When the operation was deprecated, and when it ends.
    pub(crate) fn ends(&mut self, ends: &Ends<'_>) {
        if let Some((section, source)) = ends.section() {
            self.demand(deprecation::FILTER, section, source);
        }
    }

    /// `x-wso2-response-cache`.
    pub(crate) fn response_cache(&mut self, root: &Spot<'_>, problems: &mut Problems) {
        let Some(spot) = root.get("x-wso2-response-cache") else { return };
        let Some(enabled) = spot.node.get("enabled").and_then(|e| e.as_bool()) else {
            problems.push(spot.error("extension.value", "`x-wso2-response-cache` needs `enabled: true` or `false`"));
            return;
        };
        let mut content = Map::new();
        for (key, value) in spot.entries().filter(|(key, _)| *key != "enabled") {
            match value.node.as_number().and_then(serde_json::Number::as_u64) {
                Some(seconds) if key == "cacheTimeoutInSeconds" => {
                    content.insert("timeout_seconds".to_owned(), json!(seconds));
                }
                None if key == "cacheTimeoutInSeconds" => {
                    problems.push(value.error("extension.value", format!("`{key}` must be a whole number")));
                }
                _ => problems.push(unknown_key(key, &value, "extension.unknown", &["enabled", "cacheTimeoutInSeconds"])),
            }
        }
        if enabled {
            self.demand(RESPONSE_CACHE, Value::Object(content), spot.source());
        }
    }
}

/// The tier named at a level, in either spelling.
pub(crate) fn tier<'a>(spot: &Spot<'a>, problems: &mut Problems) -> Option<(String, Spot<'a>)> {
    let value = spot.get("x-wso2-throttling-tier").or_else(|| spot.get("x-throttling-tier"))?;
    match value.node.text() {
        Some(name) if !name.is_empty() => Some((name, value)),
        _ => {
            problems.push(value.error("extension.value", "a throttling tier must be the name of a policy"));
            None
        }
    }
}
