//! YAML 1.2 text to the tree: anchors, aliases, merge keys, tags of the core schema.
//!
//! One document a file. Keys are text: `200:` is the member `200`. A tag outside the core schema is refused, since
//! what it means is not known here.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use tollgate_filter_api::Problem;

use crate::builder::Builder;
use crate::scalar;
use crate::tree::Kind;

/// A merge key is only one when it is not quoted.
const MERGE: &str = "<<";

struct Yaml<'a, 'b> {
    builder: &'b mut Builder<'a>,
    /// Finished nodes by anchor.
    anchors: HashMap<usize, u32>,
    /// Anchor of each open container, and whether it is the value of a merge key.
    open: Vec<(usize, Option<u32>)>,
    /// Line of a merge key whose value has not come yet.
    pending_merge: Option<u32>,
    documents: usize,
}

/// Reads the one YAML document into the builder.
pub(crate) fn parse<'a>(text: &'a str, builder: &mut Builder<'a>) -> Result<(), Problem> {
    refuse_control_characters(text, builder)?;
    let mut yaml = Yaml { builder, anchors: HashMap::new(), open: Vec::new(), pending_merge: None, documents: 0 };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => yaml.event(event, line_of(span.start.line()))?,
            Err(error) => {
                let message = format!("not YAML: {}", error.info());
                let problem = yaml.builder.problem("yaml.syntax", line_of(error.marker().line()), message);
                return Err(problem.hint(way_out(error.info())));
            }
        }
    }
    Ok(())
}

/// What to do about a mistake, where the parser's sentence does not say it.
fn way_out(sentence: &str) -> &'static str {
    let known = [
        ("tabs", "indent with spaces"),
        ("unknown anchor", "write `&name` before what `*name` repeats; a value that begins with `*` needs quotes"),
        ("mapping values are not allowed", "check the indentation; a value that holds `: ` needs quotes"),
        ("recursion limit", "use fewer levels of nesting"),
        ("escape", "in double quotes a backslash begins an escape; use single quotes to have it as it is"),
    ];
    known
        .iter()
        .find(|(part, _)| sentence.contains(part))
        .map_or("check quotes, brackets and indentation here and on the line before", |(_, hint)| hint)
}

fn line_of(line: usize) -> u32 {
    u32::try_from(line.max(1)).unwrap_or(u32::MAX)
}

/// The parser takes NUL for the end of the text and would silently drop what follows.
fn refuse_control_characters(text: &str, builder: &Builder<'_>) -> Result<(), Problem> {
    let bad = |b: &u8| *b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r');
    let Some(at) = text.as_bytes().iter().position(bad) else { return Ok(()) };
    let line = 1 + text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count();
    let message = format!("the control character U+{:04X} is not allowed", text.as_bytes()[at]);
    let hint = if text.as_bytes()[at] == 0 {
        "save the file as UTF-8 text; UTF-16 and binary files hold such bytes"
    } else {
        "write it as an escape in double quotes"
    };
    Err(builder.problem("yaml.control_character", line_of(line), message).hint(hint))
}

