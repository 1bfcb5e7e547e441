//! The tree of one API's templates.
//!
//! Everything in it is text as a [`Reading`](super::Reading) has it: decoded, so that no spelling of a literal passes it by.

use std::collections::BTreeMap;

use regex::Regex;
use tollgate_plan::{ANY_METHOD, Api, Operation, Transports, USUAL_METHODS};

use super::{
    conditions::{Asked, Conditions, whole},
    template::{Partial, Segment},
};

/// The tree of one API's templates.
#[derive(Debug)]
pub(super) struct Resources {
    /// Which listeners serve it.
    pub transports: Transports,
    /// What none of them matches may be a route of a less certain host.
    pub are_routes: bool,
    nodes: Vec<Node>,
    /// Those of regular expressions, in their order.
    expressions: Vec<(Regex, Methods)>,
}

#[derive(Debug, Default)]
struct Node {
    /// The node above; the root's is itself.
    parent: usize,
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
pub(super) struct Methods {
    /// Value of `Allow`.
    pub allow: Box<str>,
    /// Their node.
    at: usize,
    /// Their template ends with `/*`.
    is_rest: bool,
    /// None of them is without conditions.
    is_conditional: bool,
    candidates: Vec<Candidate>,
}

/// An operation of a path.
#[derive(Debug)]
struct Candidate {
    method: Box<str>,
    conditions: Conditions,
    index: u32,
}

impl Candidate {
    fn takes(&self, method: &str) -> bool {
        *self.method == *method || (*self.method == *ANY_METHOD && !matches!(method, "CONNECT" | "TRACE"))
    }
}

impl Resources {
    pub(super) fn new(api: &Api) -> Self {
        Self { transports: api.transports, are_routes: api.routes, nodes: vec![Node::default()], expressions: Vec::new() }
    }

    pub(super) fn add(&mut self, operation: &Operation, index: u32) -> Result<(), String> {
        let template = operation.template.as_str();
        if let Some(expression) = template.strip_prefix('~').filter(|_| self.are_routes) {
            return self.add_expression(expression.trim_start(), operation, index);
        }
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
        (methods.at, methods.is_rest) = (at, rest);
        methods.add(operation, index)
    }

    fn add_expression(&mut self, expression: &str, operation: &Operation, index: u32) -> Result<(), String> {
        let known = self.expressions.iter().position(|(known, _)| known.as_str() == format!("^(?:{expression})$"));
        let at = match known {
            Some(at) => at,
            None => {
                self.expressions.push((whole(expression)?, Methods::default()));
                self.expressions.len() - 1
            }
        };
        self.expressions[at].1.add(operation, index)
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
            self.nodes.push(Node { parent: at, ..Node::default() });
        }
        child
    }

    pub(super) fn finish(&mut self) {
        for node in &mut self.nodes {
            node.partials.sort_by(|(a, _), (b, _)| b.weight().cmp(&a.weight()).then_with(|| a.cmp(b)));
            for methods in [&mut node.here, &mut node.slash, &mut node.rest] {
                methods.finish();
            }
        }
        self.expressions.iter_mut().for_each(|(_, methods)| methods.finish());
    }

    /// What a path below the base path leads to.
    pub(super) fn find(&self, path: &str, asked: &Asked<'_>) -> Option<&Methods> {
        let inner = path.strip_prefix('/').unwrap_or(path);
        let (inner, slashed) = match inner.strip_suffix('/') {
            Some(inner) => (Some(inner), true),
            None if inner.is_empty() => (None, true),
            None => (Some(inner), false),
        };
        let found = self.search(0, inner, Wanted { slashed, asked });
        if self.expressions.is_empty() || found.is_some_and(|found| !found.is_rest) {
            return found;
        }
        let mut fitting = self.expressions.iter().filter(|(expression, methods)| methods.fit(asked) && expression.is_match(path));
        fitting.next().map(|(_, methods)| methods).or(found)
    }

    /// The methods of a beginning of a path that leads to some: the longest one on the first way that has any. The root is the
    /// beginning of everything and counts for nothing.
    pub(super) fn above(&self, path: &str, asked: &Asked<'_>) -> Option<&Methods> {
        self.nearest(0, path.strip_prefix('/'), asked)
    }

    fn nearest(&self, at: usize, path: Option<&str>, asked: &Asked<'_>) -> Option<&Methods> {
        tally();
        let node = &self.nodes[at];
        let deeper = path.and_then(|path| {
            let (segment, tail) = first_segment(path);
            let literal = node.literals.get(segment).copied();
            let partials = node.partials.iter().filter(|(partial, _)| partial.matches(segment)).map(|&(_, child)| child);
            let parameter = node.parameter.filter(|_| !segment.is_empty());
            literal.into_iter().chain(partials).chain(parameter).find_map(|child| self.nearest(child, tail, asked))
        });
        deeper.or_else(|| (at > 0).then(|| node.end(Wanted { slashed: false, asked })).flatten())
    }

