//! What requirements mean, which of their credentials are asked for, and what an operator is told when none will do.

use serde_json::{Value, json};
use tollgate_document::{Document, Limits};
use tollgate_filter_api::{Carrier, Kind, Principal};
use tollgate_plan::{Alternative, Demand, Plan};

use super::{
    any, built, built_as, credential, demand, plan,
    running::{order, outcome, run},
};
use crate::{
    chain::{
        Chain, Verdict,
        alternatives::{enforced, grouped},
        steps::Step,
    },
    config::{Requirements, Waivers},
};

const BOTH: &str = "chain: [key_a, key_b]\n";

fn with_judge(alternatives: &[&[&str]], few: &str) -> std::sync::Arc<Chain> {
    let yaml = format!("chain: [key_a, key_b, judge: {{{few}}}, mark]\n");
    built(&plan(any(alternatives), vec![demand("mark", json!({"name": "end"}))]), &yaml, &[]).unwrap()
}

/// The filters of each alternative, with the scopes they are asked for.
fn read_as(requirements: Requirements, alternatives: Vec<Alternative>) -> Value {
    without(&[], requirements, alternatives)
}

/// Credentials that a certificate or a token with scopes is, and some that are neither.
fn kinds() -> Vec<Kind> {
    let plain = super::filters::KINDS[0];
    let token = |accepts| Kind { accepts, scoped: true, ..plain };
    vec![token(&["jwt"]), token(&["basic_auth"]), Kind { accepts: &["mtls"], certificate: true, ..plain }]
}

/// The same, where some filters are waived.
fn without(waived: &[&str], requirements: Requirements, alternatives: Vec<Alternative>) -> Value {
    let plan: Plan = plan(alternatives, vec![]);
    let waived: Vec<String> = waived.iter().map(|filter| (*filter).to_owned()).collect();
    let enforced = enforced(&plan.apis[0].operations[0].security, requirements, Waivers::new(&waived, &[]), &kinds());
    let name = |credential: &tollgate_plan::Credential| format!("{} {}", credential.filter, credential.scopes.join(" ")).trim().to_owned();
    enforced.iter().map(|alternative| alternative.credentials.iter().map(name).collect::<Vec<_>>()).collect::<Vec<_>>().into()
}

/// Everything that is said of a refusal.
async fn explained(chain: &Chain, fields: &[(&str, &str)]) -> Value {
    explained_in(chain, fields, "{}").await
}

/// The same, when the operator's file is this.
async fn explained_in(chain: &Chain, fields: &[(&str, &str)], yaml: &str) -> Value {
    let (run, verdict) = run(chain, fields, None).await;
    let Verdict::Stop(answer) = verdict else { panic!("{verdict:?}") };
    let file = Document::parse("gateway.yaml", yaml.as_bytes(), &Limits::default()).unwrap();
    let written = |pointer: &str| file.at(pointer).map(|node| format!("gateway.yaml:{}", node.line()));
    json!(run.explain(chain, answer.cause(), &written))
}

#[test]
fn requirements_are_or_of_and_unless_each_scheme_is_to_be_enough() {
    let both = || any(&[&["jwt", "basic_auth"], &["api_key"]]);
    assert_eq!(read_as(Requirements::Exact, both()), json!([["jwt", "basic_auth"], ["api_key"]]));
    assert_eq!(read_as(Requirements::Any, both()), json!([["jwt"], ["basic_auth"], ["api_key"]]));
    assert_eq!(read_as(Requirements::Any, any(&[&["jwt", "basic_auth"], &[]])), json!([["jwt"], ["basic_auth"], []]));
}

#[test]
fn a_certificate_stays_needed_when_each_scheme_is_enough() {
    assert_eq!(
        read_as(Requirements::Any, any(&[&["jwt", "basic_auth", "mtls"], &["mtls"]])),
        json!([["jwt", "mtls"], ["basic_auth", "mtls"], ["mtls"]])
    );
}

#[test]
fn when_each_scheme_is_enough_tokens_and_users_need_the_scopes_of_the_others_and_keys_none() {
    let alternatives = vec![
        Alternative { credentials: vec![credential("jwt", &["read"]), credential("basic_auth", &[])] },
        Alternative { credentials: vec![credential("jwt", &["write"]), credential("api_key", &[])] },
    ];
    assert_eq!(read_as(Requirements::Any, alternatives), json!([["jwt read"], ["basic_auth read write"], ["jwt write"], ["api_key"]]));
}

