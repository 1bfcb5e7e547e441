//! JSON that is written, within its limits.

use std::borrow::Cow;

use tollgate_validation::json::{Limits, Malformed, Over, Sink};

/// Writes what it is told. Names of an object are expected to differ.
pub(crate) struct Writer<'l> {
    out: Vec<u8>,
    limits: &'l Limits,
    most: usize,
    /// What stands between two members or items.
    comma: &'static str,
    /// Objects and arrays that are not ended: whether it is an object, and whether it has something in it.
    open: Vec<(bool, bool)>,
    values: usize,
    is_named: bool,
    /// The output passed its limit.
    pub is_large: bool,
}

impl<'l> Writer<'l> {
    pub fn new(limits: &'l Limits, most: usize, comma: &'static str, expected: usize) -> Self {
        let out = Vec::with_capacity(expected.min(most));
        Self { out, limits, most, comma, open: Vec::new(), values: 0, is_named: false, is_large: false }
    }

    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    fn raw(&mut self, text: &str) -> Result<(), Malformed> {
        if text.len() > self.most - self.out.len() {
            self.is_large = true;
            return Err(Malformed::Over(Over::String));
        }
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    /// Before a name, or before an item.
    fn separate(&mut self) -> Result<(), Malformed> {
        let comma = self.comma;
        let follows = self.open.last_mut().is_some_and(|(_, has_any)| std::mem::replace(has_any, true));
        if follows { self.raw(comma) } else { Ok(()) }
    }

    /// Before a value.
    fn value(&mut self) -> Result<(), Malformed> {
        self.values += 1;
        if self.values > self.limits.values {
            return Err(Malformed::Over(Over::Values));
        }
        if std::mem::take(&mut self.is_named) { Ok(()) } else { self.separate() }
    }

    fn quoted(&mut self, text: &str) -> Result<(), Malformed> {
        self.raw("\"")?;
        let mut done = 0;
        for (at, byte) in text.bytes().enumerate() {
            let escaped = match byte {
                b'"' => "\\\"",
                b'\\' => "\\\\",
                b'\n' => "\\n",
                b'\r' => "\\r",
                b'\t' => "\\t",
                // No document can hold the others.
                _ => continue,
            };
            self.raw(&text[done..at])?;
            self.raw(escaped)?;
            done = at + 1;
        }
        self.raw(&text[done..])?;
        self.raw("\"")
    }
}

impl<'a> Sink<'a> for Writer<'_> {
    fn null(&mut self) -> Result<(), Malformed> {
        self.value()?;
        self.raw("null")
    }

    fn bool(&mut self, value: bool) -> Result<(), Malformed> {
        self.value()?;
        self.raw(if value { "true" } else { "false" })
    }

    fn number(&mut self, text: Cow<'a, str>) -> Result<(), Malformed> {
        if text.len() > self.limits.number {
            return Err(Malformed::Over(Over::Number));
        }
        self.value()?;
        self.raw(&text)
    }

    fn string(&mut self, text: Cow<'a, str>) -> Result<(), Malformed> {
        if text.len() > self.limits.string {
            return Err(Malformed::Over(Over::String));
        }
        self.value()?;
        self.quoted(&text)
    }

    fn name(&mut self, name: Cow<'a, str>) -> Result<(), Malformed> {
        self.separate()?;
        self.quoted(&name)?;
        self.is_named = true;
        self.raw(":")
    }

    fn begin(&mut self, is_object: bool) -> Result<(), Malformed> {
        self.value()?;
        if self.open.len() >= self.limits.depth {
            return Err(Malformed::Over(Over::Depth));
        }
        self.open.push((is_object, false));
        self.raw(if is_object { "{" } else { "[" })
    }

    fn end(&mut self) -> Result<(), Malformed> {
        let Some((is_object, _)) = self.open.pop() else { return Ok(()) };
        self.raw(if is_object { "}" } else { "]" })
    }

    fn in_object(&self) -> Option<bool> {
        self.open.last().map(|(is_object, _)| *is_object)
    }
}
