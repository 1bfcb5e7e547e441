//! Parameters of the query that the service sets and takes away. What it does not name goes on byte for byte.

use std::fmt::Write;

/// The query afterwards; `None` when nothing is left.
pub(crate) fn changed(query: Option<&str>, removed: &[String], set: &[(String, String)]) -> Option<String> {
    let goes = |name: &[u8]| removed.iter().chain(set.iter().map(|(key, _)| key)).any(|known| known.as_bytes() == name);
    let kept =
        query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !goes(&decoded(pair.split('=').next().unwrap_or_default())));
    let mut pairs: Vec<String> = kept.map(str::to_owned).collect();
    pairs.extend(set.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))));
    (!pairs.is_empty()).then(|| pairs.join("&"))
}

/// As an upstream reads a name.
fn decoded(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut bytes = name.as_bytes().iter();
    while let Some(&byte) = bytes.next() {
        let digits = bytes.as_slice().get(..2).filter(|_| byte == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) => {
                out.push(escaped);
                bytes.nth(1);
            }
            None => out.push(if byte == b'+' { b' ' } else { byte }),
        }
    }
    out
}

fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_parameters_go_in_any_spelling_and_others_stay_as_they_are() {
        let set = [("x y".to_owned(), "1&2".to_owned())];
        let removed = ["a".to_owned()];
        for (query, after) in [
            (None, Some("x%20y=1%262")),
            (Some("b=%7e&a=1&%61=2&a&c"), Some("b=%7e&c&x%20y=1%262")),
            (Some("x+y=0&x%20y=0"), Some("x%20y=1%262")),
        ] {
            assert_eq!(changed(query, &removed, &set).as_deref(), after, "{query:?}");
        }
        assert_eq!(changed(Some("a=1"), &removed, &[]), None);
        assert_eq!(changed(Some("%zz=1&%"), &removed, &[]).as_deref(), Some("%zz=1&%"));
    }
}