#[test]
fn an_alternative_of_which_a_part_is_waived_counts_only_where_none_is_enforced_whole() {
    let alternatives = || any(&[&["basic_auth", "jwt"], &["api_key"], &[]]);
    assert_eq!(without(&["basic_auth"], Requirements::Exact, alternatives()), json!([["api_key"], []]));
    assert_eq!(without(&["basic_auth", "api_key"], Requirements::Exact, alternatives()), json!([["jwt"], []]));
    assert_eq!(without(&["basic_auth", "api_key", "jwt"], Requirements::Exact, alternatives()), json!([]));
}

#[test]
fn alternatives_become_one_only_when_they_ask_for_the_same_credentials() {
    let groups = |alternatives: &[Alternative]| -> Value {
        let asked = |group: &Vec<crate::chain::alternatives::Wanted>| -> Vec<String> {
            let scopes = |ask: &crate::chain::alternatives::Ask| ask.scopes.join(" ");
            group.iter().map(|one| format!("{}: {}", one.filter, one.asks.iter().map(scopes).collect::<Vec<_>>().join(", "))).collect()
        };
        grouped(alternatives).iter().map(asked).collect::<Vec<_>>().into()
    };
    let of = |credentials: &[(&str, &[&str])]| Alternative {
        credentials: credentials.iter().map(|(filter, scopes)| credential(filter, scopes)).collect(),
    };
    let same = [of(&[("a", &["read"]), ("b", &[])]), of(&[("a", &["write"]), ("b", &["x"])])];
    assert_eq!(groups(&same), json!([["a: read, write", "b: , x"]]));
    let other = [of(&[("a", &["read"]), ("b", &[])]), of(&[("a", &["write"]), ("c", &[])]), of(&[("a", &["all"])])];
    assert_eq!(groups(&other), json!([["a: read", "b: "], ["a: write", "c: "], ["a: all"]]));
    let mut elsewhere = of(&[("a", &["write"])]);
    elsewhere.credentials[0].declared.insert("in".to_owned(), "query".into());
    assert_eq!(groups(&[of(&[("a", &["read"])]), elsewhere]), json!([["a: read"], ["a: write"]]));
}

#[tokio::test]
async fn each_scheme_is_enough_by_setting_only() {
    let plan = plan(any(&[&["key_a", "key_b"]]), vec![]);
    for (requirements, expected) in [(Requirements::Exact, "key_a.absent"), (Requirements::Any, "key_b")] {
        let chain = built_as(requirements, &plan, BOTH, &[]).unwrap();
        assert_eq!(outcome(&chain, &[("x-b", "good")]).await, expected);
    }
}

#[tokio::test]
async fn a_credential_that_alternatives_share_is_asked_for_once() {
    // The filter takes the credential out of the request: asked again, it would find none.
    let chain = built(&plan(any(&[&["key_a", "key_b"], &["key_a"]]), vec![]), BOTH, &[]).unwrap();
    assert_eq!(chain.filters.len(), 2);
    assert_eq!(outcome(&chain, &[("x-a", "good")]).await, "key_a");
    let (run, _) = run(&chain, &[("x-a", "good"), ("x-b", "good")], None).await;
    assert_eq!(run.facts.get::<Principal>().map(|principal| principal.filter), Some("key_a"));
}

#[tokio::test]
async fn a_caller_whose_credential_is_not_enough_may_be_let_in_by_another() {
    let chain = with_judge(&[&["key_a"], &["key_b"]], "key_a: true");
    assert_eq!(outcome(&chain, &[("x-a", "good")]).await, "judge.few");
    assert_eq!(outcome(&chain, &[("x-b", "good")]).await, "key_b");
    assert_eq!(outcome(&chain, &[("x-a", "good"), ("x-b", "good")]).await, "key_b");
    assert_eq!(outcome(&chain, &[("x-a", "good"), ("x-b", "bad")]).await, "judge.few");
    assert_eq!(outcome(&chain, &[("x-a", "good"), ("x-b", "down")]).await, "key_b.down");
}

