//! What the Plan asks for against what the catalogue can do.
//!
//! A demand that nobody enforces is an error, never skipped, unless the project waives it by name; what is waived is
//! taken out of the operations and listed in the Plan, so that nobody mistakes it for enforced. The last credential that an operation
//! asks for goes only by a list of its own: who waives one thing must not open another by it.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_filter_api::{Problem, Problems};
use tollgate_plan::{Alternative, Api, Operation, Plan, Security, Source};

/// The lists that decide.
pub(crate) struct Catalogue<'c> {
    pub enforceable: &'c [&'c str],
    pub waivers: &'c Waivers<'c>,
}

/// What may stay without anybody to enforce it.
pub(crate) struct Waivers<'c> {
    /// Where another credential is left.
    pub waive: BTreeSet<&'c str>,
    /// Also where none is left.
    pub to_open: BTreeSet<&'c str>,
    /// Puts a problem where the first list names a filter.
    pub place: &'c dyn Fn(&str, Problem) -> Problem,
}

impl Waivers<'_> {
    pub(crate) fn has(&self, filter: &str) -> bool {
        self.waive.contains(filter) || self.to_open.contains(filter)
    }
}

/// An API's and an operation's place in the Plan.
type Place = (usize, usize);

/// How often something was waived, and which operations that opened.
#[derive(Default)]
struct Waived {
    operations: usize,
    opened: Vec<Place>,
}

struct Enforcer<'c> {
    catalogue: &'c Catalogue<'c>,
    documents: Vec<String>,
    waived: BTreeMap<String, Waived>,
    problems: Vec<Problem>,
}

/// Judges every credential and demand of `plan`, and takes out what is waived. `extra` are demands that are not of an
/// operation: what is demanded, where, in which document.
pub(crate) fn enforce(plan: &mut Plan, catalogue: &Catalogue<'_>, extra: &[(&str, Source)], problems: &mut Problems) {
    let documents = plan.documents.iter().map(|d| d.path.clone()).collect();
    let mut enforcer = Enforcer { catalogue, documents, waived: BTreeMap::new(), problems: Vec::new() };
    for (filter, source) in extra {
        if !enforcer.admits(filter, source) {
            enforcer.waived.entry((*filter).to_owned()).or_default();
        }
    }
    for (index, api) in plan.apis.iter_mut().enumerate() {
        for (number, operation) in api.operations.iter_mut().enumerate() {
            enforcer.operation(operation, (index, number));
        }
    }
    let Enforcer { waived, problems: found, .. } = enforcer;
    problems.0.extend(found);
    problems.0.extend(waived.iter().map(|(filter, waived)| judged(plan, catalogue.waivers, filter, waived)));
    plan.waived = waived.into_keys().collect();
}

/// What there is to say of a filter that is waived: an error when it was the last to look, and nobody said that it may go.
fn judged(plan: &Plan, waivers: &Waivers<'_>, filter: &str, waived: &Waived) -> Problem {
    let at = |&(api, operation): &Place| -> Option<(&Api, &Operation)> {
        let api = plan.apis.get(api)?;
        Some((api, api.operations.get(operation)?))
    };
    let opened = plan.list(waived.opened.iter().filter_map(at));
    let count = waived.opened.len();
    let operations = if count == 1 { "1 operation".to_owned() } else { format!("{count} operations") };
    if count > 0 && !waivers.to_open.contains(filter) {
        let message = format!("to waive `{filter}` would open {operations} to everybody: {opened}");
        let hint = format!("ask for another credential there, or write `waive_to_open: [{filter}]` to let everybody in");
        return (waivers.place)(filter, Problem::error("demand.opens", message).hint(hint));
    }
    let problem =
        Problem::warning("demand.waived", format!("`{filter}` is waived: nobody enforces it on {} operations", waived.operations));
    match count {
        0 => problem,
        _ => problem.hint(format!("ATTENTION: open to everybody are {operations}, because nothing else is asked for there: {opened}")),
    }
}

impl Enforcer<'_> {
    fn is_waived(&self, filter: &str) -> bool {
        !self.catalogue.enforceable.contains(&filter) && self.catalogue.waivers.has(filter)
    }

    /// Whether the demand stays. One that nobody enforces is reported and stays, since nothing is built then.
    fn admits(&mut self, filter: &str, source: &Source) -> bool {
        if self.catalogue.enforceable.contains(&filter) {
            return true;
        }
        if self.catalogue.waivers.has(filter) {
            return false;
        }
        let message = format!("`{filter}` is demanded here and no filter enforces it");
        let file = self.documents.get(source.document as usize).cloned().unwrap_or_default();
        let hint = format!("build without it by `waive: [{filter}]` in tollgate.yaml, or remove the demand");
        let problem = Problem::error("demand.unenforced", message).at(file, source.line, source.pointer.clone());
        self.problems.push(problem.hint(hint));
        true
    }

    fn operation(&mut self, operation: &mut Operation, place: Place) {
        let mut waived: BTreeSet<String> = BTreeSet::new();
        let demands = std::mem::take(&mut operation.demands);
        for demand in demands {
            if self.admits(&demand.filter, &demand.source) {
                operation.demands.push(demand);
            } else {
                waived.insert(demand.filter);
            }
        }
        let declarations = std::mem::take(&mut operation.declarations);
        for declaration in declarations {
            if !declaration.demanded || self.admits(&declaration.filter, &declaration.source) {
                operation.declarations.push(declaration);
            } else {
                waived.insert(declaration.filter);
            }
        }
        let credentials = self.security(&mut operation.security);
        if operation.security.is_opened() {
            for filter in &credentials {
                self.waived.entry(filter.clone()).or_default().opened.push(place);
            }
        }
        waived.extend(credentials);
        for filter in waived {
            self.waived.entry(filter).or_default().operations += 1;
        }
    }

    /// Takes waived credentials out, and returns which. An alternative that is enforced whole goes before one of which a part is waived;
    /// only when nothing is left of any, the operation is open.
    fn security(&mut self, security: &mut Security) -> BTreeSet<String> {
        let mut waived = BTreeSet::new();
        for credential in security.alternatives.iter().flat_map(|a| &a.credentials) {
            if !self.admits(&credential.filter, &credential.source) {
                waived.insert(credential.filter.clone());
            }
        }
        if waived.is_empty() {
            return waived;
        }
        security.waived = waived.iter().cloned().collect();
        let (anonymous, mut asking): (Vec<Alternative>, Vec<Alternative>) =
            std::mem::take(&mut security.alternatives).into_iter().partition(|a| a.credentials.is_empty());
        let whole = |a: &Alternative| a.credentials.iter().all(|c| !self.is_waived(&c.filter));
        if asking.iter().any(whole) {
            asking.retain(whole);
        }
        for alternative in &mut asking {
            alternative.credentials.retain(|c| !self.is_waived(&c.filter));
        }
        asking.retain(|a| !a.credentials.is_empty());
        asking.extend(anonymous);
        security.alternatives = asking;
        waived
    }
}
