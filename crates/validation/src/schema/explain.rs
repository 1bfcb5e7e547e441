//! What a validator found, in words that repeat nothing of the value.

use std::collections::HashSet;

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind as Kind};
use serde_json::Value;

use super::{
    cycles::KEYWORD,
    decides::remembering,
    library::{Direction, Library},
};
use crate::{
    finding::{Finding, MOST, Part},
    json::{Item, OurJson, Tree},
    rules::{SchemaNumber, URI},
};

/// Parts of a value up to which all findings are collected. In a larger one only the first is told: a million of them would be made before
/// the first is seen.
const SMALL: usize = 2_000;

/// Bytes of its names and strings, likewise: each finding copies the value that it is about.
const SHORT: usize = 64 << 10;

/// Places of a value that are explained apart.
const PLACES: usize = 256;

/// Says what is wrong with a value.
pub(super) struct Explainer<'l> {
    pub library: &'l Library,
    pub direction: Option<Direction>,
    pub part: Part,
    /// All findings are told.
    pub all: bool,
}

impl<'l> Explainer<'l> {
    pub(super) fn new(library: &'l Library, direction: Option<Direction>, part: Part, value: &Tree<'_>) -> Self {
        Self { library, direction, part, all: value.len() <= SMALL && value.text() <= SHORT }
    }

    /// When nothing can be said, that it does not fit.
    pub(super) fn findings(&self, number: SchemaNumber, value: Item<'_>) -> Vec<Finding> {
        remembering(|| self.found(number, value))
    }

    fn found(&self, number: SchemaNumber, value: Item<'_>) -> Vec<Finding> {
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        let mut open = vec![(number, String::new())];
        // The first that was found is told first, with what is within it.
        while let Some((number, above)) = open.pop() {
            if found.len() >= MOST || seen.len() >= PLACES || !seen.insert((number, above.clone())) {
                continue;
            }
            let (Ok(explains), Some(item)) = (self.library.validator(number, self.direction, true), value.at_pointer(&above)) else {
                continue;
            };
            let first = open.len();
            for error in errors(&explains, item, self.all) {
                match self.elsewhere(&error, item) {
                    Some(target) => open.push((target, format!("{above}{}", error.instance_path()))),
                    None => found.push(self.finding(&error, &above, value)),
                }
            }
            open[first..].reverse();
        }
        found.truncate(MOST);
        if found.is_empty() { vec![Finding::new(self.part, "schema", "does not fit its schema")] } else { found }
    }

    /// The schema that says more: what a reference leads to that was cut, or the alternative that a value names by its discriminator.
    fn elsewhere(&self, error: &ValidationError<'_>, value: Item<'_>) -> Option<SchemaNumber> {
        let (number, pointer) = place(&absolute(error))?;
        let schema = &self.library.written(number)?.schema;
        if let Some(around) = pointer.strip_suffix(KEYWORD).and_then(|pointer| pointer.strip_suffix('/')) {
            return self.library.number(schema.pointer(around)?.get("$ref")?.as_str()?);
        }
        let union = pointer.strip_suffix("/oneOf").or_else(|| pointer.strip_suffix("/anyOf"))?;
        let discriminator = schema.pointer(union)?.get("discriminator")?;
        let item = value.at_pointer(error.instance_path().as_str())?;
        let named = item.member(discriminator.get("propertyName")?.as_str()?)?.text()?;
        let (target, _) = place(discriminator.get("mapping")?.get(named)?.as_str()?)?;
        let decides = self.library.validator(target, self.direction, true).ok()?;
        (!decides.is_valid(item)).then_some(target)
    }

    fn finding(&self, error: &ValidationError<'_>, above: &str, whole: Item<'_>) -> Finding {
        let absolute = absolute(error);
        let pointer = masked(self.library, whole, &format!("{above}{}", error.instance_path()));
        let finding = Finding::new(self.part, keyword(&absolute, error.kind()), says(error.kind())).at(pointer);
        match place(&absolute).and_then(|(number, pointer)| self.library.line(number, &pointer)) {
            Some(line) => finding.by(line),
            None => finding,
        }
    }
}

/// All errors, or the first.
fn errors<'i>(explains: &'i Validator<OurJson>, value: Item<'i>, all: bool) -> Vec<ValidationError<'i>> {
    if all { explains.iter_errors(value).take(MOST).collect() } else { explains.validate(value).err().into_iter().collect() }
}

fn absolute(error: &ValidationError<'_>) -> String {
    error.absolute_keyword_location().map_or_else(|| error.schema_path().to_string(), ToString::to_string)
}