#[tokio::test]
async fn only_what_is_not_enough_sends_to_another_alternative_and_only_those_who_judge() {
    let both = [("x-a", "good"), ("x-b", "good")];
    assert_eq!(outcome(&with_judge(&[&["key_a"], &["key_b"]], "key_a: false"), &both).await, "judge.bad");
    let behind = |yaml: &str| built(&plan(any(&[&["key_a"], &["key_b"]]), vec![]), yaml, &[]).unwrap();
    let judged_late = behind("chain: [key_a, key_b, mark: {name: one}, judge: {key_a: true}]\n");
    assert_eq!(outcome(&judged_late, &both).await, "judge.few");
    let no_judge = behind("chain: [key_a, key_b, judge, mark: {name: one, few: true}]\n");
    assert_eq!(outcome(&no_judge, &[both[0], both[1], ("x-stop", "one")]).await, "mark.few");
}

#[tokio::test]
async fn an_alternative_that_was_not_enough_has_no_say_in_the_answer_and_who_ran_before_it_has() {
    let yaml = "chain: [mark: {name: one}, key_a, key_b, judge: {key_a: true}]\n";
    let chain = built(&plan(any(&[&["key_a"], &["key_b"]]), vec![]), yaml, &[]).unwrap();
    let (mut run, verdict) = run(&chain, &[("x-a", "good"), ("x-b", "good")], None).await;
    assert!(matches!(verdict, Verdict::Pass), "{verdict:?}");
    assert_eq!(order(&mut run, &chain), ["key_b", "one"]);
}

#[test]
fn what_others_ask_for_is_taken_out_and_never_what_the_one_that_counts_has_itself() {
    let yaml = "chain: [any_of: [key_a, key_a: {key: other}, key_b]]\n";
    let chain = built(&plan(any(&[&["key_a"], &["key_b"], &["key_a", "key_b"]]), vec![]), yaml, &[]).unwrap();
    let Some(Step::AnyOf(any)) = chain.steps.first() else { panic!("alternatives") };
    let names = |foreign: &Vec<Carrier>| {
        foreign.iter().map(|one| if let Carrier::Header(name) = one { name.as_str() } else { "" }.to_owned()).collect()
    };
    let foreign: Vec<Vec<String>> = any.foreign.iter().map(names).collect();
    let none: &[&str] = &[];
    assert_eq!(foreign, [&["x-b"][..], &["x-b"], &["x-a"], none, none]);
}

#[tokio::test]
async fn credentials_that_are_enough_only_together_are_tried_together() {
    let chain = with_judge(&[&["key_a"], &["key_a", "key_b"]], "key_a: true");
    assert_eq!(outcome(&chain, &[("x-a", "good")]).await, "judge.few");
    assert_eq!(outcome(&chain, &[("x-a", "good"), ("x-b", "good")]).await, "key_a");
}

#[tokio::test]
async fn who_is_known_and_may_not_does_not_pass_as_nobody() {
    let chain = with_judge(&[&["key_a"], &["key_b"], &[]], "key_a: true");
    assert_eq!(outcome(&chain, &[]).await, "");
    assert_eq!(outcome(&chain, &[("x-a", "good")]).await, "judge.few");
}

#[tokio::test]
async fn the_log_is_told_which_alternative_failed_how_and_which_line_asked_for_it() {
    let chain = with_judge(&[&["key_a"], &["key_a", "key_b"]], "key_a: true");
    let told = explained(&chain, &[("x-a", "good")]).await;
    assert_eq!(
        told,
        json!({ "asked_by": "a.yaml:5", "alternatives": [
            {
                "credentials": ["key_a"], "refused_by": "judge", "reason": "judge.few", "code": 900_910, "cause": "not_allowed",
                "asked_by": "a.yaml:5", "note": "request is not allowed: key_a (a test)",
            },
            {
                "credentials": ["key_a", "key_b"], "refused_by": "key_b", "reason": "key_b.absent", "cause": "not_allowed",
                "asked_by": "a.yaml:7", "note": "request is not allowed: absent (a test)",
            },
        ] })
    );
}

#[tokio::test]
async fn one_credential_is_an_alternative_too() {
    let chain = built(&plan(any(&[&["key_a"]]), vec![]), BOTH, &[]).unwrap();
    let told = explained(&chain, &[("x-a", "bad")]).await;
    assert_eq!(
        told["alternatives"],
        json!([{
            "credentials": ["key_a"], "refused_by": "key_a", "reason": "key_a.wrong", "cause": "not_allowed",
            "asked_by": "a.yaml:7", "note": "request is not allowed: wrong (setting /key)",
        }])
    );
}