    /// Whether a template with the one methods begins with a template that has the others.
    pub(super) fn is_below(&self, one: &Methods, other: &Methods) -> bool {
        std::iter::successors(Some(one.at), |&at| (at > 0).then(|| self.nodes[at].parent)).any(|at| at == other.at)
    }

    fn search(&self, at: usize, path: Option<&str>, wanted: Wanted<'_>) -> Option<&Methods> {
        tally();
        let node = &self.nodes[at];
        let Some(path) = path else { return node.end(wanted) };
        let (segment, tail) = first_segment(path);
        let literal = node.literals.get(segment).and_then(|&child| self.search(child, tail, wanted));
        literal
            .or_else(|| {
                let mut fitting = node.partials.iter().filter(|(partial, _)| partial.matches(segment));
                fitting.find_map(|&(_, child)| self.search(child, tail, wanted))
            })
            .or_else(|| node.parameter.filter(|_| !segment.is_empty()).and_then(|child| self.search(child, tail, wanted)))
            .or_else(|| node.rest.known(wanted))
    }
}

/// What is searched for.
#[derive(Clone, Copy)]
struct Wanted<'w> {
    /// The path ends with a slash.
    slashed: bool,
    asked: &'w Asked<'w>,
}

impl Node {
    fn end(&self, wanted: Wanted<'_>) -> Option<&Methods> {
        let (exact, other) = if wanted.slashed { (&self.slash, &self.here) } else { (&self.here, &self.slash) };
        exact.known(wanted).or_else(|| other.known(wanted)).or_else(|| self.rest.known(wanted))
    }
}

impl Methods {
    /// The operation that is meant.
    pub(super) fn operation(&self, asked: &Asked<'_>) -> Option<u32> {
        self.candidates.iter().find(|one| one.takes(asked.method) && one.conditions.hold(asked)).map(|one| one.index)
    }

    fn known(&self, wanted: Wanted<'_>) -> Option<&Self> {
        (!self.candidates.is_empty() && self.fit(wanted.asked)).then_some(self)
    }

    /// Whether one of them may be meant, by its conditions.
    fn fit(&self, asked: &Asked<'_>) -> bool {
        !self.is_conditional || self.candidates.iter().any(|one| one.conditions.hold(asked))
    }

    fn add(&mut self, operation: &Operation, index: u32) -> Result<(), String> {
        let conditions = Conditions::of(&operation.conditions)?;
        let is_same = |one: &Candidate| *one.method == *operation.method && one.conditions.are_those(&operation.conditions);
        if self.candidates.iter().any(is_same) {
            let Operation { method, template, .. } = operation;
            return Err(format!("{method} `{template}` matches the same requests as an operation before it"));
        }
        self.candidates.push(Candidate { method: operation.method.as_str().into(), conditions, index });
        Ok(())
    }

    /// Those with more conditions come first, and a method that is named before any method.
    fn finish(&mut self) {
        let rank = |one: &Candidate| (std::cmp::Reverse(one.conditions.len()), *one.method == *ANY_METHOD);
        self.candidates.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.method.cmp(&b.method)));
        self.is_conditional = self.candidates.iter().all(|one| one.conditions.len() > 0);
        let named = |one: &Candidate| if *one.method == *ANY_METHOD { USUAL_METHODS.to_vec() } else { Vec::new() };
        let mut methods: Vec<&str> = self.candidates.iter().flat_map(named).collect();
        methods.extend(self.candidates.iter().map(|one| &*one.method).filter(|method| *method != ANY_METHOD));
        methods.sort_unstable();
        methods.dedup();
        self.allow = methods.join(", ").into();
    }
}

/// The text before the first slash, and what follows it.
pub(super) fn first_segment(path: &str) -> (&str, Option<&str>) {
    match memchr::memchr(b'/', path.as_bytes()) {
        Some(at) => (&path[..at], Some(&path[at + 1..])),
        None => (path, None),
    }
}

#[cfg(not(test))]
pub(super) fn tally() {}

#[cfg(test)]
pub(super) fn tally() {
    STEPS.with(|steps| steps.set(steps.get() + 1));
}

#[cfg(test)]
thread_local! {
    /// Nodes visited by this thread, for the test that counts them.
    pub(super) static STEPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}
