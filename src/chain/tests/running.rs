use std::{
    net::IpAddr,
    sync::Arc,
    time::{Instant, SystemTime},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header::WWW_AUTHENTICATE};
use serde_json::json;
use tollgate_filter_api::{Answer, Body, Call, NoCertificate, Peer, Principal, RequestHead, RequestId, ResponseHead, Views};
use tollgate_plan::Target;

use super::{Chain, any, built, credential, demand, plan};
use crate::chain::{Run, Verdict};

const BOTH: &str = "chain: [key_a, key_b]\n";

pub fn call() -> Call {
    Call {
        operation: Arc::default(),
        client: IpAddr::from([192, 0, 2, 1]),
        secure: false,
        host: "api.example".into(),
        has_body: false,
        now: SystemTime::UNIX_EPOCH,
        instant: Instant::now(),
        request_id: RequestId::default(),
        forwarded: None,
    }
}

fn head(fields: &[(&str, &str)]) -> RequestHead {
    let mut head = RequestHead::build("GET", "/").unwrap();
    for (name, value) in fields {
        head.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    head
}

pub async fn run(chain: &Chain, fields: &[(&str, &str)], body: Option<&mut Body>) -> (Run, Verdict) {
    let mut run = Run::new(chain, Peer::Anonymous(NoCertificate::Plain), Views::serving());
    let verdict = run.request(chain, &mut head(fields), &call(), body).await;
    (run, verdict)
}

/// The filter that vouched for the caller, or the reason of the refusal or fault.
pub async fn outcome(chain: &Chain, fields: &[(&str, &str)]) -> &'static str {
    match run(chain, fields, None).await {
        (run, Verdict::Pass) => run.facts.get::<Principal>().map_or("nobody", |principal| principal.filter),
        (_, Verdict::Stop(answer)) => answer.reason().id,
        (_, Verdict::Fault(fault)) => fault.id,
        (_, Verdict::NeedBody(_)) => "body",
    }
}

