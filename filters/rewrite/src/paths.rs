//! Beginnings of paths, by whole segments.

use tollgate_filter_api::Problem;

use crate::Prefix;

/// What stands at the beginning of a path and what takes its place, both without a slash at the end.
#[derive(Debug)]
pub(crate) struct Prefixed {
    from: Box<str>,
    to: Box<str>,
}

impl Prefixed {
    /// Judges both; `place` is the pointer to them.
    ///
    /// # Errors
    /// When one is no path.
    pub(crate) fn parse(prefix: &Prefix, place: &str) -> Result<Self, Problem> {
        Ok(Self { from: checked(&prefix.from, &format!("{place}/from"))?, to: checked(&prefix.to, &format!("{place}/to"))? })
    }

    /// Each of a list.
    ///
    /// # Errors
    /// The first that is no path.
    pub(crate) fn list(prefixes: &[Prefix], place: &str) -> Result<Vec<Self>, Problem> {
        prefixes.iter().enumerate().map(|(at, prefix)| Self::parse(prefix, &format!("{place}/{at}"))).collect()
    }

    /// The path with its new beginning; `None` when it does not begin so. The path may have a query and the like behind it.
    pub(crate) fn apply(&self, path: &str) -> Option<String> {
        let rest = path.strip_prefix(&*self.from)?;
        let is_whole = rest.is_empty() || rest.starts_with(['/', '?', '#']);
        let slash = if self.to.is_empty() && !rest.starts_with('/') { "/" } else { "" };
        is_whole.then(|| format!("{}{slash}{rest}", self.to))
    }
}

/// What the first that matches makes of a path.
pub(crate) fn first(prefixes: &[Prefixed], path: &str) -> Option<String> {
    prefixes.iter().find_map(|prefix| prefix.apply(path))
}

/// A path without its last slash.
pub(crate) fn checked(path: &str, place: &str) -> Result<Box<str>, Problem> {
    if !path.starts_with('/') || !path.bytes().all(is_of_path) || path.contains("//") {
        return Err(Problem::setting(place, format!("{path:?} is no path"))
            .hint("write it with a slash at the beginning, and percent-encoded as it goes over the wire: `/a%20b`"));
    }
    Ok(path.strip_suffix('/').unwrap_or(path).into())
}

/// Characters of a path and of escapes (RFC 3986 §3.3).
pub(crate) fn is_of_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_segments_are_replaced() {
        let apply = |from: &str, to: &str, path: &str| {
            Prefixed::parse(&Prefix { from: from.into(), to: to.into() }, "").expect("they are paths").apply(path)
        };
        for (from, to, path, becomes) in [
            ("/a", "/b", "/a", Some("/b")),
            ("/a", "/b", "/a/", Some("/b/")),
            ("/a/", "/b/", "/a/c", Some("/b/c")),
            ("/a", "/b", "/a?x", Some("/b?x")),
            ("/a", "/b", "/ab", None),
            ("/a", "/b", "/", None),
            ("/a", "/", "/a", Some("/")),
            ("/a", "/", "/a?x", Some("/?x")),
            ("/a", "/", "/a/c", Some("/c")),
            ("/", "/b", "/", Some("/b/")),
            ("/", "/b", "/c", Some("/b/c")),
            ("/a/b", "/c", "/a/b/d", Some("/c/d")),
        ] {
            assert_eq!(apply(from, to, path).as_deref(), becomes, "{from} {to} {path}");
        }
        for wrong in ["", "a", "/a b", "/a?b", "/{a}", "//a", "/a//b", "/ä"] {
            assert!(checked(wrong, "").is_err(), "{wrong}");
        }
    }
}
