//! Events of either parser to the tree, under the limits.

use std::sync::Arc;

use tollgate_filter_api::{Problem, Problems};

use crate::tree::{Entry, Kind, Object, Slot};
use crate::{Document, Limits};

/// More duplicates than this say nothing new.
const REPORTED_DUPLICATES: usize = 50;
/// Bytes of text that weigh as much as one node.
const BYTES_PER_NODE: usize = 32;

enum Collected {
    Items(Vec<u32>),
    Members { entries: Vec<Entry>, key: Option<(Arc<str>, u32)>, merged: Vec<(u32, u32)> },
}

struct Frame {
    collected: Collected,
    line: u32,
    weight: usize,
    height: u16,
}

pub(crate) struct Builder<'a> {
    name: &'a str,
    limits: &'a Limits,
    nodes: Vec<Slot>,
    stack: Vec<Frame>,
    root: Option<u32>,
    problems: Problems,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(name: &'a str, limits: &'a Limits) -> Self {
        Self { name, limits, nodes: Vec::new(), stack: Vec::new(), root: None, problems: Problems::default() }
    }

    pub(crate) fn problem(&self, code: &'static str, line: u32, message: impl Into<String>) -> Problem {
        Problem::error(code, message).at(self.name, line, String::new())
    }

    pub(crate) fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Whether the innermost container is an object that waits for a key.
    pub(crate) fn wants_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { collected: Collected::Members { key: None, .. }, .. }))
    }

    pub(crate) fn in_array(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { collected: Collected::Items(_), .. }))
    }

    pub(crate) fn is_nested(&self) -> bool {
        !self.stack.is_empty()
    }

    pub(crate) fn key(&mut self, name: &str, line: u32) -> Result<(), Problem> {
        if name.len() > self.limits.key {
            let message = format!("a key of {} bytes; at most {} are read", name.len(), self.limits.key);
            return Err(self.problem("document.key_too_long", line, message));
        }
        if let Some(Frame { collected: Collected::Members { key, .. }, weight, .. }) = self.stack.last_mut() {
            *key = Some((name.into(), line));
            *weight += name.len() / BYTES_PER_NODE;
        }
        Ok(())
    }

    pub(crate) fn scalar(&mut self, kind: Kind, line: u32) -> Result<u32, Problem> {
        let text = match &kind {
            Kind::String(text) => text.len(),
            _ => 0,
        };
        let weight = 1 + text / BYTES_PER_NODE;
        let id = self.push(kind, line, weight, 0)?;
        self.attach(id)?;
        Ok(id)
    }

    pub(crate) fn open_array(&mut self, line: u32) -> Result<(), Problem> {
        self.open(Collected::Items(Vec::new()), line)
    }

    pub(crate) fn open_object(&mut self, line: u32) -> Result<(), Problem> {
        self.open(Collected::Members { entries: Vec::new(), key: None, merged: Vec::new() }, line)
    }

    fn open(&mut self, collected: Collected, line: u32) -> Result<(), Problem> {
        if self.stack.len() >= self.limits.depth {
            return Err(self.too_deep(line));
        }
        self.stack.push(Frame { collected, line, weight: 1, height: 0 });
        Ok(())
    }

    /// Ends the innermost container. `None` when there is none.
    pub(crate) fn close(&mut self) -> Result<Option<u32>, Problem> {
        let Some(mut frame) = self.stack.pop() else { return Ok(None) };
        let kind = match frame.collected {
            Collected::Items(items) => Kind::Array(items.into()),
            Collected::Members { mut entries, merged, .. } => {
                for (node, line) in merged {
                    frame.weight += self.merge(&mut entries, node, line)?;
                }
                Kind::Object(self.object(entries))
            }
        };
        let id = self.push(kind, frame.line, frame.weight, frame.height + 1)?;
        self.attach(id)?;
        Ok(Some(id))
    }

    /// Adds a node once more, or under one more key.
    pub(crate) fn attach(&mut self, id: u32) -> Result<(), Problem> {
        let Slot { weight, height, line, .. } = self.nodes[id as usize];
        let depth = self.stack.len() + usize::from(height);
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(id);
            return Ok(());
        };
        frame.weight += weight as usize;
        frame.height = frame.height.max(height);
        let (heavy, line) = (frame.weight > self.limits.nodes, frame.line.max(line));
        match &mut frame.collected {
            Collected::Items(items) => items.push(id),
            Collected::Members { entries, key, .. } => {
                if let Some((key, line)) = key.take() {
                    entries.push(Entry { key, line, node: id });
                }
            }
        }
        if heavy {
            return Err(self.too_large(line));
        }
        if depth > self.limits.depth {
            return Err(self.too_deep(line));
        }
        Ok(())
    }

    /// Notes that the value of the pending key, just attached, is a YAML merge.
    pub(crate) fn attach_merge(&mut self, id: u32, line: u32) {
        if let Some(Frame { collected: Collected::Members { merged, .. }, .. }) = self.stack.last_mut() {
            merged.push((id, line));
        }
    }

    /// Takes back the member that [`attach`](Self::attach) added last.
    pub(crate) fn detach_last(&mut self) {
        if let Some(Frame { collected: Collected::Members { entries, .. }, .. }) = self.stack.last_mut() {
            entries.pop();
        }
    }

    /// Adds the members of a merged map that are not there yet; returns their weight.
    fn merge(&mut self, entries: &mut Vec<Entry>, node: u32, line: u32) -> Result<usize, Problem> {
        let sources = match &self.nodes[node as usize].kind {
            Kind::Object(_) => vec![node],
            Kind::Array(items) => items.to_vec(),
            _ => Vec::new(),
        };
        let all_objects = sources.iter().all(|&id| matches!(self.nodes[id as usize].kind, Kind::Object(_)));
        if sources.is_empty() || !all_objects {
            let message = "the value of `<<` must be a map or a list of maps";
            self.report(self.problem("yaml.merge", line, message).hint("write `<<: *name`, or `<<: [*one, *other]`, with anchors on maps"));
            return Ok(0);
        }
        let mut known: std::collections::HashSet<Arc<str>> = entries.iter().map(|e| e.key.clone()).collect();
        let mut weight = 0;
        for id in sources {
            let Kind::Object(object) = &self.nodes[id as usize].kind else { continue };
            for entry in object.entries() {
                if known.insert(entry.key.clone()) {
                    weight += self.nodes[entry.node as usize].weight as usize + entry.key.len() / BYTES_PER_NODE;
                    entries.push(entry.clone());
                }
                if weight > self.limits.nodes {
                    return Err(self.too_large(line));
                }
            }
        }
        Ok(weight)
    }

    fn object(&mut self, mut entries: Vec<Entry>) -> Object {
        let mut sorted = sorted(&entries);
        let mut duplicates: Vec<u32> = Vec::new();
        for pair in sorted.windows(2) {
            let (first, second) = (&entries[pair[0] as usize], &entries[pair[1] as usize]);
            if first.key == second.key {
                duplicates.push(pair[1]);
                if duplicates.len() <= REPORTED_DUPLICATES && self.problems.0.len() < REPORTED_DUPLICATES {
                    let message = format!("the key `{}` stands here a second time", clip(&second.key));
                    let hint = format!("it was first written on line {}; remove one of the two", first.line);
                    let problem = self.problem("document.duplicate_key", second.line, message).hint(hint);
                    self.problems.push(problem);
                }
            }
        }
        if !duplicates.is_empty() {
            let mut position = 0;
            duplicates.sort_unstable();
            entries.retain(|_| {
                position += 1;
                duplicates.binary_search(&(position - 1)).is_err()
            });
            sorted = self::sorted(&entries);
        }
        Object::new(entries, sorted)
    }

    fn push(&mut self, kind: Kind, line: u32, weight: usize, height: u16) -> Result<u32, Problem> {
        if weight > self.limits.nodes || self.nodes.len() >= self.limits.nodes {
            return Err(self.too_large(line));
        }
        let id = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        self.nodes.push(Slot { kind, line, weight, height });
        Ok(id)
    }

    pub(crate) fn scalar_text(&self, id: u32) -> Option<String> {
        match &self.nodes[id as usize].kind {
            Kind::Null => Some("null".into()),
            Kind::Bool(value) => Some(value.to_string()),
            Kind::Number { raw: Some(raw), .. } => Some(raw.to_string()),
            Kind::Number { value, .. } => Some(value.to_string()),
            Kind::String(text) => Some(text.to_string()),
            Kind::Array(_) | Kind::Object(_) => None,
        }
    }

    fn too_deep(&self, line: u32) -> Problem {
        let message = format!("more than {} levels of nesting", self.limits.depth);
        self.problem("document.too_deep", line, message).hint("move the inner part to the components and refer to it with `$ref`")
    }

    fn too_large(&self, line: u32) -> Problem {
        let message = format!("more than {} values once every alias is written out", self.limits.nodes);
        self.problem("document.too_large", line, message).hint("split the file, or use fewer aliases")
    }

    pub(crate) fn finish(mut self) -> Result<Document, Problems> {
        let root = match self.root {
            Some(root) => root,
            None => self.push(Kind::Null, 1, 1, 0)?,
        };
        if !self.problems.0.is_empty() {
            return Err(self.problems.sorted());
        }
        self.nodes.shrink_to_fit();
        Ok(Document { name: self.name.into(), nodes: self.nodes, root })
    }
}

fn sorted(entries: &[Entry]) -> Vec<u32> {
    let mut sorted: Vec<u32> = (0u32..).take(entries.len()).collect();
    sorted.sort_by(|&a, &b| entries[a as usize].key.cmp(&entries[b as usize].key));
    sorted
}

/// A name short enough for a message.
pub(crate) fn clip(name: &str) -> String {
    match name.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