impl Yaml<'_, '_> {
    fn event(&mut self, event: Event<'_>, line: u32) -> Result<(), Problem> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let message = "a second document begins here; one file holds one document";
                    let problem = self.builder.problem("yaml.documents", line, message);
                    return Err(problem.hint("put it into a file of its own, or remove what stands from `---` or `...` on"));
                }
            }
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag, line)?,
            Event::SequenceStart(anchor, tag) => {
                self.open_container(anchor, tag, line)?;
                self.builder.open_array(line)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.open_container(anchor, tag, line)?;
                self.builder.open_object(line)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close_container()?,
            Event::Alias(anchor) => self.alias(anchor, line)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Option<Cow<'_, Tag>>, line: u32) -> Result<(), Problem> {
        let plain = style == ScalarStyle::Plain;
        let kind = self.resolve(text, plain, tag, line)?;
        if !self.builder.wants_key() {
            let id = self.builder.scalar(kind, line)?;
            self.remember(anchor, id);
            self.merged(id);
            return Ok(());
        }
        if plain && text == MERGE {
            self.pending_merge = Some(line);
        }
        let name = if text.is_empty() && plain { "null" } else { text };
        self.builder.key(name, line)?;
        if anchor != 0 {
            let message = "an anchor on a key is not supported";
            return Err(self.builder.problem("yaml.anchor", line, message).hint("put the anchor on the value"));
        }
        Ok(())
    }

    fn resolve(&self, text: &str, plain: bool, tag: Option<Cow<'_, Tag>>, line: u32) -> Result<Kind, Problem> {
        let Some(tag) = tag else {
            return Ok(if plain { scalar::plain(text) } else { Kind::String(text.into()) });
        };
        let resolved = scalar::plain(text);
        let fits = match self.core_tag(&tag, line)? {
            "int" | "float" => matches!(resolved, Kind::Number { .. }),
            "bool" => matches!(resolved, Kind::Bool(_)),
            "null" => matches!(resolved, Kind::Null),
            _ => return Ok(Kind::String(text.into())),
        };
        if fits {
            return Ok(resolved);
        }
        let message = format!("`{}` is not what its tag `!!{}` says", crate::builder::clip(text), tag.suffix);
        Err(self.builder.problem("yaml.tag", line, message).hint("remove the tag, or write a value of its kind"))
    }

    /// The name of a core-schema tag.
    fn core_tag<'t>(&self, tag: &'t Tag, line: u32) -> Result<&'t str, Problem> {
        let known = ["str", "int", "float", "bool", "null", "map", "seq", "binary", "timestamp"];
        if tag.is_yaml_core_schema() && known.contains(&tag.suffix.as_str()) {
            return Ok(&tag.suffix);
        }
        // `!` alone is YAML's "not resolved": text.
        if tag.handle.is_empty() && tag.suffix == "!" {
            return Ok("str");
        }
        let message = format!("the tag `{}{}` is not supported", tag.handle, tag.suffix);
        Err(self.builder.problem("yaml.tag", line, message).hint("remove it; a value that begins with `!` needs quotes"))
    }

    fn not_a_key(&self, line: u32) -> Problem {
        let problem = self.builder.problem("yaml.key", line, "a key must be a scalar, not a list or a map");
        problem.hint("a key that begins with `{`, `[` or `?` needs quotes")
    }

    fn open_container(&mut self, anchor: usize, tag: Option<Cow<'_, Tag>>, line: u32) -> Result<(), Problem> {
        if self.builder.wants_key() {
            return Err(self.not_a_key(line));
        }
        if let Some(tag) = tag {
            self.core_tag(&tag, line)?;
        }
        self.open.push((anchor, self.pending_merge.take()));
        Ok(())
    }

    fn close_container(&mut self) -> Result<(), Problem> {
        let closed = self.builder.close()?;
        if let (Some(id), Some((anchor, merge))) = (closed, self.open.pop()) {
            self.remember(anchor, id);
            self.pending_merge = merge;
            self.merged(id);
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, line: u32) -> Result<(), Problem> {
        let Some(&id) = self.anchors.get(&anchor) else {
            let problem = self.builder.problem("yaml.alias", line, "the alias stands inside its own anchor");
            return Err(problem.hint("a value cannot hold itself; write out what is meant"));
        };
        if self.builder.wants_key() {
            let Some(name) = self.builder.scalar_text(id) else {
                return Err(self.not_a_key(line));
            };
            self.builder.key(&name, line)?;
            return Ok(());
        }
        self.builder.attach(id)?;
        self.merged(id);
        Ok(())
    }

    fn remember(&mut self, anchor: usize, id: u32) {
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
    }

    fn merged(&mut self, id: u32) {
        if let Some(line) = self.pending_merge.take() {
            self.builder.detach_last();
            self.builder.attach_merge(id, line);
        }
    }
}
