//! Routes that no request reaches, each with a request that shows it.
//!
//! For each route some requests are made up that fit it, and asked for. When all of them go elsewhere, the route is said to be shadowed, and one of
//! them is the witness: it does go where it is said to go. That no request at all reaches the route is likely, not proved.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use regex_syntax::hir::{Class, Hir, HirKind};
use tollgate_filter_api::Problem;
use tollgate_plan::{ANY_METHOD, Api, Condition, Operation, Part, Plan, Test};

use super::{Asked, Route, Router, host, normal};
use crate::config::Paths;

/// What stands for a parameter. More than one, so that a route for one certain word does not shadow a template.
const WORDS: [&str; 3] = ["x", "witness-1", "0"];

/// Warnings about routes that are shadowed.
pub fn shadowed(plan: &Plan, router: &Router) -> Vec<Problem> {
    let mut warnings = Vec::new();
    let all: Vec<(&Api, &Operation)> = plan.apis.iter().flat_map(|api| api.operations.iter().map(move |one| (api, one))).collect();
    for (index, (api, operation)) in (0..).zip(&all) {
        if api.routes
            && let Some((witness, winner)) = lost(router, api, operation, index)
        {
            let (other, by) = all[winner as usize];
            let document = plan.documents.get(operation.source.document as usize).map_or("", |document| document.path.as_str());
            let message = format!("no request reaches this route: `{witness}` goes to `{}` ({})", other.path(by), plan.written(&by.source));
            let problem = Problem::warning("route.shadowed", message).hint("take one of the two away, or make this one more specific");
            warnings.push(problem.at(document, operation.source.line, &operation.source.pointer));
        }
    }
    warnings
}

/// A request that fits an operation and goes to another one, when all that are made up do.
fn lost(router: &Router, api: &Api, operation: &Operation, own: u32) -> Option<(String, u32)> {
    let mut lost = None;
    for word in WORDS {
        let request = Request::of(api, operation, word)?;
        match request.ask(router)? {
            winner if winner == own => return None,
            winner => lost = lost.or(Some((request.to_string(), winner))),
        }
    }
    lost
}

/// A request that fits an operation.
struct Request {
    method: String,
    host: String,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
}

impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} http://{}{}", self.method, self.host, self.path)?;
        self.query.iter().try_for_each(|query| write!(f, "?{query}"))
    }
}

impl Request {
    /// `None` when none can be made up.
    fn of(api: &Api, operation: &Operation, word: &str) -> Option<Self> {
        let host = api.hosts.first().map_or("any.example".to_owned(), |host| host.replacen('*', word, 1));
        let method = if operation.method == ANY_METHOD { "GET" } else { &operation.method };
        let path = match operation.template.strip_prefix('~') {
            Some(expression) => sample(expression.trim_start())?,
            None => fill(&operation.template, word),
        };
        let mut request = Self { method: method.to_owned(), host, path, query: None, headers: HeaderMap::new() };
        for condition in &operation.conditions {
            request.meet(condition)?;
        }
        Some(request)
    }

    fn meet(&mut self, Condition { part, name, test }: &Condition) -> Option<()> {
        let value = match test {
            Test::Present(false) => return Some(()),
            Test::Present(true) => "x".to_owned(),
            Test::Is(text) => text.clone(),
            Test::Matches(expression) => sample(expression)?,
        };
        match part {
            Part::Header => drop(self.headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_str(&value).ok()?)),
            Part::Cookie => drop(self.headers.append(header::COOKIE, HeaderValue::from_str(&format!("{name}={value}")).ok()?)),
            Part::Query => {
                let mut query = form_urlencoded::Serializer::new(self.query.take().unwrap_or_default());
                query.append_pair(name, &value);
                self.query = Some(query.finish());
            }
        }
        Some(())
    }

    /// The operation that it goes to.
    fn ask(&self, router: &Router) -> Option<u32> {
        let normal = normal::normalize(self.path.as_bytes(), &Paths::default()).ok()?;
        let host = host::normalize(self.host.as_bytes()).ok()?;
        let asked = Asked {
            host: &host.name,
            path: &normal.path,
            reading: normal.reading.as_ref(),
            query: self.query.as_deref(),
            method: &self.method,
            headers: &self.headers,
            secure: false,
        };
        match router.find(&asked) {
            Route::Operation { index, .. } => Some(index),
            _ => None,
        }
    }
}

/// A path of a template.
fn fill(template: &str, word: &str) -> String {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        path.push_str(word);
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    path.push_str(rest);
    path.strip_suffix('*').map_or(path.clone(), |path| format!("{path}{word}"))
}

/// A text that an expression matches; `None` when it takes more than the first choice everywhere.
fn sample(expression: &str) -> Option<String> {
    let mut bytes = Vec::new();
    write(&regex_syntax::parse(expression).ok()?, &mut bytes);
    let text = String::from_utf8(bytes).ok()?;
    regex::Regex::new(&format!("^(?:{expression})$")).ok()?.is_match(&text).then_some(text)
}

fn write(hir: &Hir, text: &mut Vec<u8>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.extend_from_slice(&literal.0),
        HirKind::Class(class) => text.push(member(class)),
        HirKind::Repetition(repetition) => (0..repetition.min).for_each(|_| write(&repetition.sub, text)),
        HirKind::Capture(capture) => write(&capture.sub, text),
        HirKind::Concat(all) => all.iter().for_each(|one| write(one, text)),
        HirKind::Alternation(all) => all.first().into_iter().for_each(|one| write(one, text)),
    }
}

/// A letter or digit of a class if it has one.
fn member(class: &Class) -> u8 {
    let has = |byte: u8| match class {
        Class::Unicode(class) => class.iter().any(|range| (range.start()..=range.end()).contains(&char::from(byte))),
        Class::Bytes(class) => class.iter().any(|range| (range.start()..=range.end()).contains(&byte)),
    };
    (b'a'..=b'z').chain(b'0'..=b'9').chain(b'A'..=b'Z').chain(b'!'..=b'~').find(|&byte| has(byte)).unwrap_or(b'x')
}

#[cfg(test)]
#[path = "tests/witness.rs"]
mod tests;
