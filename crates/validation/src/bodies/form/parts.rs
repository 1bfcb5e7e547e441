//! The value that a multipart body stands for: an object of its named parts, or a sequence of all of them.
//!
//! What a part is read as follows from its schema and from `encoding`; a `Content-Type` of its own must be one of those that this allows.
//! Bytes that are no text are not put into the value. In their place stands a string of spaces that `minLength` and `maxLength` judge as
//! they would judge the bytes, and that no other keyword can say anything of.

use std::borrow::Cow;

use super::{
    members::{Kind, Leaf, Member, Members, Reading, Writing},
    multipart::Piece,
    separated::{self, Separator},
};
use crate::{
    bodies::{
        Unfit, charset,
        media::{self, Notation, Range},
        typed,
    },
    json::{Builder, Limits, Malformed, Tree, parse},
    schema::Types,
};

/// The number of what is not declared.
const UNKNOWN: usize = usize::MAX;

/// The object of the named parts.
///
/// # Errors
/// A part that has no name, or whose value cannot be read.
pub(in crate::bodies) fn object<'p>(pieces: &'p [Piece<'p>], members: &Members, limits: &Limits) -> Result<Tree<'p>, Unfit> {
    let mut fields = Vec::with_capacity(pieces.len());
    for (number, piece) in pieces.iter().enumerate() {
        let unnamed = || Unfit::new("multipart", "has a part without a name").below(&format!("/{number}"));
        let name = piece.name.as_deref().ok_or_else(unnamed)?;
        charset::check_named(name, piece.bytes)?;
        fields.push((members.owner(name).map_or(UNKNOWN, |(owner, _)| owner), name, piece));
    }
    fields.sort_by_key(|(owner, name, _)| (*owner, *name));
    let mut parts = Parts { builder: Builder::new(limits), limits };
    parts.builder.begin(true).map_err(refused)?;
    for fields in fields.chunk_by(|a, b| a.1 == b.1) {
        let (owner, name, _) = fields[0];
        let member = members.member(owner);
        parts.builder.name(Cow::Borrowed(name)).map_err(refused)?;
        parts.member(member, fields).map_err(|unfit| unfit.below(&member.pointer))?;
    }
    parts.builder.end().map_err(refused)?;
    parts.builder.finish().ok_or(refused(Malformed::Syntax))
}

/// The value of one part.
///
/// # Errors
/// When it cannot be read.
pub(in crate::bodies) fn one<'p>(piece: &'p Piece<'p>, reading: Reading, limits: &Limits) -> Result<Tree<'p>, Unfit> {
    let mut parts = Parts { builder: Builder::new(limits), limits };
    parts.value(piece, reading, &[], 0)?;
    parts.builder.finish().ok_or(refused(Malformed::Syntax))
}

struct Parts<'p, 'l> {
    builder: Builder<'p, 'l>,
    limits: &'l Limits,
}

impl<'p> Parts<'p, '_> {
    fn member(&mut self, member: &Member, pieces: &[(usize, &'p str, &'p Piece<'p>)]) -> Result<(), Unfit> {
        let Leaf { one, item } = member.leaf;
        let is_list = member.leaf.is_list(pieces.len());
        match (member.writing, pieces) {
            (Writing::Separated(separator), [(_, _, piece)]) => self.separated(piece, member, separator),
            (Writing::Repeated, [(_, _, piece)]) if !is_list => self.value(piece, one, &member.contents, 1),
            (Writing::Repeated, [(_, _, piece)]) if member.leaf.is_whole(piece.bytes) => self.value(piece, item, &member.contents, 1),
            (Writing::Repeated, pieces) if is_list => {
                self.builder.begin(false).map_err(refused)?;
                for (_, _, piece) in pieces {
                    self.value(piece, item, &member.contents, 2)?;
                }
                self.builder.end().map_err(refused)
            }
            _ => Err(refused(Malformed::Twice)),
        }
    }

    /// Several values in one part.
    fn separated(&mut self, piece: &'p Piece<'p>, member: &Member, separator: Separator) -> Result<(), Unfit> {
        let text = Reading { types: Types::STRING, kind: Kind::Text };
        kind(piece, text, &[])?;
        let pieces = separator.split(charset::text(piece.bytes)?).map(Cow::Borrowed).collect();
        separated::put(&mut self.builder, member, pieces)
    }

    /// One part, so many levels deep.
    fn value(&mut self, piece: &'p Piece<'p>, reading: Reading, contents: &[Range], levels: usize) -> Result<(), Unfit> {
        match kind(piece, reading, contents)? {
            Kind::Json => {
                let value = parse(piece.bytes, &self.limits.within(levels));
                value.and_then(|value| self.builder.graft(value)).map_err(|why| Unfit::of(why, "json"))
            }
            Kind::Bytes { least, most } => self.builder.string(stand_in(piece.bytes.len(), least, most)).map_err(refused),
            Kind::Text | Kind::Encoded | Kind::Any => {
                typed::put(&mut self.builder, Cow::Borrowed(charset::text(piece.bytes)?), reading.types).map_err(refused)
            }
        }
    }
}

/// What a part is to be read as.
///
/// # Errors
/// `content-type` or `charset`.
fn kind(piece: &Piece<'_>, reading: Reading, contents: &[Range]) -> Result<Kind, Unfit> {
    let unexpected = || Unfit::new("content-type", "has another media type than the definition allows");
    let Some(content_type) = piece.content_type else {
        // Without one it is text (RFC 7578 §4.4), and JSON is.
        let is_text = |range: &Range| range.has("text", "plain") || matches!(range.notation(), Some(Notation::Json | Notation::Text));
        return if contents.is_empty() || contents.iter().any(is_text) { Ok(reading.kind) } else { Err(unexpected()) };
    };
    let (kind, subtype) = media::essence(content_type).ok_or_else(unexpected)?;
    let notation = Notation::of(kind, subtype);
    if !contents.is_empty() && !contents.iter().any(|range| range.has(kind, subtype)) {
        return Err(unexpected());
    }
    let parameters = media::parameters(content_type).ok_or_else(unexpected)?;
    if matches!(notation, Notation::Json | Notation::Text) {
        charset::check(&parameters, piece.bytes)?;
    }
    let bytes = Kind::Bytes { least: 0, most: usize::MAX };
    match (reading.kind, notation) {
        (Kind::Bytes { .. } | Kind::Encoded, _) => Ok(reading.kind),
        (Kind::Any, Notation::Json) => Ok(Kind::Json),
        (Kind::Any, Notation::Text) => Ok(Kind::Text),
        (Kind::Any, _) => Ok(bytes),
        (Kind::Json, Notation::Json) | (Kind::Text, Notation::Text) => Ok(reading.kind),
        // What is declared beside the first of them.
        (_, Notation::Json) if !contents.is_empty() => Ok(Kind::Json),
        (_, Notation::Text) if !contents.is_empty() => Ok(Kind::Text),
        (Kind::Text, _) if !contents.is_empty() => Ok(bytes),
        _ => Err(unexpected()),
    }
}

/// A text that is too short, too long or neither as so many bytes are, and no longer than that needs.
fn stand_in(bytes: usize, least: usize, most: usize) -> Cow<'static, str> {
    let characters = if bytes > most { most + 1 } else { bytes.min(least) };
    if characters == 0 { Cow::Borrowed("") } else { Cow::Owned(" ".repeat(characters)) }
}

fn refused(why: Malformed) -> Unfit {
    Unfit::of(why, "multipart")
}
