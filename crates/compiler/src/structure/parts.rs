//! Files and components that no operation is served from, judged as what they are.
//!
//! Large definitions are split: path items and schemas lie in files of their own beside the definition, which refers to them.
//! Such a file is not a definition that lacks its first line. And what nobody refers to cannot change what is served, so
//! that a reference that leads nowhere in it is worth a warning only.

use std::collections::BTreeSet;

use tollgate_document::{Node, Shape, pointer};
use tollgate_filter_api::{Problem, Severity};

use crate::input::sources::Sources;
use crate::input::spot::Spot;

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
/// What a path item may have besides methods.
const BESIDES: [&str; 5] = ["$ref", "summary", "description", "servers", "parameters"];

/// What a file without a version is good for, when it is part of a definition. `None`: it is nothing that is known.
pub(super) fn part(sources: &Sources, root: &Spot<'_>) -> Option<Option<Problem>> {
    if !root.is(Shape::Object) || ["openapi", "swagger", "info", "paths"].iter().any(|key| root.get(key).is_some()) {
        return None;
    }
    if sources.is_referred_to(root.file) {
        return Some(None);
    }
    let is_method = |key: &str| METHODS.contains(&key);
    let path_item = root.node.entries().any(|(key, value)| is_method(key) && value.shape() == Shape::Object)
        && root.node.entries().all(|(key, _)| is_method(key) || BESIDES.contains(&key) || key.starts_with("x-"));
    path_item.then(|| {
        let problem = root.warning("document.part", "a path item, not a definition: nothing is served from it by itself");
        Some(problem.hint("refer to it by `$ref` below `paths` of a definition"))
    })
}

/// Turns references that lead nowhere into warnings where they stand in a component that nothing served leads to.
pub(super) fn forgive_unused(sources: &Sources, root: &Spot<'_>, problems: &mut [Problem]) {
    let name = root.node.document().name();
    let lost = |problem: &Problem| problem.code.starts_with("ref.") && problem.file == name && component(&problem.pointer).is_some();
    if !problems.iter().any(lost) {
        return;
    }
    let used = used(sources, root);
    for problem in problems.iter_mut().filter(|problem| lost(problem)) {
        if component(&problem.pointer).is_some_and(|component| !used.contains(component)) {
            problem.severity = Severity::Warning;
            problem.message.push_str("; nothing that is served uses it");
        }
    }
}

/// The component that a pointer is in, when components of its kind are used by reference only.
fn component(place: &str) -> Option<&str> {
    let kinds = ["/components/schemas/", "/components/responses/", "/components/examples/", "/definitions/", "/responses/"];
    let kind = kinds.iter().find(|kind| place.starts_with(**kind))?;
    let end = place[kind.len()..].find('/').map_or(place.len(), |at| kind.len() + at);
    Some(&place[..end])
}

/// Components of the definition that can be reached from anything but such components.
fn used(sources: &Sources, root: &Spot<'_>) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut queue: Vec<Spot<'_>> = Vec::new();
    collect(root.clone(), true, &mut |reference, spot| queue.extend(sources.resolve(spot.file, reference)));
    while let Some(spot) = queue.pop() {
        if !seen.insert((spot.file, spot.pointer.clone())) {
            continue;
        }
        if spot.file == root.file
            && let Some(component) = component(&spot.pointer)
        {
            used.insert(component.to_owned());
        }
        let mut further = Vec::new();
        collect(spot, false, &mut |reference, spot| further.extend(sources.resolve(spot.file, reference)));
        queue.extend(further);
    }
    used
}

/// Every reference below a node; with `roots`, only what does not stand in a component.
fn collect<'a>(spot: Spot<'a>, roots: bool, each: &mut impl FnMut(&str, &Spot<'a>)) {
    if roots && component(&spot.pointer).is_some() {
        return;
    }
    let member = |key: &str, node: Node<'a>| Spot { file: spot.file, node, pointer: pointer::join(&spot.pointer, key) };
    for (index, item) in spot.node.items().enumerate() {
        collect(member(&index.to_string(), item), roots, each);
    }
    for (key, value) in spot.node.entries() {
        match value.as_str() {
            // A discriminator's mapping names schemas without `$ref`.
            Some(text) if key == "$ref" || text.contains('#') || spot.pointer.ends_with("/mapping") => each(text, &spot),
            Some(_) => {}
            None => collect(member(key, value), roots, each),
        }
    }
}
