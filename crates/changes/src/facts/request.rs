//! What the request itself says, decoded.

use std::borrow::Cow;

use http::{HeaderName, header};
use tollgate_filter_api::{Call, RequestHead, below};

/// A parameter of the path. One that shares its segment with text or with others is found as long as those are spelled as in the template.
pub(super) fn path<'h>(call: &Call, head: &'h RequestHead, name: &str) -> Option<Cow<'h, [u8]>> {
    let segments = below(head.path(), &call.operation.base_path).split('/');
    let (template, found) = call.operation.template.split('/').zip(segments).find(|(template, _)| has(template, name))?;
    unescaped(within(template, found, name)?)
}

/// Whether a segment of a template has that parameter.
fn has(template: &str, name: &str) -> bool {
    template.split('{').skip(1).any(|part| part.split('}').next() == Some(name))
}

/// The text of a parameter in its segment.
fn within<'s>(template: &str, segment: &'s str, name: &str) -> Option<&'s str> {
    let (first, mut template) = template.split_once('{')?;
    let mut rest = segment.strip_prefix(first)?;
    loop {
        let (parameter, behind) = template.split_once('}')?;
        let literal = behind.split('{').next()?;
        // The last literal stands at the end; each before it, where it comes first behind one character at least.
        let length = match behind.split_once('{') {
            None => rest.strip_suffix(literal)?.len(),
            Some(_) => 1 + rest.get(1..)?.find(literal)?,
        };
        if parameter == name {
            return rest.get(..length);
        }
        rest = rest.get(length + literal.len()..)?;
        template = behind.split_once('{')?.1;
    }
}

/// The first value of that name in the query.
pub(super) fn query<'h>(head: &'h RequestHead, name: &str) -> Option<Cow<'h, [u8]>> {
    let pairs = head.query()?.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let is_named = |(key, _): &(&str, &str)| form(key).is_some_and(|key| *key == *name.as_bytes());
    form(pairs.into_iter().find(is_named)?.1)
}

/// The only value of a field. Of several nobody knows which one is meant.
pub(super) fn header<'h>(head: &'h RequestHead, name: &HeaderName) -> Option<Cow<'h, [u8]>> {
    let mut values = head.get_all(name);
    let only = values.next().filter(|_| values.next().is_none())?;
    Some(Cow::Borrowed(only.as_bytes()))
}

/// The value of the only cookie of that name.
pub(super) fn cookie<'h>(head: &'h RequestHead, name: &str) -> Option<Cow<'h, [u8]>> {
    let fields = head.get_all(&header::COOKIE).filter_map(|value| value.to_str().ok());
    let pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    values.next().filter(|_| values.next().is_none()).map(|value| Cow::Borrowed(value.as_bytes()))
}

/// A text of a query, in which `+` is a space.
pub(crate) fn form(text: &str) -> Option<Cow<'_, [u8]>> {
    if text.contains('+') { unescaped(&text.replace('+', " ")).map(|bytes| Cow::Owned(bytes.into_owned())) } else { unescaped(text) }
}

fn unescaped(text: &str) -> Option<Cow<'_, [u8]>> {
    match text.contains('%') {
        true => tollgate_filter_api::percent_decoded(text).map(Cow::Owned),
        false => Some(Cow::Borrowed(text.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_found_alone_and_among_others() {
        for (template, segment, name, found) in [
            ("{id}", "a.b", "id", Some("a.b")),
            ("{id}.json", "a.json.json", "id", Some("a.json")),
            ("{a}-{b}", "1-2-3", "a", Some("1")),
            ("{a}-{b}", "1-2-3", "b", Some("2-3")),
            ("v{a}.{b}x", "v1.2x", "b", Some("2")),
            ("{a}-{b}", "12", "a", None),
            ("{a}", "1", "b", None),
        ] {
            assert_eq!(within(template, segment, name), found, "{template} {segment} {name}");
        }
    }

    #[test]
    fn what_stands_twice_is_not_known() {
        let mut head = RequestHead::build("GET", "/?a=1%202&b=x+y").expect("it is legal");
        let text = |found: Option<Cow<'_, [u8]>>| found.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert_eq!(text(query(&head, "a")).as_deref(), Some("1 2"));
        assert_eq!(text(query(&head, "b")).as_deref(), Some("x y"));
        head.append(header::COOKIE, "s=1; t=2".parse().expect("it is legal"));
        assert_eq!(text(cookie(&head, "t")).as_deref(), Some("2"));
        head.append(header::COOKIE, "t=3".parse().expect("it is legal"));
        assert_eq!(cookie(&head, "t"), None);
        assert_eq!(super::header(&head, &header::COOKIE), None);
    }
}
