//! Texts, where a schema says of which type they are.

use std::borrow::Cow;

use crate::{
    json::{Builder, Malformed, number},
    schema::Types,
};

/// Adds a text as the narrowest type that the schema allows and the text has the form of. What has none of the forms stays a string, and the
/// schema refuses it; where no type is named, a text is a string.
///
/// # Errors
/// A limit, or a number that is too large.
pub(super) fn put<'a>(builder: &mut Builder<'a, '_>, text: Cow<'a, str>, types: Types) -> Result<(), Malformed> {
    if types == Types::ANY {
        return builder.string(text);
    }
    let whole = number(text.as_bytes()) == Some(text.len());
    if whole && (types.has(Types::NUMBER) || types.has(Types::INTEGER) && is_integer(&text)) {
        return builder.number(&text);
    }
    match &*text {
        "true" if types.has(Types::BOOLEAN) => builder.bool(true),
        "false" if types.has(Types::BOOLEAN) => builder.bool(false),
        _ => builder.string(text),
    }
}

fn is_integer(number: &str) -> bool {
    number.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit())
}
