//! Merge Patch (RFC 7396).

use std::borrow::Cow;

use serde_json::Value as Json;
use tollgate_filter_api::{Problem, pointer};

use super::{Doc, Made, Slots, doc::Node, value::Value};

/// What a document is to become, member by member.
#[derive(Debug)]
pub struct Merge(Change);

#[derive(Debug)]
enum Change {
    Members(Vec<(String, Change)>),
    Value(Value),
    Remove,
}

impl Merge {
    /// Reads a patch; `place` is where it is written.
    ///
    /// # Errors
    /// A fact in it that is none.
    pub fn parse(written: &Json, place: &str, slots: &mut Slots) -> Result<Self, Problem> {
        change(written, place, slots).map(Self)
    }

    /// Merges. A member whose value is a fact that is not known is removed.
    pub fn apply<'a>(&'a self, doc: &mut Doc<'a>, made: &'a Made) {
        match &self.0 {
            Change::Members(members) => merge(&mut doc.0, members, made),
            Change::Value(value) => doc.0 = value.text(made).map_or_else(|| Node::text("null"), Node::text),
            Change::Remove => doc.0 = Node::text("null"),
        }
    }
}

fn change(written: &Json, place: &str, slots: &mut Slots) -> Result<Change, Problem> {
    match written {
        Json::Null => Ok(Change::Remove),
        Json::Object(members) => {
            let read = |(name, member): (&String, &Json)| Ok((name.clone(), change(member, &pointer::join(place, name), slots)?));
            members.iter().map(read).collect::<Result<_, _>>().map(Change::Members)
        }
        other => slots.value(other, place).map(Change::Value),
    }
}

fn merge<'a>(node: &mut Node<'a>, members: &'a [(String, Change)], made: &'a Made) {
    node.open();
    if !matches!(node, Node::Object(_)) {
        *node = Node::Object(Vec::new());
    }
    let Node::Object(there) = node else { return };
    for (name, change) in members {
        let at = there.iter().position(|(other, _)| other == name);
        let value = match change {
            Change::Remove => None,
            Change::Value(value) => value.text(made).map(Node::text),
            Change::Members(members) => {
                let mut child = at.map_or(Node::Object(Vec::new()), |at| std::mem::replace(&mut there[at].1, Node::text("null")));
                merge(&mut child, members, made);
                Some(child)
            }
        };
        match (at, value) {
            (Some(at), Some(value)) => there[at].1 = value,
            (Some(at), None) => drop(there.remove(at)),
            (None, Some(value)) => there.push((Cow::Borrowed(name), value)),
            (None, None) => {}
        }
    }
}
