//! From elements to a value. It goes no deeper than the limits of the value.

use std::borrow::Cow;

use roxmltree::{Attribute, Document, Error, Node as Element, ParsingOptions};

use super::{
    plan::{Node, NodeNumber, Plan},
    scan,
};
use crate::{
    bodies::{Unfit, charset, typed},
    json::{Malformed, Over, Sink},
    schema::Types,
};

const XML: &str = "http://www.w3.org/XML/1998/namespace";
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Bytes of the names that are made for elements which are not declared, in one document: each may have a long namespace in it.
const MADE: usize = 8 << 20;

/// The number of what is not declared.
const UNKNOWN: usize = usize::MAX;

/// Takes a document apart, within that number of elements and attributes, and [`DEEPEST`](super::DEEPEST).
///
/// # Errors
/// `xml`, `utf-8`, `charset`, `depth` or `values`.
pub fn document(bytes: &[u8], values: usize) -> Result<Document<'_>, Unfit> {
    let text = charset::text(bytes)?;
    scan::check(text, values)?;
    // Beside each element that is a value there may be text before and after it, and a comment.
    let nodes_limit = u32::try_from(values).unwrap_or(u32::MAX).saturating_mul(4);
    let options = ParsingOptions { nodes_limit, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|why| match why {
        Error::NodesLimitReached => refused(Malformed::Over(Over::Values)),
        _ => refused(Malformed::Syntax),
    })
}

/// Tells `sink` the value that a document stands for. Members come in the order of the document, attributes first.
///
/// # Errors
/// What has no place in it, or a limit of the sink.
pub fn read<'p>(document: &'p Document<'_>, plan: &'p Plan, sink: &mut impl Sink<'p>) -> Result<(), Unfit> {
    let element = document.root_element();
    let (name, namespace) = names(element);
    if plan.root.as_ref().is_some_and(|root| !root.is(name, namespace, None)) {
        return Err(Unfit::new("xml", "has another outermost element than the definition names"));
    }
    Reader { plan, sink, made: 0 }.element(0, element)
}

fn refused(why: Malformed) -> Unfit {
    Unfit::of(why, "xml")
}

struct Reader<'p, 's, S> {
    plan: &'p Plan,
    sink: &'s mut S,
    /// Bytes of names that were made.
    made: usize,
}

/// What a member is made of.
enum Source<'p, 'i> {
    Element(Element<'p, 'i>),
    Text(Cow<'p, str>),
}

/// A part of an element: whose it is, and its name.
struct Found<'p, 'i> {
    member: usize,
    name: Cow<'p, str>,
    source: Source<'p, 'i>,
}

/// All parts of an element that are the same member.
struct Group<'p, 'i> {
    /// Of the first of them in the document.
    place: usize,
    member: usize,
    name: Cow<'p, str>,
    sources: Vec<Source<'p, 'i>>,
}

impl<'p, S: Sink<'p>> Reader<'p, '_, S> {
    fn element(&mut self, number: NodeNumber, element: Element<'p, '_>) -> Result<(), Unfit> {
        let node = self.plan.node(number);
        let is_nil = |value: &str| matches!(value.trim(), "true" | "1");
        if element.attribute((INSTANCE, "nil")).is_some_and(is_nil) {
            return self.sink.null().map_err(refused);
        }
        let has_parts = element.attributes().any(|attribute| !is_about_xml(&attribute)) || element.first_element_child().is_some();
        if node.is_list(1) {
            self.list(node, element)
        } else if has_parts || !node.is_scalar() {
            self.object(node, element)
        } else {
            self.text(node, text(element))
        }
    }

    fn text(&mut self, node: &Node, text: Cow<'p, str>) -> Result<(), Unfit> {
        // Space around a number is no part of it (XML Schema §4.3.6).
        let text = if node.types.has(Types::STRING) { text } else { trimmed(text) };
        typed::put(self.sink, text, node.types).map_err(refused)
    }

    /// The items within an element.
    fn list(&mut self, node: &Node, around: Element<'p, '_>) -> Result<(), Unfit> {
        let outer = names(around);
        let is_outermost = around.parent_element().is_none();
        if around.attributes().any(|attribute| !is_about_xml(&attribute)) || !text(around).trim().is_empty() {
            return Err(Unfit::new("xml", "has text or attributes where there may only be items"));
        }
        self.sink.begin(false).map_err(refused)?;
        for element in around.children().filter(Element::is_element) {
            let (name, namespace) = names(element);
            let is_item = match &node.item_name {
                Some(item) => item.is(name, namespace, outer.1),
                None => is_outermost || (name, namespace) == outer,
            };
            if !is_item {
                return Err(Unfit::new("xml", "has an element that is no item where there may only be items"));
            }
            self.element(node.item, element)?;
        }
        self.sink.end().map_err(refused)
    }

    fn object(&mut self, node: &'p Node, element: Element<'p, '_>) -> Result<(), Unfit> {
        let groups = groups(self.parts(node, element)?);
        self.sink.begin(true).map_err(refused)?;
        for group in groups {
            let declared = node.members.get(group.member);
            if declared.is_none() && node.has_property(&group.name) {
                return Err(refused(Malformed::Twice));
            }
            self.sink.name(group.name).map_err(refused)?;
            match declared {
                Some(member) => self.member(member.node, group.sources, member.is_wrapped())?,
                None => self.member(node.additional, group.sources, false)?,
            }
        }
        self.sink.end().map_err(refused)
    }

