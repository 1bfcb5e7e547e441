//! What may be shown of a URL.

/// A text that is meant to be a URL, without user information, query and fragment. Where an `@` leaves open what is user information, only
/// the scheme is shown.
pub fn redacted(text: &str) -> String {
    const HIDDEN: &str = "***";
    let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| !scheme.contains(['@', '/', '?', '#'])) else {
        return if text.contains('@') { HIDDEN.to_owned() } else { without_query(text).to_owned() };
    };
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    match authority.rfind('@') {
        Some(at) if !rest[authority.len()..].contains('@') => format!("{scheme}://{HIDDEN}{}", without_query(&rest[at..])),
        None if !rest.contains('@') => format!("{scheme}://{}", without_query(rest)),
        _ => format!("{scheme}://{HIDDEN}"),
    }
}

fn without_query(text: &str) -> &str {
    &text[..text.find(['?', '#']).unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::redacted;

    #[test]
    fn neither_user_information_nor_query_nor_fragment_is_shown() {
        for (text, shown) in [
            ("https://a.example:1/b?key=secret", "https://a.example:1/b"),
            ("https://a.example/b#secret", "https://a.example/b"),
            ("https://u:secret@a.example/b?c=secret", "https://***@a.example/b"),
            ("https://secret@a.example", "https://***@a.example"),
            ("https://u:secret?secret@a.example/b", "https://***"),
            ("https://u:secret/secret@a.example/b", "https://***"),
            ("https://u:secret#secret@a.example/b", "https://***"),
            ("https://u@secret/secret@a.example", "https://***"),
            ("https://u:secret@secret@a.example", "https://***@a.example"),
            ("u:secret@a.example", "***"),
            ("secret@x://a.example", "***"),
            ("a?b=secret://c", "a"),
            ("a.example/b?c=secret", "a.example/b"),
            ("", ""),
        ] {
            assert_eq!(redacted(text), shown, "{text}");
        }
    }
}
