//! Names that elements and attributes can have.

/// Whether it is a name without a colon (Namespaces in XML 1.0 §4, `NCName`).
pub(crate) fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(begins) && chars.all(|c| begins(c) || continues(c))
}

fn begins(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | '_' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}' | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}'
        | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}'
        | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
}

fn continues(c: char) -> bool {
    matches!(c, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}

/// Whether a namespace can be declared: the two that XML itself has are bound to their prefixes.
pub(crate) fn is_namespace(uri: &str) -> bool {
    let reserved = ["http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/"];
    !uri.is_empty() && !reserved.contains(&uri)
}

/// Whether a prefix can be declared.
pub(crate) fn is_prefix(prefix: &str) -> bool {
    is_name(prefix) && !prefix.get(..3).is_some_and(|begin| begin.eq_ignore_ascii_case("xml"))
}
