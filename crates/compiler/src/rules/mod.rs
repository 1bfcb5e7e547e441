//! What a definition says of messages, in the form that whoever validates reads ([`tollgate_validation::rules`]).
//!
//! Schemas of every version become JSON Schema 2020-12 (`lift`), each thing that something refers to once (`bundle`); parameters, bodies
//! and answers refer to them by number. All of it is compiled here, as the gateway will, so that what cannot be enforced is a problem
//! with a line and not a surprise. It judges no message, and says nothing of whether anybody validates.

mod answers;
mod bundle;
mod kinds;
mod lift;
mod loops;
mod media;
mod names;
mod parameters;
mod patterns;
mod styles;

use std::collections::{HashMap, HashSet};

use tollgate_filter_api::{Problem, Problems, Severity};
use tollgate_validation::{
    Library,
    rules::{OperationRules, ParameterRule, Place, Schemas},
};

use crate::input::sources::Sources;
use crate::input::spot::Spot;
use crate::model::{Definition, Operation, PathItem};
use crate::structure::Version;
use bundle::{Bundle, Way};

/// The filter that reads it.
pub(crate) const FILTER: &str = "validate";

/// Reads the rules of a project's operations.
pub(crate) struct Rules<'a> {
    bundle: Bundle<'a>,
    /// What is wrong does not stop the build: nobody validates.
    waived: bool,
    /// Files whose dialect was looked at.
    dialects: HashSet<usize>,
}

/// An operation whose rules are read, and the version of its definition.
#[derive(Clone, Copy)]
struct Context<'s, 'a> {
    sources: &'a Sources,
    root: &'s Spot<'a>,
    version: Version,
}

impl<'a> Rules<'a> {
    pub(crate) fn new(sources: &'a Sources, waived: bool) -> Self {
        Self { bundle: Bundle::new(sources), waived, dialects: HashSet::new() }
    }

    /// What is said of an operation.
    pub(crate) fn operation(&mut self, definition: &Definition<'a>, item: &PathItem<'a>, operation: &Operation<'a>) -> OperationRules {
        let Definition { root, version, title, version_text, .. } = definition;
        let context = Context { sources: self.bundle.sources, root, version: *version };
        self.dialect(&context);
        let body = media::body(&context, &operation.spot, &mut self.bundle);
        let answers = answers::read(&context, &operation.spot, &mut self.bundle);
        let mut parameters = reading(&context, &mut self.bundle, Way::Request, |reader| reader.parameters(item, operation));
        // Whoever sends a body in pieces cannot send it.
        let length = |rule: &&mut ParameterRule| rule.place == Place::Header && rule.name.eq_ignore_ascii_case("content-length");
        parameters.iter_mut().filter(length).for_each(|rule| rule.required = false);
        let template = item.template.to_owned();
        let (api, version) = (title.clone(), version_text.clone());
        OperationRules { api, version, template, known_query: credentials(&context), parameters, body, answers }
    }

    /// Once for each definition, in the versions that have it.
    fn dialect(&mut self, context: &Context<'_, 'a>) {
        if !matches!(context.version, Version::V20 | Version::V30) && self.dialects.insert(context.root.file) {
            lift::dialect(context.root, "jsonSchemaDialect", &mut self.bundle.problems);
        }
    }

    /// Every schema that was asked for, and what is wrong with some.
    pub(crate) fn finish(self, problems: &mut Problems) -> Schemas {
        let Self { bundle, waived, .. } = self;
        let (schemas, mut found) = bundle.finish();
        let library = Library::from(schemas.clone());
        for broken in library.broken_ones() {
            found.push(place(Problem::error("schema.broken", broken.message), &broken.source));
        }
        let hint = "`waive: [validate]` in tollgate.yaml builds it without rules for messages";
        for mut problem in once(found) {
            if waived {
                problem.severity = Severity::Warning;
            } else if problem.severity == Severity::Error {
                let own = std::mem::take(&mut problem.hint);
                problem.hint = if own.is_empty() { hint.to_owned() } else { format!("{own}; {hint}") };
            }
            problems.push(problem);
        }
        schemas
    }
}

/// Lets parameters, or fields, be read whose schemas become those of the bundle.
fn reading<'a, T>(
    context: &Context<'_, 'a>,
    bundle: &mut Bundle<'a>,
    way: Way,
    read: impl FnOnce(&mut parameters::Reader<'_, 'a>) -> T,
) -> T {
    let (sources, version) = (context.sources, context.version);
    let mut problems = Vec::new();
    let mut number = |spot: &Spot<'a>| bundle.number(spot, way, Default::default(), version);
    let found = read(&mut parameters::Reader { sources, version, number: &mut number, problems: &mut problems });
    bundle.problems.append(&mut problems);
    found
}

/// Names in the query under which the definition has credentials.
fn credentials(context: &Context<'_, '_>) -> Vec<String> {
    let schemes = match context.version {
        Version::V20 => context.root.get("securityDefinitions"),
        _ => context.root.get("components").and_then(|components| components.get("securitySchemes")),
    };
    let schemes = schemes.iter().flat_map(|schemes| schemes.entries().collect::<Vec<_>>());
    let in_query = schemes.filter_map(|(_, scheme)| context.sources.follow(scheme).ok());
    in_query.filter(|scheme| scheme.text("in").as_deref() == Some("query")).filter_map(|scheme| scheme.text("name")).collect()
}

/// Puts a problem at `file:line`.
fn place(problem: Problem, source: &str) -> Problem {
    match source.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse::<u32>().ok()?))) {
        Some((file, line)) => problem.at(file, line, ""),
        None => problem,
    }
}

/// The same warning in one file once, with the number of the others: real definitions repeat themselves.
fn once(found: Vec<Problem>) -> Vec<Problem> {
    let mut kept: Vec<(Problem, usize)> = Vec::new();
    let mut known: HashMap<(String, String), usize> = HashMap::new();
    for problem in found {
        let key = (problem.file.clone(), problem.message.clone());
        match known.get(&key).filter(|_| problem.severity == Severity::Warning) {
            Some(at) => kept[*at].1 += 1,
            None => {
                known.insert(key, kept.len());
                kept.push((problem, 0));
            }
        }
    }
    let counted = |(mut problem, more): (Problem, usize)| {
        if more > 0 {
            problem.message.push_str(&format!("; and {more} more in this file"));
        }
        problem
    };
    kept.into_iter().map(counted).collect()
}
