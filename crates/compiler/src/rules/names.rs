//! Which members a schema declares of one way only, and which it asks for; also through references and `allOf`.

use std::collections::{BTreeSet, HashSet};

use crate::input::sources::Sources;
use crate::input::spot::Spot;

/// The names in a schema's own `required`.
pub(super) fn listed<'s, 'a>(spot: &'s Spot<'a>) -> impl Iterator<Item = &'a str> + use<'s, 'a> {
    spot.node.get("required").into_iter().flat_map(|list| list.items()).filter_map(|name| name.as_str())
}

/// Members that are marked as going the other way only.
pub(super) fn hidden(sources: &Sources, spot: &Spot<'_>, mark: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut see = |spot: &Spot<'_>| {
        for (name, member) in spot.get("properties").iter().flat_map(|members| members.entries().collect::<Vec<_>>()) {
            if is_marked(sources, &member, mark) {
                found.insert(name.to_owned());
            }
        }
    };
    each(sources, spot, &mut see);
    found
}

/// Members that a schema asks for.
pub(super) fn required(sources: &Sources, spot: &Spot<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    each(sources, spot, &mut |spot| found.extend(listed(spot).map(str::to_owned)));
    found
}

fn is_marked(sources: &Sources, member: &Spot<'_>, mark: &str) -> bool {
    let mut marked = false;
    each(sources, member, &mut |spot| marked |= spot.node.get(mark).and_then(|value| value.as_bool()) == Some(true));
    marked
}

/// The schema, what it refers to, and what all of it must be; each once, by however many ways it is reached.
fn each(sources: &Sources, spot: &Spot<'_>, see: &mut dyn FnMut(&Spot<'_>)) {
    let (mut seen, mut open) = (HashSet::new(), vec![spot.clone()]);
    while let Some(spot) = open.pop() {
        if !seen.insert((spot.file, spot.node.id())) {
            continue;
        }
        see(&spot);
        let reference = spot.node.get("$ref").and_then(|reference| reference.as_str());
        open.extend(reference.and_then(|reference| sources.resolve(spot.file, reference).ok()));
        open.extend(spot.get("allOf").iter().flat_map(|list| list.items().collect::<Vec<_>>()));
    }
}
