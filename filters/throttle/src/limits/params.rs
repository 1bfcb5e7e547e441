//! Parameters of the path and the query, as whoever sent them wrote them, decoded.

use std::borrow::Cow;

use tollgate_filter_api::{OperationInfo, percent_decoded};

/// What stands in the path where the operation's template has `{name}`. The path is in normal form.
pub(crate) fn path<'a>(path: &'a str, operation: &OperationInfo, name: &str) -> Option<Cow<'a, [u8]>> {
    let base = operation.base_path.trim_end_matches('/').split('/');
    let template = base.chain(operation.template.split('/').skip(1));
    template.zip(path.split('/')).find_map(|(template, segment)| value(template, segment, name)).map(decoded)
}

/// The value of a segment whose template has one parameter, with or without text around it.
fn value<'a>(template: &str, segment: &'a str, name: &str) -> Option<&'a str> {
    let (before, rest) = template.split_once('{')?;
    let (parameter, after) = rest.split_once('}')?;
    if parameter != name {
        return None;
    }
    let inner = segment.strip_prefix(before).and_then(|segment| segment.strip_suffix(after));
    Some(inner.unwrap_or(segment))
}

/// Every value of a parameter of the query, in order.
pub(crate) fn query<'a>(query: Option<&'a str>, name: &'a str) -> impl Iterator<Item = Cow<'a, [u8]>> {
    let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter(move |(key, _)| key == &name || *form(key) == *name.as_bytes()).map(|(_, value)| form(value))
}

/// A text of a form, in which `+` is a blank.
fn form(text: &str) -> Cow<'_, [u8]> {
    if text.contains('+') { Cow::Owned(decoded(&text.replace('+', " ")).into_owned()) } else { decoded(text) }
}

/// With a broken escape a text stands for itself.
fn decoded(text: &str) -> Cow<'_, [u8]> {
    match text.contains('%').then(|| percent_decoded(text)) {
        Some(Some(bytes)) => Cow::Owned(bytes),
        _ => Cow::Borrowed(text.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(base_path: &str, template: &str) -> OperationInfo {
        OperationInfo { base_path: base_path.to_owned(), template: template.to_owned(), ..OperationInfo::default() }
    }

    #[test]
    fn a_parameter_of_the_path_is_what_stands_in_its_place() {
        for (base, template, path_, name, expected) in [
            ("/a/v1", "/pets/{pet}/toys/{toy}", "/a/v1/pets/7/toys/b%20c", "pet", Some("7")),
            ("/a/v1", "/pets/{pet}/toys/{toy}", "/a/v1/pets/7/toys/b%20c", "toy", Some("b c")),
            ("/", "/{all}", "/x", "all", Some("x")),
            ("/a", "/files/{name}.json", "/a/files/x.json", "name", Some("x")),
            ("/a", "/files/{one}-{two}", "/a/files/x-y", "one", Some("x-y")),
            ("/a", "/pets/{pet}", "/a/pets/7", "toy", None),
            ("/a", "/*", "/a/pets/7", "pet", None),
        ] {
            let found = path(path_, &operation(base, template), name);
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{template} {name}");
        }
    }

    #[test]
    fn a_parameter_of_the_query_is_found_in_every_spelling() {
        let all = |text| query(Some(text), "user").map(|value| String::from_utf8(value.into_owned()).unwrap()).collect::<Vec<_>>();
        assert_eq!(all("user=a&other=b&us%65r=c+d&user&user=%65"), ["a", "c d", "", "e"]);
        assert_eq!(all("user=%zz&&username=x"), ["%zz"]);
        assert!(all("").is_empty() && query(None, "user").next().is_none());
    }
}
