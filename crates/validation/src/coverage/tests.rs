//! Counts held against a definition, and what an overlay makes of it.

use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use super::*;
use crate::{Direction, Finding, Part, ledger::Ledger, rules::OperationRules};

fn rules(statuses: &[&str]) -> OperationRules {
    let answers: Vec<Value> = statuses.iter().map(|status| json!({ "status": status, "source": "pets.yaml:9" })).collect();
    serde_json::from_value(json!({
        "parameters": [
            { "in": "query", "name": "limit", "form": { "style": "form" }, "source": "pets.yaml:3" },
            { "in": "header", "name": "limit", "form": { "style": "simple" }, "source": "pets.yaml:4" },
        ],
        "body": { "source": "pets.yaml:5", "content": [{ "range": "application/json", "source": "pets.yaml:6" }] },
        "answers": answers,
    }))
    .unwrap()
}

fn declared(rules: OperationRules) -> Declared<'static> {
    Declared {
        api: "Pets",
        version: "1",
        id: "list",
        method: "GET",
        path: "/v1/pets".into(),
        document: "pets.yaml",
        pointer: "/paths/~1pets~1it's/get",
        line: 2,
        rules,
        has_no_statuses: false,
    }
}

fn statuses(answers: &[(u16, u64)]) -> Statuses {
    Statuses { answers: answers.iter().copied().collect(), other: 0, own: 5 }
}

fn compared(rules: OperationRules, answers: &[(u16, u64)]) -> Operation {
    compare(&declared(rules), &statuses(answers), None, &|_| String::new())
}

#[test]
fn an_answer_is_covered_by_the_most_precise_that_is_declared() {
    let operation = compared(rules(&["200", "4XX", "404", "default"]), &[(200, 3), (404, 2), (429, 7), (302, 1)]);
    let answers: Vec<_> = operation.answers.iter().map(|answer| (answer.status.as_str(), answer.answers)).collect();
    assert_eq!(answers, [("200", 3), ("4XX", 7), ("404", 2), ("default", 1)]);
    assert!(operation.undeclared.is_empty());
    assert_eq!((operation.requests, operation.not_answered_by_upstream), (18, 5));
    let operation = compared(rules(&["200", "5XX"]), &[(201, 3), (503, 2), (429, 7)]);
    assert_eq!(operation.undeclared, [(201, 3), (429, 7)].into());
    assert_eq!(operation.answers_never_seen(), ["200"]);
}

#[test]
fn a_call_of_grpc_has_no_statuses_to_declare() {
    let declared = Declared { has_no_statuses: true, ..declared(OperationRules::default()) };
    assert!(compare(&declared, &statuses(&[(200, 3)]), None, &|_| String::new()).undeclared.is_empty());
}

#[test]
fn what_nobody_looked_at_is_not_said_to_be_unused() {
    let operation = compared(rules(&["200"]), &[(200, 3)]);
    assert_eq!(operation.judged, None);
    assert!(operation.parameters_never_used().is_empty() && operation.bodies_never_used().is_empty());
}

#[test]
fn what_a_ledger_counted_is_told_without_a_value() {
    let (ledger, rules) = (Ledger::default(), rules(&["200"]));
    let info = tollgate_filter_api::OperationInfo {
        api: "Pets".into(),
        version: "1".into(),
        base_path: "/v1".into(),
        id: "list".into(),
        template: "/pets".into(),
        method: "GET".into(),
        path_methods: Vec::new(),
    };
    let record = ledger.operation(&info, &rules);
    record.request();
    record.parameter(1);
    let finding = Finding::new(Part::Query, "maximum", "must be at most 5").named("limit").by("pets.yaml:3");
    let id = tollgate_filter_api::RequestId { value: 0xab, uuid: false };
    record.finding(Direction::Request, false, &finding, UNIX_EPOCH, &id);
    let used = ledger.used("Pets", "1", "list").unwrap();
    let operation = compare(&declared(rules), &statuses(&[(200, 3)]), Some(&used), &|_| "then".to_owned());
    assert_eq!(operation.judged, Some(1));
    assert_eq!(operation.parameters_never_used(), ["query limit"]);
    assert_eq!(operation.bodies_never_used(), ["application/json"]);
    let told = serde_json::to_value(&operation).unwrap();
    assert_eq!(
        told["findings"],
        json!([{ "direction": "request", "in": "query", "name": "limit", "rule": "maximum", "refused": 0, "reported": 1 }])
    );
    assert_eq!(
        told["last_findings"],
        json!([{
            "time": "then", "request_id": "000000000000000000000000000000ab", "direction": "request", "refused": false, "in": "query",
            "name": "limit", "pointer": "", "rule": "maximum", "detail": "must be at most 5", "source": "pets.yaml:3",
        }])
    );
    assert_eq!(serde_json::from_value::<Operation>(told).unwrap(), operation);
}

fn coverage(operations: Vec<Operation>) -> Coverage {
    Coverage { since: "2026-01-01T00:00:00Z".into(), operations }
}

#[test]
fn an_overlay_adds_statuses_takes_nothing_away_and_lists_what_was_never_seen() {
    let coverage = coverage(vec![compared(rules(&["200"]), &[(429, 7), (500, 1)])]);
    assert_eq!(documents(&coverage).into_iter().collect::<Vec<_>>(), ["pets.yaml"]);
    let overlay = overlay(&coverage, "pets.yaml").unwrap();
    assert_eq!(overlay["overlay"], "1.0.0");
    assert_eq!(
        overlay["actions"],
        json!([{
            "target": "$.paths['/pets/it\\'s'].get.responses",
            "description": "GET /v1/pets (pets.yaml:2)",
            "update": {
                "429": { "description": "Answered by the upstream 7 times; not described yet." },
                "500": { "description": "Answered by the upstream once; not described yet." },
            },
        }])
    );
    assert_eq!(overlay["x-never-seen"], json!([{ "answers": ["200"], "target": "$.paths['/pets/it\\'s'].get" }]));
}

#[test]
fn an_operation_without_answers_gets_them() {
    let overlay = overlay(&coverage(vec![compared(rules(&[]), &[(200, 1)])]), "pets.yaml").unwrap();
    assert_eq!(overlay["actions"][0]["target"], "$.paths['/pets/it\\'s'].get");
    assert!(overlay["actions"][0]["update"]["responses"]["200"].is_object());
}

#[test]
fn a_definition_that_lacks_nothing_has_no_overlay() {
    let coverage = coverage(vec![compared(rules(&["default"]), &[(200, 1)])]);
    assert!(documents(&coverage).is_empty());
    assert!(overlay(&coverage, "pets.yaml").is_none());
}
