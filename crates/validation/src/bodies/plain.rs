//! Bodies that are one value as they stand: JSON, and text.

use std::borrow::Cow;

use super::{BodyLimits, Unfit, charset, typed};
use crate::{
    json::{Builder, Malformed, Tree, parse},
    schema::Types,
};

/// One JSON value. The text is not copied.
///
/// # Errors
/// See [`Unfit::of`].
pub(super) fn json<'a>(bytes: &'a [u8], limits: &BodyLimits) -> Result<Tree<'a>, Unfit> {
    parse(bytes, &limits.json).map_err(|why| Unfit::of(why, "json"))
}

/// One text, of the type that the schema asks for.
///
/// # Errors
/// `utf-8`, or a limit.
pub(super) fn text<'a>(bytes: &'a [u8], types: Types, limits: &BodyLimits) -> Result<Tree<'a>, Unfit> {
    let text = charset::text(bytes)?;
    let mut builder = Builder::new(&limits.json);
    typed::put(&mut builder, Cow::Borrowed(text), types).map_err(|why| Unfit::of(why, "text"))?;
    builder.finish().ok_or(Unfit::of(Malformed::Syntax, "text"))
}
