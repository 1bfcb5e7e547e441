use serde_json::json;
use tollgate_plan::{Declaration, Plan};

use super::{any, built, built_by, demand, plan};
use crate::{
    chain::{Verdict, waived},
    config::{Requirements, Waivers},
};

/// Code, file and line of each problem.
fn wrong(plan: &Plan, chain: &str, waive: &[&str]) -> Vec<(&'static str, String, u32)> {
    let problems = built(plan, chain, waive).err().expect("it must be refused");
    problems.0.into_iter().map(|problem| (problem.code, problem.file, problem.line)).collect()
}

fn at(code: &'static str, file: &str, line: u32) -> Vec<(&'static str, String, u32)> {
    vec![(code, file.to_owned(), line)]
}

fn open(plan: &Plan, waive: &[&str]) -> bool {
    built(plan, "chain: [key_a, key_b]\n", waive).unwrap().open
}

#[test]
fn a_demand_that_the_list_does_not_offer_is_refused_where_it_was_written() {
    for filter in ["mark", "throttle"] {
        let plan = plan(vec![], vec![demand(filter, json!({"name": "x"}))]);
        assert_eq!(wrong(&plan, "chain: [key_a]\n", &[]), at("chain.not_enforced", "a.yaml", 9));
        assert!(built(&plan, "chain: [key_a]\n", &[filter]).is_ok());
    }
}

#[test]
fn a_credential_that_the_list_does_not_offer_is_refused_where_it_was_written() {
    for alternatives in [any(&[&["key_b"]]), any(&[&["key_a", "key_b"]])] {
        assert_eq!(wrong(&plan(alternatives, vec![]), "chain: [key_a]\n", &[]), at("chain.not_enforced", "a.yaml", 7));
    }
    assert_eq!(wrong(&plan(any(&[&["oauth"]]), vec![]), "chain: []\n", &[]), at("chain.not_enforced", "a.yaml", 7));
}

#[test]
fn an_operation_is_open_only_when_nothing_is_left_to_demand() {
    assert!(open(&plan(vec![], vec![]), &[]));
    assert!(open(&plan(any(&[&[]]), vec![]), &[]));
    assert!(open(&plan(any(&[&["basic"], &[]]), vec![]), &["basic"]));
    for left in [any(&[&["basic"], &["key_a"]]), any(&[&["basic", "key_a"]]), any(&[&["basic", "key_a"], &["oauth"]])] {
        assert!(!open(&plan(left, vec![]), &["basic", "oauth"]));
    }
}

#[test]
fn the_last_credential_is_waived_by_a_list_of_its_own_only() {
    let opened = |alternatives: &[&[&str]], waive: &[&str], to_open: &[&str]| {
        let plan = plan(any(alternatives), vec![]);
        match built_by(Requirements::Exact, &plan, "chain: [key_a]\n", waive, to_open) {
            Ok(chain) => Ok(chain.open),
            Err(problems) => Err(problems.0.into_iter().map(|problem| (problem.code, problem.pointer)).collect::<Vec<_>>()),
        }
    };
    let at = |places: &[&str]| Err(places.iter().map(|place| ("chain.opens", format!("/waive/{place}"))).collect());
    assert_eq!(opened(&[&["basic"]], &["basic"], &[]), at(&["0"]));
    assert_eq!(opened(&[&["basic"]], &[], &["basic"]), Ok(true));
    assert_eq!(opened(&[&["basic"]], &["basic"], &["basic"]), Ok(true));
    // Each of two alternatives, or of two credentials that are needed together, has to be waived so.
    for alternatives in [&[&["basic"][..], &["oauth"]][..], &[&["basic", "oauth"]]] {
        assert_eq!(opened(alternatives, &["basic", "oauth"], &[]), at(&["0", "1"]));
        assert_eq!(opened(alternatives, &["basic", "oauth"], &["basic"]), at(&["1"]));
        assert_eq!(opened(alternatives, &[], &["basic", "oauth"]), Ok(true));
    }
    assert_eq!(opened(&[&["basic"], &["key_a"]], &[], &["basic"]), Ok(false));
    assert_eq!(opened(&[&["basic"], &[]], &["basic"], &[]), Ok(true));
    assert_eq!(opened(&[], &["basic"], &[]), Ok(true));
}

#[test]
fn what_a_waiver_would_open_is_named_with_the_way_out() {
    let problems = built(&plan(any(&[&["basic"]]), vec![]), "chain: [key_a]\n", &["throttle", "basic"]).err().unwrap();
    let [problem] = &problems.0[..] else { panic!("{problems}") };
    assert_eq!(problem.message, "to waive `basic` would open 1 operation to everybody: GET /a/ (a.yaml:3)");
    assert!(problem.hint.contains("`waive_to_open: [basic]`"), "{problem}");
    assert_eq!((problem.file.as_str(), problem.pointer.as_str()), ("gateway.yaml", "/waive/1"));
}

