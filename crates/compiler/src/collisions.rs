//! Names and base paths that two definitions of a project claim.

use std::collections::HashMap;

use tollgate_filter_api::Problems;

use crate::input::spot::Spot;

/// What a definition wants for itself.
pub(crate) struct Claim<'a> {
    /// `title:version`.
    pub name: String,
    /// In normal form.
    pub base_path: String,
    /// The definition.
    pub root: Spot<'a>,
    /// What decided the base path.
    pub place: Spot<'a>,
}

/// Reports every claim that an earlier definition made already; the problem names both.
pub(crate) fn report(claims: &[Claim<'_>], problems: &mut Problems) {
    let mut names: HashMap<&str, &Spot<'_>> = HashMap::new();
    let mut bases: HashMap<&str, &Spot<'_>> = HashMap::new();
    for Claim { name, base_path: base, root, place } in claims {
        if let Some(first) = names.get(name.as_str()) {
            let problem = root.error("api.duplicate", format!("the API `{name}` is defined twice"));
            problems.push(problem.hint(also(first)));
        } else {
            names.insert(name, root);
        }
        if let Some(first) = bases.get(base.as_str()) {
            let problem = place.error("base_path.collision", format!("the base path `{base}` is taken already"));
            problems.push(problem.hint(also(first)));
        } else {
            bases.insert(base, place);
        }
    }
}

fn also(first: &Spot<'_>) -> String {
    format!("the other is in {} on line {}", first.node.document().name(), first.node.line())
}
