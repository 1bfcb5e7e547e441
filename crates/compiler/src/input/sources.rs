//! The documents of a project: what was listed, and what those refer to.
//!
//! References are followed to local files only. A URL is never fetched: a build must not depend on the network, nor
//! tell another server what is being built.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_document::{Document, Limits, Node, Shape, pointer};
use tollgate_filter_api::{Problem, Problems, percent_decoded};

use crate::input::files::{Files, reason};
use crate::input::spot::Spot;

/// References may pull in this many files; more is a mistake or an attack.
const MAX_FILES: usize = 2000;

/// References that lead to references; nobody writes more.
const MAX_HOPS: usize = 64;

/// One file that was read.
#[derive(Debug)]
pub(crate) struct SourceFile {
    pub bytes: Vec<u8>,
    pub document: Document,
}

/// All files that were read, sorted by name.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    files: Vec<SourceFile>,
    unreadable: BTreeMap<String, String>,
    referred: BTreeSet<String>,
    confined: bool,
}

/// What a reference leads to when it leads nowhere.
#[derive(Debug)]
pub(crate) struct Dangling {
    pub code: &'static str,
    pub message: String,
    pub hint: String,
}

impl Sources {
    /// Reads the named files and everything they refer to.
    pub(crate) fn load(files: &dyn Files, names: &[String], limits: &Limits, problems: &mut Problems) -> Self {
        let mut queue: Vec<String> = names.iter().rev().cloned().collect();
        let mut loaded: BTreeMap<String, Option<SourceFile>> = BTreeMap::new();
        let mut sources = Self { confined: files.confined(), ..Self::default() };
        while let Some(name) = queue.pop() {
            if loaded.contains_key(&name) || sources.unreadable.contains_key(&name) {
                continue;
            }
            if loaded.len() >= MAX_FILES {
                problems.push(Problem::error("ref.too_many", format!("more than {MAX_FILES} files are referred to")));
                break;
            }
            let bytes = match files.read(&name, limits.bytes).map_err(|error| reason(&error)) {
                Ok(bytes) => bytes,
                Err(reason) if names.contains(&name) => {
                    problems.push(Problem::error("file.unreadable", reason.clone()).at(&name, 0, ""));
                    sources.unreadable.insert(name, reason);
                    continue;
                }
                Err(reason) => {
                    sources.unreadable.insert(name, reason);
                    continue;
                }
            };
            let document = match Document::parse(&name, &bytes, limits) {
                Ok(document) => document,
                Err(found) => {
                    problems.0.extend(found.0);
                    loaded.insert(name, None);
                    continue;
                }
            };
            let before = queue.len();
            referenced_files(document.root(), &name, sources.confined, &mut queue);
            sources.referred.extend(queue[before..].iter().filter(|other| **other != name).cloned());
            loaded.insert(name, Some(SourceFile { bytes, document }));
        }
        sources.files = loaded.into_values().flatten().collect();
        sources
    }

    /// Adds a file whose name is not there yet.
    pub(crate) fn insert(&mut self, file: SourceFile) {
        let at = self.files.partition_point(|known| known.document.name() < file.document.name());
        self.files.insert(at, file);
    }

    pub(crate) fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The bytes of every file, in order.
    pub(crate) fn into_texts(self) -> Vec<Vec<u8>> {
        self.files.into_iter().map(|f| f.bytes).collect()
    }

    pub(crate) fn index(&self, name: &str) -> Option<usize> {
        self.files.binary_search_by(|f| f.document.name().cmp(name)).ok()
    }

    /// Whether another file refers to this one.
    pub(crate) fn is_referred_to(&self, file: usize) -> bool {
        self.referred.contains(self.files[file].document.name())
    }

    pub(crate) fn root(&self, file: usize) -> Spot<'_> {
        Spot { file, node: self.files[file].document.root(), pointer: String::new() }
    }

    /// Where `reference`, written in the file `from`, leads.
    pub(crate) fn resolve(&self, from: usize, reference: &str) -> Result<Spot<'_>, Dangling> {
        let (file, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let file = self.target_file(from, file, reference)?;
        let pointer = percent_decode(fragment).filter(|p| p.is_empty() || p.starts_with('/')).ok_or_else(|| {
            dangling(
                "ref.syntax",
                format!("`{}` is not a JSON Pointer", short(fragment)),
                "a reference reads `file.yaml#/components/schemas/Name`",
            )
        })?;
        let document = &self.files[file].document;
        match document.at(&pointer) {
            Some(node) => Ok(Spot { file, node, pointer }),
            None => Err(unknown(document, &pointer)),
        }
    }

    /// Follows references from `spot` until something that is not one.
    pub(crate) fn follow<'a>(&'a self, mut spot: Spot<'a>) -> Result<Spot<'a>, Dangling> {
        let mut hops = 0;
        while let Some(reference) = spot.node.get("$ref").and_then(|r| r.as_str()) {
            hops += 1;
            if hops > MAX_HOPS {
                let message = format!("following `{}` never ends", short(reference));
                return Err(dangling("ref.cycle", message, "one of the references must lead to the thing itself"));
            }
            spot = self.resolve(spot.file, reference)?;
        }
        Ok(spot)
    }

    fn target_file(&self, from: usize, file: &str, reference: &str) -> Result<usize, Dangling> {
        if file.is_empty() {
            return Ok(from);
        }
        let base = self.files[from].document.name();
        let name = match locate(base, file, self.confined) {
            Ok(name) => name,
            Err(Unreachable::Url) => {
                let message = format!("`{}` refers to another server", short(reference));
                return Err(dangling("ref.url", message, "bring the file into the project and refer to it there"));
            }
            Err(Unreachable::Outside) => {
                let message = format!("`{}` leads out of the project folder", short(reference));
                return Err(dangling("ref.outside", message, "bring the file into the project and refer to it there"));
            }
        };
        self.index(&name).ok_or_else(|| {
            let reason = self.unreadable.get(&name).map_or("it could not be parsed", String::as_str);
            dangling("ref.unknown_file", format!("the file `{name}` cannot be read: {reason}"), "")
        })
    }
}