pub fn order(run: &mut Run, chain: &Chain) -> Vec<String> {
    let mut resp = ResponseHead::build(200).unwrap();
    run.response(chain, &mut resp, true, &call()).unwrap();
    resp.fields().get_all("x-order").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

fn challenges(answer: &Answer) -> Vec<&str> {
    answer.headers().iter().filter(|(name, _)| name == WWW_AUTHENTICATE).map(|(_, value)| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn the_first_alternative_that_finds_its_credential_decides() {
    let chain = built(&plan(any(&[&["key_a"], &["key_b"]]), vec![]), BOTH, &[]).unwrap();
    assert_eq!(outcome(&chain, &[("x-a", "good")]).await, "key_a");
    assert_eq!(outcome(&chain, &[("x-b", "good")]).await, "key_b");
    assert_eq!(outcome(&chain, &[("x-a", "bad"), ("x-b", "good")]).await, "key_a.wrong");
    assert_eq!(outcome(&chain, &[("x-a", "down"), ("x-b", "good")]).await, "key_a.down");
}

#[tokio::test]
async fn without_any_credential_the_challenges_of_all_are_given() {
    let chain = built(&plan(any(&[&["key_a"], &["key_b"]]), vec![]), BOTH, &[]).unwrap();
    let (_, Verdict::Stop(answer)) = run(&chain, &[], None).await else { panic!("it must be refused") };
    assert_eq!((answer.reason().id, challenges(&answer)), ("key_a.absent", vec!["key_a", "key_b"]));
}

#[tokio::test]
async fn an_anonymous_alternative_lets_nobody_in_with_a_bad_credential() {
    let chain = built(&plan(any(&[&["key_a"], &[]]), vec![]), BOTH, &[]).unwrap();
    assert_eq!(outcome(&chain, &[]).await, "");
    assert_eq!(outcome(&chain, &[("x-a", "good")]).await, "key_a");
    assert_eq!(outcome(&chain, &[("x-a", "bad")]).await, "key_a.wrong");
}

#[tokio::test]
async fn credentials_that_belong_together_are_all_needed_and_the_first_names_the_caller() {
    let chain = built(&plan(any(&[&["key_a", "key_b"]]), vec![]), BOTH, &[]).unwrap();
    assert_eq!(outcome(&chain, &[("x-a", "good"), ("x-b", "good")]).await, "key_a");
    assert_eq!(outcome(&chain, &[("x-a", "good")]).await, "key_b.absent");
    assert_eq!(outcome(&chain, &[("x-a", "good"), ("x-b", "bad")]).await, "key_b.wrong");
}

#[tokio::test]
async fn a_failed_alternative_leaves_no_caller_behind() {
    let chain = built(&plan(any(&[&["key_a", "key_b"], &[]]), vec![]), BOTH, &[]).unwrap();
    assert_eq!(outcome(&chain, &[("x-a", "good")]).await, "");
}

#[test]
fn scopes_of_alternatives_are_told_to_whoever_compares_them() {
    let alternative = |scopes: &[&str]| tollgate_plan::Alternative { credentials: vec![credential("key_a", scopes)] };
    let plan = plan(vec![alternative(&["read"]), alternative(&["write", "all"])], vec![]);
    assert!(built(&plan, BOTH, &[]).is_err(), "nobody would compare the scopes");
    let chain = built(&plan, BOTH, &["judge"]).unwrap();
    let asked = json!({"alternatives": [
        [{"filter": "key_a", "scopes": ["read"], "source": "a.yaml:7"}],
        [{"filter": "key_a", "scopes": ["write", "all"], "source": "a.yaml:7"}]
    ]});
    assert_eq!(json!(chain.scopes), asked);
}

#[tokio::test]
async fn an_answer_passes_the_filters_that_ran_in_reverse_order() {
    let yaml = "chain: [mark: {name: one}, key_a, mark: {name: two}, mark: {name: three}]\n";
    let chain = built(&plan(any(&[&["key_a"], &["key_b"]]), vec![]), &yaml.replace("key_a", "key_a, key_b"), &[]).unwrap();
    let (mut all, verdict) = run(&chain, &[("x-b", "good")], None).await;
    assert!(matches!(verdict, Verdict::Pass), "{verdict:?}");
    assert_eq!(order(&mut all, &chain), ["three", "two", "key_b", "one"]);
    let (mut some, verdict) = run(&chain, &[("x-b", "good"), ("x-stop", "two")], None).await;
    assert!(matches!(verdict, Verdict::Stop(_)), "{verdict:?}");
    assert_eq!(order(&mut some, &chain), ["key_b", "one"]);
}

#[tokio::test]
async fn what_goes_upstream_passes_the_filters_in_order() {
    let chain = built(&plan(vec![], vec![]), "chain: [mark: {name: one}, mark: {name: two}]\n", &[]).unwrap();
    let (mut run, _) = run(&chain, &[], None).await;
    let mut req = head(&[]);
    run.upstream(&chain, &mut req, &call()).unwrap();
    assert_eq!(req.fields().get_all("x-order").iter().collect::<Vec<_>>(), ["one", "two"]);
}

#[tokio::test]
async fn the_body_is_asked_for_where_it_is_needed_and_nothing_runs_twice() {
    let chain = built(&plan(vec![], vec![demand("mark", json!({"name": "one"}))]), "chain: [mark, whole]\n", &[]).unwrap();
    let (mut run, verdict) = run(&chain, &[], None).await;
    assert!(matches!(verdict, Verdict::NeedBody(8)), "{verdict:?}");
    let mut body = Body::from(Bytes::from_static(b"five!"));
    let verdict = run.request(&chain, &mut head(&[]), &call(), Some(&mut body)).await;
    assert!(matches!(verdict, Verdict::Pass), "{verdict:?}");
    let mut resp = ResponseHead::build(200).unwrap();
    run.response(&chain, &mut resp, true, &call()).unwrap();
    assert_eq!((resp.fields()["x-length"].to_str().unwrap(), order(&mut run, &chain).len()), ("5", 1));
}

#[tokio::test]
async fn two_entries_of_one_filter_are_two_alternatives() {
    let yaml = "chain: [any_of: [key_a, key_a: {key: other}]]\n";
    let chain = built(&plan(any(&[&["key_a"]]), vec![]), yaml, &[]).unwrap();
    let (_, Verdict::Stop(answer)) = run(&chain, &[], None).await else { panic!("it must be refused") };
    assert_eq!(challenges(&answer), ["key_a", "key_a"]);
}

#[tokio::test]
async fn a_request_that_nobody_answers_and_that_has_no_endpoint_is_a_fault() {
    let mut plan = plan(vec![], vec![]);
    plan.apis[0].operations[0].target = Target::Endpoints { production: None, sandbox: None };
    let chain = built(&plan, "chain: [mark: {name: one}]\n", &[]).unwrap();
    assert_eq!(outcome(&chain, &[]).await, "chain.unanswered");
    assert_eq!(outcome(&chain, &[("x-stop", "one")]).await, "mark.stopped");
}

#[tokio::test]
async fn nobody_in_particular_is_the_caller_of_an_open_operation_only() {
    let (closed, open) = (built(&plan(any(&[&["key_a"]]), vec![]), BOTH, &[]).unwrap(), built(&plan(vec![], vec![]), BOTH, &[]).unwrap());
    assert!(run(&closed, &[], None).await.0.facts.get::<Principal>().is_none());
    assert!(run(&open, &[], None).await.0.facts.get::<Principal>().is_some_and(|principal| principal.is_anonymous()));
}
