//! The operator's list of filters, as written under `chain:`.

use serde_json::{Map, Value};
use tollgate_document::{Document, Node, Shape, pointer};
use tollgate_filter_api::{Fact, Kind, Principal, Problem, Problems};

/// One filter of the list, with the operator's defaults.
#[derive(Clone, Debug)]
pub struct FilterSpec {
    /// Filter ID.
    pub id: String,
    /// Settings as data.
    pub settings: Value,
    /// Where they stand in the file; empty for a filter that the default list names.
    pub pointer: String,
    /// Line of the same.
    pub line: u32,
}

/// One place in the order.
#[derive(Clone, Debug)]
pub enum StepSpec {
    /// A filter.
    Filter(FilterSpec),
    /// Alternatives, tried in order.
    AnyOf(Vec<FilterSpec>),
}

/// The whole list.
#[derive(Clone, Debug)]
pub struct ChainSpec {
    /// Name of the file it stands in.
    pub file: String,
    /// The steps, in order.
    pub steps: Vec<StepSpec>,
}

impl ChainSpec {
    /// The catalogue's order, without settings.
    pub fn default_of(kinds: &[Kind], file: &str) -> Self {
        let listed = kinds.iter().filter(|kind| kind.by_default);
        let steps = listed.map(|kind| StepSpec::Filter(plain(kind.id, String::new(), 0))).collect();
        Self { file: file.to_owned(), steps }
    }

    /// Reads `chain:`.
    ///
    /// # Errors
    /// Entries that are neither a name nor a name with settings, filters that are not in the catalogue, and settings that no filter
    /// has.
    pub fn read(document: &Document, kinds: &[Kind]) -> Result<Option<Self>, Problems> {
        let Some(list) = document.at("/chain") else { return Ok(None) };
        if list.shape() == Shape::Null {
            return Ok(None);
        }
        let mut problems = Problems::default();
        let mut steps = Vec::new();
        for (index, item) in list.items().enumerate() {
            let at = pointer::join("/chain", &index.to_string());
            match step(&item, &at) {
                Ok(step) => steps.push(step),
                Err(problem) => problems.push(document.locate(problem, &at)),
            }
        }
        let spec = Self { file: document.name().to_owned(), steps };
        for filter in spec.filters() {
            let Some(kind) = kinds.iter().find(|kind| kind.id == filter.id) else {
                problems.push(unknown(&filter.id, kinds).at(document.name(), filter.line, filter.pointer.as_str()));
                continue;
            };
            // Also when no operation needs it yet: the first one that does must not be the one that finds out.
            if let Err(problem) = (kind.check)(&filter.settings) {
                let pointer = format!("{}{}", filter.pointer, problem.pointer);
                problems.push(document.locate(problem, &pointer));
            }
        }
        for filter in spec.alternatives().filter(|filter| kinds.iter().any(|kind| kind.id == filter.id && !gives_principal(kind))) {
            let message = format!("`{}` checks no credential and cannot be an alternative", filter.id);
            let problem = Problem::error("chain.any_of", message).hint("list it as an entry of its own");
            problems.push(problem.at(document.name(), filter.line, filter.pointer.as_str()));
        }
        if problems.0.is_empty() { Ok(Some(spec)) } else { Err(problems.sorted()) }
    }

    fn alternatives(&self) -> impl Iterator<Item = &FilterSpec> {
        let branches = self.steps.iter().filter_map(|step| if let StepSpec::AnyOf(branches) = step { Some(branches) } else { None });
        branches.flatten()
    }

    /// Every filter of the list, alternatives included.
    pub fn filters(&self) -> impl Iterator<Item = &FilterSpec> {
        self.steps.iter().flat_map(|step| match step {
            StepSpec::Filter(filter) => std::slice::from_ref(filter),
            StepSpec::AnyOf(branches) => branches.as_slice(),
        })
    }
}

/// Whether a filter checks credentials.
pub fn gives_principal(kind: &Kind) -> bool {
    kind.gives.contains(&Principal::NAME)
}

fn unknown(id: &str, kinds: &[Kind]) -> Problem {
    let known: Vec<&str> = kinds.iter().map(|kind| kind.id).collect();
    let hint = match tollgate_document::nearest(id, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the catalogue has: {}", known.join(", ")),
    };
    Problem::error("chain.unknown_filter", format!("no filter is called `{id}`")).hint(hint)
}

fn plain(id: &str, pointer: String, line: u32) -> FilterSpec {
    FilterSpec { id: id.to_owned(), settings: Value::Object(Map::new()), pointer, line }
}

/// `name`, `name: {settings}`, `any_of: [..]`, or `label: { any_of: [..] }`.
fn step(item: &Node<'_>, at: &str) -> Result<StepSpec, Problem> {
    let (name, value) = single(item)?;
    let Some(value) = value else { return Ok(StepSpec::Filter(plain(name, at.to_owned(), item.line()))) };
    let here = pointer::join(at, name);
    if name == "any_of" {
        return branches(&value, &here).map(StepSpec::AnyOf);
    }
    match value.get("any_of") {
        Some(list) if value.len() == 1 => branches(&list, &pointer::join(&here, "any_of")).map(StepSpec::AnyOf),
        _ => filter(name, &value, here).map(StepSpec::Filter),
    }
}

fn branches(list: &Node<'_>, at: &str) -> Result<Vec<FilterSpec>, Problem> {
    if list.shape() != Shape::Array || list.is_empty() {
        return Err(Problem::error("chain.any_of", "`any_of` must list at least one filter"));
    }
    let branch = |(index, item): (usize, Node<'_>)| {
        let at = pointer::join(at, &index.to_string());
        match single(&item)? {
            (name, None) => Ok(plain(name, at, item.line())),
            (name, Some(value)) => filter(name, &value, pointer::join(&at, name)),
        }
    };
    list.items().enumerate().map(branch).collect()
}

fn filter(name: &str, value: &Node<'_>, pointer: String) -> Result<FilterSpec, Problem> {
    let settings = match value.shape() {
        Shape::Null => Value::Object(Map::new()),
        Shape::Object => value.value(),
        other => return Err(Problem::error("chain.entry", format!("the settings of `{name}` must be a map, found {}", other.name()))),
    };
    Ok(FilterSpec { id: name.to_owned(), settings, pointer, line: value.line() })
}

/// A name, or a map with one key.
fn single<'a>(item: &Node<'a>) -> Result<(&'a str, Option<Node<'a>>), Problem> {
    if let Some(name) = item.as_str() {
        return Ok((name, None));
    }
    let mut entries = item.entries();
    match (item.shape(), entries.next(), entries.next()) {
        (Shape::Object, Some((name, value)), None) => Ok((name, Some(value))),
        _ => Err(Problem::error("chain.entry", "an entry of a chain is a filter's name, or one name with its settings")
            .hint("write `- cors` or `- jwt: { issuers: [..] }`")),
    }
}
