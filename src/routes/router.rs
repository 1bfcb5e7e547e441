//! Normal path and method to operation, by tables that are built once.
//!
//! The API is the one with the longest base path, compared by whole segments and case-sensitively. Within it, segment by
//! segment from the left: literals, then segments such as `{id}.json` with the longer literals first, then `{parameter}`,
//! then `/*`, which matches the rest and also nothing. A branch that leads nowhere is left for the next one. At the end a
//! template that has or lacks the trailing slash as the request does comes first, then the other. The method is compared last, so a
//! path never changes its meaning with the method.
//!
//! Nothing is allocated while searching, every table node is visited at most once, and literals are found by hash: what a
//! request costs follows the length of its path and not the number of operations.

use std::collections::BTreeMap;

use tollgate_filter_api::{Problem, Problems};
use tollgate_plan::{Operation, Plan, Source, Transports};

use super::template::{Partial, Segment};

/// What a path and method lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'r> {
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
    /// No API has this base path, or not on this transport.
    NoApi,
}

/// The tables.
#[derive(Debug)]
pub struct Router {
    bases: Vec<Base>,
    apis: Vec<Resources>,
}

/// A node in the tree of base paths.
#[derive(Debug, Default)]
struct Base {
    children: BTreeMap<Box<str>, usize>,
    api: Option<u32>,
}

/// The tree of one API's templates.
#[derive(Debug)]
struct Resources {
    transports: Transports,
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    literals: BTreeMap<Box<str>, usize>,
    partials: Vec<(Partial, usize)>,
    parameter: Option<usize>,
    /// Templates that end here.
    here: Methods,
    /// Templates that end here with a slash.
    slash: Methods,
    /// Templates that end here with `/*`.
    rest: Methods,
}

/// The methods of one path; none when no template ends there.
#[derive(Debug, Default)]
struct Methods {
    allow: Box<str>,
    operations: Vec<(Box<str>, u32)>,
}