#[tokio::test]
async fn a_setting_that_decides_is_named_by_its_own_line() {
    let yaml = "chain:\n  - key_a:\n      idle: false\n      key: best\n";
    let of = async |demands: Vec<Demand>, yaml: &str| {
        let chain = built(&plan(any(&[&["key_a"]]), demands), yaml, &[]).unwrap();
        let told = explained_in(&chain, &[("x-a", "bad")], yaml).await;
        assert_eq!(told["asked_by"], told["alternatives"][0]["asked_by"]);
        told["asked_by"].as_str().unwrap().to_owned()
    };
    assert_eq!(of(vec![], yaml).await, "gateway.yaml:4");
    assert_eq!(of(vec![demand("key_a", json!({ "key": "other" }))], yaml).await, "a.yaml:9", "the definition's wins");
    assert_eq!(of(vec![demand("key_a", json!({ "idle": false }))], yaml).await, "gateway.yaml:4", "the definition sets another one");
    assert_eq!(of(vec![], "chain: [key_a]\n").await, "a.yaml:7", "nobody wrote it: the demand");
}

#[tokio::test]
async fn a_filter_that_cannot_decide_is_named_by_the_line_that_asks_for_it() {
    let chain = with_judge(&[&["key_b"], &["key_a"]], "");
    let (run, verdict) = run(&chain, &[("x-a", "down")], None).await;
    assert!(matches!(verdict, Verdict::Fault(_)), "{verdict:?}");
    assert_eq!(json!(run.explain(&chain, None, &|_| None)), json!({ "asked_by": "a.yaml:7", "alternatives": [] }));
}

#[tokio::test]
async fn a_request_that_passes_needs_no_explanation() {
    let chain = with_judge(&[&["key_b"], &["key_a"]], "");
    let (run, verdict) = run(&chain, &[("x-a", "good")], None).await;
    assert!(matches!(verdict, Verdict::Pass) && run.explain(&chain, None, &|_| None).is_none(), "{verdict:?}");
}

#[tokio::test]
async fn a_refusal_behind_the_credentials_names_the_line_and_no_alternative() {
    let chain = with_judge(&[&["key_b"], &["key_a"]], "");
    assert_eq!(explained(&chain, &[("x-a", "good"), ("x-stop", "end")]).await, json!({ "asked_by": "a.yaml:9", "alternatives": [] }));
}

/// Every list that can be made of these, in every order.
fn orders<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    let mut all = vec![Vec::new()];
    for (index, item) in items.iter().enumerate() {
        let rest: Vec<T> = items.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, other)| other.clone()).collect();
        all.extend(orders(&rest).into_iter().map(|mut order| {
            order.insert(0, item.clone());
            order
        }));
    }
    all
}

/// Whom a definition lets in, read off the specification: with good credentials, one alternative must have all of its own among them
/// and be enough for the judge. Nobody in particular passes only where nothing else was found.
fn lets_in(alternatives: &[&[&str]], held: &[&str], few: &[&str]) -> bool {
    let found = |alternative: &&&[&str]| alternative.iter().all(|credential| held.contains(credential));
    let somebody: Vec<&&[&str]> = alternatives.iter().filter(|alternative| !alternative.is_empty()).filter(found).collect();
    let anonymous = alternatives.iter().any(|alternative| alternative.is_empty());
    if somebody.is_empty() { anonymous } else { somebody.iter().any(|alternative| !few.contains(&alternative.join("+").as_str())) }
}

#[tokio::test]
async fn every_list_of_requirements_lets_in_whom_the_specification_does() {
    let every: [&[&str]; 4] = [&[], &["key_a"], &["key_b"], &["key_a", "key_b"]];
    let judged = [&[][..], &["key_a"], &["key_b"], &["key_a+key_b"], &["key_a", "key_b"], &["key_a", "key_a+key_b"]];
    let mut tried = 0;
    for alternatives in orders(&every).into_iter().filter(|list| list.iter().any(|alternative| !alternative.is_empty())) {
        for few in judged {
            let settings: Vec<String> = few.iter().map(|name| format!("{name}: true")).collect();
            let chain = with_judge(&alternatives, &settings.join(", "));
            for held in every {
                let fields: Vec<(&str, &str)> = held.iter().map(|key| (if *key == "key_a" { "x-a" } else { "x-b" }, "good")).collect();
                let (_, verdict) = run(&chain, &fields, None).await;
                let passes = matches!(verdict, Verdict::Pass);
                assert_eq!(passes, lets_in(&alternatives, held, few), "{alternatives:?}, held {held:?}, not enough {few:?}: {verdict:?}");
                tried += 1;
            }
        }
    }
    assert!(tried > 1000, "only {tried}");
}