/// The schema and the pointer in it that a place names.
pub(super) fn place(absolute: &str) -> Option<(SchemaNumber, String)> {
    let pointer = absolute.strip_prefix(URI).and_then(|rest| rest.strip_prefix('#')).unwrap_or(absolute);
    let rest = pointer.strip_prefix("/$defs/")?;
    let (number, pointer) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let decoded = tollgate_filter_api::percent_decoded(pointer).and_then(|bytes| String::from_utf8(bytes).ok());
    Some((number.parse().ok()?, decoded.unwrap_or_else(|| pointer.to_owned())))
}

/// The keyword that said no.
fn keyword(absolute: &str, kind: &Kind) -> String {
    if matches!(kind, Kind::FalseSchema) {
        return "false".to_owned();
    }
    let last = absolute.rsplit('/').next().unwrap_or_default();
    let name = if last.is_empty() || last.bytes().all(|byte| byte.is_ascii_digit()) { kind.keyword() } else { last };
    match name {
        "x-int" => "format".to_owned(),
        KEYWORD => "schema".to_owned(),
        name => name.to_owned(),
    }
}

/// The pointer without what only the client has named: a member that no schema has, also one whose name is a number.
fn masked(library: &Library, whole: Item<'_>, pointer: &str) -> String {
    let (mut shown, mut item) = (String::new(), Some(whole));
    for segment in pointer.split('/').skip(1) {
        let is_index = item.is_some_and(Item::is_array);
        let name = segment.replace("~1", "/").replace("~0", "~");
        item = item.and_then(|item| item.at_pointer(&format!("/{segment}")));
        shown.push('/');
        shown.push_str(if is_index || library.names(&name) { segment } else { "*" });
    }
    shown
}

/// What was expected.
fn says(kind: &Kind) -> String {
    match kind {
        Kind::AdditionalItems { limit } => format!("has more than {limit} items"),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            format!("has {} that the definition does not have", count(unexpected.len(), "member"))
        }
        Kind::UnevaluatedItems { .. } => "has items that the definition does not have".to_owned(),
        Kind::BacktrackLimitExceeded { .. } | Kind::RegexEngineFailure { .. } => {
            "could not be compared with the pattern in time".to_owned()
        }
        Kind::Constant { expected_value } => format!("must be {}", short(expected_value)),
        Kind::Contains => "has no item of the kind that it must contain".to_owned(),
        Kind::ContentEncoding { content_encoding } => format!("must be encoded in {content_encoding}"),
        Kind::ContentMediaType { content_media_type } => format!("must hold {content_media_type}"),
        Kind::Custom { message, .. } => message.clone(),
        Kind::Enum { options } => format!("must be one of {}", short(options)),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {}", short(limit)),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {}", short(limit)),
        Kind::Maximum { limit } => format!("must be at most {}", short(limit)),
        Kind::Minimum { limit } => format!("must be at least {}", short(limit)),
        Kind::FalseSchema => "must not be there".to_owned(),
        Kind::Format { format } => format!("must have the format `{format}`"),
        Kind::FromUtf8 { .. } => "must be UTF-8 once it is decoded".to_owned(),
        Kind::MaxItems { limit } => format!("must have at most {}", count(*limit, "item")),
        Kind::MinItems { limit } => format!("must have at least {}", count(*limit, "item")),
        Kind::MaxLength { limit } => format!("must have at most {}", count(*limit, "character")),
        Kind::MinLength { limit } => format!("must have at least {}", count(*limit, "character")),
        Kind::MaxProperties { limit } => format!("must have at most {}", count(*limit, "member")),
        Kind::MinProperties { limit } => format!("must have at least {}", count(*limit, "member")),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::Not { .. } => "is what it must not be".to_owned(),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => "fits none of the alternatives".to_owned(),
        Kind::OneOfMultipleValid { .. } => "fits more than one of the alternatives".to_owned(),
        Kind::Pattern { pattern } => format!("must match the pattern {}", cut(pattern)),
        Kind::PropertyNames { .. } => "has a member whose name is not allowed".to_owned(),
        Kind::Required { property } => format!("lacks the member {}", short(property)),
        Kind::Type { kind } => format!("must be {}", types(kind)),
        Kind::UniqueItems => "has equal items".to_owned(),
        Kind::Referencing(_) => "could not be judged".to_owned(),
    }
}

fn types(kind: &jsonschema::error::TypeKind) -> String {
    match kind {
        jsonschema::error::TypeKind::Single(one) => one.to_string(),
        jsonschema::error::TypeKind::Multiple(many) => {
            let names: Vec<String> = many.iter().map(|one| one.to_string()).collect();
            names.join(" or ")
        }
    }
}

fn count(number: impl std::fmt::Display + PartialEq + From<u8>, what: &str) -> String {
    if number == 1.into() { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A value of the definition.
fn short(value: &Value) -> String {
    cut(&value.to_string())
}

/// Most characters that are shown of the definition.
const LONGEST: usize = 120;

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