impl Router {
    /// Builds the tables for every operation of a Plan.
    ///
    /// # Errors
    /// A problem for each base path used twice, each template that no request can match, and each operation that differs
    /// from another only in parameter names.
    pub fn build(plan: &Plan) -> Result<Self, Problems> {
        let mut router = Self { bases: vec![Base::default()], apis: Vec::with_capacity(plan.apis.len()) };
        let mut problems = Problems::default();
        let mut index = 0;
        for (number, api) in (0..).zip(&plan.apis) {
            if let Err(message) = router.add_base(&api.base_path, number) {
                problems.push(problem(plan, &api.source, message));
            }
            let mut resources = Resources { transports: api.transports, nodes: vec![Node::default()] };
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

    /// Finds the operation for a path in [normal form](super::normal), a method, and whether the listener has TLS.
    pub fn find(&self, path: &str, method: &str, secure: bool) -> Found<'_> {
        let Some((api, base_len)) = self.find_api(path) else { return Found::NoApi };
        let resources = &self.apis[api as usize];
        if !(if secure { resources.transports.https } else { resources.transports.http }) {
            return Found::NoApi;
        }
        let Some(methods) = resources.find(&path[base_len..]) else { return Found::NoResource { api } };
        match methods.operations.iter().find(|(name, _)| **name == *method) {
            Some(&(_, index)) => Found::Operation { index, base_len },
            None => Found::MethodNotAllowed { allow: &methods.allow },
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
            let child = *self.bases[at].children.entry(segment.into()).or_insert(next);
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

impl Resources {
    fn add(&mut self, operation: &Operation, index: u32) -> Result<(), String> {
        let template = operation.template.as_str();
        let inner = template.strip_prefix('/').ok_or_else(|| format!("the template `{template}` does not begin with `/`"))?;
        let (inner, slashed) = match inner.strip_suffix('/') {
            Some(inner) => (inner, true),
            None => (inner, inner.is_empty()),
        };
        let segments: Vec<&str> = if inner.is_empty() { Vec::new() } else { inner.split('/').collect() };
        let mut at = 0;
        let mut rest = false;
        for (i, text) in segments.iter().enumerate() {
            match Segment::parse(text, i + 1 == segments.len())? {
                Segment::Literal(empty) if empty.is_empty() => return Err(format!("the template `{template}` has an empty segment")),
                Segment::Rest => rest = true,
                segment => at = self.child(at, segment),
            }
        }
        let node = &mut self.nodes[at];
        let methods = match (rest, slashed) {
            (true, _) => &mut node.rest,
            (false, true) => &mut node.slash,
            (false, false) => &mut node.here,
        };
        methods
            .add(&operation.method, index)
            .map_err(|()| format!("{} `{template}` matches the same requests as an operation before it", operation.method))
    }

    fn child(&mut self, at: usize, segment: Segment) -> usize {
        let next = self.nodes.len();
        let node = &mut self.nodes[at];
        let child = match segment {
            Segment::Literal(text) => *node.literals.entry(text).or_insert(next),
            Segment::Partial(partial) => match node.partials.iter().find(|(known, _)| *known == partial) {
                Some(&(_, child)) => child,
                None => {
                    node.partials.push((partial, next));
                    next
                }
            },
            Segment::Parameter | Segment::Rest => *node.parameter.get_or_insert(next),
        };
        if child == next {
            self.nodes.push(Node::default());
        }
        child
    }

    fn finish(&mut self) {
        for node in &mut self.nodes {
            node.partials.sort_by(|(a, _), (b, _)| b.weight().cmp(&a.weight()).then_with(|| a.cmp(b)));
            for methods in [&mut node.here, &mut node.slash, &mut node.rest] {
                methods.finish();
            }
        }
    }

    fn find(&self, path: &str) -> Option<&Methods> {
        let path = path.strip_prefix('/').unwrap_or(path);
        match path.strip_suffix('/') {
            Some(path) => self.search(0, Some(path), true),
            None if path.is_empty() => self.search(0, None, true),
            None => self.search(0, Some(path), false),
        }
    }

    fn search(&self, at: usize, path: Option<&str>, slashed: bool) -> Option<&Methods> {
        tally();
        let node = &self.nodes[at];
        let Some(path) = path else { return node.end(slashed) };
        let (segment, tail) = first_segment(path);
        let literal = node.literals.get(segment).and_then(|&child| self.search(child, tail, slashed));
        literal
            .or_else(|| {
                let mut fitting = node.partials.iter().filter(|(partial, _)| partial.matches(segment));
                fitting.find_map(|&(_, child)| self.search(child, tail, slashed))
            })
            .or_else(|| node.parameter.filter(|_| !segment.is_empty()).and_then(|child| self.search(child, tail, slashed)))
            .or_else(|| node.rest.known())
    }
}

impl Node {
    fn end(&self, slashed: bool) -> Option<&Methods> {
        let (exact, other) = if slashed { (&self.slash, &self.here) } else { (&self.here, &self.slash) };
        exact.known().or_else(|| other.known()).or_else(|| self.rest.known())
    }
}

impl Methods {
    fn known(&self) -> Option<&Self> {
        (!self.operations.is_empty()).then_some(self)
    }

    fn add(&mut self, method: &str, index: u32) -> Result<(), ()> {
        if self.operations.iter().any(|(known, _)| **known == *method) {
            return Err(());
        }
        self.operations.push((method.into(), index));
        Ok(())
    }

    fn finish(&mut self) {
        self.operations.sort();
        self.allow = self.operations.iter().map(|(name, _)| &**name).collect::<Vec<_>>().join(", ").into();
    }
}

/// The text before the first slash, and what follows it.
fn first_segment(path: &str) -> (&str, Option<&str>) {
    match memchr::memchr(b'/', path.as_bytes()) {
        Some(at) => (&path[..at], Some(&path[at + 1..])),
        None => (path, None),
    }
}

fn problem(plan: &Plan, source: &Source, message: String) -> Problem {
    let file = plan.documents.get(source.document as usize).map_or("", |document| &document.path);
    Problem::error("route.conflict", message).at(file, source.line, &source.pointer)
}

#[cfg(not(test))]
fn tally() {}

#[cfg(test)]
fn tally() {
    STEPS.with(|steps| steps.set(steps.get() + 1));
}

#[cfg(test)]
thread_local! {
    /// Nodes visited by this thread, for the test that counts them.
    pub(super) static STEPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}
