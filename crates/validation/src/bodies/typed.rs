//! Texts, where a schema says of which type they are.

use std::borrow::Cow;

use crate::{
    json::{Malformed, Sink, number},
    schema::{Shape, Types},
};

/// The types that a schema allows. One that names none is about the type that its keywords are about: a text that looks like a number would
/// else pass `minimum` as a string.
pub(super) fn types(shape: Shape<'_>) -> Types {
    let types = shape.types();
    let has = |keywords: &[&str]| keywords.iter().any(|keyword| shape.keyword(keyword).is_some());
    if types != Types::ANY || has(&["minLength", "maxLength", "pattern", "format"]) {
        return types;
    }
    match () {
        () if has(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]) => Types::NUMBER,
        () if has(&["items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"]) => Types::ARRAY,
        () if has(&["properties", "additionalProperties", "patternProperties", "propertyNames", "required", "minProperties"]) => {
            Types::OBJECT
        }
        () => types,
    }
}

/// Whether a text alone may be it. `null` has no text.
pub(super) fn is_scalar(types: Types) -> bool {
    [Types::STRING, Types::NUMBER, Types::INTEGER, Types::BOOLEAN].into_iter().any(|scalar| types.has(scalar))
}

/// Adds a text as the narrowest type that the schema allows and the text has the form of. What has none of the forms stays a string, and the
/// schema refuses it; where no type is named, a text is a string.
///
/// # Errors
/// A limit, or a number that is too large.
pub(super) fn put<'a>(sink: &mut impl Sink<'a>, text: Cow<'a, str>, types: Types) -> Result<(), Malformed> {
    if types == Types::ANY {
        return sink.string(text);
    }
    let whole = number(text.as_bytes()) == Some(text.len());
    if whole && (types.has(Types::NUMBER) || types.has(Types::INTEGER) && is_integer(&text)) {
        return sink.number(text);
    }
    match &*text {
        "true" if types.has(Types::BOOLEAN) => sink.bool(true),
        "false" if types.has(Types::BOOLEAN) => sink.bool(false),
        _ => sink.string(text),
    }
}

fn is_integer(number: &str) -> bool {
    number.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit())
}