#[test]
fn what_the_project_opened_is_told_and_not_refused() {
    let mut artifact = plan(any(&[]), vec![]);
    artifact.waived = vec!["mtls".to_owned()];
    artifact.apis[0].operations[0].security.waived = vec!["mtls".to_owned()];
    assert!(open(&artifact, &[]));
    let here = ["basic".to_owned()];
    let told = waived(&artifact, Waivers::new(&here, &[]));
    let opened: Vec<_> = told.iter().map(|waived| (waived.filter.as_str(), waived.opened, waived.named.as_str())).collect();
    assert_eq!(opened, [("basic", 0, ""), ("mtls", 1, "GET /a/ (a.yaml:3)")]);
}

#[test]
fn an_open_operation_has_no_rules_of_its_own_for_credentials() {
    let with = |alternatives, filter: &str, pointer: &str| {
        let mut plan = plan(alternatives, vec![demand(filter, json!({}))]);
        let operation = &mut plan.apis[0].operations[0];
        operation.source.pointer = "/paths/~1/get".to_owned();
        operation.demands[0].source.pointer = pointer.to_owned();
        plan
    };
    let chain = "chain: [key_a, key_b, judge, mark: {name: x}]\n";
    let own = |filter: &str| format!("/paths/~1/get/x-tollgate-{filter}");
    for filter in ["key_a", "judge"] {
        assert_eq!(wrong(&with(vec![], filter, &own(filter)), chain, &[]), at("chain.not_enforced", "a.yaml", 9));
        assert!(built(&with(vec![], filter, &own(filter)), chain, &[filter]).is_ok());
        assert!(built(&with(any(&[&["key_a"]]), filter, &own(filter)), chain, &[]).is_ok());
        assert!(built(&with(vec![], filter, &format!("/x-tollgate-{filter}")), chain, &[]).is_ok());
    }
    assert!(built(&with(vec![], "mark", &own("mark")), chain, &[]).is_ok());
}

#[test]
fn what_judges_credentials_is_left_out_of_an_open_operation_only() {
    let steps = |alternatives| built(&plan(alternatives, vec![]), "chain: [key_a, judge]\n", &[]).unwrap().steps.len();
    assert_eq!(steps(vec![]), 0);
    assert_eq!(steps(any(&[&["key_a"]])), 2);
    assert_eq!(steps(any(&[&["key_a"], &[]])), 2);
}

#[test]
fn a_credential_filter_that_checks_nothing_is_refused() {
    let plan = plan(any(&[&["key_a"]]), vec![]);
    assert_eq!(wrong(&plan, "chain: [key_a: {idle: true}]\n", &[]), at("chain.not_enforced", "a.yaml", 7));
}

#[test]
fn a_need_that_nothing_before_gives_is_refused() {
    let plan = plan(any(&[&["key_a"]]), vec![]);
    assert_eq!(wrong(&plan, "chain:\n  - who\n  - key_a\n", &[]), at("chain.order", "gateway.yaml", 2));
    assert!(built(&plan, "chain: [key_a, who]\n", &[]).is_ok());
}

#[test]
fn a_filter_without_anything_to_do_is_not_in_the_chain() {
    let chain = built(&plan(vec![], vec![]), "chain: [mark]\n", &[]).unwrap();
    assert!(chain.steps.is_empty());
}

#[test]
fn what_a_definition_sets_holds_where_the_filter_is_listed_first() {
    let demands = vec![demand("mark", json!({"name": "one"}))];
    let chain = built(&plan(vec![], demands), "chain: [mark, mark: {name: own}, mark]\n", &[]).unwrap();
    assert_eq!(chain.steps.len(), 2, "the third has nothing to do");
}

#[test]
fn scopes_are_compared_by_somebody_unless_having_the_credential_is_enough() {
    let of = |scopes: &[&str]| tollgate_plan::Alternative { credentials: vec![super::credential("key_a", scopes)] };
    let scoped = plan(vec![of(&["read"])], vec![]);
    assert_eq!(wrong(&scoped, "chain: [key_a]\n", &["other"]), at("chain.not_enforced", "a.yaml", 7));
    assert!(built(&plan(vec![of(&["read"]), of(&[])], vec![]), "chain: [key_a]\n", &[]).is_ok());
}

#[test]
fn a_demand_reaches_a_filter_that_checks_credentials() {
    let plan = plan(any(&[&["key_a"]]), vec![demand("key_a", json!({"idle": true}))]);
    assert_eq!(wrong(&plan, "chain: [key_a]\n", &[]), at("chain.not_enforced", "a.yaml", 7));
}

#[test]
fn a_wrong_setting_is_shown_where_it_was_written() {
    let own = plan(vec![], vec![]);
    assert_eq!(wrong(&own, "chain:\n  - mark: {nam: x}\n", &[]), at("filter.settings", "gateway.yaml", 2));
    let demanded = plan(vec![], vec![demand("mark", json!({"nam": "x"}))]);
    assert_eq!(wrong(&demanded, "chain:\n  - mark: {name: x}\n", &[]), at("filter.settings", "a.yaml", 9));
    let both = plan(any(&[&["key_a"]]), vec![]);
    assert_eq!(wrong(&both, "chain:\n  - key_a: {key: [x]}\n", &[]), at("filter.settings", "gateway.yaml", 2));
}

