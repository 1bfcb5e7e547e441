//! Media types and ranges of them (RFC 9110 §8.3.1, §12.5.1).
//!
//! Names are compared without regard to case and as a whole: `application/json` is not `application/problem+json`. Of parameters
//! `charset` is compared without regard to case, every other exactly.

/// A media type, or a range of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediaType {
    kind: String,
    subtype: String,
    parameters: Vec<(String, String)>,
}

/// One element of `Accept`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    media: MediaType,
    /// Thousandths; 0 says that it is not wanted.
    weight: u16,
}

impl MediaType {
    /// Reads one; `None` for anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (names, rest) = text.split_once(';').unwrap_or((text, ""));
        let (kind, subtype) = names.trim_matches([' ', '\t']).split_once('/')?;
        let legal = is_token(kind) && is_token(subtype) && (kind != "*" || subtype == "*");
        let parameters = parameters(rest)?;
        legal.then(|| Self { kind: kind.to_ascii_lowercase(), subtype: subtype.to_ascii_lowercase(), parameters })
    }

    /// Whether it stands for more than one.
    pub(crate) fn is_range(&self) -> bool {
        self.subtype == "*"
    }

    /// Whether something of another type is of this one. What this one says in a parameter must be said there as well; `utf-8` need
    /// not be, as texts without a `charset` are read so.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        let said = |(name, value): &(String, String)| match other.parameter(name) {
            Some(other) => other == value,
            None => name == "charset" && value == "utf-8",
        };
        self.names(other) && self.parameters.iter().all(said)
    }

    fn names(&self, other: &Self) -> bool {
        self.kind == "*" || (self.kind == other.kind && (self.is_range() || self.subtype == other.subtype))
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let mut media = MediaType::parse(text)?;
        let Some(at) = media.parameters.iter().position(|(name, _)| name == "q") else { return Some(Self { media, weight: 1000 }) };
        let weight = weight(&media.parameters[at].1)?;
        // What follows the weight is of a grammar that was given up, and says nothing of the media type.
        media.parameters.truncate(at);
        Some(Self { media, weight })
    }

    /// Whether it says something of answers of that type. A parameter that is not declared may be in the answer: it may be wanted
    /// for it, and does not exclude the others.
    fn speaks_of(&self, declared: &MediaType) -> bool {
        let fits = |(name, value): &(String, String)| declared.parameter(name).map_or(self.weight > 0, |declared| declared == value);
        self.media.names(declared) && self.media.parameters.iter().all(fits)
    }

    /// The more precise one decides.
    fn precision(&self) -> (bool, bool, usize) {
        (self.media.kind != "*", !self.media.is_range(), self.media.parameters.len())
    }
}

/// The elements of a value of `Accept` that can be read, and whether there was an element at all.
pub(crate) fn ranges(value: &str) -> (Vec<Range>, bool) {
    let mut elements = elements(value).into_iter().filter(|element| !element.trim_matches([' ', '\t']).is_empty()).peekable();
    let any = elements.peek().is_some();
    (elements.filter_map(Range::parse).collect(), any)
}

/// Whether one of these ranges accepts an answer of the declared type; of a declared range, some answer of it.
pub(crate) fn accepts(ranges: &[Range], declared: &MediaType) -> bool {
    if declared.is_range() {
        return ranges.iter().any(|range| range.weight > 0 && (range.media.names(declared) || declared.names(&range.media)));
    }
    let about = ranges.iter().filter(|range| range.speaks_of(declared));
    about.max_by_key(|range| (range.precision(), range.weight)).is_some_and(|range| range.weight > 0)
}

/// A list's elements: split at commas that are not quoted.
fn elements(list: &str) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    let split = |c: char| {
        let is_escaped = std::mem::replace(&mut escaped, false);
        match c {
            '\\' if quoted && !is_escaped => escaped = true,
            '"' if !is_escaped => quoted = !quoted,
            ',' if !quoted => return true,
            _ => {}
        }
        false
    };
    list.split(split).collect()
}

/// What follows the names: `;name=value`, each name once.
fn parameters(mut rest: &str) -> Option<Vec<(String, String)>> {
    let mut found: Vec<(String, String)> = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        if rest.is_empty() {
            return Some(found);
        }
        let (name, after) = rest.split_once('=')?;
        let name = name.to_ascii_lowercase();
        let (value, after) = value(after)?;
        rest = after.trim_start_matches([' ', '\t']);
        if !is_token(&name) || found.iter().any(|(known, _)| *known == name) || !(rest.is_empty() || rest.starts_with(';')) {
            return None;
        }
        let value = if name == "charset" { value.to_ascii_lowercase() } else { value };
        found.push((name, value));
    }
}

