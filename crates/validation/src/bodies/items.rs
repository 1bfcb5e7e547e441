//! Bodies that are a sequence: JSON in lines, JSON text sequences (RFC 7464) and server-sent events (OpenAPI 3.2, sequential media types).
//!
//! Each item is judged alone by the schema for items, and all of them as one array by the schema for the whole.

use super::{BodyLimits, Unfit, events, media::Notation, plain};
use crate::{
    finding::{Finding, MOST, Part},
    json::{Builder, Malformed, Over, Tree},
    schema::{Schema, Types},
};

/// What separates JSON texts (RFC 7464 §2.2).
const SEPARATOR: u8 = 0x1e;

/// What is said of a sequence.
pub(super) struct Items<'s> {
    /// Of the array of all items.
    pub whole: Option<&'s Schema>,
    /// Of each item.
    pub each: Option<&'s Schema>,
    /// What the data of an event may be.
    pub data: Types,
    pub limits: &'s BodyLimits,
    pub part: Part,
}

impl Items<'_> {
    /// What is wrong with them. Pointers begin with the number of the item.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn findings(&self, notation: Notation, bytes: &[u8]) -> Result<Vec<Finding>, Unfit> {
        match notation {
            Notation::Lines => self.judge(lines(bytes).map(|line| plain::json(line, self.limits))),
            Notation::Sequence => {
                let texts = bytes.strip_prefix(&[SEPARATOR]).ok_or(Unfit::new("json", "does not begin with a record separator"))?;
                self.judge(texts.split(|byte| *byte == SEPARATOR).map(|text| self.record(text)))
            }
            _ => {
                let events = events::read(bytes)?;
                self.judge(events.iter().map(|event| event.tree(self.data, &self.limits.json)))
            }
        }
    }

    /// What does not end with a line feed may have been cut.
    fn record<'b>(&self, text: &'b [u8]) -> Result<Tree<'b>, Unfit> {
        if text.last() == Some(&b'\n') { plain::json(text, self.limits) } else { Err(Unfit::of(Malformed::Syntax, "json")) }
    }

    /// What is wrong with items, whatever they were read from.
    ///
    /// # Errors
    /// Of an item, with its number; or a limit.
    pub(super) fn judge<'b>(&self, items: impl Iterator<Item = Result<Tree<'b>, Unfit>>) -> Result<Vec<Finding>, Unfit> {
        let limits = &self.limits.json;
        let refused = |why| Unfit::of(why, "json");
        let mut found = Vec::new();
        let mut all = Builder::new(limits);
        all.begin(false).map_err(refused)?;
        for (number, item) in items.enumerate() {
            if number >= limits.values {
                return Err(refused(Malformed::Over(Over::Values)));
            }
            let item = item.map_err(|unfit| unfit.below(&format!("/{number}")))?;
            if let Some(schema) = self.each.filter(|schema| !schema.is_valid(&item)) {
                let of_item = schema.findings(&item, self.part).into_iter().take(MOST - found.len());
                found.extend(of_item.map(|finding| Finding { pointer: format!("/{number}{}", finding.pointer), ..finding }));
            }
            if found.len() >= MOST {
                return Ok(found);
            }
            if self.whole.is_some() {
                all.graft(item).map_err(refused)?;
            }
        }
        let Some(schema) = self.whole.filter(|_| found.is_empty()) else { return Ok(found) };
        all.end().map_err(refused)?;
        let all = all.finish().ok_or(refused(Malformed::Syntax))?;
        Ok(if schema.is_valid(&all) { found } else { schema.findings(&all, self.part) })
    }
}

/// Lines, of which the last may have its end or not. An empty one is no value.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.split(|byte| *byte == b'\n').filter(move |_| !bytes.is_empty())
}