#[test]
fn settings_that_no_operation_needs_are_judged_too_but_may_be_incomplete() {
    let open = plan(vec![], vec![]);
    assert_eq!(wrong(&open, "chain:\n  - mark\n  - key_a: {key: [x]}\n", &[]), at("filter.settings", "gateway.yaml", 3));
    assert_eq!(wrong(&open, "chain:\n  - any_of: [key_b: {kye: x}]\n", &[]), at("filter.settings", "gateway.yaml", 2));
    assert!(built(&open, "chain: [mark, key_a: {}]\n", &[]).is_ok());
}

#[test]
fn a_problem_that_many_operations_share_is_told_once() {
    let mut plan = plan(vec![], vec![]);
    let again = plan.apis[0].operations[0].clone();
    plan.apis[0].operations.push(again);
    assert_eq!(wrong(&plan, "chain: [mark: {nam: x}]\n", &[]).len(), 1);
}

#[test]
fn a_filter_stands_in_for_the_credentials_it_accepts() {
    let plan = plan(any(&[&["key_a"]]), vec![]);
    assert!(built(&plan, "chain: [stand_in]\n", &[]).is_ok());
    let chain = built(&plan, "chain: [key_a, stand_in]\n", &[]).unwrap();
    assert_eq!(chain.filters.iter().map(|filter| filter.id()).collect::<Vec<_>>(), ["key_a", "stand_in"]);
    let other = super::plan(any(&[&["key_b"]]), vec![]);
    assert_eq!(wrong(&other, "chain: [stand_in]\n", &[]), at("chain.not_enforced", "a.yaml", 7));
}

/// A definition that says a word to `declares`, on line 5.
fn saying(content: serde_json::Value, demanded: bool) -> Plan {
    let mut plan = plan(vec![], vec![]);
    plan.declared = std::collections::BTreeMap::from([("declares".to_owned(), json!({"hello": "world"}))]);
    let declaration = Declaration { filter: "declares".to_owned(), content, demanded, source: super::source(5) };
    plan.apis[0].operations[0].declarations = vec![declaration];
    plan
}

#[tokio::test]
async fn what_a_definition_says_reaches_the_filter_beside_its_settings() {
    let chain = built(&saying(json!({"word": "hello"}), true), "chain: [declares: {name: own}]\n", &[]).unwrap();
    let (_, verdict) = super::running::run(&chain, &[], None).await;
    let Verdict::Stop(answer) = verdict else { panic!("it refuses everything, and came to {verdict:?}") };
    assert_eq!(answer.cause().unwrap().to_string(), "request is not allowed: own world (a test)");
}

#[test]
fn what_is_demanded_of_a_filter_in_the_chain_is_not_enforced_when_it_is_waived() {
    let said = json!({"word": "nobody knows it"});
    assert_eq!(wrong(&saying(said.clone(), true), "chain: [declares: {name: own}]\n", &[]), at("declares.unknown", "a.yaml", 5));
    let waived = built(&saying(said.clone(), true), "chain: [declares: {name: own}]\n", &["declares"]).unwrap();
    assert!(waived.filters.is_empty(), "nothing is left for it to do");
    // What is only said is no demand, and stays.
    assert!(built(&saying(said, false), "chain: [declares: {name: own}]\n", &["declares"]).is_err());
}

#[test]
fn what_a_definition_says_to_nobody_is_refused_when_it_is_a_demand() {
    let said = || json!({"word": "hello"});
    assert_eq!(wrong(&saying(said(), true), "chain: [mark]\n", &[]), at("chain.not_enforced", "a.yaml", 5));
    assert!(built(&saying(said(), true), "chain: [mark]\n", &["declares"]).is_ok());
    assert!(built(&saying(said(), false), "chain: [mark]\n", &[]).is_ok());
}

#[test]
fn a_wrong_declaration_is_a_problem_of_the_definition_and_a_wrong_setting_of_the_operators_file() {
    let listed = "chain:\n  - declares: {name: own}\n";
    assert_eq!(wrong(&saying(json!({"word": "bye"}), true), listed, &[]), at("declares.unknown", "a.yaml", 5));
    assert_eq!(wrong(&saying(json!({"words": "bye"}), true), listed, &[]), at("filter.declaration", "a.yaml", 5));
    let few = "chain:\n  - declares: {few: true}\n";
    assert_eq!(wrong(&saying(json!({"word": "hello"}), true), few, &[]), at("declares.few", "gateway.yaml", 0));
}

#[test]
fn a_wrong_setting_stands_where_it_was_written_last() {
    let mut plan = saying(json!({"word": "hello"}), true);
    plan.apis[0].operations[0].demands = vec![demand("declares", json!({"few": true}))];
    assert_eq!(wrong(&plan, "chain:\n  - declares: {few: false}\n", &[]), at("declares.few", "a.yaml", 9));
    plan.apis[0].operations[0].demands = vec![demand("declares", json!({"name": "x"}))];
    assert_eq!(wrong(&plan, "chain:\n  - declares: {few: true}\n", &[]), at("declares.few", "gateway.yaml", 0));
}
