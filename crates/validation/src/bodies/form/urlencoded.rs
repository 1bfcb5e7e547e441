//! `application/x-www-form-urlencoded`, read strictly: what is checked is what the next reader gets.
//!
//! Pairs are taken apart before anything is decoded, escapes must be whole and their bytes UTF-8, and what should have been escaped is
//! refused. The reader that browsers have would replace all that by something else (URL standard, §5.1).

use std::borrow::Cow;

use super::{
    members::{Kind, Leaf, Member, Members, Reading, Writing},
    separated,
};
use crate::{
    bodies::{BodyLimits, Unfit, charset, typed},
    json::{Builder, Limits, Malformed, Over, Tree, parse},
};

/// A name and a value.
#[derive(Debug)]
pub(in crate::bodies) struct Pair<'a> {
    name: Cow<'a, str>,
    value: Cow<'a, str>,
    /// The value as it was sent.
    raw: &'a str,
    /// There is no `=`.
    bare: bool,
}

/// A pair, and to which member it belongs.
struct Field<'p> {
    /// Its number; of none that is declared, [`UNKNOWN`].
    owner: usize,
    /// The name within the member, or that of what is not declared.
    inner: Option<&'p str>,
    pair: &'p Pair<'p>,
}

const UNKNOWN: usize = usize::MAX;

/// Takes a body apart.
///
/// # Errors
/// `form`, `utf-8`, `charset` or `values`.
pub(in crate::bodies) fn read<'a>(bytes: &'a [u8], limits: &BodyLimits) -> Result<Vec<Pair<'a>>, Unfit> {
    if !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(Unfit::new("form", "has characters that must be percent-encoded"));
    }
    let mut pairs = Vec::new();
    for pair in charset::text(bytes)?.split('&').filter(|pair| !pair.is_empty()) {
        if pairs.len() >= limits.json.values {
            return Err(Unfit::of(Malformed::Over(Over::Values), "form"));
        }
        let (name, raw) = pair.split_once('=').unwrap_or((pair, ""));
        let pair = Pair { name: decoded(name)?, value: decoded(raw)?, raw, bare: name.len() == pair.len() };
        charset::check_named(&pair.name, pair.value.as_bytes())?;
        pairs.push(pair);
    }
    Ok(pairs)
}

/// The object that the pairs stand for.
///
/// # Errors
/// What has no value by the rules for its member.
pub(in crate::bodies) fn tree<'p>(pairs: &'p [Pair<'p>], members: &'p Members, limits: &Limits) -> Result<Tree<'p>, Unfit> {
    let mut fields: Vec<Field<'p>> = pairs.iter().map(|pair| Field::of(pair, members)).collect();
    // JSON, or any text, that is called a form would else be one that has nothing but unknown names.
    if !fields.is_empty() && fields.iter().all(|field| field.owner == UNKNOWN && field.pair.bare) {
        return Err(Unfit::new("form", "has neither a name with a value nor the name of a member"));
    }
    // Those of a member side by side, in the order in which they were sent.
    fields.sort_by_key(|field| (field.owner, field.inner));
    let mut form = Form { builder: Builder::new(limits), limits };
    form.builder.begin(true).map_err(refused)?;
    for fields in fields.chunk_by(|a, b| a.owner == b.owner && (a.owner != UNKNOWN || a.inner == b.inner)) {
        let member = members.member(fields[0].owner);
        let name = if fields[0].owner == UNKNOWN { &*fields[0].pair.name } else { &member.name };
        form.builder.name(Cow::Borrowed(name)).map_err(refused)?;
        form.member(member, fields).map_err(|unfit| unfit.below(&member.pointer))?;
    }
    form.builder.end().map_err(refused)?;
    form.builder.finish().ok_or(refused(Malformed::Syntax))
}

impl<'p> Field<'p> {
    fn of(pair: &'p Pair<'p>, members: &Members) -> Self {
        let (owner, inner) = members.owner(&pair.name).unwrap_or((UNKNOWN, Some(&pair.name)));
        Self { owner, inner, pair }
    }
}

struct Form<'p, 'l> {
    builder: Builder<'p, 'l>,
    limits: &'l Limits,
}

impl<'p> Form<'p, '_> {
    fn member(&mut self, member: &Member, fields: &[Field<'p>]) -> Result<(), Unfit> {
        match member.writing {
            Writing::Repeated => self.leaf(member.leaf, fields),
            Writing::Separated(separator) => match fields {
                [field] => {
                    let pieces = separator.split_escaped(field.pair.raw).into_iter().map(decoded).collect::<Result<_, _>>()?;
                    separated::put(&mut self.builder, member, pieces)
                }
                _ => Err(refused(Malformed::Twice)),
            },
            Writing::Deep => self.object(member, fields, |name| name.strip_suffix(']').filter(|name| !name.contains(['[', ']']))),
            Writing::Spread => self.object(member, fields, Some),
        }
    }

    fn leaf(&mut self, leaf: Leaf, fields: &[Field<'p>]) -> Result<(), Unfit> {
        if let [field] = fields
            && leaf.is_list(1)
            && leaf.is_whole(field.pair.value.as_bytes())
        {
            return self.value(leaf.item, &field.pair.value, 1);
        }
        if leaf.is_list(fields.len()) {
            self.builder.begin(false).map_err(refused)?;
            fields.iter().try_for_each(|field| self.value(leaf.item, &field.pair.value, 2))?;
            return self.builder.end().map_err(refused);
        }
        match fields {
            [field] => self.value(leaf.one, &field.pair.value, 1),
            _ => Err(refused(Malformed::Twice)),
        }
    }

    /// One value, so many levels deep.
    fn value(&mut self, reading: Reading, text: &'p str, levels: usize) -> Result<(), Unfit> {
        if reading.kind != Kind::Json {
            return typed::put(&mut self.builder, Cow::Borrowed(text), reading.types).map_err(refused);
        }
        let value = parse(text.as_bytes(), &self.limits.within(levels));
        value.and_then(|value| self.builder.graft(value)).map_err(|why| Unfit::of(why, "json"))
    }

    /// An object of which each member has pairs of its own.
    fn object(&mut self, member: &Member, fields: &[Field<'p>], name: impl Fn(&'p str) -> Option<&'p str>) -> Result<(), Unfit> {
        self.builder.begin(true).map_err(refused)?;
        for fields in fields.chunk_by(|a, b| a.inner == b.inner) {
            let name = fields[0].inner.and_then(&name).ok_or(Unfit::new("form", "has a name that is none of an object's member"))?;
            self.builder.name(Cow::Borrowed(name)).map_err(refused)?;
            self.leaf(member.inner(name), fields)?;
        }
        self.builder.end().map_err(refused)
    }
}

fn refused(why: Malformed) -> Unfit {
    Unfit::of(why, "form")
}

fn decoded(raw: &str) -> Result<Cow<'_, str>, Unfit> {
    let spaced = if raw.contains('+') { Cow::Owned(raw.replace('+', " ")) } else { Cow::Borrowed(raw) };
    if !spaced.contains('%') {
        return Ok(spaced);
    }
    let bytes = tollgate_filter_api::percent_decoded(&spaced).ok_or(Unfit::new("form", "has a percent sign that begins no escape"))?;
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| refused(Malformed::Utf8))
}
