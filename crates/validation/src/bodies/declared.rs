//! One media type that is declared, made ready to judge bodies of it.

use std::sync::Arc;

use super::{
    BodyLimits, Unfit, charset, coding,
    form::{Leaf, Piece, Reading, multipart, parts, urlencoded},
    items::Items,
    media::{self, Notation, Range},
    plain,
    readers::Readers,
    typed, xml,
};
use crate::{
    finding::{Finding, Part},
    json::Tree,
    rules::MediaRule,
    schema::{Broken, Direction, Library, Schema, Shape, Types},
};

/// A media type, or a range of them.
#[derive(Debug)]
pub(super) struct Declared {
    /// Among the rules.
    pub place: usize,
    pub range: Range,
    /// What the schema allows.
    pub types: Types,
    pub source: String,
    schema: Option<Arc<Schema>>,
    /// What each item of a sequence must be.
    items: Option<Arc<Schema>>,
    /// What the data of an event may be.
    data: Types,
    /// What each part is read as, when they have no names.
    part: Option<Reading>,
    readers: Readers,
}

/// A body, and what is known of it.
pub(super) struct Message<'m> {
    pub notation: Notation,
    pub content_type: &'m str,
    pub content_encoding: Option<&'m str>,
    pub bytes: &'m [u8],
    pub limits: &'m BodyLimits,
    pub part: Part,
    /// Told of a whole value that fits.
    pub seen: &'m dyn Fn(&Schema, &Tree<'_>),
}

impl Declared {
    pub(super) fn compile(place: usize, rule: &MediaRule, library: &Library, direction: Option<Direction>) -> Result<Self, Broken> {
        let broken = |message: String| Broken { message, source: rule.source.clone(), at: None };
        let range = Range::parse(&rule.range).ok_or_else(|| broken(format!("`{}` is no media type", rule.range)))?;
        let shape = Shape::of(library, rule.schema);
        let types = typed::types(shape);
        // A sequence is an array: before OpenAPI 3.2, a schema that allows none could only be meant for the items.
        let item_schema = rule.item_schema.or(rule.schema.filter(|_| !types.has(Types::ARRAY)));
        let compiled = |number: Option<u32>| number.map(|number| library.schema(number, direction)).transpose();
        let is_list = rule.item_schema.is_some() || types.has(Types::ARRAY) && !types.has(Types::OBJECT);
        let leaf =
            if rule.item_schema.is_some() { Leaf::of(Shape::of(library, rule.item_schema), None).one } else { Leaf::of(shape, None).item };
        Ok(Self {
            place,
            types,
            source: rule.source.clone(),
            schema: compiled(rule.schema)?,
            items: compiled(item_schema)?,
            data: typed::types(Shape::of(library, item_schema).member("data")),
            part: is_list.then_some(leaf),
            readers: Readers::compile(rule, &range, library).map_err(broken)?,
            range,
        })
    }

    /// Whether something is said of a body in that notation.
    pub(super) fn is_judged(&self, notation: Notation) -> bool {
        match notation {
            Notation::Json | Notation::Text | Notation::Form | Notation::FormData | Notation::Xml => self.schema.is_some(),
            Notation::Lines | Notation::Sequence | Notation::Events | Notation::Mixed => self.schema.is_some() || self.items.is_some(),
            _ => false,
        }
    }

    /// # Errors
    /// When no value can be made of the body.
    pub(super) fn judge(&self, message: &Message<'_>) -> Result<Vec<Finding>, Unfit> {
        let parameters = media::parameters(message.content_type).ok_or(Unfit::new("content-type", "has parameters that cannot be read"))?;
        let limits = message.limits;
        let bytes = &*coding::decoded(message.bytes, message.content_encoding, limits)?;
        charset::check(&parameters, bytes)?;
        match message.notation {
            Notation::Json => self.judge_value(&plain::json(bytes, limits)?, message),
            Notation::Text => self.judge_value(&plain::text(bytes, self.types, limits)?, message),
            Notation::Lines | Notation::Sequence | Notation::Events => self.items(message).findings(message.notation, bytes),
            Notation::Form => {
                let members = self.readers.form()?;
                let pairs = urlencoded::read(bytes, limits)?;
                self.judge_value(&urlencoded::tree(&pairs, members, &limits.json)?, message)
            }
            Notation::FormData | Notation::Mixed => {
                let boundary = media::parameter(&parameters, "boundary").unwrap_or_default();
                self.judge_parts(&multipart::read(bytes, boundary, limits)?, message)
            }
            Notation::Xml => {
                let plan = self.readers.xml()?;
                let document = xml::document(bytes, limits.json.values)?;
                self.judge_value(&xml::tree(&document, plan, &limits.json)?, message)
            }
            Notation::Opaque => Ok(Vec::new()),
        }
    }

    fn judge_parts(&self, pieces: &[Piece<'_>], message: &Message<'_>) -> Result<Vec<Finding>, Unfit> {
        let limits = &message.limits.json;
        if let Some(reading) = self.part.filter(|_| message.notation == Notation::Mixed) {
            return self.items(message).judge(pieces.iter().map(|piece| parts::one(piece, reading, limits)));
        }
        self.judge_value(&parts::object(pieces, self.readers.parts()?, limits)?, message)
    }

    fn judge_value(&self, value: &Tree<'_>, message: &Message<'_>) -> Result<Vec<Finding>, Unfit> {
        let Some(schema) = &self.schema else { return Ok(Vec::new()) };
        if !schema.is_valid(value) {
            return Ok(schema.findings(value, message.part));
        }
        (message.seen)(schema, value);
        Ok(Vec::new())
    }

    fn items<'s>(&'s self, message: &Message<'s>) -> Items<'s> {
        let whole = self.schema.as_deref().filter(|_| self.types.has(Types::ARRAY));
        Items { whole, each: self.items.as_deref(), data: self.data, limits: message.limits, part: message.part }
    }
}
