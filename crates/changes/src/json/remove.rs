//! Removal of what some pointers name. `*` in them is every member and every item.

use tollgate_filter_api::{Problem, pointer as places};

use super::{
    Doc,
    doc::Node,
    pointer::{self, Token},
};

/// Places whose values go, where they are there.
#[derive(Debug)]
pub struct Remove(Vec<Vec<Token>>);

impl Remove {
    /// Reads pointers; `place` is where their list is written.
    ///
    /// # Errors
    /// One that is none, or the whole document.
    pub fn parse(written: &[String], place: &str) -> Result<Self, Problem> {
        let read = |(at, text): (usize, &String)| {
            let place = places::join(place, &at.to_string());
            let tokens = pointer::parse(text, &place)?;
            if tokens.is_empty() { Err(Problem::setting(place, "the whole document cannot be removed")) } else { Ok(tokens) }
        };
        written.iter().enumerate().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Removes them.
    pub fn apply(&self, doc: &mut Doc<'_>) {
        self.0.iter().for_each(|tokens| remove(&mut doc.0, tokens));
    }
}

fn remove(node: &mut Node<'_>, tokens: &[Token]) {
    let Some((first, rest)) = tokens.split_first() else { return };
    if rest.is_empty() && !first.is_any() {
        node.take(first);
        return;
    }
    if !first.is_any() {
        if let Some(child) = node.child(first) {
            remove(child, rest);
        }
        return;
    }
    node.open();
    match node {
        Node::Array(items) if rest.is_empty() => items.clear(),
        Node::Object(members) if rest.is_empty() => members.clear(),
        Node::Array(items) => items.iter_mut().for_each(|item| remove(item, rest)),
        Node::Object(members) => members.iter_mut().for_each(|(_, member)| remove(member, rest)),
        Node::Text(_) => {}
    }
}
