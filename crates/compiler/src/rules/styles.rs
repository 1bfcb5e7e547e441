//! How a parameter is written, by its place, style and schema, as far as the specification says.

use tollgate_document::Shape;
use tollgate_validation::rules::{Place, Style};

use super::kinds::{Kind, Kinds};
use crate::input::spot::Spot;
use crate::structure::Version;

/// A combination of which nothing is said.
#[derive(Debug)]
pub(super) struct Undefined {
    pub message: &'static str,
    /// What to write instead.
    pub hint: &'static str,
    /// What it is taken for, as far as names are concerned.
    pub style: Style,
    /// Its names are those of its members.
    pub has_members: bool,
}

/// The style of a parameter with a schema.
pub(super) fn style(version: Version, spot: &Spot<'_>, place: Place, kind: Option<&Kind<'_>>) -> Result<Style, Undefined> {
    if version == Version::V20 {
        return old(spot, place, kind);
    }
    let named = spot.text("style");
    let explode = spot.node.get("explode").and_then(|explode| explode.as_bool());
    let default = if matches!(place, Place::Query | Place::Cookie) { "form" } else { "simple" };
    let named = named.as_deref().unwrap_or(default);
    let exploded = explode.unwrap_or(matches!(named, "form" | "cookie"));
    let kinds = kind.map_or(Kinds::SCALAR, Kind::kinds);
    let style = match (place, named, exploded) {
        (Place::Path | Place::Header, "simple", false) => Style::Simple,
        (Place::Path | Place::Header, "simple", true) => Style::SimpleExplode,
        (Place::Path, "label", false) => Style::Label,
        (Place::Path, "label", true) => Style::LabelExplode,
        (Place::Path, "matrix", false) => Style::Matrix,
        (Place::Path, "matrix", true) => Style::MatrixExplode,
        (Place::Query | Place::Cookie, "form", false) => Style::Form,
        (Place::Query | Place::Cookie, "form", true) => Style::FormExplode,
        (Place::Cookie, "cookie", false) => Style::Cookie,
        (Place::Cookie, "cookie", true) => Style::CookieExplode,
        (Place::Query, "spaceDelimited", _) => Style::SpaceDelimited,
        (Place::Query, "pipeDelimited", _) => Style::PipeDelimited,
        (Place::Query, "deepObject", _) => Style::DeepObject,
        (Place::Path | Place::Header, ..) => return Err(elsewhere("write `style: simple`", Style::Simple)),
        _ => return Err(elsewhere("write `style: form`", Style::Form)),
    };
    let wrong = match style {
        Style::SpaceDelimited | Style::PipeDelimited => delimited(exploded, kinds),
        Style::DeepObject => deep(explode, kinds),
        Style::FormExplode if place == Place::Cookie => in_cookie(kinds),
        Style::FormExplode | Style::CookieExplode => mixed(kinds),
        _ => None,
    };
    let wrong = wrong.or_else(|| kind.and_then(|kind| nested(kind, kinds, style)));
    let has_members = matches!(style, Style::FormExplode | Style::CookieExplode) && kinds == Kinds::OBJECT;
    wrong.map_or(Ok(style), |(message, hint)| Err(Undefined { message, hint, style, has_members }))
}

type Wrong = Option<(&'static str, &'static str)>;

fn elsewhere(hint: &'static str, style: Style) -> Undefined {
    Undefined { message: "its style is not one of its place", hint, style, has_members: false }
}

fn delimited(exploded: bool, kinds: Kinds) -> Wrong {
    if exploded {
        return Some(("nothing is said of a delimited style with `explode: true`", "write `explode: false`, or `style: form`"));
    }
    (!kinds.has(Kinds::ARRAY) && !kinds.has(Kinds::OBJECT))
        .then_some(("a delimited style is for arrays and objects", "write `style: form`, or a schema of an array"))
}

/// Without `explode`, which is false then, there is still one way only to write it.
fn deep(explode: Option<bool>, kinds: Kinds) -> Wrong {
    if explode == Some(false) {
        return Some(("nothing is said of `deepObject` with `explode: false`", "write `explode: true`"));
    }
    let hint = "write `style: form`, with `explode: true` for `n=a&n=b` or `explode: false` for `n=a,b`";
    (kinds.has(Kinds::ARRAY) || !kinds.has(Kinds::OBJECT)).then_some(("`deepObject` is for objects", hint))
}

fn in_cookie(kinds: Kinds) -> Wrong {
    let message = "nothing is said of an array or object in a cookie with `style: form` and `explode: true`, which are the defaults";
    (kinds.has(Kinds::ARRAY) || kinds.has(Kinds::OBJECT))
        .then_some((message, "write `explode: false`, or, in OpenAPI 3.2, `style: cookie`"))
}

fn mixed(kinds: Kinds) -> Wrong {
    let message = "it may be an object, which is written by the names of its members, or something else, which is written by its own name";
    (kinds.has(Kinds::OBJECT) && kinds != Kinds::OBJECT).then_some((message, "write `explode: false`, or two parameters"))
}

/// Nothing is said of a list or an object inside of another, but for a list in a form, whose name is repeated as that of any list.
fn nested(kind: &Kind<'_>, kinds: Kinds, style: Style) -> Wrong {
    let lists_are_repeated = matches!(style, Style::FormExplode | Style::CookieExplode);
    let is_text = |inner: &Kind<'_>| inner.kinds().has(Kinds::SCALAR);
    let is_list = |inner: &Kind<'_>| inner.kinds().has(Kinds::ARRAY) && inner.items().is_none_or(|items| is_text(&items));
    let hint = "use `content` with a media type such as `application/json` in place of `schema`";
    if kinds.has(Kinds::ARRAY) && kind.items().is_some_and(|items| !is_text(&items)) {
        return Some(("nothing is said of an array of arrays or objects", hint));
    }
    let fits = |member: &Kind<'_>| is_text(member) || (lists_are_repeated && is_list(member));
    if kinds.has(Kinds::OBJECT) && kind.members().iter().any(|(_, member)| !fits(member)) {
        return Some(("nothing is said of an object of which a member is an array or an object", hint));
    }
    None
}

/// 2.0: `collectionFormat`.
fn old(spot: &Spot<'_>, place: Place, kind: Option<&Kind<'_>>) -> Result<Style, Undefined> {
    let plain = if place == Place::Query { Style::Form } else { Style::Simple };
    let undefined = |message, hint| Undefined { message, hint, style: plain, has_members: false };
    if !kind.is_some_and(|kind| kind.kinds().has(Kinds::ARRAY)) {
        return Ok(plain);
    }
    if spot.get("items").is_some_and(|items| items.is(Shape::Object) && items.text("type").as_deref() == Some("array")) {
        return Err(undefined("an array of arrays is not read", "write it as a text with a `pattern`"));
    }
    Ok(match spot.text("collectionFormat").as_deref() {
        None | Some("csv") => plain,
        Some("ssv") => Style::SpaceDelimited,
        Some("tsv") => Style::TabDelimited,
        Some("pipes") => Style::PipeDelimited,
        Some("multi") if place == Place::Query => Style::FormExplode,
        _ => return Err(undefined("`multi` is for the query and for forms", "write `collectionFormat: csv`")),
    })
}
