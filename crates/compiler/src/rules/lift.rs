//! Schemas of every version of OpenAPI to JSON Schema 2020-12.
//!
//! What has a meaning is taken over, in place, so that pointers into a schema stay what they are in the definition; the rest is left out.
//! In 2.0 and 3.0 what stands beside a `$ref` has no meaning.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use tollgate_document::Shape;
use tollgate_filter_api::Problem;
use tollgate_validation::rules::reference;

use super::bundle::{Bundle, Way};
use super::{names, patterns};
use crate::input::sources::short;
use crate::input::spot::Spot;
use crate::structure::Version;

/// One schema on its way.
pub(super) struct Lifting<'x, 'a> {
    pub bundle: &'x mut Bundle<'a>,
    pub way: Way,
    pub version: Version,
}

/// Keywords whose values are taken over as they are.
const PLAIN: [&str; 17] = [
    "type",
    "enum",
    "const",
    "multipleOf",
    "maxLength",
    "minLength",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxContains",
    "minContains",
    "maxProperties",
    "minProperties",
    "dependentRequired",
    "contentEncoding",
    "contentMediaType",
    "xml",
];
/// Keywords that hold a schema.
const ONE: [&str; 11] = [
    "not",
    "if",
    "then",
    "else",
    "items",
    "contains",
    "additionalProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];
/// Keywords that hold a list of schemas.
const LISTS: [&str; 3] = ["oneOf", "anyOf", "prefixItems"];
/// Keywords that hold schemas by name.
const MAPS: [&str; 3] = ["properties", "patternProperties", "dependentSchemas"];

/// Dialects that say what 2020-12 says. 2019-09 does but for `$recursiveRef`, and for lists of items, which no schema
/// of OpenAPI 3.1 may have.
const DIALECTS: [&str; 5] = [
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
    "https://spec.openapis.org/oas/3.1/dialect/",
    "https://spec.openapis.org/oas/3.1/schema-base/",
    "https://spec.openapis.org/oas/3.2/dialect/",
];

/// Says that a dialect cannot be followed, in which keywords have another meaning.
pub(super) fn dialect(spot: &Spot<'_>, key: &str, problems: &mut Vec<Problem>) {
    let Some(dialect) = spot.get(key) else { return };
    let text = dialect.node.text().unwrap_or_default();
    if !DIALECTS.iter().any(|known| text.trim_end_matches('#').starts_with(known)) {
        let problem = dialect.error("schema.dialect", format!("schemas of the dialect `{}` cannot be enforced", short(&text)));
        problems.push(problem.hint("write them in JSON Schema 2020-12, which is what OpenAPI 3.1 has, and leave this out"));
    }
}

impl<'a> Lifting<'_, 'a> {
    /// The schema there. `hidden` are members that it must not ask for.
    pub(super) fn schema(&mut self, spot: &Spot<'a>, hidden: &BTreeSet<String>) -> Value {
        if let Some(allowed) = spot.node.as_bool() {
            return json!(allowed);
        }
        let mut lifted = Map::new();
        lifted.insert("x-line".to_owned(), json!(spot.node.line()));
        if self.is_old() && spot.get("$ref").is_some() {
            self.reference(spot, "$ref", hidden, &mut lifted);
            self.beside_reference(spot);
            return Value::Object(lifted);
        }
        dialect(spot, "$schema", &mut self.bundle.problems);
        if let Some(reference) = spot.get("$recursiveRef") {
            let problem = reference.error("schema.reference", "`$recursiveRef` is not followed");
            self.bundle.problems.push(problem.hint("write `$ref` with the name of the schema, or `$dynamicRef`"));
        }
        let own = names::hidden(self.bundle.sources, spot, self.way.hides());
        let hidden: BTreeSet<String> = hidden.union(&own).cloned().collect();
        self.reference(spot, "$ref", &hidden, &mut lifted);
        self.scalars(spot, &hidden, &mut lifted);
        self.inner(spot, &hidden, &mut lifted);
        self.reference(spot, "$dynamicRef", &hidden, &mut lifted);
        Value::Object(lifted)
    }

    /// What leads nowhere is not left out: everything would be accepted.
    fn reference(&mut self, spot: &Spot<'a>, key: &str, hidden: &BTreeSet<String>, lifted: &mut Map<String, Value>) {
        let Some(target) = spot.get(key).filter(|target| target.is(Shape::String)) else { return };
        let Some(number) = self.target(spot, &target, hidden, key == "$dynamicRef") else {
            if key == "$dynamicRef" || self.is_judged_here(&target) {
                let message = "it does not lead to one schema";
                let hint = "refer to it by file and pointer, as in `#/components/schemas/Name`; a name must stand once in a file, and a `$dynamicAnchor` once in the project";
                self.bundle.problems.push(target.error("schema.reference", message).hint(hint));
            }
            return;
        };
        match lifted.get_mut("allOf") {
            _ if key == "$ref" => drop(lifted.insert("$ref".to_owned(), json!(reference(number)))),
            Some(Value::Array(all)) => all.push(json!({ "$ref": reference(number) })),
            _ => drop(lifted.insert("allOf".to_owned(), json!([{ "$ref": reference(number) }]))),
        }
    }

    /// Whether nobody else says of a reference that it leads nowhere: names and identifiers, which only 3.1 has.
    fn is_judged_here(&self, target: &Spot<'a>) -> bool {
        let reference = target.node.as_str().unwrap_or_default();
        let is_name = reference.starts_with('#') && !reference.starts_with("#/");
        !self.is_old() && (is_name || !reference.starts_with('#') && self.bundle.anchors.has_identifiers(target.file))
    }

    fn is_old(&self) -> bool {
        matches!(self.version, Version::V20 | Version::V30)
    }

    fn target(&mut self, spot: &Spot<'a>, target: &Spot<'a>, hidden: &BTreeSet<String>, is_dynamic: bool) -> Option<u32> {
        let reference = target.node.as_str()?;
        let sources = self.bundle.sources;
        let found = match self.bundle.anchors.find(spot.file, reference, is_dynamic) {
            Some(pointer) => {
                Spot { file: spot.file, node: sources.root(spot.file).node.document().at(pointer)?, pointer: pointer.to_owned() }
            }
            // What leads nowhere was reported where references are judged.
            None => sources.resolve(spot.file, reference).ok()?,
        };
        let needed = names::required(sources, &found);
        let hidden = hidden.intersection(&needed).cloned().collect();
        Some(self.bundle.number(&found, self.way, hidden, self.version))
    }

    fn beside_reference(&mut self, spot: &Spot<'a>) {
        if let Some(nullable) = spot.get("nullable").filter(|nullable| nullable.node.as_bool() == Some(true)) {
            let problem = nullable.warning("schema.nullable", "`nullable` beside a `$ref` has no meaning: null is refused");
            self.bundle.problems.push(problem.hint("write `nullable: true` beside the `type` that the reference leads to"));
        }
    }

    fn scalars(&mut self, spot: &Spot<'a>, hidden: &BTreeSet<String>, lifted: &mut Map<String, Value>) {
        for key in PLAIN {
            if let Some(value) = spot.get(key) {
                lifted.insert(key.to_owned(), value.value());
            }
        }
        for key in ["readOnly", "writeOnly"] {
            if spot.node.get(key).and_then(|value| value.as_bool()) == Some(true) {
                lifted.insert(key.to_owned(), json!(true));
            }
        }
        self.types(spot, lifted);
        self.bounds(spot, lifted);
        self.format(spot, lifted);
        if let Some(pattern) = spot.get("pattern") {
            patterns::lift(&pattern, lifted, &mut self.bundle.problems);
        }
        let required: Vec<String> = names::listed(spot).filter(|name| !hidden.contains(*name)).map(str::to_owned).collect();
        if !required.is_empty() {
            lifted.insert("required".to_owned(), json!(required));
        }
    }

    /// `nullable` adds null to a type, and has no meaning without one.
    fn types(&mut self, spot: &Spot<'a>, lifted: &mut Map<String, Value>) {
        if lifted.get("type") == Some(&json!("file")) {
            lifted.remove("type");
        }
        if !self.is_old() {
            return;
        }
        let Some(nullable) = spot.get("nullable").or_else(|| spot.get("x-nullable")) else { return };
        if nullable.node.as_bool() != Some(true) {
            return;
        }
        match lifted.get("type") {
            Some(Value::String(name)) => {
                let both = json!([name, "null"]);
                lifted.insert("type".to_owned(), both);
            }
            _ => {
                let problem = nullable
                    .warning("schema.nullable", "`nullable` without `type` has no meaning: null is allowed only if the rest allows it");
                self.bundle.problems.push(problem.hint("write the `type` beside it"));
                return;
            }
        }
        let lacks_null = spot.node.get("enum").is_some_and(|values| values.items().all(|value| value.shape() != Shape::Null));
        if lacks_null {
            let problem = nullable.warning("schema.nullable", "`enum` does not list null, so that null is refused in spite of `nullable`");
            self.bundle.problems.push(problem.hint("add `null` to the list"));
        }
    }

    fn bounds(&self, spot: &Spot<'a>, lifted: &mut Map<String, Value>) {
        for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
            let flag = spot.node.get(exclusive);
            let is_exclusive = flag.and_then(|flag| flag.as_bool());
            if let Some(value) = spot.get(bound) {
                let name = if is_exclusive == Some(true) { exclusive } else { bound };
                lifted.insert(name.to_owned(), value.value());
            }
            if let (None, Some(value)) = (is_exclusive, spot.get(exclusive)) {
                lifted.insert(exclusive.to_owned(), value.value());
            }
        }
    }

    fn format(&self, spot: &Spot<'a>, lifted: &mut Map<String, Value>) {
        let Some(format) = spot.node.get("format").and_then(|format| format.as_str()) else { return };
        match format {
            "int32" => lifted.insert("x-int".to_owned(), json!(32)),
            "int64" => lifted.insert("x-int".to_owned(), json!(64)),
            format => lifted.insert("format".to_owned(), json!(format)),
        };
    }

    fn inner(&mut self, spot: &Spot<'a>, hidden: &BTreeSet<String>, lifted: &mut Map<String, Value>) {
        let nothing = BTreeSet::new();
        for key in ONE {
            let Some(inner) = spot.get(key) else { continue };
            // 2.0 has a list for items here, as draft 4 had.
            if key == "items" && inner.is(Shape::Array) {
                lifted.insert("prefixItems".to_owned(), self.list(&inner, &nothing));
            } else {
                lifted.insert(key.to_owned(), self.schema(&inner, &nothing));
            }
        }
        for key in LISTS {
            if let Some(inner) = spot.get(key) {
                lifted.insert(key.to_owned(), self.list(&inner, &nothing));
            }
        }
        // What is declared beside these, or in one of them, is known in all of them.
        if let Some(inner) = spot.get("allOf") {
            let mut all = inner.items().map(|inner| self.schema(&inner, hidden)).collect::<Vec<_>>();
            // What is there already comes last: pointers into the definition's own list stay what they are.
            if let Some(Value::Array(known)) = lifted.remove("allOf") {
                all.extend(known);
            }
            lifted.insert("allOf".to_owned(), Value::Array(all));
        }
        for key in MAPS {
            if let Some(inner) = spot.get(key) {
                let members = inner.entries().map(|(name, inner)| (name.to_owned(), self.schema(&inner, &nothing)));
                lifted.insert(key.to_owned(), Value::Object(members.collect()));
            }
        }
        if let Some(discriminator) = spot.get("discriminator").filter(|discriminator| discriminator.is(Shape::Object)) {
            self.discriminator(spot, &discriminator, lifted);
        }
    }

    fn list(&mut self, spot: &Spot<'a>, hidden: &BTreeSet<String>) -> Value {
        spot.items().map(|inner| self.schema(&inner, hidden)).collect()
    }

    /// Which alternative a value names: what the mapping says, and else the last word of each reference. It only says whose findings are
    /// told; what is allowed, `oneOf` and `anyOf` decide.
    fn discriminator(&mut self, spot: &Spot<'a>, discriminator: &Spot<'a>, lifted: &mut Map<String, Value>) {
        let Some(name) = discriminator.text("propertyName") else { return };
        let mut mapping = Map::new();
        for key in ["oneOf", "anyOf"] {
            for branch in spot.get(key).iter().flat_map(|list| list.items().collect::<Vec<_>>()) {
                let Some(target) = branch.get("$ref") else { continue };
                let Some(text) = target.node.as_str() else { continue };
                let Some(number) = self.target(&branch, &target, &BTreeSet::new(), false) else { continue };
                mapping.insert(text.rsplit('/').next().unwrap_or(text).to_owned(), json!(reference(number)));
            }
        }
        for (value, target) in discriminator.get("mapping").iter().flat_map(|mapping| mapping.entries().collect::<Vec<_>>()) {
            let Some(text) = target.node.as_str() else { continue };
            let named = text.rsplit('/').next().unwrap_or(text);
            if let Some(found) = mapping.get(named).cloned() {
                mapping.insert(value.to_owned(), found);
            }
        }
        lifted.insert("discriminator".to_owned(), json!({ "propertyName": name, "mapping": mapping }));
    }
}