    /// The parts of an element, each with the member that it is.
    fn parts<'i>(&mut self, node: &'p Node, around: Element<'p, 'i>) -> Result<Vec<Found<'p, 'i>>, Unfit> {
        let mut found = Vec::new();
        let named = |member: usize| Cow::Borrowed(node.members[member].property.as_str());
        for attribute in around.attributes() {
            let source = Source::Text(Cow::Borrowed(attribute.value()));
            match node.attribute(attribute.name(), attribute.namespace()) {
                Some(member) => found.push(Found { member, name: named(member), source }),
                None if is_about_xml(&attribute) => {}
                None => found.push(Found { member: UNKNOWN, name: Cow::Owned(format!("@{}", attribute.name())), source }),
            }
        }
        let (_, outer) = names(around);
        for element in around.children().filter(Element::is_element) {
            let (name, namespace) = names(element);
            let source = Source::Element(element);
            match node.element(name, namespace, outer) {
                Some(member) => found.push(Found { member, name: named(member), source }),
                None => {
                    let name = foreign(node, element, outer);
                    self.made += name.len();
                    if self.made > MADE {
                        return Err(refused(Malformed::Over(Over::String)));
                    }
                    found.push(Found { member: UNKNOWN, name, source });
                }
            }
        }
        let text = text(around);
        match node.text {
            Some(member) => found.push(Found { member, name: named(member), source: Source::Text(text) }),
            None if text.trim().is_empty() => {}
            None => found.push(Found { member: UNKNOWN, name: Cow::Borrowed("#text"), source: Source::Text(text) }),
        }
        Ok(found)
    }

    fn member(&mut self, number: NodeNumber, sources: Vec<Source<'p, '_>>, is_wrapped: bool) -> Result<(), Unfit> {
        let node = self.plan.node(number);
        if !is_wrapped && node.is_list(sources.len()) {
            self.sink.begin(false).map_err(refused)?;
            sources.into_iter().try_for_each(|source| self.source(node.item, source))?;
            return self.sink.end().map_err(refused);
        }
        let mut sources = sources.into_iter();
        match (sources.next(), sources.next()) {
            (Some(source), None) => self.source(number, source),
            _ => Err(refused(Malformed::Twice)),
        }
    }

    fn source(&mut self, number: NodeNumber, source: Source<'p, '_>) -> Result<(), Unfit> {
        match source {
            Source::Element(element) => self.element(number, element),
            Source::Text(text) => self.text(self.plan.node(number), text),
        }
    }
}

/// Puts together what is the same member, in the order of the document.
fn groups<'p, 'i>(found: Vec<Found<'p, 'i>>) -> Vec<Group<'p, 'i>> {
    let mut placed: Vec<(usize, Found<'p, 'i>)> = found.into_iter().enumerate().collect();
    placed.sort_by(|(_, a), (_, b)| (a.member, &a.name).cmp(&(b.member, &b.name)));
    let mut groups: Vec<Group<'p, 'i>> = Vec::with_capacity(placed.len());
    for (place, part) in placed {
        match groups.last_mut() {
            Some(last) if last.member == part.member && last.name == part.name => last.sources.push(part.source),
            _ => groups.push(Group { place, member: part.member, name: part.name, sources: vec![part.source] }),
        }
    }
    groups.sort_unstable_by_key(|group| group.place);
    groups
}

/// The local name of an element, and its namespace; one that `xmlns=""` takes back is none.
fn names<'i>(element: Element<'i, '_>) -> (&'i str, Option<&'i str>) {
    let name = element.tag_name();
    (name.name(), name.namespace().filter(|uri| !uri.is_empty()))
}

/// The name of an element that is not declared. It is never that of a member that is.
fn foreign<'p>(node: &Node, element: Element<'p, '_>, around: Option<&str>) -> Cow<'p, str> {
    let (local, namespace) = names(element);
    if (namespace.is_none() || namespace == around) && !node.has_property(local) {
        return Cow::Owned(local.to_owned());
    }
    Cow::Owned(format!("{{{}}}{local}", namespace.unwrap_or_default()))
}

/// Whether it is for the reader of the document, and no part of its value. A type that overrides that of the schema is one.
fn is_about_xml(attribute: &Attribute<'_, '_>) -> bool {
    match attribute.namespace() {
        Some(XML) => true,
        Some(INSTANCE) => matches!(attribute.name(), "nil" | "schemaLocation" | "noNamespaceSchemaLocation"),
        _ => false,
    }
}

/// The text of an element alone, whatever comments stand in it.
fn text<'p>(element: Element<'p, '_>) -> Cow<'p, str> {
    let mut texts = element.children().filter(Element::is_text).filter_map(|text| text.text());
    let first = texts.next().unwrap_or_default();
    texts.fold(Cow::Borrowed(first), |all, text| Cow::Owned(all.into_owned() + text))
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}
