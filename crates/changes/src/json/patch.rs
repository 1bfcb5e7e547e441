//! JSON Patch (RFC 6902).

use serde_json::Value as Json;
use tollgate_filter_api::{Problem, pointer as places};

use super::{
    Doc, Failed, Made, Slots,
    doc::Node,
    pointer::{self, Token},
    value::Value,
};

/// A list of operations, all of which are done or none.
#[derive(Debug)]
pub struct Patch(Vec<Operation>);

#[derive(Debug)]
enum Operation {
    Add(Vec<Token>, Value),
    Remove(Vec<Token>),
    Replace(Vec<Token>, Value),
    Move { from: Vec<Token>, path: Vec<Token> },
    Copy { from: Vec<Token>, path: Vec<Token> },
    Test(Vec<Token>, Value),
}

/// Operations of one patch. Each copy may double the document.
const MOST: usize = 1000;

impl Patch {
    /// Reads a patch; `place` is where it is written.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(written: &Json, place: &str, slots: &mut Slots) -> Result<Self, Problem> {
        let Json::Array(operations) = written else {
            return Err(Problem::setting(place, "a JSON Patch is a list of operations (RFC 6902 §3)"));
        };
        if operations.len() > MOST {
            return Err(Problem::setting(place, format!("there are {} operations, at most {MOST} are done", operations.len())));
        }
        let read = |(at, operation): (usize, &Json)| Reader { operation, place: places::join(place, &at.to_string()) }.operation(slots);
        operations.iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Does all operations. A document that is given up on is as good as lost: take a copy before.
    ///
    /// # Errors
    /// A place that is not there, a test that does not hold, or a document that grew beyond so many bytes.
    pub fn apply<'a>(&'a self, doc: &mut Doc<'a>, made: &'a Made, most: usize) -> Result<(), Failed> {
        self.0.iter().try_for_each(|operation| operation.apply(doc, made, most))
    }
}

impl Operation {
    fn apply<'a>(&'a self, doc: &mut Doc<'a>, made: &'a Made, most: usize) -> Result<(), Failed> {
        let root = &mut doc.0;
        match self {
            Self::Add(path, value) => put(root, path, node(value, made)),
            Self::Remove(path) => take(root, path).map(drop),
            Self::Replace(path, value) => {
                *root.at(path).ok_or(Failed::Missing)? = node(value, made);
                Ok(())
            }
            Self::Move { from, path } => {
                let moved = take(root, from)?;
                put(root, path, moved)
            }
            Self::Copy { from, path } => {
                let copied = root.at(from).ok_or(Failed::Missing)?.clone();
                put(root, path, copied)?;
                if doc.weight() > most { Err(Failed::TooLong) } else { Ok(()) }
            }
            Self::Test(path, value) => {
                let found = root.at(path).ok_or(Failed::Missing)?;
                if found.is_same(&mut node(value, made)) { Ok(()) } else { Err(Failed::Test) }
            }
        }
    }
}

fn node<'a>(value: &'a Value, made: &'a Made) -> Node<'a> {
    value.text(made).map_or_else(|| Node::text("null"), Node::text)
}

fn put<'a>(root: &mut Node<'a>, path: &[Token], value: Node<'a>) -> Result<(), Failed> {
    match path.split_last() {
        None => *root = value,
        Some((last, before)) => root.at(before).ok_or(Failed::Missing)?.put(last, value)?,
    }
    Ok(())
}

fn take<'a>(root: &mut Node<'a>, path: &[Token]) -> Result<Node<'a>, Failed> {
    match path.split_last() {
        None => Ok(std::mem::replace(root, Node::text("null"))),
        Some((last, before)) => root.at(before).and_then(|parent| parent.take(last)).ok_or(Failed::Missing),
    }
}

struct Reader<'r> {
    operation: &'r Json,
    place: String,
}

impl Reader<'_> {
    fn operation(&self, slots: &mut Slots) -> Result<Operation, Problem> {
        let name = self.text("op")?;
        let path = self.pointer("path")?;
        let (operation, keys): (_, &[&str]) = match name {
            "add" => (Operation::Add(path, self.value(slots)?), &["op", "path", "value"]),
            "remove" => (Operation::Remove(path), &["op", "path"]),
            "replace" => (Operation::Replace(path, self.value(slots)?), &["op", "path", "value"]),
            "test" => (Operation::Test(path, self.value(slots)?), &["op", "path", "value"]),
            "move" => {
                let from = self.pointer("from")?;
                if path.len() > from.len() && path.starts_with(&from) {
                    return Err(Problem::setting(places::join(&self.place, "path"), "a value cannot be moved into itself (RFC 6902 §4.4)"));
                }
                (Operation::Move { from, path }, &["op", "path", "from"])
            }
            "copy" => (Operation::Copy { from: self.pointer("from")?, path }, &["op", "path", "from"]),
            other => {
                let problem = Problem::setting(places::join(&self.place, "op"), format!("`{other}` is not an operation of JSON Patch"));
                return Err(problem.hint("the operations are add, remove, replace, move, copy and test"));
            }
        };
        let unknown = self.operation.as_object().and_then(|members| members.keys().find(|key| !keys.contains(&key.as_str())));
        match unknown {
            Some(key) => Err(Problem::setting(places::join(&self.place, key), format!("`{name}` does not read `{key}`"))),
            None => Ok(operation),
        }
    }

    fn text(&self, key: &str) -> Result<&str, Problem> {
        let found = self.operation.get(key).and_then(Json::as_str);
        found.ok_or_else(|| Problem::setting(&self.place, format!("the operation has no `{key}`, or one that is no text (RFC 6902 §4)")))
    }

    fn pointer(&self, key: &str) -> Result<Vec<Token>, Problem> {
        pointer::parse(self.text(key)?, &places::join(&self.place, key))
    }

    fn value(&self, slots: &mut Slots) -> Result<Value, Problem> {
        let value = self.operation.get("value");
        let value = value.ok_or_else(|| Problem::setting(&self.place, "the operation has no `value` (RFC 6902 §4)"))?;
        slots.value(value, &places::join(&self.place, "value"))
    }
}
