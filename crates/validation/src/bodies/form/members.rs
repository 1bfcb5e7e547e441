//! How the members of a form are written, and what each may be: found at load from its schema and from what `encoding` says.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::separated::Separator;
use crate::{
    bodies::{
        media::{Notation, Range},
        typed::{self, is_scalar},
    },
    rules::{Encoding, Style},
    schema::{Shape, Types},
};

/// The members of a form.
#[derive(Debug)]
pub(in crate::bodies) struct Members {
    /// Those that are declared, and the members of those that are spread over the form.
    places: HashMap<String, Place>,
    declared: Vec<Member>,
    additional: Member,
}

/// Whose a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The member itself.
    Own(usize),
    /// A member of that member.
    Inner(usize),
}

/// A member, and how it is taken apart.
#[derive(Debug)]
pub(super) struct Member {
    /// As a segment of a JSON Pointer.
    pub pointer: String,
    pub name: String,
    pub writing: Writing,
    pub leaf: Leaf,
    /// The members of an object that is no JSON.
    inner: HashMap<String, Leaf>,
    other: Leaf,
    /// Media types that a part may have; none: what its type says.
    pub contents: Vec<Range>,
}

/// How the value of a member is written in a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    /// A pair for each item; one pair for what is no list.
    Repeated,
    /// The items, or names and values in turns, in one pair, with this between them.
    Separated(Separator),
    /// A pair `n[R]` for each member.
    Deep,
    /// A pair `R` for each member.
    Spread,
}

/// What may stand in one place: one value, or several of a kind.
#[derive(Clone, Copy, Debug)]
pub(in crate::bodies) struct Leaf {
    pub one: Reading,
    pub item: Reading,
}

/// How one value is read.
#[derive(Clone, Copy, Debug)]
pub(in crate::bodies) struct Reading {
    pub types: Types,
    pub kind: Kind,
}

/// What the bytes of one value are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bodies) enum Kind {
    /// A text of one of the types.
    Text,
    /// A JSON value.
    Json,
    /// Bytes, of which the schema knows the number at most.
    Bytes { least: usize, most: usize },
    /// Bytes as text, in base64 or the like.
    Encoded,
    /// What the message says it is.
    Any,
}

impl Members {
    /// # Errors
    /// What cannot be a way to write a member.
    pub(in crate::bodies) fn compile(shape: Shape<'_>, encoding: &BTreeMap<String, Encoding>, is_form: bool) -> Result<Self, String> {
        let names: BTreeSet<&str> = shape.names().into_iter().chain(encoding.keys().map(String::as_str)).collect();
        let compiled = names.iter().map(|name| Member::compile(name, shape.member(name), encoding.get(*name), is_form));
        let declared = compiled.collect::<Result<Vec<_>, _>>()?;
        let mut places = HashMap::new();
        for (number, member) in declared.iter().enumerate().filter(|(_, member)| member.writing == Writing::Spread) {
            places.extend(member.inner.keys().map(|name| (name.clone(), Place::Inner(number))));
        }
        places.extend(declared.iter().enumerate().map(|(number, member)| (member.name.clone(), Place::Own(number))));
        // No schema has a member of this name, so what is found is what additional ones must be.
        let additional = Member::compile("*", shape.member("\0"), None, is_form)?;
        Ok(Self { places, declared, additional })
    }

    /// The number of the member to which a name belongs, and the name within it, if that is an object of several pairs.
    pub(super) fn owner<'n>(&self, name: &'n str) -> Option<(usize, Option<&'n str>)> {
        match self.places.get(name) {
            Some(Place::Own(number)) => return Some((*number, None)),
            Some(Place::Inner(number)) => return Some((*number, Some(name))),
            None => {}
        }
        let (outer, rest) = name.split_once('[')?;
        let Some(Place::Own(number)) = self.places.get(outer) else { return None };
        (self.declared[*number].writing == Writing::Deep).then_some((*number, Some(rest)))
    }

    /// The member of that number; what is said of those that are not declared, when there is none.
    pub(super) fn member(&self, number: usize) -> &Member {
        self.declared.get(number).unwrap_or(&self.additional)
    }
}

