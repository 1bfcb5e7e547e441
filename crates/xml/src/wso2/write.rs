//! `xmlutils:fromJSON`: members are elements, `@name` is an attribute of the element around it, each item of a list is a `root` within it.

use crate::{
    Broken, Options, Why,
    flat::{Flat, Value, What},
    names::is_name,
    text::Text,
};

/// What items are called.
const ITEM: &str = "root";
const NIL: &str = " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:nil=\"true\"";

/// # Errors
/// Why there is no document for it.
pub(crate) fn write(value: &Flat<'_>, options: &Options, expected: usize) -> Result<Vec<u8>, Broken> {
    let root = value.root();
    let name = match root.what() {
        What::Object => None,
        What::Array => Some(ITEM),
        What::Null | What::Text(_) => return Err(Why::Roots.into()),
    };
    let mut parts = root.parts();
    let (Some(only), None) = (parts.next(), parts.next()) else { return Err(Why::Roots.into()) };
    let mut out = Text::new(options.limits.output, expected);
    match name {
        Some(name) => element(&mut out, name, only).map_err(|broken| broken.below(0))?,
        None => element(&mut out, only.name(), only).map_err(|broken| broken.below(only.name()))?,
    }
    Ok(out.finish())
}

fn element(out: &mut Text, name: &str, value: Value<'_, '_>) -> Result<(), Broken> {
    if !is_name(name) {
        return Err(Why::Name.into());
    }
    out.raw("<")?;
    out.raw(name)?;
    let is_closed = match value.what() {
        What::Null => {
            out.raw(NIL)?;
            false
        }
        What::Text(text) => {
            out.raw(">")?;
            out.content(text, "&#xd;")?;
            true
        }
        What::Array => items(out, value)?,
        What::Object => members(out, value)?,
    };
    if !is_closed {
        return Ok(out.raw("/>")?);
    }
    out.raw("</")?;
    out.raw(name)?;
    Ok(out.raw(">")?)
}

/// `false` when there are none, and the tag is still open.
fn items(out: &mut Text, value: Value<'_, '_>) -> Result<bool, Broken> {
    let mut has_any = false;
    for (index, item) in value.parts().enumerate() {
        if !std::mem::replace(&mut has_any, true) {
            out.raw(">")?;
        }
        element(out, ITEM, item).map_err(|broken| broken.below(index))?;
    }
    Ok(has_any)
}

/// As [`items`].
fn members(out: &mut Text, value: Value<'_, '_>) -> Result<bool, Broken> {
    for part in value.parts().filter(|part| part.name().starts_with('@')) {
        attribute(out, &part.name()[1..], part).map_err(|why| Broken::from(why).below(part.name()))?;
    }
    let mut has_any = false;
    for part in value.parts().filter(|part| !part.name().starts_with('@')) {
        if !std::mem::replace(&mut has_any, true) {
            out.raw(">")?;
        }
        element(out, part.name(), part).map_err(|broken| broken.below(part.name()))?;
    }
    Ok(has_any)
}

fn attribute(out: &mut Text, name: &str, value: Value<'_, '_>) -> Result<(), Why> {
    if !is_name(name) || name == "xmlns" {
        return Err(Why::Name);
    }
    let What::Text(text) = value.what() else { return Err(Why::Structured) };
    out.raw(" ")?;
    out.raw(name)?;
    out.raw("=\"")?;
    out.attribute(text)?;
    out.raw("\"")
}
