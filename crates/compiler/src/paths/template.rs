//! Path templates: what a segment may look like, and when two templates match the same requests.
//!
//! A request path is decoded once when it is routed; a template that no such path can match is a mistake and is said to be
//! one here, where its line is known.

use std::fmt::Write;

/// Longer templates are no templates that a person wrote.
const MAX_LEN: usize = 2048;

/// A template, taken apart.
#[derive(Debug, PartialEq)]
pub(crate) struct Template<'t> {
    /// The template in one spelling with every parameter name left out: templates of equal shape match the same paths.
    pub shape: String,
    /// Names of the parameters, in order.
    pub parameters: Vec<&'t str>,
}

/// # Errors
/// What is wrong; reads on after "the template".
pub(crate) fn parse(template: &str) -> Result<Template<'_>, &'static str> {
    if template.len() > MAX_LEN {
        return Err("is longer than 2048 bytes");
    }
    let body = template.strip_prefix('/').ok_or("does not begin with `/`")?;
    let mut parsed = Template { shape: String::new(), parameters: Vec::new() };
    let mut segments = body.split('/').peekable();
    while let Some(segment) = segments.next() {
        parsed.shape.push('/');
        let last = segments.peek().is_none();
        match segment {
            "*" if last => parsed.shape.push('*'),
            "*" => return Err("has `*` before its last segment"),
            "" if !last => return Err("has an empty segment, which no request path has"),
            _ => {
                let start = parsed.shape.len();
                parsed.segment(segment)?;
                if hides_dots(&parsed.shape[start..]) {
                    return Err("has a dot segment, which no request path has");
                }
            }
        }
    }
    let mut names = parsed.parameters.clone();
    names.sort_unstable();
    names.dedup();
    if names.len() < parsed.parameters.len() {
        return Err("has two parameters of the same name");
    }
    Ok(parsed)
}

impl<'t> Template<'t> {
    fn segment(&mut self, segment: &'t str) -> Result<(), &'static str> {
        let mut rest = segment;
        while let Some((before, after)) = rest.split_once('{') {
            if before.is_empty() && rest.len() < segment.len() {
                return Err("has two parameters with nothing between them");
            }
            let (name, after) = after.split_once('}').ok_or("has a `{` without `}`")?;
            if name.is_empty() || name.contains('{') {
                return Err("has a parameter without a name");
            }
            self.literal(before)?;
            self.shape.push_str("{}");
            self.parameters.push(name);
            rest = after;
        }
        self.literal(rest)
    }

    /// Writes a literal in one spelling: everything escaped but letters, digits and `-._~`, so that no brace is a parameter's.
    fn literal(&mut self, text: &str) -> Result<(), &'static str> {
        const ESCAPE: &str = "has a `%` without two hexadecimal digits, or an escape that no request path has";
        let mut bytes = text.bytes();
        let mut decoded = Vec::with_capacity(text.len());
        while let Some(byte) = bytes.next() {
            let escaped = byte == b'%';
            let byte = if escaped { hex(bytes.next()).zip(hex(bytes.next())).map(|(a, b)| a * 16 + b).ok_or(ESCAPE)? } else { byte };
            decoded.push(byte);
            match byte {
                b'?' | b'#' if !escaped => return Err("has a query or a fragment"),
                b'{' | b'}' if !escaped => return Err("has a brace without its partner"),
                0..=0x1f | 0x7f | b'\\' => return Err("has a character that no request path has"),
                b'-' | b'.' | b'_' | b'~' => self.shape.push(char::from(byte)),
                _ if byte.is_ascii_alphanumeric() => self.shape.push(char::from(byte)),
                _ => {
                    let written = write!(self.shape, "%{byte:02X}");
                    debug_assert!(written.is_ok(), "writing to a string cannot fail");
                }
            }
        }
        if std::str::from_utf8(&decoded).is_err() { Err(ESCAPE) } else { Ok(()) }
    }
}

/// Whether a segment's shape holds a dot segment for anybody who decodes it, splits it at slashes and cuts it at what ends a
/// segment or the path.
fn hides_dots(segment: &str) -> bool {
    segment.split("%2F").any(|piece| {
        let rest = piece.trim_start_matches('.');
        let (dots, rest) = (piece.len() - rest.len(), rest.trim_start_matches("%20"));
        matches!(dots, 1 | 2) && (rest.is_empty() || ["%3B", "%3F", "%23"].iter().any(|end| rest.starts_with(end)))
    })
}

fn hex(digit: Option<u8>) -> Option<u8> {
    char::from(digit?).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_make_a_difference_and_spelling_neither() {
        let shape = |t| parse(t).expect("it is a template").shape;
        assert_eq!(shape("/pets/{id}/x"), shape("/pets/{petId}/x"));
        assert_eq!(shape("/%7euser/a b/é"), shape("/~user/a%20b/%C3%A9"));
        assert_eq!(shape("/odata/$metadata"), shape("/odata/%24metadata"));
        assert_eq!(shape("/{id}:purge"), shape("/{x}%3Apurge"));
        assert_ne!(shape("/a:b"), shape("/a%253Ab"));
        assert_ne!(shape("/a/b"), shape("/a%2Fb"));
        assert_ne!(shape("/{id}"), shape("/%7B%7D"));
        assert_ne!(shape("/*"), shape("/%2A"));
        assert_ne!(shape("/pets/{id}"), shape("/pets/{id}.json"));
        assert_ne!(shape("/pets/{id}"), shape("/pets/{id}/"));
    }

    #[test]
    fn parameters_of_a_segment_have_literals_between_them() {
        assert_eq!(parse("/report-{id}.json").expect("it is a template").parameters, ["id"]);
        assert_eq!(parse("/{base}...{head}").expect("it is a template").shape, "/{}...{}");
        assert!(parse("/*").is_ok() && parse("/").is_ok() && parse("/a/").is_ok());
    }

    #[test]
    fn what_no_request_can_match_is_refused() {
        for bad in [
            "x", "/{a}{b}", "/{", "/a}", "/{}", "/*/a", "/a?b", "/a#b", "/{a}/{a}", "/a//b", "//", "/./a", "/a/..", "/%zz", "/%ff",
            "/a\\b", "/%00", "/%2e/a", "/a/.%2E", "/..;x", "/a%2F..", "/..%3f",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse(&format!("/{}", "a".repeat(3000))).is_err());
    }
}
