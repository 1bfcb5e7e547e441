//! JSON Pointer (RFC 6901): escaping, joining, splitting.

use std::borrow::Cow;

/// A member name as it stands in a pointer: `~` becomes `~0`, `/` becomes `~1`.
pub fn escape(token: &str) -> Cow<'_, str> {
    if token.contains(['~', '/']) { Cow::Owned(token.replace('~', "~0").replace('/', "~1")) } else { Cow::Borrowed(token) }
}

/// The member name behind one reference token. `None` when a `~` is not followed by `0` or `1`.
pub fn unescape(token: &str) -> Option<Cow<'_, str>> {
    if !token.contains('~') {
        return Some(Cow::Borrowed(token));
    }
    let mut name = String::with_capacity(token.len());
    let mut rest = token;
    while let Some((before, after)) = rest.split_once('~') {
        name.push_str(before);
        name.push(match after.as_bytes().first()? {
            b'0' => '~',
            b'1' => '/',
            _ => return None,
        });
        rest = &after[1..];
    }
    name.push_str(rest);
    Some(Cow::Owned(name))
}

/// `base` with one more member name or index, escaped.
pub fn join(base: &str, token: &str) -> String {
    let token = escape(token);
    let mut pointer = String::with_capacity(base.len() + 1 + token.len());
    pointer.push_str(base);
    pointer.push('/');
    pointer.push_str(&token);
    pointer
}

/// The reference tokens of a pointer, still escaped. `None` when it is neither empty nor begins with `/`.
pub fn tokens(pointer: &str) -> Option<impl Iterator<Item = &str>> {
    let (skip, rest) = match pointer.strip_prefix('/') {
        Some(rest) => (0, rest),
        None if pointer.is_empty() => (1, ""),
        None => return None,
    };
    Some(rest.split('/').skip(skip))
}

/// An array index as a pointer writes it: decimal, without leading zeros.
pub fn index(token: &str) -> Option<usize> {
    let canonical = token == "0" || !token.starts_with(['0', '+']);
    canonical.then(|| token.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_and_a_tilde_survive_the_round_trip() {
        let escaped = escape("/pets/~x");
        assert_eq!(escaped, "~1pets~1~0x");
        assert_eq!(unescape(&escaped).as_deref(), Some("/pets/~x"));
    }

    #[test]
    fn an_unknown_escape_is_no_name() {
        assert_eq!(unescape("a~2"), None);
        assert_eq!(unescape("a~"), None);
    }

    #[test]
    fn the_empty_pointer_has_no_tokens() {
        assert_eq!(tokens("").map(Iterator::count), Some(0));
        assert_eq!(tokens("/").map(Iterator::count), Some(1));
        assert!(tokens("a").is_none());
    }

    #[test]
    fn an_index_has_one_spelling() {
        assert_eq!(index("10"), Some(10));
        assert_eq!(index("010"), None);
        assert_eq!(index("+1"), None);
    }
}