/// A token or a quoted text, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c| !is_token_char(c)).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let (mut value, mut chars) = (String::new(), quoted.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// RFC 9110 §12.4.2, in thousandths.
fn weight(text: &str) -> Option<u16> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    let part: u16 = format!("{part:0<3}").parse().ok().filter(|_| digits)?;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(1000),
        _ => None,
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_token_char)
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn media(text: &str) -> MediaType {
        MediaType::parse(text).unwrap_or_else(|| panic!("{text:?} is a media type"))
    }

    #[test]
    fn what_is_no_media_type_is_none() {
        for text in [
            "",
            "json",
            "/json",
            "application/",
            "application/json/x",
            "a b/c",
            "application/json, text/html",
            "application/json; charset",
            "application/json; charset=",
            "application/json; charset = utf-8",
            "application/json; charset=\"utf-8",
            "application/json; a=1 b=2",
            "application/json; a=1; A=2",
            "*/json",
            "application/json; =1",
            "application/json; a/b=1",
            "application/jsön",
            "application/json\0",
        ] {
            assert_eq!(MediaType::parse(text), None, "{text:?}");
        }
        assert_eq!(media(" Application/JSON ;; Charset=\"UTF\\-8\" ; "), media("application/json;charset=utf-8"));
    }

    #[test]
    fn a_declared_type_includes_what_says_the_same() {
        for (declared, sent, same) in [
            ("application/json", "APPLICATION/json; charset=utf-8", true),
            ("application/json; charset=utf-8", "application/json", true),
            ("application/json; charset=utf-8", "application/json;charset=UTF-8", true),
            ("application/json; charset=utf-8", "application/json; charset=iso-8859-1", false),
            ("application/vnd.a; version=2", "application/vnd.a", false),
            ("application/vnd.a; version=2", "application/vnd.a; version=2", true),
            ("application/vnd.a; version=2", "application/vnd.a; revision=2; version=3", false),
            ("application/vnd.a; version=utf-8", "application/vnd.a", false),
            ("application/vnd.a; charset=iso-8859-1", "application/vnd.a", false),
            ("application/vnd.a; profile=X", "application/vnd.a; profile=x", false),
            ("application/json", "application/problem+json", false),
            ("application/problem+json", "application/json", false),
            ("application/grpc", "application/grpc+proto", false),
            ("multipart/form-data", "multipart/form-data; boundary=\"a,b\"", true),
            ("image/*", "image/png", true),
            ("image/*", "text/png", false),
            ("*/*", "a/b", true),
        ] {
            assert_eq!(media(declared).includes(&media(sent)), same, "{declared} {sent}");
        }
    }

    #[test]
    fn the_most_precise_range_decides() {
        for (accept, declared, accepted) in [
            ("*/*", "application/json", true),
            ("application/*", "application/json", true),
            ("text/*", "application/json", false),
            ("application/json;q=0, */*", "application/json", false),
            ("*/*;q=0, application/json;q=0.001", "application/json", true),
            ("application/*;q=0, */*;q=0.5", "application/json", false),
            ("application/json;q=0.0, application/json", "application/json", true),
            ("application/json;version=1;q=0, application/json", "application/json", true),
            ("application/json;version=1", "application/json", true),
            ("application/json;version=1", "application/json;version=2", false),
            ("application/json;version=1;q=0, */*", "application/json;version=1", false),
            ("application/problem+json", "application/json", false),
            ("text/html;level=\"1,2\", application/json", "application/json", true),
            ("text/html;a=\"x,application/json,y\"", "application/json", false),
            ("text/html;a=\"\\\",application/json,\"", "application/json", false),
            ("text/html;a=\"\\\\\",application/json", "application/json", true),
            ("application/*, application/json;q=0", "application/json", false),
            ("application/*;q=0, application/json", "application/json", true),
            ("text/html, image/png", "image/*", true),
            ("*/*", "image/*", true),
            ("application/json;q=0;ext=1", "application/json", false),
            ("image/png", "image/*", true),
            ("image/*;q=0", "image/*", false),
            ("image/png", "*/*", true),
            ("*/*;q=0", "*/*", false),
            ("text/png", "image/*", false),
        ] {
            assert_eq!(accepts(&ranges(accept).0, &media(declared)), accepted, "{accept} for {declared}");
        }
    }

    #[test]
    fn weights_are_those_of_the_rfc() {
        let cases = [("0", Some(0)), ("1", Some(1000)), ("0.", Some(0)), ("0.5", Some(500)), ("0.125", Some(125)), ("1.000", Some(1000))];
        for (text, expected) in
            cases.into_iter().chain(["", "2", "1.001", "0.1234", ".5", "-1", "0.5x", "1e0", "+0", "0.+5", "0.1.2"].map(|text| (text, None)))
        {
            assert_eq!(weight(text), expected, "{text:?}");
        }
        assert_eq!(ranges("a/b;q=high, , c/d").0, ranges("c/d").0);
        assert_eq!((ranges("").1, ranges(" , ").1, ranges("x").1), (false, false, true));
    }
}
