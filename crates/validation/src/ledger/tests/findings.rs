//! Findings are counted by rule, and only the last few are kept.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, UNIX_EPOCH},
};

use tollgate_filter_api::RequestId;

use super::{Ledger, info, parameters, used};
use crate::{Direction, Finding, Part, ledger::findings};

fn id(value: u128) -> RequestId {
    RequestId { value, uuid: false }
}

#[test]
fn they_are_counted_by_way_part_name_and_rule_and_by_what_became_of_the_message() {
    let ledger = Ledger::default();
    let record = ledger.operation(&info("list"), &parameters(&["limit"]));
    let limit = Finding::new(Part::Query, "maximum", "must be at most 5").named("limit").by("pets.yaml:3");
    let body = Finding::new(Part::Body, "type", "must be an object").at("/0");
    record.finding(Direction::Request, true, &limit, UNIX_EPOCH, &id(1));
    record.finding(Direction::Request, false, &limit, UNIX_EPOCH, &id(2));
    record.finding(Direction::Request, false, &limit, UNIX_EPOCH, &id(3));
    record.finding(Direction::Answer, false, &body, UNIX_EPOCH + Duration::from_secs(9), &id(3));
    let used = used(&ledger, "list");
    let counts: Vec<_> =
        used.findings.iter().map(|one| (one.direction, one.part, one.name.as_deref(), &*one.rule, one.refused, one.reported)).collect();
    assert_eq!(counts, [("answer", Part::Body, None, "type", 0, 1), ("request", Part::Query, Some("limit"), "maximum", 1, 2)]);
    let last = used.last.last().unwrap();
    assert_eq!((last.direction, last.refused, last.request_id, &last.finding), ("answer", false, id(3), &body));
    assert_eq!(last.at, UNIX_EPOCH + Duration::from_secs(9));
    assert_eq!(used.last.len(), 4);
}

#[test]
fn of_an_operation_the_last_sixteen_are_kept_and_of_one_message_four() {
    let ledger = Ledger::default();
    let record = ledger.operation(&info("list"), &parameters(&[]));
    let finding = Finding::new(Part::Body, "type", "must be an object");
    for request in 0..100 {
        record.finding(Direction::Request, true, &finding, UNIX_EPOCH, &id(request));
    }
    for _ in 0..32 {
        record.finding(Direction::Request, true, &finding, UNIX_EPOCH, &id(100));
    }
    let used = used(&ledger, "list");
    assert_eq!(used.findings[0].refused, 132);
    let kept: Vec<u128> = used.last.iter().map(|found| found.request_id.value).collect();
    assert_eq!(kept, (88..100).chain([100; 4]).collect::<Vec<_>>());
}

#[test]
fn kinds_texts_and_all_that_is_kept_are_bounded() {
    let ledger = Ledger::default();
    let record = ledger.operation(&info("list"), &parameters(&[]));
    for rule in 0..1_000 {
        let finding = Finding::new(Part::Body, format!("rule {rule}"), "é".repeat(1_000)).at("/ä".repeat(1_000));
        record.finding(Direction::Request, true, &finding, UNIX_EPOCH, &id(rule));
    }
    let used = used(&ledger, "list");
    assert_eq!((used.findings.len(), used.other_findings), (64, 936));
    let texts = used.last.iter().flat_map(|found| [found.finding.pointer.len(), found.finding.says.len()]);
    assert!(texts.max().unwrap() < 300);
}

#[test]
fn when_all_operations_keep_many_each_keeps_its_newest_and_room_comes_back() {
    let ledger = Ledger::default();
    let finding = Finding::new(Part::Body, "type", "must be an object");
    let operations: Vec<_> = (0..400).map(|number| ledger.operation(&info(&number.to_string()), &parameters(&[]))).collect();
    for request in 0..20 {
        for record in &operations {
            record.finding(Direction::Request, true, &finding, UNIX_EPOCH, &id(request));
        }
    }
    let kept: Vec<_> = (0..400).map(|number| used(&ledger, &number.to_string()).last).collect();
    let all: usize = kept.iter().map(Vec::len).sum();
    assert!(all <= findings::ALL + 400, "{all} are kept");
    assert!(kept.iter().all(|last| last.last().unwrap().request_id == id(19)));
    drop(operations);
    ledger.keep(std::iter::empty());
    assert_eq!(ledger.room.0.load(Relaxed), findings::ALL);
}
