//! What stands in a tag, prefixes and declarations included. The document was read before, so the tag has its grammar.

use roxmltree::Node;

/// The names of a tag, as they are written.
pub(super) struct Tag<'t> {
    pub name: &'t str,
    /// Of attributes and declarations.
    pub attributes: Vec<&'t str>,
}

impl<'t> Tag<'t> {
    pub(super) fn of(element: Node<'t, 't>) -> Self {
        let text = &element.document().input_text()[element.range()];
        let is_end = |c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>' | '=');
        let (name, mut rest) = split(text.strip_prefix('<').unwrap_or(text), is_end);
        let mut attributes = Vec::new();
        loop {
            rest = rest.trim_ascii_start();
            let (attribute, value) = split(rest, is_end);
            let quoted = value.trim_ascii_start().strip_prefix('=').map(str::trim_ascii_start);
            let Some(quote) = quoted.and_then(|quoted| quoted.chars().next()).filter(|_| !attribute.is_empty()) else { break };
            attributes.push(attribute);
            rest = quoted.and_then(|quoted| quoted[1..].split_once(quote)).map_or("", |(_, rest)| rest);
        }
        Self { name, attributes }
    }
}

fn split(text: &str, is_end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(is_end).unwrap_or(text.len()))
}

/// The prefix of a name; empty if it has none.
pub(super) fn prefix(name: &str) -> &str {
    name.split_once(':').map_or("", |(prefix, _)| prefix)
}
