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
    /// Hosts that it answers to; none: all that no other API has.
    pub hosts: Vec<String>,
    /// The definition.
    pub root: Spot<'a>,
    /// What decided the base path.
    pub place: Spot<'a>,
}

/// Reports every claim that an earlier definition made already; the problem names both.
pub(crate) fn report(claims: &[Claim<'_>], problems: &mut Problems) {
    let mut names: HashMap<&str, &Spot<'_>> = HashMap::new();
    let mut bases: HashMap<(&str, &str), &Spot<'_>> = HashMap::new();
    for Claim { name, base_path: base, hosts, root, place } in claims {
        if let Some(first) = names.get(name.as_str()) {
            let problem = root.error("api.duplicate", format!("the API `{name}` is defined twice"));
            problems.push(problem.hint(also(first)));
        } else {
            names.insert(name, root);
        }
        for host in hosts.iter().map(String::as_str).chain(hosts.is_empty().then_some("")) {
            let Some(first) = bases.insert((host, base), place) else { continue };
            let of_host = if host.is_empty() { String::new() } else { format!(" of host `{host}`") };
            let problem = place.error("base_path.collision", format!("the base path `{base}`{of_host} is taken already"));
            problems.push(problem.hint(also(first)));
        }
    }
}

fn also(first: &Spot<'_>) -> String {
    format!("the other is in {} on line {}", first.node.document().name(), first.node.line())
}
