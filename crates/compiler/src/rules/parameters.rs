//! Parameters of requests and fields of answers, of every version in one form.
//!
//! A combination of style and schema of which the specification does not say how it is written is a Problem. What it is about is not
//! judged then, but its name is kept, so that nobody takes it for one that was not declared.

use std::collections::HashSet;

use tollgate_filter_api::{Problem, Severity};
use tollgate_validation::rules::{Form, ParameterRule, Place, SchemaNumber, Style};

use super::kinds::Kind;
use super::styles;
use crate::input::sources::{Sources, short};
use crate::input::spot::Spot;
use crate::model::{Operation, PathItem};
use crate::paths::template;
use crate::structure::Version;
use crate::structure::text::is_token;

/// How bad it is that a parameter cannot be read: whoever validates nothing must be able to build.
pub(super) fn severity() -> Severity {
    Severity::Warning
}

/// Parameters of one list that are looked at.
const MAX: usize = 1_000;

/// Fields that other parts of a definition speak of, and parameters must not (Parameter Object, `name`). 2.0 does not say so, but means
/// the same: it has `consumes`, `produces` and `security`.
const SPOKEN_OF: [&str; 3] = ["accept", "content-type", "authorization"];

/// Gives the schema there a number.
pub(super) type Number<'n, 'a> = &'n mut dyn FnMut(&Spot<'a>) -> SchemaNumber;

/// Reads parameters.
pub(super) struct Reader<'r, 'a> {
    pub sources: &'a Sources,
    pub version: Version,
    pub number: Number<'r, 'a>,
    pub problems: &'r mut Vec<Problem>,
}

/// What identifies a parameter.
type Key = (String, String);

impl<'a> Reader<'_, 'a> {
    /// The parameters of an operation: its own, and those of its path that it does not declare anew.
    pub(super) fn parameters(&mut self, item: &PathItem<'a>, operation: &Operation<'a>) -> Vec<ParameterRule> {
        let in_template = template::parse(item.template).map(|template| template.parameters).unwrap_or_default();
        let mut known: HashSet<Key> = HashSet::new();
        let mut rules = Vec::new();
        for level in std::iter::once(&operation.spot).chain(&item.levels) {
            for spot in self.listed(level) {
                let (Some(place), Some(name)) = (spot.text("in"), spot.text("name")) else { continue };
                let is_new = known.insert((place.clone(), if place == "header" { name.to_ascii_lowercase() } else { name.clone() }));
                let Some(place) = self.place(&place).filter(|_| is_new) else { continue };
                // What is not in the template was reported where templates are judged.
                if place != Place::Path || in_template.contains(&name.as_str()) {
                    self.parameter(&spot, place, name, &mut rules);
                }
            }
        }
        rules
    }

    /// The fields of an answer.
    pub(super) fn fields(&mut self, answer: &Spot<'a>) -> Vec<ParameterRule> {
        let Some(fields) = answer.get("headers") else { return Vec::new() };
        let entries: Vec<_> = fields.entries().take(MAX).collect();
        let mut rules = Vec::new();
        for (name, entry) in entries {
            let Ok(spot) = self.sources.follow(entry) else { continue };
            // What a Response Object says of this one is ignored: its content speaks of it.
            if !name.eq_ignore_ascii_case("content-type") {
                self.parameter(&spot, Place::Header, name.to_owned(), &mut rules);
            }
        }
        rules
    }

    fn listed(&self, level: &Spot<'a>) -> Vec<Spot<'a>> {
        let Some(list) = level.get("parameters") else { return Vec::new() };
        list.items().take(MAX).filter_map(|item| self.sources.follow(item).ok()).collect()
    }

    /// `None`: it is in the body, or nowhere.
    fn place(&self, place: &str) -> Option<Place> {
        Some(match place {
            "path" => Place::Path,
            "query" => Place::Query,
            "querystring" if self.version == Version::V32 => Place::Querystring,
            "header" => Place::Header,
            "cookie" if self.version != Version::V20 => Place::Cookie,
            _ => return None,
        })
    }

    fn parameter(&mut self, spot: &Spot<'a>, place: Place, name: String, rules: &mut Vec<ParameterRule>) {
        // A name that no field can have was reported where the form is judged.
        let is_ignored = SPOKEN_OF.iter().any(|spoken_of| name.eq_ignore_ascii_case(spoken_of)) || !is_token(&name);
        if place == Place::Header && is_ignored {
            return;
        }
        let is = |key: &str| spot.node.get(key).and_then(|value| value.as_bool()) == Some(true);
        let mut rule = ParameterRule {
            place,
            required: place == Place::Path || is("required"),
            allow_empty: place == Place::Query && is("allowEmptyValue"),
            name,
            form: Form::Style(Style::Simple),
            schema: None,
            source: spot.written(),
        };
        if let Some(content) = spot.get("content").filter(|_| self.version != Version::V20) {
            self.content(&content, &mut rule);
            return rules.push(rule);
        }
        if place == Place::Querystring {
            // One without a media type was reported where the form is judged.
            return;
        }
        let schema = if self.version == Version::V20 { Some(spot.clone()) } else { spot.get("schema") };
        let old = matches!(self.version, Version::V20 | Version::V30);
        let kind = schema.clone().map(|spot| Kind { sources: self.sources, spot, old });
        match styles::style(self.version, spot, place, kind.as_ref()) {
            Ok(style) => {
                rule.form = Form::Style(style);
                rule.schema = schema.map(|schema| (self.number)(&schema));
                rules.push(rule);
            }
            Err(undefined) => {
                self.report(spot, &rule.name, &undefined);
                rule.form = Form::Style(undefined.style);
                let members = kind.filter(|_| undefined.has_members).map(|kind| kind.members()).unwrap_or_default();
                let mut names: Vec<&str> = members.into_iter().map(|(name, _)| name).collect();
                names.sort_unstable();
                names.dedup();
                if names.is_empty() {
                    return rules.push(ParameterRule { required: rule.required && !undefined.has_members, ..rule });
                }
                rules.extend(names.into_iter().map(|name| ParameterRule { name: name.to_owned(), required: false, ..rule.clone() }));
            }
        }
    }

    /// The one media type of a value.
    fn content(&mut self, content: &Spot<'a>, rule: &mut ParameterRule) {
        let Some((media_type, entry)) = content.entries().next() else { return };
        rule.form = Form::Content(media_type.to_owned());
        let media = self.sources.follow(entry).ok();
        rule.schema = media.and_then(|media| media.get("schema")).map(|schema| (self.number)(&schema));
    }

    fn report(&mut self, spot: &Spot<'a>, name: &str, undefined: &styles::Undefined) {
        let message = format!("the value of `{}` is not judged: {}", short(name), undefined.message);
        let problem = Problem { severity: severity(), ..spot.warning("rules.style", message) };
        self.problems.push(problem.hint(undefined.hint));
    }
}

#[cfg(test)]
#[path = "tests/parameters.rs"]
mod tests;
