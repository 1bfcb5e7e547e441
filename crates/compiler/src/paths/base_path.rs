//! The base path of an API: its normal form, and where it comes from.

use tollgate_document::Shape;
use tollgate_filter_api::Problems;

use crate::input::spot::Spot;
use crate::model::Definition;
use crate::paths::url;
use crate::structure::Version;

/// Longer base paths are none that a person wrote.
const MAX_LEN: usize = 512;

/// Base path of a definition, and the node that decided. An unusable one is reported and gives `None`.
pub(crate) fn derive<'a>(definition: &Definition<'a>, problems: &mut Problems) -> Option<(String, Spot<'a>)> {
    if let Some(spot) = definition.root.get("x-wso2-basePath") {
        let Some(text) = spot.node.as_str() else {
            problems.push(spot.error("base_path.form", "`x-wso2-basePath` must be a string"));
            return None;
        };
        if text.len() > MAX_LEN || definition.version_text.len() > MAX_LEN {
            problems.push(spot.error("base_path.form", format!("the base path or the version is longer than {MAX_LEN} bytes")));
            return None;
        }
        let text = text.replace("{version}", &definition.version_text);
        let text = text.strip_suffix("/*").unwrap_or(&text);
        return normal_form(text, &spot, problems).map(|path| (path, spot));
    }
    let (path, spot) = match definition.version {
        Version::V20 => {
            let spot = definition.root.get("basePath");
            (spot.as_ref().and_then(|s| s.node.text()), spot)
        }
        _ => {
            let first = definition.servers.first();
            let alone = definition.servers.len() == 1;
            let first = first.filter(|server| !(alone && server.url == "/"));
            (first.map(|s| url::path(&s.url).to_owned()), first.map(|s| s.spot.clone()))
        }
    };
    match (path, spot) {
        (Some(path), Some(spot)) => normal_form(&path, &spot, problems).map(|path| (path, spot)),
        _ => {
            if definition.root.get("paths").is_some_and(|paths| paths.is(Shape::Object) && !paths.node.is_empty()) {
                let message = "no base path can be derived; the API is served at `/`";
                let problem = definition.root.warning("base_path.default", message);
                problems.push(problem.hint("add `x-wso2-basePath: /name/{version}`"));
            }
            Some(("/".to_owned(), definition.root.clone()))
        }
    }
}

fn normal_form(path: &str, spot: &Spot<'_>, problems: &mut Problems) -> Option<String> {
    match normalize(path) {
        Ok(path) => Some(path),
        Err(reason) => {
            let message = format!("the base path `{}` {reason}", crate::input::sources::short(path));
            problems.push(spot.error("base_path.form", message).hint("a base path reads `/name/v1`"));
            None
        }
    }
}

fn normalize(path: &str) -> Result<String, &'static str> {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return if path.len() > 1 { Err("has empty segments") } else { Ok("/".to_owned()) };
    }
    let body = trimmed.strip_prefix('/').unwrap_or(trimmed);
    for segment in body.split('/') {
        match segment {
            "" => return Err("has empty segments"),
            "." | ".." => return Err("has dot segments"),
            _ if !segment.bytes().all(is_literal) => {
                return Err("has characters other than letters, digits and `-._~!$&'()*+,;=:@`");
            }
            _ => {}
        }
    }
    Ok(format!("/{body}"))
}

/// Unreserved characters, sub-delimiters, and the two that RFC 3986 adds for a path segment.
fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_has_one_form() {
        for (written, expected) in [("", "/"), ("/", "/"), ("/v1", "/v1"), ("v1/", "/v1"), ("/a/b@1.0,c/", "/a/b@1.0,c")] {
            assert_eq!(normalize(written).as_deref(), Ok(expected), "{written}");
        }
        for bad in ["//", "/a//b", "/a/../b", "/a/%62", "/a b", "/{x}"] {
            assert!(normalize(bad).is_err(), "{bad}");
        }
    }
}
