//! What the Plan asks for against what the catalogue can do.
//!
//! A demand that nobody enforces is an error, never skipped, unless the project waives it by name; what is waived is
//! taken out of the operations and listed in the Plan, so that nobody mistakes it for enforced.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_filter_api::{Problem, Problems};
use tollgate_plan::{Alternative, Operation, Plan, Security, Source};

/// The two lists that decide.
pub(crate) struct Catalogue<'c> {
    pub enforceable: &'c [&'c str],
    pub waive: &'c BTreeSet<String>,
}

/// How often something was waived, and how many operations that opened.
#[derive(Default)]
struct Waived {
    operations: usize,
    opened: usize,
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
    for operation in plan.apis.iter_mut().flat_map(|api| &mut api.operations) {
        enforcer.operation(operation);
    }
    for (filter, waived) in &enforcer.waived {
        enforcer.problems.push(warning(filter, waived));
    }
    plan.waived = enforcer.waived.into_keys().collect();
    problems.0.extend(enforcer.problems);
}

fn warning(filter: &str, waived: &Waived) -> Problem {
    let message = format!("`{filter}` is waived: nobody enforces it on {} operations", waived.operations);
    let problem = Problem::warning("demand.waived", message);
    match waived.opened {
        0 => problem,
        opened => problem.hint(format!(
            "ATTENTION: {opened} of these operations are now open to everybody, because the waived credential was the \
             only one"
        )),
    }
}

impl Enforcer<'_> {
    fn is_waived(&self, filter: &str) -> bool {
        !self.catalogue.enforceable.contains(&filter) && self.catalogue.waive.contains(filter)
    }

    /// Whether the demand stays. One that nobody enforces is reported and stays, since nothing is built then.
    fn admits(&mut self, filter: &str, source: &Source) -> bool {
        if self.catalogue.enforceable.contains(&filter) {
            return true;
        }
        if self.catalogue.waive.contains(filter) {
            return false;
        }
        let message = format!("`{filter}` is demanded here and no filter enforces it");
        let file = self.documents.get(source.document as usize).cloned().unwrap_or_default();
        let hint = format!("build without it by `waive: [{filter}]` in tollgate.yaml, or remove the demand");
        let problem = Problem::error("demand.unenforced", message).at(file, source.line, source.pointer.clone());
        self.problems.push(problem.hint(hint));
        true
    }

    fn operation(&mut self, operation: &mut Operation) {
        let mut waived: BTreeSet<String> = BTreeSet::new();
        let demands = std::mem::take(&mut operation.demands);
        for demand in demands {
            if self.admits(&demand.filter, &demand.source) {
                operation.demands.push(demand);
            } else {
                waived.insert(demand.filter);
            }
        }
        let (credentials, opened) = self.security(&mut operation.security);
        for filter in &credentials {
            self.waived.entry(filter.clone()).or_default().opened += usize::from(opened);
        }
        waived.extend(credentials);
        for filter in waived {
            self.waived.entry(filter).or_default().operations += 1;
        }
    }

    /// Takes waived credentials out; returns which, and whether that opened the operation. An alternative that is enforced whole goes
    /// before one of which a part is waived; only when nothing is left of any, the operation is open.
    fn security(&mut self, security: &mut Security) -> (BTreeSet<String>, bool) {
        let mut waived = BTreeSet::new();
        for credential in security.alternatives.iter().flat_map(|a| &a.credentials) {
            if !self.admits(&credential.filter, &credential.source) {
                waived.insert(credential.filter.clone());
            }
        }
        if waived.is_empty() {
            return (waived, false);
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
        if asking.is_empty() {
            return (waived, anonymous.is_empty());
        }
        asking.extend(anonymous);
        security.alternatives = asking;
        (waived, false)
    }
}
