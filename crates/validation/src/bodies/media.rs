//! Media types, as `Content-Type` and a definition write them (RFC 9110 §8.3.1), and what notation each stands for.

use std::borrow::Cow;

/// How the bytes of a body are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notation {
    /// One JSON value.
    Json,
    /// A JSON value in each line.
    Lines,
    /// JSON values, each after a record separator (RFC 7464).
    Sequence,
    /// Server-sent events.
    Events,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data` (RFC 7578).
    FormData,
    /// Any other multipart body (RFC 2046 §5.1).
    Mixed,
    /// XML.
    Xml,
    /// Text.
    Text,
    /// None that is known here.
    Opaque,
}

impl Notation {
    /// Of a media type. A suffix tells the notation (RFC 6839), not the type.
    pub(super) fn of(kind: &str, subtype: &str) -> Self {
        let is = |name: &str| subtype.eq_ignore_ascii_case(name);
        let ends = |suffix: &str| {
            subtype.len() > suffix.len() && subtype.as_bytes()[subtype.len() - suffix.len()..].eq_ignore_ascii_case(suffix.as_bytes())
        };
        let any = |names: &[&str]| names.iter().any(|name| is(name));
        if is("json") || ends("+json") {
            return Self::Json;
        }
        if is("xml") || ends("+xml") {
            return Self::Xml;
        }
        if kind.eq_ignore_ascii_case("application") {
            return match () {
                () if is("x-www-form-urlencoded") => Self::Form,
                () if any(&["jsonl", "x-jsonl", "ndjson", "x-ndjson", "jsonlines", "x-jsonlines"]) => Self::Lines,
                () if is("json-seq") || ends("+json-seq") => Self::Sequence,
                () => Self::Opaque,
            };
        }
        if kind.eq_ignore_ascii_case("multipart") {
            return if is("form-data") { Self::FormData } else { Self::Mixed };
        }
        match kind.eq_ignore_ascii_case("text") {
            true if is("event-stream") => Self::Events,
            true => Self::Text,
            false => Self::Opaque,
        }
    }
}

/// Type and subtype; `None` when it is no media type.
pub(super) fn essence(text: &str) -> Option<(&str, &str)> {
    let essence = text.split_once(';').map_or(text, |(essence, _)| essence);
    let (kind, subtype) = essence.trim_matches([' ', '\t']).split_once('/')?;
    (is_token(kind) && is_token(subtype)).then_some((kind, subtype))
}

/// A parameter: its name, and its value without quotes.
pub(super) type Parameter<'a> = (&'a str, Cow<'a, str>);

/// The parameters after the first semicolon of a field. `None` when they do not have the grammar of RFC 9110 §5.6.6, or when one stands
/// twice: the next reader may take the other one.
pub(super) fn parameters(field: &str) -> Option<Vec<Parameter<'_>>> {
    let mut found: Vec<Parameter<'_>> = Vec::new();
    let mut rest = field.split_once(';').map_or("", |(_, rest)| rest);
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if let Some(next) = rest.strip_prefix(';') {
            rest = next;
            continue;
        }
        if rest.is_empty() {
            return Some(found);
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = value(after)?;
        if !is_token(name) || found.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            return None;
        }
        found.push((name, value));
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(';') {
            return None;
        }
    }
}

/// A token or a quoted string, and what follows it.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
        return is_token(&text[..end]).then_some((Cow::Borrowed(&text[..end]), &text[end..]));
    };
    let end = quoted.find(['"', '\\'])?;
    if quoted.as_bytes()[end] == b'"' {
        return Some((Cow::Borrowed(&quoted[..end]), &quoted[end + 1..]));
    }
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((Cow::Owned(value), &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            _ => value.push(character),
        }
    }
    None
}

/// The value of a parameter.
pub(super) fn parameter<'p>(parameters: &'p [Parameter<'_>], name: &str) -> Option<&'p str> {
    parameters.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
}

/// RFC 9110 §5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// A media type, or a range of them, of a definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    kind: String,
    subtype: String,
    /// Those that tell two types apart.
    parameters: Vec<(String, String)>,
}

impl Range {
    /// `None` when it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, subtype) = essence(text)?;
        if kind == "*" && subtype != "*" {
            return None;
        }
        let is_told = |(name, _): &Parameter<'_>| !name.eq_ignore_ascii_case("charset") && !name.eq_ignore_ascii_case("boundary");
        let told = parameters(text)?.into_iter().filter(is_told).map(|(name, value)| (name.to_owned(), value.into_owned())).collect();
        Some(Self { kind: kind.to_owned(), subtype: subtype.to_owned(), parameters: told })
    }

    /// The more of it is fixed, the more precise it is.
    pub(super) fn precision(&self) -> (u8, usize) {
        let level = match (self.kind.as_str(), self.subtype.as_str()) {
            ("*", _) => 0,
            (_, "*") => 1,
            (_, subtype) if subtype.starts_with("*+") => 2,
            _ => 3,
        };
        (level, self.parameters.len())
    }

    /// Whether it stands for more than one type.
    pub(super) fn is_wide(&self) -> bool {
        self.precision().0 < 3
    }

    /// Whether a type is in it; parameters are another question.
    pub(super) fn has(&self, kind: &str, subtype: &str) -> bool {
        let kind_fits = self.kind == "*" || self.kind.eq_ignore_ascii_case(kind);
        kind_fits
            && match self.subtype.strip_prefix('*') {
                Some("") => true,
                Some(suffix) if suffix.starts_with('+') => {
                    let (whole, suffix) = (subtype.as_bytes(), suffix.as_bytes());
                    whole.len() > suffix.len() && whole[whole.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
                }
                _ => self.subtype.eq_ignore_ascii_case(subtype),
            }
    }

    /// Whether parameters tell it from others.
    pub(super) fn has_parameters_at_all(&self) -> bool {
        !self.parameters.is_empty()
    }

    /// Whether a message has every parameter that it has.
    pub(super) fn has_parameters(&self, sent: &[Parameter<'_>]) -> bool {
        self.parameters.iter().all(|(name, value)| parameter(sent, name).is_some_and(|sent| sent.eq_ignore_ascii_case(value)))
    }

    /// The notation of what is in it, when all of that has the same.
    pub(super) fn notation(&self) -> Option<Notation> {
        match self.precision().0 {
            3 => Some(Notation::of(&self.kind, &self.subtype)),
            2 => Some(Notation::of(&self.kind, &self.subtype)).filter(|notation| *notation != Notation::Opaque),
            _ => None,
        }
    }
}
