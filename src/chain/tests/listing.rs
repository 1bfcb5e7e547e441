use super::listed;
use crate::config::StepSpec;

/// Names of the entries, alternatives in brackets.
fn shape(yaml: &str) -> Vec<String> {
    let name = |step: &StepSpec| match step {
        StepSpec::Filter(filter) => filter.id.clone(),
        StepSpec::AnyOf(branches) => format!("{:?}", branches.iter().map(|filter| filter.id.as_str()).collect::<Vec<_>>()),
    };
    listed(yaml).unwrap().steps.iter().map(name).collect()
}

/// Code, line and pointer of each problem.
fn wrong(yaml: &str) -> Vec<(&'static str, u32, String)> {
    let problems = listed(yaml).expect_err("it must be refused");
    problems.0.into_iter().map(|problem| (problem.code, problem.line, problem.pointer)).collect()
}

fn at(code: &'static str, line: u32, pointer: &str) -> Vec<(&'static str, u32, String)> {
    vec![(code, line, pointer.to_owned())]
}

#[test]
fn an_entry_is_a_name_a_name_with_settings_or_alternatives() {
    let yaml = "chain:\n  - mark\n  - who:\n  - mark: { name: x }\n  - any_of: [key_a, key_b: {}]\n  - authenticate: { any_of: [key_b] }\n";
    assert_eq!(shape(yaml), ["mark", "who", "mark", r#"["key_a", "key_b"]"#, r#"["key_b"]"#]);
}

#[test]
fn settings_know_where_they_stand() {
    let spec = listed("chain:\n  - login:\n      any_of:\n        - key_a\n        - key_b: { key: x }\n").unwrap();
    let places: Vec<_> = spec.filters().map(|filter| (filter.pointer.as_str(), filter.line)).collect();
    assert_eq!(places, [("/chain/0/login/any_of/0", 4), ("/chain/0/login/any_of/1/key_b", 5)]);
}

#[test]
fn without_a_list_the_catalogues_order_holds() {
    assert_eq!(shape("errors: wso2\n"), ["key_a", "key_b", "whole", "who", "mark", "stand_in", "judge"]);
    assert_eq!(shape("chain:\n").len(), 7);
    assert!(shape("chain: []\n").is_empty());
}

#[test]
fn a_filter_that_nobody_knows_is_refused_with_the_nearest_name() {
    assert_eq!(wrong("chain:\n  - mark\n  - marc: {}\n"), at("chain.unknown_filter", 3, "/chain/1/marc"));
    let problems = listed("chain: [marc]\n").expect_err("it must be refused");
    assert_eq!(problems.0[0].hint, "did you mean `mark`?");
}

#[test]
fn what_is_no_entry_is_refused() {
    assert_eq!(wrong("chain:\n  - mark\n  - 7\n"), at("chain.entry", 3, "/chain/1"));
    assert_eq!(wrong("chain:\n  - { mark: {}, who: {} }\n"), at("chain.entry", 2, "/chain/0"));
    assert_eq!(wrong("chain:\n  - mark: [x]\n"), at("chain.entry", 2, "/chain/0"));
    assert_eq!(wrong("chain:\n  - any_of: []\n"), at("chain.any_of", 2, "/chain/0"));
}

#[test]
fn only_what_checks_credentials_can_be_an_alternative() {
    assert_eq!(wrong("chain:\n  - any_of: [key_a, mark]\n"), at("chain.any_of", 2, "/chain/0/any_of/1"));
}
