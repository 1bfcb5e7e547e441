//! Lists and objects in one text, with something between their parts.

use std::borrow::Cow;

use super::members::{Leaf, Member};
use crate::{
    bodies::{Unfit, typed},
    json::{Builder, Malformed},
};

/// What stands between the parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separator {
    Comma,
    Space,
    Pipe,
    Tab,
}

impl Separator {
    /// Splits the raw value of a form, in one pass.
    pub(super) fn split_escaped(self, raw: &str) -> Vec<&str> {
        let separators: &[&str] = match self {
            Self::Comma => &[","],
            Self::Space => &["%20", "+"],
            Self::Pipe => &["%7C", "%7c", "|"],
            Self::Tab => &["%09"],
        };
        let (mut pieces, mut begin, mut at) = (Vec::new(), 0, 0);
        while at < raw.len() {
            match separators.iter().find(|separator| raw.as_bytes()[at..].starts_with(separator.as_bytes())) {
                None => at += 1,
                Some(separator) => {
                    pieces.push(&raw[begin..at]);
                    at += separator.len();
                    begin = at;
                }
            }
        }
        pieces.push(&raw[begin..]);
        pieces
    }

    /// Splits a text in which nothing is escaped.
    pub(super) fn split(self, text: &str) -> impl Iterator<Item = &str> {
        text.split(match self {
            Self::Comma => ',',
            Self::Space => ' ',
            Self::Pipe => '|',
            Self::Tab => '\t',
        })
    }
}

/// Adds the list, the object or the one value that the pieces are.
///
/// # Errors
/// `form`, when they are none of it; or a limit.
pub(super) fn put<'p>(builder: &mut Builder<'p, '_>, member: &Member, pieces: Vec<Cow<'p, str>>) -> Result<(), Unfit> {
    let Leaf { one, item } = member.leaf;
    if member.leaf.is_list(pieces.len()) {
        builder.begin(false).map_err(refused)?;
        pieces.into_iter().try_for_each(|piece| typed::put(builder, piece, item.types).map_err(refused))?;
    } else if member.leaf.is_object() {
        builder.begin(true).map_err(refused)?;
        let mut pieces = pieces.into_iter();
        while let Some(name) = pieces.next() {
            let value = pieces.next().ok_or(Unfit::new("form", "has a name without a value"))?;
            let types = member.inner(&name).one.types;
            builder.name(name).and_then(|()| typed::put(builder, value, types)).map_err(refused)?;
        }
    } else {
        return match <[_; 1]>::try_from(pieces) {
            Ok([piece]) => typed::put(builder, piece, one.types).map_err(refused),
            Err(_) => Err(Unfit::new("form", "has more than one value")),
        };
    }
    builder.end().map_err(refused)
}

fn refused(why: Malformed) -> Unfit {
    Unfit::of(why, "form")
}
