//! What the admin port shows of what traffic has used.

use std::time::SystemTime;

use serde_json::{Value, json};
use tollgate_plan::{Api, Operation, Plan, Target};
use tollgate_validation::{
    coverage::{Coverage, Declared, Statuses, compare},
    ledger::{self, Ledger},
};

use super::snapshot::Snapshot;
use crate::telemetry::{Counted, timestamp};

/// Every operation that a definition has, with what is declared of it and what was seen.
pub(super) fn coverage(snapshot: &Snapshot, ledger: &Ledger, since: SystemTime) -> Value {
    let plan = &snapshot.loaded.plan;
    let each = plan.apis.iter().flat_map(|api| api.operations.iter().map(move |operation| (api, operation)));
    let operations = (0..).zip(each).filter(|(_, (_, operation))| matches!(operation.target, Target::Endpoints { .. }));
    let operations = operations.map(|(index, (api, operation))| {
        let used = ledger.used(&api.title, &api.version, &operation.id);
        let statuses = statuses(snapshot.metrics.operation(index).statuses().counted());
        compare(&declared(plan, api, operation), &statuses, used.as_ref(), &timestamp)
    });
    json!(Coverage { since: timestamp(since), operations: operations.collect() })
}

/// Lets go of what was counted of operations that are not served any more.
pub(super) fn forget(ledger: &Ledger, plan: &Plan) {
    ledger.keep(
        plan.apis
            .iter()
            .flat_map(|api| api.operations.iter().map(move |operation| (api.title.as_str(), api.version.as_str(), operation.id.as_str()))),
    );
}

fn declared<'a>(plan: &'a Plan, api: &'a Api, operation: &'a Operation) -> Declared<'a> {
    let declaration = operation.declarations.iter().find(|declaration| declaration.filter == ledger::DECLARED);
    // The snapshot has read the same; what it could not read it would not have served.
    let rules = declaration.and_then(|declaration| serde_json::from_value(declaration.content.clone()).ok());
    let document = plan.documents.get(operation.source.document as usize).map_or("", |document| document.path.as_str());
    Declared {
        api: &api.title,
        version: &api.version,
        id: &operation.id,
        method: &operation.method,
        path: api.path(operation),
        document,
        pointer: &operation.source.pointer,
        line: operation.source.line,
        rules: rules.unwrap_or_default(),
        has_no_statuses: document.ends_with(".proto"),
    }
}

fn statuses(counted: Counted) -> Statuses {
    let Counted { answers, other, own } = counted;
    Statuses { answers, other, own }
}
