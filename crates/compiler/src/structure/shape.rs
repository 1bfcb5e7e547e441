//! The language of the tables: which members an object of the specification has, and of what kind.

use tollgate_document::Node;

use super::judge::Judge;

/// Versions of the specification, as bits.
pub(crate) type Versions = u8;
pub(crate) const V20: Versions = 1;
pub(crate) const V30: Versions = 2;
pub(crate) const V31: Versions = 4;
pub(crate) const V32: Versions = 8;
/// All versions called OpenAPI.
pub(crate) const V3: Versions = V30 | V31 | V32;
/// Those with JSON Schema 2020-12.
pub(crate) const FROM31: Versions = V31 | V32;
pub(crate) const ALL: Versions = V20 | V3;

/// What a value must be.
#[derive(Clone, Copy)]
pub(crate) enum Rule {
    Any,
    Text,
    /// A URI reference: no spaces, no characters that RFC 3986 does not know.
    Uri,
    Email,
    Bool,
    /// A whole number, not negative.
    Count,
    Number,
    /// A number greater than zero.
    Positive,
    OneOf(&'static [&'static str]),
    /// An object of this shape.
    Is(&'static Shape),
    /// An object of this shape, or a reference to one.
    Ref(&'static Shape),
    List(&'static Rule),
    /// A list with at least one item.
    Filled(&'static Rule),
    /// A list of texts, none of them twice.
    Names,
    Map(Key, &'static Rule),
    Schema,
    SchemaOrBool,
    /// A security requirement.
    Requirement,
    /// Either of the two, by the node's own shape: an array is judged by the second.
    OrList(&'static Rule, &'static Rule),
}

/// What the keys of a map must look like.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Key {
    Any,
    /// Letters, digits, `.`, `-`, `_`.
    Component,
    /// Begins with `/`.
    Path,
    /// `200`, `4XX`, `default`.
    Status,
    /// An HTTP method that the path item has no member for.
    Method,
    /// A media type; what stands under another name is not looked at.
    Media,
}

/// One member of an object.
pub(crate) struct Field {
    pub name: &'static str,
    pub versions: Versions,
    pub required: Versions,
    pub rule: Rule,
}

/// A member that may be absent.
pub(crate) const fn may(name: &'static str, versions: Versions, rule: Rule) -> Field {
    Field { name, versions, required: 0, rule }
}

/// A member that every object of the kind has.
pub(crate) const fn must(name: &'static str, versions: Versions, rule: Rule) -> Field {
    Field { name, versions, required: versions, rule }
}

/// What else may stand in an object.
pub(crate) enum Rest {
    /// Only `x-` extensions.
    Extensions,
    /// Anything: the object belongs to another specification.
    Anything,
    /// Members by pattern, and extensions.
    Keyed(Key, Rule),
}

/// A kind of object.
pub(crate) struct Shape {
    /// What messages call it.
    pub name: &'static str,
    pub fields: &'static [Field],
    pub rest: Rest,
    /// What the table cannot say.
    pub check: Option<for<'a> fn(&mut Judge<'a>, Node<'a>)>,
}
