//! Whether a document has the form that its version of OpenAPI prescribes.
//!
//! The specification is a table ([`openapi`], [`swagger`], [`schema`]): which members each object has, in which
//! versions, of what kind. [`rules`] holds what a table cannot say. It protects the rest of the compiler from
//! documents that only look like OpenAPI, and their authors from slips that would silently change what is served. It
//! does not judge meaning (templates, endpoints, security): that is done where they are read.
//!
//! A definition with `x-wso2-*` at its root was written for the reference product, which judged less: what that
//! product let pass and what changes nothing here is a warning then.

mod judge;
mod openapi;
mod parts;
pub(crate) mod rules;
mod schema;
mod shape;
mod swagger;
pub(crate) mod text;

use tollgate_document::Shape as Kind;
use tollgate_filter_api::{Problem, Problems, Severity};

use crate::input::sources::Sources;
use crate::input::spot::Spot;
use judge::{Judge, MAX_PROBLEMS};
use shape::{Shape, V20, V30, V31, V32, Versions};

/// Objects whose extensions are read.
static READ: [&Shape; 6] =
    [&openapi::DOCUMENT, &openapi::PATH_ITEM, &openapi::OPERATION, &swagger::DOCUMENT, &swagger::PATH_ITEM, &swagger::OPERATION];

/// Whether what stands in such an object says who may call what.
fn is_read(shape: &'static Shape) -> bool {
    READ.iter().any(|read| std::ptr::eq(*read, shape))
}

/// Which form of OpenAPI a document has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// 2.0, called Swagger.
    V20,
    V30,
    V31,
    V32,
}

/// Judges a definition. `None` when it is not one at all, so that nothing more can be said.
pub(crate) fn judge(sources: &Sources, file: usize, problems: &mut Problems) -> Option<Version> {
    let root = sources.root(file);
    if root.is(Kind::Null) {
        let problem = root.warning("document.empty", "the file is empty: it defines no API");
        problems.push(problem);
        return None;
    }
    let version = match version(&root) {
        Ok(version) => version,
        Err(_) if let Some(part) = parts::part(sources, &root) => {
            problems.0.extend(part);
            return None;
        }
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let (bits, shape): (Versions, _) = match version {
        Version::V20 => (V20, &swagger::DOCUMENT),
        Version::V30 => (V30, &openapi::DOCUMENT),
        Version::V31 => (V31, &openapi::DOCUMENT),
        Version::V32 => (V32, &openapi::DOCUMENT),
    };
    let mut found = Judge::new(sources, bits, is_for_reference(&root)).run(root.clone(), shape);
    let cut = found.iter().filter(|problem| problem.severity == Severity::Error).count() >= MAX_PROBLEMS;
    parts::forgive_unused(sources, &root, &mut found);
    if cut {
        found.push(root.error("structure.too_many", format!("there are {MAX_PROBLEMS} errors; what follows them was not judged")));
    }
    problems.0.extend(found);
    Some(version)
}

/// Whether the definition was written for the reference product.
pub(crate) fn is_for_reference(root: &Spot<'_>) -> bool {
    root.node.entries().any(|(key, _)| key.starts_with("x-wso2-"))
}

/// Whether the reference product served a definition with this problem, and no part of ours depends on it.
fn forgivable(problem: &Problem) -> bool {
    let essential = problem.pointer.is_empty() || problem.pointer == "/info";
    match problem.code {
        "structure.missing" => !essential,
        "structure.unknown_key" | "operation.duplicate_id" | "tag.duplicate" => true,
        _ => false,
    }
}

fn version(root: &Spot<'_>) -> Result<Version, Problem> {
    if !root.is(Kind::Object) {
        let message = format!("expected an OpenAPI document, found {}", root.node.shape().name());
        return Err(root.error("document.kind", message));
    }
    if let Some(swagger) = root.get("swagger") {
        return match swagger.node.text().as_deref() {
            Some("2.0") => Ok(Version::V20),
            _ => Err(unsupported(&swagger)),
        };
    }
    let Some(openapi) = root.get("openapi") else {
        let message = "neither `openapi` nor `swagger` is there: this is no OpenAPI document";
        return Err(root.error("document.kind", message).hint("the first line reads `openapi: 3.1.0`"));
    };
    let Some(text) = openapi.node.as_str() else { return Err(unsupported(&openapi)) };
    let known = [("3.0.", Version::V30), ("3.1.", Version::V31), ("3.2.", Version::V32)];
    let found = known.iter().find_map(|(prefix, version)| Some((text.strip_prefix(prefix)?, *version)));
    let (patch, version) = found.ok_or_else(|| unsupported(&openapi))?;
    let digits = patch.bytes().take_while(u8::is_ascii_digit).count();
    let suffix = &patch[digits..];
    if digits == 0 || !(suffix.is_empty() || (suffix.starts_with('-') && suffix.len() > 1)) {
        return Err(unsupported(&openapi));
    }
    Ok(version)
}

fn unsupported(spot: &Spot<'_>) -> Problem {
    let found = spot.node.text().unwrap_or_default();
    let message = format!("`{}` is not a version of OpenAPI that is understood", crate::input::sources::short(&found));
    spot.error("document.version", message).hint("understood are \"2.0\", 3.0.x, 3.1.x and 3.2.x, as a string")
}
