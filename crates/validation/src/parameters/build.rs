//! Arrays and objects, put together of raw texts.

use std::borrow::Cow;

use super::{
    Taken,
    read::Reader,
    text::{Delimiter, Escapes, Pieces, pair, pieces},
    typed::Typed,
    wanted::{Member, Scalars},
    wrong::{MATRIX, MEMBERS, PAIRS, REPEATED, TURNS, UNDEFINED, Wrong},
};
use crate::{
    finding::Part,
    json::{Builder, Tree},
    rules::Style,
};

/// A value whose parts are put together.
pub(super) struct Building<'b, 'r> {
    reader: &'b Reader<'b>,
    style: Style,
    builder: Builder<'r, 'b>,
    /// What may be a string is one.
    strings: bool,
}

/// What separates the parts of a value that is in one text.
fn delimiter(style: Style) -> Option<Delimiter> {
    match style {
        Style::Simple | Style::SimpleExplode | Style::Label | Style::Matrix | Style::Form | Style::Cookie => Some(Delimiter::Comma),
        Style::LabelExplode => Some(Delimiter::Dot),
        Style::MatrixExplode => Some(Delimiter::Semicolon),
        Style::SpaceDelimited => Some(Delimiter::Space),
        Style::PipeDelimited => Some(Delimiter::Pipe),
        Style::TabDelimited => Some(Delimiter::Tab),
        Style::FormExplode | Style::CookieExplode | Style::DeepObject => None,
    }
}

impl<'b, 'r> Building<'b, 'r> {
    pub(super) fn new(reader: &'b Reader<'b>, style: Style, strings: bool) -> Self {
        Self { reader, style, builder: Builder::new(reader.limits), strings }
    }

    pub(super) fn array(mut self, taken: &[Taken<'r>]) -> Result<Tree<'r>, Wrong> {
        if taken.iter().any(|one| one.name.is_some()) {
            return Err(UNDEFINED);
        }
        self.builder.begin(false)?;
        for (index, raw) in self.parts(taken)?.enumerate() {
            let raw = if self.style == Style::MatrixExplode { self.reader.unnamed(raw)? } else { raw };
            let text = self.reader.decoded(raw)?;
            Typed::of(text, self.reader.wanted.items.at(index), self.strings).put(&mut self.builder)?;
        }
        self.finish()
    }

    pub(super) fn object(mut self, taken: &mut [Taken<'r>]) -> Result<Tree<'r>, Wrong> {
        self.builder.begin(true)?;
        match self.style {
            Style::FormExplode | Style::CookieExplode => self.members(taken)?,
            Style::DeepObject => {
                let is_nested = |one: &Taken<'_>| one.name.as_ref().is_none_or(|name| name.contains(['[', ']']));
                if taken.iter().any(is_nested) {
                    return Err(MEMBERS);
                }
                self.members(taken)?;
            }
            Style::SimpleExplode | Style::LabelExplode | Style::MatrixExplode => self.pairs(taken)?,
            _ => self.turns(taken)?,
        }
        self.finish()
    }

    fn finish(mut self) -> Result<Tree<'r>, Wrong> {
        self.builder.end()?;
        self.builder.finish().ok_or(UNDEFINED)
    }

    /// The raw parts of a value.
    fn parts<'t>(&self, taken: &'t [Taken<'r>]) -> Result<Parts<'t, 'r>, Wrong> {
        let escapes = self.reader.parameter.escapes;
        let Some(delimiter) = delimiter(self.style) else {
            // A deep object is no list.
            let texts = Parts { taken, pieces: None, delimiter: None, escapes };
            return if self.style == Style::DeepObject { Err(MEMBERS) } else { Ok(texts) };
        };
        if self.reader.parameter.part == Part::Header {
            // Several fields of a name are one list (RFC 9110 §5.3).
            return Ok(Parts { taken, pieces: None, delimiter: Some(delimiter), escapes });
        }
        let raw = self.reader.only(taken)?;
        let text = match self.style {
            Style::MatrixExplode => raw.strip_prefix(b";").ok_or(MATRIX)?,
            _ => self.reader.stripped(self.style, raw)?,
        };
        Ok(Parts { taken: &[], pieces: Some(pieces(text, delimiter, escapes)), delimiter: None, escapes })
    }

    /// `R=1,G=2`.
    fn pairs(&mut self, taken: &[Taken<'r>]) -> Result<(), Wrong> {
        for part in self.parts(taken)? {
            let (name, value) = pair(part).ok_or(PAIRS)?;
            let name = self.reader.decoded(name)?;
            self.member(name, value)?;
        }
        Ok(())
    }

    /// `R,1,G,2`.
    fn turns(&mut self, taken: &[Taken<'r>]) -> Result<(), Wrong> {
        let mut parts = self.parts(taken)?;
        while let Some(name) = parts.next() {
            let name = self.reader.decoded(name)?;
            self.member(name, parts.next().ok_or(TURNS)?)?;
        }
        Ok(())
    }

    fn member(&mut self, name: Cow<'r, str>, raw: &'r [u8]) -> Result<(), Wrong> {
        let scalar = self.reader.wanted.members.of_name(&name).scalar;
        self.builder.name(name)?;
        Ok(Typed::of(self.reader.decoded(raw)?, scalar, self.strings).put(&mut self.builder)?)
    }

    /// Members that each have a name of their own in the message. One that is an array is repeated there; no other may be.
    fn members(&mut self, taken: &mut [Taken<'r>]) -> Result<(), Wrong> {
        taken.sort_by(|a, b| a.name.cmp(&b.name));
        for same in taken.chunk_by(|a, b| a.name == b.name) {
            let name = same[0].name.clone().ok_or(UNDEFINED)?;
            let Member { scalar, items } = self.reader.wanted.members.of_name(&name);
            match (items, same) {
                (None, [one]) => self.member(name, one.raw)?,
                (Some(_), [one]) if scalar.any() => self.member(name, one.raw)?,
                (Some(items), _) => self.list(name, items, same)?,
                (None, _) => return Err(REPEATED),
            }
        }
        Ok(())
    }

    fn list(&mut self, name: Cow<'r, str>, items: Scalars, taken: &[Taken<'r>]) -> Result<(), Wrong> {
        self.builder.name(name)?;
        self.builder.begin(false)?;
        for one in taken {
            Typed::of(self.reader.decoded(one.raw)?, items, self.strings).put(&mut self.builder)?;
        }
        Ok(self.builder.end()?)
    }
}

/// Raw parts: texts, each as a whole or in pieces.
struct Parts<'t, 'r> {
    /// Texts that are still to come.
    taken: &'t [Taken<'r>],
    /// Of the text before them.
    pieces: Option<Pieces<'r>>,
    /// `None`: they are whole.
    delimiter: Option<Delimiter>,
    escapes: Escapes,
}

impl<'r> Iterator for Parts<'_, 'r> {
    type Item = &'r [u8];

    fn next(&mut self) -> Option<&'r [u8]> {
        loop {
            if let Some(piece) = self.pieces.as_mut().and_then(Iterator::next) {
                // Space around a part means nothing in a field, and no other place has any.
                return Some(piece.trim_ascii());
            }
            let (first, rest) = self.taken.split_first()?;
            self.taken = rest;
            match self.delimiter {
                None => return Some(first.raw),
                Some(delimiter) => self.pieces = Some(pieces(first.raw, delimiter, self.escapes)),
            }
        }
    }
}