fn dangling(code: &'static str, message: String, hint: &str) -> Dangling {
    Dangling { code, message, hint: hint.to_owned() }
}

fn unknown(document: &Document, target: &str) -> Dangling {
    let message = format!("nothing stands at `{}` in {}", short(target), document.name());
    let (parent, last) = target.rsplit_once('/').unwrap_or(("", target));
    let wanted = pointer::unescape(last).unwrap_or_default();
    let near = document
        .at(parent)
        .filter(|node| node.len() <= 1000)
        .and_then(|node| tollgate_document::nearest(&wanted, node.entries().map(|(key, _)| key)));
    let hint = near.map_or(String::new(), |near| format!("did you mean `{}`?", pointer::join(parent, near)));
    Dangling { code: "ref.unknown", message, hint }
}

pub(crate) fn short(text: &str) -> String {
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

enum Unreachable {
    Url,
    Outside,
}

/// The name of the file that `reference` means when it is written in `base`.
fn locate(base: &str, reference: &str, confined: bool) -> Result<String, Unreachable> {
    let scheme = reference.split(['/', '?']).next().is_some_and(|first| first.contains(':'));
    if scheme || reference.starts_with("//") {
        return Err(Unreachable::Url);
    }
    let reference = reference.split('?').next().unwrap_or_default();
    let reference = percent_decode(reference).ok_or(Unreachable::Url)?;
    if reference.starts_with('/') {
        return if confined { Err(Unreachable::Outside) } else { Ok(reference) };
    }
    let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    for part in reference.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(last) if *last != ".." => {
                    parts.pop();
                }
                _ if confined => return Err(Unreachable::Outside),
                _ => parts.push(".."),
            },
            part => parts.push(part),
        }
    }
    let root = if folder.starts_with('/') { "/" } else { "" };
    Ok(format!("{root}{}", parts.join("/")))
}

fn percent_decode(text: &str) -> Option<String> {
    String::from_utf8(percent_decoded(text)?).ok()
}

/// Members that hold data, in which a `$ref` is no reference.
const DATA: [&str; 6] = ["example", "examples", "default", "enum", "const", "value"];

fn referenced_files(node: Node<'_>, base: &str, confined: bool, queue: &mut Vec<String>) {
    if node.shape() == Shape::Array {
        for item in node.items() {
            referenced_files(item, base, confined, queue);
        }
        return;
    }
    for (key, value) in node.entries() {
        match value.as_str() {
            Some(reference) if key == "$ref" && !reference.starts_with('#') => {
                let file = reference.split('#').next().unwrap_or_default();
                if let Ok(name) = locate(base, file, confined) {
                    queue.push(name);
                }
            }
            None if !DATA.contains(&key) => referenced_files(value, base, confined, queue),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(base: &str, reference: &str, confined: bool) -> Option<String> {
        locate(base, reference, confined).ok()
    }

    #[test]
    fn a_reference_is_relative_to_its_own_file() {
        assert_eq!(located("api/a.yaml", "b.yaml", true).as_deref(), Some("api/b.yaml"));
        assert_eq!(located("api/a.yaml", "../b%20c.yaml", true).as_deref(), Some("b c.yaml"));
        assert_eq!(located("/x/a.yaml", "./y/../b.yaml", false).as_deref(), Some("/x/b.yaml"));
    }

    #[test]
    fn a_project_cannot_be_left() {
        assert_eq!(located("api/a.yaml", "../../b.yaml", true), None);
        assert_eq!(located("api/a.yaml", "/etc/passwd", true), None);
        assert_eq!(located("a.yaml", "%2e%2e/b.yaml", true), None);
        assert_eq!(located("a.yaml", "../b.yaml", false).as_deref(), Some("../b.yaml"));
    }

    #[test]
    fn a_url_is_never_a_file() {
        assert_eq!(located("a.yaml", "http://h/b.yaml", false), None);
        assert_eq!(located("a.yaml", "//h/b.yaml", false), None);
        assert_eq!(located("a.yaml", "file:///etc/passwd", false), None);
    }
}
