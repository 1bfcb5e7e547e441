//! Values that are written into documents, with facts in their strings.

use std::borrow::Cow;

use serde_json::Value as Json;
use tollgate_filter_api::{Problem, pointer};

use super::doc::string;
use crate::facts::{Place, Seen, Template, TooLong, Unknown};

/// Values with facts in them, which are made for each request.
#[derive(Debug, Default)]
pub struct Slots(Vec<Vec<Piece>>);

/// What came of them for one request, in the same order; `None` where a string alone has a fact that is not known.
pub type Made = Vec<Option<String>>;

/// A value, or the number of what is made.
#[derive(Debug)]
pub(super) enum Value {
    Fixed(String),
    Made(usize),
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Template(Template),
}

impl Slots {
    /// Whether one of the values says something of the caller or his request.
    pub fn needs_request(&self) -> bool {
        self.templates().any(Template::needs_request)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The values for one request.
    ///
    /// # Errors
    /// A string is too long.
    pub fn render(&self, seen: &Seen<'_>) -> Result<Made, TooLong> {
        self.0.iter().map(|pieces| made(pieces, seen)).collect()
    }

    /// Reads a value; `place` is where it is written.
    ///
    /// # Errors
    /// A fact in it that is none.
    pub(super) fn value(&mut self, value: &Json, place: &str) -> Result<Value, Problem> {
        let mut pieces = Vec::new();
        take(value, place, &mut pieces)?;
        if pieces.iter().any(|piece| matches!(piece, Piece::Template(_))) {
            self.0.push(pieces);
            return Ok(Value::Made(self.0.len() - 1));
        }
        Ok(Value::Fixed(pieces.into_iter().map(|piece| if let Piece::Text(text) = piece { text } else { String::new() }).collect()))
    }

    fn templates(&self) -> impl Iterator<Item = &Template> {
        self.0.iter().flatten().filter_map(|piece| if let Piece::Template(template) = piece { Some(template) } else { None })
    }
}

impl Value {
    /// Its text; `None` for a string whose fact is not known.
    pub(super) fn text<'v>(&'v self, made: &'v Made) -> Option<Cow<'v, str>> {
        match self {
            Self::Fixed(text) => Some(Cow::Borrowed(text)),
            Self::Made(number) => made.get(*number)?.as_deref().map(Cow::Borrowed),
        }
    }
}

fn made(pieces: &[Piece], seen: &Seen<'_>) -> Result<Option<String>, TooLong> {
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Template(template) => match template.render(seen) {
                Ok(text) => string(&text, &mut out),
                Err(Unknown::Fact) if pieces.len() == 1 => return Ok(None),
                Err(Unknown::Fact) => out.push_str("null"),
                Err(Unknown::TooLong) => return Err(TooLong),
            },
        }
    }
    Ok(Some(out))
}

fn take(value: &Json, place: &str, pieces: &mut Vec<Piece>) -> Result<(), Problem> {
    match value {
        Json::String(text) => {
            let template = Template::parse(text, Place::Json).map_err(|(message, hint)| Problem::setting(place, message).hint(hint))?;
            match template.fixed() {
                Some(fixed) => push(pieces, &Json::from(fixed).to_string()),
                None => pieces.push(Piece::Template(template)),
            }
        }
        Json::Array(items) => {
            push(pieces, "[");
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    push(pieces, ",");
                }
                take(item, &pointer::join(place, &at.to_string()), pieces)?;
            }
            push(pieces, "]");
        }
        Json::Object(members) => {
            push(pieces, "{");
            for (at, (name, member)) in members.iter().enumerate() {
                if at > 0 {
                    push(pieces, ",");
                }
                push(pieces, &format!("{}:", Json::from(name.as_str())));
                take(member, &pointer::join(place, name), pieces)?;
            }
            push(pieces, "}");
        }
        other => push(pieces, &other.to_string()),
    }
    Ok(())
}

fn push(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}
