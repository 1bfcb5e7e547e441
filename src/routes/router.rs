//! Normal path and method to operation, by tables that are built once.
//!
//! What is compared is the path decoded once, so that all spellings of a segment lead to one operation. A path that other
//! readers understand as another operation's, under other rules, leads to none (see [`readings`]).
//!
//! The API is the one with the longest base path, compared by whole segments and case-sensitively. Within it, segment by
//! segment from the left: literals, then segments such as `{id}.json` with the longer literals first, then `{parameter}`,
//! then `/*`, which matches the rest and also nothing. A branch that leads nowhere is left for the next one. At the end a
//! template that has or lacks the trailing slash as the request does comes first, then the other. The method is compared last, so a
//! path never changes its meaning with the method.
//!
//! Nothing is allocated while searching and every table node is visited at most once: what a request costs follows the
//! length of its path and hardly the number of operations.

use std::collections::BTreeMap;

use tollgate_filter_api::{Problem, Problems};
use tollgate_plan::{Plan, Source};

use super::{
    guards::Guards,
    readings::{self, Reading},
    template,
    tree::{Methods, Resources, first_segment, tally},
};

/// Where a path and a method lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'r> {
    /// An operation.
    Operation {
        /// Its number, counted over the operations of all APIs in the order of the Plan.
        index: u32,
        /// Bytes of the path that are the base path; 0 for the root API.
        base_len: usize,
    },
    /// The path is known, the method is not.
    MethodNotAllowed {
        /// Value of `Allow`.
        allow: &'r str,
    },
    /// An API was found, and nothing in it.
    NoResource {
        /// Index into the Plan's APIs.
        api: u32,
    },
    /// An operation was found, and to readers that decode `%2F` or cut at `;` the path belongs to one with other rules, to one
    /// without this method, or to another API.
    Ambiguous {
        /// Index into the Plan's APIs.
        api: u32,
    },
    /// No API has this base path, or not on this transport.
    NoApi,
}

/// The tables.
#[derive(Debug)]
pub struct Router {
    bases: Vec<Base>,
    apis: Vec<Resources>,
    guards: Guards,
}

/// A node in the tree of base paths.
#[derive(Debug, Default)]
struct Base {
    children: BTreeMap<Box<str>, usize>,
    api: Option<u32>,
}

impl Router {
    /// Builds the tables for every operation of a Plan.
    ///
    /// # Errors
    /// A problem for each base path used twice, each template that no request can match, and each operation that differs
    /// from another only in parameter names or in spelling.
    pub fn build(plan: &Plan) -> Result<Self, Problems> {
        let mut router = Self { bases: vec![Base::default()], apis: Vec::with_capacity(plan.apis.len()), guards: Guards::of(plan) };
        let mut problems = Problems::default();
        let mut index = 0;
        for (number, api) in (0..).zip(&plan.apis) {
            if let Err(message) = router.add_base(&api.base_path, number) {
                problems.push(problem(plan, &api.source, message));
            }
            let mut resources = Resources::new(api.transports);
            for operation in &api.operations {
                if let Err(message) = resources.add(operation, index) {
                    problems.push(problem(plan, &operation.source, message));
                }
                index += 1;
            }
            resources.finish();
            router.apis.push(resources);
        }
        if problems.has_errors() { Err(problems) } else { Ok(router) }
    }

    /// Finds the operation for a path in [normal form](super::normal) with its reading, a method, and whether the listener
    /// has TLS.
    pub fn find(&self, path: &str, reading: Option<&Reading>, method: &str, secure: bool) -> Route<'_> {
        let read = reading.map_or(path, Reading::as_str);
        let Some((api, base_len)) = self.find_api(read) else { return Route::NoApi };
        let resources = &self.apis[api as usize];
        if !(if secure { resources.transports.https } else { resources.transports.http }) {
            return Route::NoApi;
        }
        let Some(methods) = resources.find(&read[base_len..]) else { return Route::NoResource { api } };
        match methods.operation(method) {
            None => Route::MethodNotAllowed { allow: &methods.allow },
            Some(index) if reading.is_none() => Route::Operation { index, base_len },
            Some(index) => {
                let base_len = length_of(path, slashes(&read[..base_len]));
                let ambiguous = self.is_ambiguous(path, base_len, api, (methods, method));
                if ambiguous { Route::Ambiguous { api } } else { Route::Operation { index, base_len } }
            }
        }
    }

    /// Whether a path that leads to an operation of an API is something else to another reader: a path of another API, or, to
    /// one of what the upstream gets, which is below the base path whatever that says, an operation with other rules.
    fn is_ambiguous(&self, path: &str, base_len: usize, api: u32, own: (&Methods, &str)) -> bool {
        let is_elsewhere = |read: String| self.find_api(&read).is_some_and(|(other, _)| other != api);
        let is_harmless = |read: String| self.is_harmless(api, &read, own);
        readings::others(path).any(|read| read.is_ok_and(is_elsewhere))
            || !readings::others(&path[base_len..]).all(|read| read.is_ok_and(is_harmless))
    }

    /// Whether what is read is an operation with the same rules. What is nobody's is harmless unless it lies below a path that
    /// has other rules and is not one that the operation itself lies below.
    fn is_harmless(&self, api: u32, read: &str, (own, method): (&Methods, &str)) -> bool {
        let resources = &self.apis[api as usize];
        let same = |other: &Methods| own.operation(method).zip(other.operation(method)).is_some_and(|(a, b)| self.guards.are_same(a, b));
        match resources.find(read) {
            Some(other) => same(other),
            None => resources.above(read).is_none_or(|other| resources.is_below(own, other) || same(other)),
        }
    }

    fn find_api(&self, path: &str) -> Option<(u32, usize)> {
        let mut node = &self.bases[0];
        let mut found = node.api.map(|api| (api, 0));
        let mut end = 0;
        let mut rest = path.strip_prefix('/');
        while let Some(path) = rest {
            let (segment, tail) = first_segment(path);
            rest = tail;
            let Some(&child) = node.children.get(segment) else { break };
            tally();
            node = &self.bases[child];
            end += 1 + segment.len();
            found = node.api.map(|api| (api, end)).or(found);
        }
        found
    }

    fn add_base(&mut self, path: &str, api: u32) -> Result<(), String> {
        let mut at = 0;
        for segment in path.trim_matches('/').split('/').filter(|segment| !segment.is_empty()) {
            let next = self.bases.len();
            let child = *self.bases[at].children.entry(template::literal(segment)?).or_insert(next);
            if child == next {
                self.bases.push(Base::default());
            }
            at = child;
        }
        match self.bases[at].api.replace(api) {
            Some(_) => Err(format!("two APIs have the base path `{path}`")),
            None => Ok(()),
        }
    }
}

fn slashes(text: &str) -> usize {
    memchr::memchr_iter(b'/', text.as_bytes()).count()
}

/// Bytes of the first segments of a path, each with the slash before it.
fn length_of(path: &str, segments: usize) -> usize {
    memchr::memchr_iter(b'/', path.as_bytes()).nth(segments).unwrap_or(path.len())
}

fn problem(plan: &Plan, source: &Source, message: String) -> Problem {
    let file = plan.documents.get(source.document as usize).map_or("", |document| &document.path);
    Problem::error("route.conflict", message).at(file, source.line, &source.pointer)
}
