//! The texts of one parameter as one value, by its style.

use std::{borrow::Cow, sync::Arc};

use super::{
    Judging, Taken,
    build::Building,
    text::{Escapes, decoded, pair},
    typed::Typed,
    wanted::{Structure, Wanted},
    wrong::{DOT, ENCODING, MATRIX, MISSING, REPEATED, UNDEFINED, Wrong},
};
use crate::{
    finding::{Finding, Part},
    json::{Limits, Tree},
    rules::Style,
    schema::Schema,
};

/// One parameter, ready to be judged.
#[derive(Debug)]
pub(super) struct Parameter {
    /// Its place among the rules.
    pub number: usize,
    pub name: Box<str>,
    pub part: Part,
    pub required: bool,
    pub allow_empty: bool,
    pub source: Box<str>,
    pub escapes: Escapes,
    /// `None`: that it is there is all that matters.
    pub value: Option<Value>,
}

/// How its value is read, and what it must be.
#[derive(Debug)]
pub(super) struct Value {
    pub notation: Notation,
    pub schema: Arc<Schema>,
    pub wanted: Wanted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notation {
    Style(Style),
    /// One JSON text.
    Json,
    /// One text.
    Text,
    /// Names and values, as a form is sent.
    Form,
}

impl Parameter {
    /// Judges a parameter that is there.
    pub(super) fn judge<'r>(&self, taken: &mut [Taken<'r>], judging: &mut Judging<'_>) {
        (judging.present)(self.number);
        let Some(value) = &self.value else { return };
        if self.allow_empty && taken.iter().all(|one| one.raw.is_empty()) {
            return;
        }
        let limits = judging.limits;
        let reader = Reader { parameter: self, wanted: &value.wanted, limits };
        let outcome = match value.notation {
            Notation::Style(style) => reader.styled(style, taken, &value.schema),
            Notation::Form => reader.styled(Style::FormExplode, taken, &value.schema),
            Notation::Json | Notation::Text => reader.content(matches!(value.notation, Notation::Json), taken, &value.schema),
        };
        match outcome {
            Ok(found) => found.into_iter().for_each(|finding| judging.push(finding.named(self.name.to_string()))),
            Err(wrong) => judging.push(self.finding(wrong)),
        }
    }

    /// Judges one that is not there.
    pub(super) fn missing(&self, judging: &mut Judging<'_>) {
        if self.required {
            judging.push(self.finding(MISSING));
        }
    }

    pub(super) fn finding(&self, wrong: Wrong) -> Finding {
        Finding::new(self.part, wrong.rule, wrong.says).named(self.name.to_string()).by(self.source.to_string())
    }
}

/// Reads the texts of a parameter.
pub(super) struct Reader<'p> {
    pub parameter: &'p Parameter,
    pub wanted: &'p Wanted,
    pub limits: &'p Limits,
}

impl<'p> Reader<'p> {
    /// The findings: none when a reading of the texts fits. Those of the first reading otherwise.
    fn styled<'r>(&self, style: Style, taken: &mut [Taken<'r>], schema: &Schema) -> Result<Vec<Finding>, Wrong> {
        let mut first = None;
        for structure in &self.wanted.structures {
            for strings in [false, true].into_iter().take(1 + usize::from(self.wanted.ambiguous)) {
                let tree = self.tree(*structure, style, strings, taken);
                if tree.as_ref().is_ok_and(|tree| schema.is_valid(tree)) {
                    return Ok(Vec::new());
                }
                first.get_or_insert(tree);
            }
        }
        first.unwrap_or(Err(UNDEFINED)).map(|tree| schema.findings(&tree, self.parameter.part))
    }

    /// A value that is sent as a document: decoded once, and not again.
    fn content(&self, is_json: bool, taken: &[Taken<'_>], schema: &Schema) -> Result<Vec<Finding>, Wrong> {
        let text = self.decoded(self.only(taken)?)?;
        let tree = if is_json { crate::json::parse(text.as_bytes(), self.limits)? } else { Tree::of_text(text, self.limits)? };
        let fits = schema.is_valid(&tree);
        Ok(if fits { Vec::new() } else { schema.findings(&tree, self.parameter.part) })
    }

    fn tree<'r>(&self, structure: Structure, style: Style, strings: bool, taken: &mut [Taken<'r>]) -> Result<Tree<'r>, Wrong> {
        match structure {
            Structure::Scalar => {
                let raw = self.stripped(style, self.only(taken)?)?;
                Ok(Typed::of(self.decoded(raw)?, self.wanted.scalar, strings).tree(self.limits)?)
            }
            Structure::Array => Building::new(self, style, strings).array(taken),
            Structure::Object => Building::new(self, style, strings).object(taken),
        }
    }

    pub(super) fn only<'r>(&self, taken: &[Taken<'r>]) -> Result<&'r [u8], Wrong> {
        match taken {
            [Taken { name: None, raw, .. }] => Ok(raw),
            [_] => Err(UNDEFINED),
            _ => Err(REPEATED),
        }
    }

    pub(super) fn decoded<'r>(&self, raw: &'r [u8]) -> Result<Cow<'r, str>, Wrong> {
        decoded(raw, self.parameter.escapes).ok_or(ENCODING)
    }

    /// Without what a style puts before a whole value.
    pub(super) fn stripped<'r>(&self, style: Style, raw: &'r [u8]) -> Result<&'r [u8], Wrong> {
        match style {
            Style::Label | Style::LabelExplode => raw.strip_prefix(b".").ok_or(DOT),
            Style::Matrix | Style::MatrixExplode => self.unnamed(raw.strip_prefix(b";").ok_or(MATRIX)?),
            _ => Ok(raw),
        }
    }

    /// What stands behind the name of the parameter; nothing does when the value is empty (RFC 6570 §3.2.7).
    pub(super) fn unnamed<'r>(&self, raw: &'r [u8]) -> Result<&'r [u8], Wrong> {
        let (name, value) = pair(raw).unwrap_or((raw, b""));
        if self.decoded(name)? == *self.parameter.name { Ok(value) } else { Err(MATRIX) }
    }
}
