//! What the texts of a parameter may be, worked out from its schema at load.

use crate::{Shape, Types};

/// Types that one text may have. None of them: it is a string, which the schema refuses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scalars {
    pub boolean: bool,
    pub integer: bool,
    pub number: bool,
    pub string: bool,
}

/// How a value may be built of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Structure {
    Scalar,
    Array,
    Object,
}

/// What a parameter may be.
#[derive(Debug)]
pub(super) struct Wanted {
    /// At least one.
    pub structures: Vec<Structure>,
    pub scalar: Scalars,
    pub items: Items,
    pub members: Members,
    /// A text that looks like a number may be meant as a string.
    pub ambiguous: bool,
}

/// The items of an array.
#[derive(Debug)]
pub(super) struct Items {
    first: Vec<Scalars>,
    rest: Scalars,
}

/// The members of an object.
#[derive(Debug)]
pub(super) struct Members {
    /// Sorted by name.
    pub named: Vec<(Box<str>, Member)>,
    other: Member,
    /// It takes names that it does not declare.
    pub open: bool,
}

/// A member: a text, or several that make an array.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    pub scalar: Scalars,
    pub items: Option<Scalars>,
}

impl Items {
    pub(super) fn at(&self, index: usize) -> Scalars {
        self.first.get(index).copied().unwrap_or(self.rest)
    }
}

impl Members {
    pub(super) fn of_name(&self, name: &str) -> Member {
        let found = self.named.binary_search_by(|(known, _)| (**known).cmp(name));
        found.map_or(self.other, |at| self.named[at].1)
    }
}

impl Wanted {
    pub(super) fn of(shape: Shape<'_>) -> Self {
        let types = Allowed::of(shape);
        let mut structures = Vec::new();
        if types.array {
            structures.push(Structure::Array);
        }
        if types.object {
            structures.push(Structure::Object);
        }
        if structures.is_empty() || types.scalar.any() {
            structures.insert(0, Structure::Scalar);
        }
        let (items, members) = (Items::of(shape), Members::of(shape));
        let inside = items.first.iter().chain([&items.rest]).copied();
        let named = members.named.iter().map(|(_, member)| member).chain([&members.other]);
        let all = inside.chain(named.flat_map(|member| [member.scalar, member.items.unwrap_or_default()]));
        let ambiguous = all.chain([types.scalar]).any(|scalars| scalars.string && scalars.narrow());
        Self { structures, scalar: types.scalar, items, members, ambiguous }
    }

    /// Whether it is an object and nothing else.
    pub(super) fn is_object(&self) -> bool {
        self.structures == [Structure::Object]
    }

    /// Whether it may be an array.
    pub(super) fn is_array(&self) -> bool {
        self.structures.contains(&Structure::Array)
    }
}

impl Items {
    fn of(shape: Shape<'_>) -> Self {
        let first = shape.keyword("prefixItems").and_then(serde_json::Value::as_array).map_or(0, Vec::len);
        let first = (0..first).map(|index| Allowed::of(shape.item(index)).scalar).collect();
        Self { first, rest: Allowed::of(shape.items()).scalar }
    }
}

/// A name that no schema has.
const NOBODY: &str = "\0";

impl Members {
    fn of(shape: Shape<'_>) -> Self {
        let mut names = shape.names();
        names.sort_unstable();
        names.dedup();
        let allows = |keyword: &str| shape.keyword(keyword).map(|value| *value != false);
        let additional = allows("additionalProperties");
        let open = additional.unwrap_or(names.is_empty())
            || allows("patternProperties").is_some()
            || (additional.is_none() && allows("unevaluatedProperties") == Some(true));
        let named = names.into_iter().map(|name| (name.into(), Member::of(shape.declared(name)))).collect();
        Self { named, other: Member::of(shape.member(NOBODY)), open }
    }
}

impl Member {
    fn of(shape: Shape<'_>) -> Self {
        let types = Allowed::of(shape);
        Self { scalar: types.scalar, items: types.array.then(|| Allowed::of(shape.items()).scalar) }
    }
}

impl Scalars {
    pub(super) fn any(self) -> bool {
        self.string || self.narrow()
    }

    /// Whether it has a type that only some texts have.
    fn narrow(self) -> bool {
        self.boolean || self.integer || self.number
    }
}

/// The types that a schema allows, as far as a text can have them: `null` has no form.
struct Allowed {
    scalar: Scalars,
    array: bool,
    object: bool,
}

impl Allowed {
    fn of(shape: Shape<'_>) -> Self {
        let types = shape.types();
        if types == Types::ANY {
            return Self::implied(shape);
        }
        let has = |of| types.has(of);
        let scalar =
            Scalars { boolean: has(Types::BOOLEAN), integer: has(Types::INTEGER), number: has(Types::NUMBER), string: has(Types::STRING) };
        Self { scalar, array: has(Types::ARRAY), object: has(Types::OBJECT) }
    }

    /// A schema that names no type is about the type that its keywords are about; about a string when it has none of them. To take a
    /// text for whatever it looks like would let `minLength` pass for every number.
    fn implied(shape: Shape<'_>) -> Self {
        let has = |keywords: &[&str]| keywords.iter().any(|keyword| shape.keyword(keyword).is_some());
        let number = has(&["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]);
        let array = has(&["items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"]);
        let object = has(&["properties", "additionalProperties", "patternProperties", "propertyNames", "required", "minProperties"]);
        let string = has(&["minLength", "maxLength", "pattern", "format"]) || !(number || array || object);
        Self { scalar: Scalars { boolean: false, integer: number, number, string }, array, object }
    }
}