impl Member {
    fn compile(name: &str, shape: Shape<'_>, encoding: Option<&Encoding>, is_form: bool) -> Result<Self, String> {
        // In parts, form with explode is what no style is: a part for each item, and JSON for an object.
        let is_told = |style: &Style| is_form || *style != Style::FormExplode;
        let style = encoding.and_then(|encoding| encoding.style).filter(is_told);
        let contents = encoding.map(|encoding| ranges(&encoding.content_types)).transpose()?.unwrap_or_default();
        let leaf = Leaf::of(shape, contents.first().and_then(Range::notation).filter(|_| style.is_none()));
        let writing = writing(style, leaf.one.types).ok_or_else(|| format!("the style of `{name}` cannot be used in a body"))?;
        if !is_form && writing == Writing::Deep {
            return Err(format!("`{name}` has a style that only counts in application/x-www-form-urlencoded: leave it out"));
        }
        let is_text = matches!(writing, Writing::Separated(_));
        if !is_form && !is_text && contents.iter().any(|range| !leaf.can_be(range)) {
            return Err(format!(
                "`{name}` has a media type in which its schema cannot be judged: use JSON, or a schema that allows a string"
            ));
        }
        let inner = shape.names().into_iter().map(|name| (name.to_owned(), Leaf::of(shape.member(name), None))).collect();
        let pointer = if name == "*" { "/*".to_owned() } else { segment(name) };
        Ok(Self { pointer, name: name.to_owned(), writing, leaf, inner, other: Leaf::of(shape.member("\0"), None), contents })
    }

    /// What a member of it may be.
    pub(super) fn inner(&self, name: &str) -> Leaf {
        self.inner.get(name).copied().unwrap_or(self.other)
    }
}

fn ranges(types: &[String]) -> Result<Vec<Range>, String> {
    // An author may write several into one text.
    let written = types.iter().flat_map(|types| types.split(','));
    written.map(|text| Range::parse(text).ok_or_else(|| format!("`{text}` is no media type"))).collect()
}

fn writing(style: Option<Style>, types: Types) -> Option<Writing> {
    Some(match style {
        None => Writing::Repeated,
        Some(Style::FormExplode) if is_object(types) => Writing::Spread,
        Some(Style::FormExplode) => Writing::Repeated,
        Some(Style::Form) => Writing::Separated(Separator::Comma),
        Some(Style::SpaceDelimited) => Writing::Separated(Separator::Space),
        Some(Style::PipeDelimited) => Writing::Separated(Separator::Pipe),
        Some(Style::TabDelimited) => Writing::Separated(Separator::Tab),
        Some(Style::DeepObject) => Writing::Deep,
        // The others are those of paths, fields and cookies.
        Some(_) => return None,
    })
}

impl Leaf {
    /// With the notation that its values have if something is said of it.
    pub(in crate::bodies) fn of(shape: Shape<'_>, notation: Option<Notation>) -> Self {
        Self { one: Reading::of(shape, notation), item: Reading::of(shape.items(), notation) }
    }

    /// Whether so many values are a list. One is a list where nothing else can be.
    pub(super) fn is_list(&self, values: usize) -> bool {
        self.one.types.has(Types::ARRAY) && (values != 1 || !is_scalar(self.one.types))
    }

    /// Whether the only value is the whole list in JSON, which many senders make of it. Where an item may be a list itself, it is an item.
    pub(super) fn is_whole(&self, value: &[u8]) -> bool {
        self.item.kind == Kind::Json && !self.item.types.has(Types::ARRAY) && value.trim_ascii_start().starts_with(b"[")
    }

    /// Whether it can only be an object.
    pub(super) fn is_object(&self) -> bool {
        is_object(self.one.types)
    }

    /// Whether what has that media type can be judged, or is accepted as bytes.
    fn can_be(&self, range: &Range) -> bool {
        let reading = if self.is_list(1) { self.item } else { self.one };
        match range.notation() {
            Some(Notation::Json) => true,
            Some(Notation::Text) => is_scalar(reading.types),
            _ => reading.types.has(Types::STRING),
        }
    }
}

impl Reading {
    fn of(shape: Shape<'_>, notation: Option<Notation>) -> Self {
        let types = typed::types(shape);
        let is = |keyword: &str, value: &str| shape.keyword(keyword).is_some_and(|found| found == value);
        let length = |keyword: &str| shape.keyword(keyword).and_then(serde_json::Value::as_u64).map(|length| length as usize);
        let is_text = types.has(Types::STRING);
        let kind = match notation {
            Some(Notation::Json) => Kind::Json,
            notation if is_text && (is("format", "binary") || notation == Some(Notation::Opaque)) => {
                Kind::Bytes { least: length("minLength").unwrap_or(0), most: length("maxLength").unwrap_or(usize::MAX) }
            }
            _ if is_text && (is("format", "byte") || shape.keyword("contentEncoding").is_some()) => Kind::Encoded,
            _ if types == Types::ANY => Kind::Any,
            _ if is_scalar(types) => Kind::Text,
            _ => Kind::Json,
        };
        Self { types, kind }
    }
}

fn is_object(types: Types) -> bool {
    types.has(Types::OBJECT) && !is_scalar(types)
}

/// A name in a JSON Pointer (RFC 6901 §3).
pub(super) fn segment(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}
