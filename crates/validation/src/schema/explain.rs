//! What a validator found, in words that repeat nothing of the value.

use std::sync::Arc;

use jsonschema::{ValidationError, Validator, error::ValidationErrorKind as Kind};
use serde_json::Value;

use super::library::{Direction, Library, Schema};
use crate::{
    finding::{Finding, MOST, Part},
    json::{Item, OurJson},
    rules::{SchemaNumber, URI},
};

/// Parts of a value up to which all findings are collected. In a larger one only the first is told: a million of them would be made before
/// the first is seen.
const SMALL: usize = 2_000;

/// Values that say themselves which alternative they are meant to be, in each other.
const NESTED: usize = 8;

/// Says what is wrong with a value.
pub(super) struct Explainer<'l> {
    pub library: &'l Library,
    pub direction: Option<Direction>,
    pub part: Part,
    /// Parts of the whole value.
    pub size: usize,
}

impl Explainer<'_> {
    /// When nothing can be said, that it does not fit.
    pub(super) fn findings(&self, schema: &Schema, value: Item<'_>) -> Vec<Finding> {
        let mut found = Vec::new();
        self.gather(schema, value, "", NESTED, &mut found);
        found.truncate(MOST);
        if found.is_empty() { vec![Finding::new(self.part, "schema", "does not fit its schema")] } else { found }
    }

    /// `above` is the way to the value.
    fn gather(&self, schema: &Schema, value: Item<'_>, above: &str, depth: usize, found: &mut Vec<Finding>) {
        let Some(explains) = schema.explains() else { return };
        let all = self.size <= SMALL;
        for error in errors(explains, value, all).into_iter().take(MOST - found.len()) {
            if let Some(left) = depth.checked_sub(1)
                && let Some((meant, item)) = self.meant(&error, value)
                && !meant.fits(item)
            {
                self.gather(&meant, item, &format!("{above}{}", error.instance_path()), left, found);
            } else {
                found.push(self.finding(&error, above));
            }
        }
    }

    /// The alternative that a value names by its discriminator, and the value.
    fn meant<'v>(&self, error: &ValidationError<'_>, value: Item<'v>) -> Option<(Arc<Schema>, Item<'v>)> {
        let (number, pointer) = place(&absolute(error))?;
        let union = pointer.strip_suffix("/oneOf").or_else(|| pointer.strip_suffix("/anyOf"))?;
        let discriminator = self.library.written(number)?.schema.pointer(union)?.get("discriminator")?;
        let item = value.at_pointer(error.instance_path().as_str())?;
        let named = item.member(discriminator.get("propertyName")?.as_str()?)?.text()?;
        let reference = discriminator.get("mapping")?.get(named)?.as_str()?;
        let (target, _) = place(reference)?;
        Some((self.library.schema(target, self.direction).ok()?, item))
    }

    fn finding(&self, error: &ValidationError<'_>, above: &str) -> Finding {
        let absolute = absolute(error);
        let pointer = masked(self.library, &format!("{above}{}", error.instance_path()));
        let finding = Finding::new(self.part, keyword(&absolute, error.kind()), says(error.kind())).at(pointer);
        match place(&absolute).and_then(|(number, pointer)| self.library.line(number, &pointer)) {
            Some(line) => finding.by(line),
            None => finding,
        }
    }
}

/// All errors, or the first.
fn errors<'i>(explains: &Validator<OurJson>, value: Item<'i>, all: bool) -> Vec<ValidationError<'i>> {
    if all {
        explains.iter_errors(value).take(MOST).map(ValidationError::to_owned).collect()
    } else {
        explains.validate(value).err().into_iter().collect()
    }
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
    if name == "x-int" { "format".to_owned() } else { name.to_owned() }
}

/// The pointer without what only the client has named.
fn masked(library: &Library, pointer: &str) -> String {
    let shown = |segment: &str| {
        let is_index = !segment.is_empty() && segment.len() <= 9 && segment.bytes().all(|byte| byte.is_ascii_digit());
        let name = segment.replace("~1", "/").replace("~0", "~");
        if is_index || library.names(&name) { segment.to_owned() } else { "*".to_owned() }
    };
    pointer.split('/').skip(1).map(|segment| format!("/{}", shown(segment))).collect()
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
