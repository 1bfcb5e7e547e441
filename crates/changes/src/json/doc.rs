//! A document that is opened where somebody looks.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{number, pointer::Token};

/// A JSON document.
#[derive(Clone, Debug)]
pub struct Doc<'a>(pub(super) Node<'a>);

/// Why a change could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The place is not there.
    #[error("the place is not there")]
    Missing,
    /// A test of a JSON Patch did not hold.
    #[error("a test did not hold")]
    Test,
    /// The document grew too long.
    #[error("the document grew too long")]
    TooLong,
}

/// A value, as text or taken apart.
#[derive(Clone, Debug)]
pub(super) enum Node<'a> {
    Text(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// One level of an object.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A name that borrows what has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl<'a> Doc<'a> {
    /// A document of that text.
    pub fn new(text: &'a str) -> Self {
        Self(Node::text(text))
    }

    /// The document's text, of so many bytes at most.
    ///
    /// # Errors
    /// [`Failed::TooLong`].
    pub fn write(&self, most: usize) -> Result<String, Failed> {
        let mut out = String::with_capacity(self.0.weight().min(most));
        self.0.write(&mut out);
        if out.len() > most { Err(Failed::TooLong) } else { Ok(out) }
    }

    /// Bytes that it will have, about.
    pub(super) fn weight(&self) -> usize {
        self.0.weight()
    }
}

impl<'a> Node<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        let text: Cow<'a, str> = text.into();
        Self::Text(match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_ascii()),
            Cow::Owned(text) => Cow::Owned(text.trim_ascii().to_owned()),
        })
    }

    /// Takes an array or an object apart.
    pub(super) fn open(&mut self) {
        let Self::Text(text) = self else { return };
        let opened = match text {
            Cow::Borrowed(text) => opened(text),
            Cow::Owned(text) => opened(text).map(Node::into_owned),
        };
        if let Some(opened) = opened {
            *self = opened;
        }
    }

    fn into_owned<'o>(self) -> Node<'o> {
        match self {
            Self::Text(text) => Node::Text(Cow::Owned(text.into_owned())),
            Self::Array(items) => Node::Array(items.into_iter().map(Node::into_owned).collect()),
            Self::Object(members) => {
                Node::Object(members.into_iter().map(|(name, node)| (Cow::Owned(name.into_owned()), node.into_owned())).collect())
            }
        }
    }

    /// What is under a token.
    pub(super) fn child(&mut self, token: &Token) -> Option<&mut Node<'a>> {
        self.open();
        match self {
            Self::Array(items) => items.get_mut(token.index()?),
            Self::Object(members) => members.iter_mut().find(|(name, _)| *name == *token.name()).map(|(_, node)| node),
            Self::Text(_) => None,
        }
    }

    /// What is at a place.
    pub(super) fn at(&mut self, tokens: &[Token]) -> Option<&mut Node<'a>> {
        tokens.iter().try_fold(self, |node, token| node.child(token))
    }

    /// Puts a value under a token, as RFC 6902 §4.1 adds.
    pub(super) fn put(&mut self, token: &Token, value: Node<'a>) -> Result<(), Failed> {
        self.open();
        match self {
            Self::Array(items) => {
                let at = if token.is_end() { items.len() } else { token.index().ok_or(Failed::Missing)? };
                if at > items.len() {
                    return Err(Failed::Missing);
                }
                items.insert(at, value);
            }
            Self::Object(members) => match members.iter_mut().find(|(name, _)| *name == *token.name()) {
                Some((_, old)) => *old = value,
                None => members.push((Cow::Owned(token.name().to_owned()), value)),
            },
            Self::Text(_) => return Err(Failed::Missing),
        }
        Ok(())
    }

    /// Takes out what is under a token.
    pub(super) fn take(&mut self, token: &Token) -> Option<Node<'a>> {
        self.open();
        match self {
            Self::Array(items) => token.index().filter(|at| *at < items.len()).map(|at| items.remove(at)),
            Self::Object(members) => {
                let at = members.iter().position(|(name, _)| *name == *token.name())?;
                Some(members.remove(at).1)
            }
            Self::Text(_) => None,
        }
    }

    /// Whether two values are equal (RFC 6902 §4.6).
    pub(super) fn is_same(&mut self, other: &mut Node<'_>) -> bool {
        self.open();
        other.open();
        match (self, other) {
            (Self::Array(a), Node::Array(b)) => a.len() == b.len() && a.iter_mut().zip(b).all(|(a, b)| a.is_same(b)),
            (Self::Object(a), Node::Object(b)) => {
                let as_many = a.len() == b.len();
                let has = |(name, node): &mut (Cow<'a, str>, Node<'a>)| {
                    let other = b.iter_mut().find(|(other, _)| other == name);
                    other.is_some_and(|(_, other)| node.is_same(other))
                };
                as_many && a.iter_mut().all(has)
            }
            (Self::Text(a), Node::Text(b)) => a == b || same_scalar(a, b),
            _ => false,
        }
    }

    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Array(items) => 2 + items.iter().map(|item| 1 + item.weight()).sum::<usize>(),
            Self::Object(members) => 2 + members.iter().map(|(name, node)| 4 + name.len() + node.weight()).sum::<usize>(),
        }
    }

    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (name, node)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    string(name, out);
                    out.push(':');
                    node.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// One level of an array or an object; `None` for what is neither.
fn opened(text: &str) -> Option<Node<'_>> {
    match text.as_bytes().first()? {
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            Some(Node::Array(items.into_iter().map(|item| Node::Text(Cow::Borrowed(item.get()))).collect()))
        }
        b'{' => {
            let Members(members) = serde_json::from_str(text).ok()?;
            Some(Node::Object(members.into_iter().map(|(name, value)| (name, Node::Text(Cow::Borrowed(value.get())))).collect()))
        }
        _ => None,
    }
}

/// A string of JSON.
pub(super) fn string(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

fn same_scalar(a: &str, b: &str) -> bool {
    let text = |text: &str| serde_json::from_str::<String>(text).ok();
    match (text(a), text(b)) {
        (Some(a), Some(b)) => a == b,
        (None, None) => number::is_same(a, b),
        _ => false,
    }
}
