//! The tree of one API's templates.
//!
//! Everything in it is text as a [`Reading`](super::Reading) has it: decoded, so that no spelling of a literal passes it by.

use std::collections::BTreeMap;

use tollgate_plan::{Operation, Transports};

use super::template::{Partial, Segment};

/// The tree of one API's templates.
#[derive(Debug)]
pub(super) struct Resources {
    /// Which listeners serve it.
    pub transports: Transports,
    nodes: Vec<Node>,
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
    operations: Vec<(Box<str>, u32)>,
}

impl Resources {
    pub(super) fn new(transports: Transports) -> Self {
        Self { transports, nodes: vec![Node::default()] }
    }

    pub(super) fn add(&mut self, operation: &Operation, index: u32) -> Result<(), String> {
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
        methods.at = at;
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
    }

    /// What a path below the base path leads to.
    pub(super) fn find(&self, path: &str) -> Option<&Methods> {
        let path = path.strip_prefix('/').unwrap_or(path);
        match path.strip_suffix('/') {
            Some(path) => self.search(0, Some(path), true),
            None if path.is_empty() => self.search(0, None, true),
            None => self.search(0, Some(path), false),
        }
    }

    /// The methods of a beginning of a path that leads to some: the longest one on the first way that has any. The root is the
    /// beginning of everything and counts for nothing.
    pub(super) fn above(&self, path: &str) -> Option<&Methods> {
        self.nearest(0, path.strip_prefix('/'))
    }

    fn nearest(&self, at: usize, path: Option<&str>) -> Option<&Methods> {
        tally();
        let node = &self.nodes[at];
        let deeper = path.and_then(|path| {
            let (segment, tail) = first_segment(path);
            let literal = node.literals.get(segment).copied();
            let partials = node.partials.iter().filter(|(partial, _)| partial.matches(segment)).map(|&(_, child)| child);
            let parameter = node.parameter.filter(|_| !segment.is_empty());
            literal.into_iter().chain(partials).chain(parameter).find_map(|child| self.nearest(child, tail))
        });
        deeper.or_else(|| (at > 0).then(|| node.end(false)).flatten())
    }

    /// Whether a template with the one methods begins with a template that has the others.
    pub(super) fn is_below(&self, one: &Methods, other: &Methods) -> bool {
        std::iter::successors(Some(one.at), |&at| (at > 0).then(|| self.nodes[at].parent)).any(|at| at == other.at)
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
    /// The operation of a method.
    pub(super) fn operation(&self, method: &str) -> Option<u32> {
        self.operations.iter().find(|(name, _)| **name == *method).map(|&(_, index)| index)
    }

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
