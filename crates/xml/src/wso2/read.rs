//! `jsonutils:fromXML`: an element is an object with one member, its attributes stand beside that as `@name`, and every text is a string.

use std::borrow::Cow;

use roxmltree::{Document, Node};
use tollgate_validation::json::Sink;

use super::tags::{Tag, prefix};
use crate::{Broken, Why, json::Writer};

const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// # Errors
/// A limit, or elements of which the reference product would lose some.
pub(crate) fn read(document: &Document<'_>, out: &mut Writer<'_>) -> Result<(), Broken> {
    element(document.root_element(), out)
}

/// Attributes of an element, as members: declarations first, those of the prefixes that it uses before its own.
struct Attributes<'d>(Vec<(Cow<'d, str>, &'d str)>);

/// What becomes of what is in an element.
enum Content {
    Nothing,
    Text,
    /// Elements of one name.
    Same,
    /// Elements of several names, or one.
    Elements,
    /// Text among elements.
    Mixed,
}

fn element<'d>(element: Node<'d, 'd>, out: &mut Writer<'_>) -> Result<(), Broken> {
    let tag = Tag::of(element);
    let attributes = Attributes::of(element, &tag);
    whole(element, &tag, &attributes, out)
}

fn whole<'d>(element: Node<'d, 'd>, tag: &Tag<'d>, attributes: &Attributes<'d>, out: &mut Writer<'_>) -> Result<(), Broken> {
    out.begin(true)?;
    if attributes.0.is_empty() || element.has_children() {
        out.name(Cow::Borrowed(tag.name))?;
        content(element, out, false)?;
    }
    for (name, value) in &attributes.0 {
        out.name(Cow::Borrowed(name))?;
        out.string(Cow::Borrowed(*value))?;
    }
    Ok(out.end()?)
}

/// `in_list`: what is empty is a list.
fn content<'d>(around: Node<'d, 'd>, out: &mut Writer<'_>, in_list: bool) -> Result<(), Broken> {
    match kind(around) {
        Content::Nothing if in_list => {
            out.begin(false)?;
            Ok(out.end()?)
        }
        Content::Nothing => Ok(out.string(Cow::Borrowed(""))?),
        Content::Text => Ok(out.string(Cow::Borrowed(around.text().unwrap_or_default()))?),
        Content::Same => same(around, out),
        Content::Elements => elements(around, out),
        Content::Mixed => mixed(around, out),
    }
}

fn kind(around: Node<'_, '_>) -> Content {
    let mut parts = around.children().filter(|part| part.is_element() || part.is_text());
    match (parts.next(), around.has_children()) {
        (None, false) => return Content::Nothing,
        (None, true) => return Content::Elements,
        (Some(first), _) if first.is_text() && first.next_sibling().is_none() && first.prev_sibling().is_none() => return Content::Text,
        _ => {}
    }
    if around.children().any(|part| part.is_text()) {
        return Content::Mixed;
    }
    let mut names = around.children().filter(Node::is_element).map(|part| part.tag_name());
    let first = names.next();
    let (mut others, mut is_same) = (0, true);
    for name in names {
        others += 1;
        is_same &= Some(name) == first;
    }
    if others > 0 && is_same { Content::Same } else { Content::Elements }
}

fn same<'d>(around: Node<'d, 'd>, out: &mut Writer<'_>) -> Result<(), Broken> {
    out.begin(true)?;
    if let Some(first) = around.first_element_child() {
        let name = first.tag_name();
        out.name(name.namespace().filter(|uri| !uri.is_empty()).map_or(Cow::Borrowed(name.name()), |uri| {
            // The reference product names a list so, and everything else by its prefix.
            Cow::Owned(format!("{{{uri}}}{}", name.name()))
        }))?;
    }
    out.begin(false)?;
    for part in around.children().filter(Node::is_element) {
        let tag = Tag::of(part);
        let attributes = Attributes::of(part, &tag);
        if attributes.0.is_empty() {
            content(part, out, true)?;
        } else {
            whole(part, &tag, &attributes, out)?;
        }
    }
    out.end()?;
    Ok(out.end()?)
}

fn elements<'d>(around: Node<'d, 'd>, out: &mut Writer<'_>) -> Result<(), Broken> {
    let parts: Vec<(Node<'d, 'd>, Tag<'d>)> = around.children().filter(Node::is_element).map(|part| (part, Tag::of(part))).collect();
    let mut names: Vec<&str> = parts.iter().map(|(_, tag)| tag.name).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Why::Overwritten.into());
    }
    out.begin(true)?;
    for (part, tag) in parts {
        out.name(Cow::Borrowed(tag.name))?;
        let attributes = Attributes::of(part, &tag);
        if attributes.0.is_empty() {
            content(part, out, false)?;
        } else {
            whole(part, &tag, &attributes, out)?;
        }
    }
    Ok(out.end()?)
}

fn mixed<'d>(around: Node<'d, 'd>, out: &mut Writer<'_>) -> Result<(), Broken> {
    out.begin(false)?;
    for part in around.children() {
        match part.text().filter(|_| part.is_text()) {
            Some(text) => out.string(Cow::Borrowed(text))?,
            None if part.is_element() => element(part, out)?,
            None => {}
        }
    }
    Ok(out.end()?)
}

impl<'d> Attributes<'d> {
    fn of(element: Node<'d, 'd>, tag: &Tag<'d>) -> Self {
        if tag.attributes.is_empty() && prefix(tag.name).is_empty() {
            return Self(Vec::new());
        }
        let bound_to = |prefix: &str| element.lookup_namespace_uri(Some(prefix).filter(|prefix| !prefix.is_empty())).unwrap_or_default();
        let uri = |prefix: &str| if prefix == "xml" { XML } else { bound_to(prefix) };
        let is_declaration = |name: &&str| **name == *"xmlns" || name.starts_with("xmlns:");
        let own = || tag.attributes.iter().copied().filter(|name| !is_declaration(name));
        let used = own().chain([tag.name]).map(prefix).filter(|prefix| !prefix.is_empty());
        let declared = tag.attributes.iter().copied().filter(is_declaration);
        let declared = declared.map(|name| name.split_once(':').map_or("", |(_, prefix)| prefix));
        let mut bound: Vec<(&str, &str)> = Vec::new();
        for prefix in used.chain(declared) {
            if bound.iter().all(|(known, _)| *known != prefix) {
                bound.push((prefix, uri(prefix)));
            }
        }
        let said = |prefix: &str| if prefix.is_empty() { "@xmlns".to_owned() } else { format!("@xmlns:{prefix}") };
        let mut members: Vec<(Cow<'d, str>, &'d str)> = bound.iter().map(|(prefix, uri)| (Cow::Owned(said(prefix)), *uri)).collect();
        for (name, attribute) in own().zip(element.attributes()) {
            members.push((Cow::Owned(format!("@{name}")), attribute.value()));
        }
        Self(members)
    }
}
