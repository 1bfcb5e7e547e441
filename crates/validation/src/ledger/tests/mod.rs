//! What is counted, what stays, and what is bounded.

mod findings;
mod samples;

use std::sync::Arc;

use serde_json::json;
use tollgate_filter_api::OperationInfo;

use super::*;

fn info(id: &str) -> OperationInfo {
    OperationInfo {
        api: "Pets".into(),
        version: "1".into(),
        base_path: "/pets".into(),
        id: id.into(),
        template: "/".into(),
        method: "GET".into(),
        path_methods: vec!["GET".into()],
    }
}

fn parameters(names: &[&str]) -> OperationRules {
    let parameter = |name| json!({ "in": "query", "name": name, "form": { "style": "form" }, "source": "pets.yaml:3" });
    serde_json::from_value(json!({ "parameters": names.iter().map(parameter).collect::<Vec<_>>() })).unwrap()
}

fn used(ledger: &Ledger, id: &str) -> Used {
    ledger.used("Pets", "1", id).unwrap()
}

#[test]
fn a_parameter_keeps_its_count_when_a_reload_puts_another_before_it() {
    let ledger = Ledger::default();
    let before = ledger.operation(&info("list"), &parameters(&["limit", "gone"]));
    before.request();
    before.parameter(0);
    before.parameter(1);
    let after = ledger.operation(&info("list"), &parameters(&["new", "limit"]));
    drop(before);
    after.request();
    after.parameter(1);
    let used = used(&ledger, "list");
    assert_eq!(used.requests, 2);
    assert_eq!(used.parameters[&("query", "limit".to_owned())], 2);
    assert_eq!(used.parameters[&("query", "new".to_owned())], 0);
}

#[test]
fn counts_wait_for_the_next_configuration_though_nobody_has_them() {
    let ledger = Ledger::default();
    ledger.operation(&info("list"), &parameters(&["limit"])).parameter(0);
    ledger.operation(&info("list"), &parameters(&["limit"])).parameter(0);
    assert_eq!(used(&ledger, "list").parameters[&("query", "limit".to_owned())], 2);
}

#[test]
fn names_that_come_and_go_are_let_go() {
    let ledger = Ledger::default();
    for round in 0..1_000 {
        ledger.operation(&info("list"), &parameters(&[&round.to_string()]));
    }
    let kept = used(&ledger, "list").parameters.len();
    assert!(kept <= 66, "{kept} are kept");
}

#[test]
fn bodies_are_counted_by_the_media_type_that_the_definition_writes() {
    let rules = json!({ "body": { "source": "p:1", "content": [{ "range": "text/*", "source": "p:2" }, { "range": "application/json", "source": "p:3" }] } });
    let ledger = Ledger::default();
    let record = ledger.operation(&info("put"), &serde_json::from_value(rules).unwrap());
    record.body(1);
    record.body(1);
    record.body(9);
    let media: Vec<_> = used(&ledger, "put").media.into_iter().collect();
    assert_eq!(media, [("application/json".to_owned(), 2), ("text/*".to_owned(), 0)]);
}

#[test]
fn operations_that_no_configuration_has_are_forgotten() {
    let ledger = Ledger::default();
    for id in ["list", "gone"] {
        ledger.operation(&info(id), &parameters(&["a"])).request();
    }
    ledger.keep([("Pets", "1", "list"), ("Pets", "2", "gone"), ("Pets", "1", "new")].into_iter());
    assert_eq!(used(&ledger, "list").requests, 1);
    assert!(ledger.used("Pets", "1", "gone").is_none());
}

#[test]
fn operations_that_share_rules_count_for_themselves() {
    let ledger = Arc::new(Ledger::default());
    let operations: Vec<_> = (0..40).map(|number| Arc::new(info(&number.to_string()))).collect();
    let records = Records::new(ledger.clone(), parameters(&["a"]));
    for (number, operation) in operations.iter().enumerate() {
        for _ in 0..=number {
            records.of(operation).request();
        }
    }
    for number in 0..40 {
        assert_eq!(used(&ledger, &number.to_string()).requests, number + 1);
    }
}

#[test]
fn the_first_body_and_about_one_in_64_are_sampled_whatever_takes_turns() {
    let ledger = Ledger::default();
    let record = ledger.operation(&info("list"), &parameters(&[]));
    assert!(record.sampled());
    for turns in [2_u32, 3, 4, 8, 64] {
        let mut of_each = vec![0; turns as usize];
        for body in 0..turns * 64_000 {
            of_each[(body % turns) as usize] += u32::from(record.sampled());
        }
        assert!(of_each.iter().all(|count| (800..1_200).contains(count)), "{of_each:?}");
    }
}
