//! What an environment may change, and how it is told that it changed nothing.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use tollgate_plan::{Environment, Strategy};

use super::world::{Upstreams, build, build_with, first, gateway, group, plan, problem, with_basic};
use crate::{config::UpstreamHttp, upstreams};

fn hosts(upstreams: &Upstreams) -> Vec<String> {
    let sets = upstreams.groups().iter().map(|group| group.endpoints());
    sets.flat_map(|set| set.endpoints().iter().map(|endpoint| endpoint.upstream.host.clone()).collect::<Vec<_>>()).collect()
}

#[test]
fn a_groups_entry_replaces_its_urls() {
    let more = json!({ "endpoints": { "pets": { "production": ["http://x.example", "http://y.example"] } } });
    let upstreams = build(group("pets", Strategy::Single, &["http://a.example"]), more).unwrap();
    assert_eq!(hosts(&upstreams), ["x.example", "y.example"]);
    assert_eq!(upstreams.group(0).policy().balancing.strategy, upstreams::Strategy::RoundRobin);
}

#[test]
fn production_urls_do_not_reach_the_sandbox() {
    let mut sandbox = group("pets", Strategy::Single, &["http://s.example"]);
    sandbox.environment = Environment::Sandbox;
    let plan = plan(vec![group("pets", Strategy::Single, &["http://a.example"]), sandbox]);
    let more = json!({ "endpoints": { "pets": { "production": ["http://x.example"] } } });
    let upstreams = build_with(&plan, &gateway(more), &BTreeMap::from([("pets_sand_endpoint_0", "http://t.example")])).unwrap();
    assert_eq!(hosts(&upstreams), ["x.example", "t.example"]);
}

#[test]
fn the_groups_own_entry_is_nearer_than_the_one_for_all() {
    let more = json!({
        "upstream": { "http": "1", "read_timeout": "9s", "preserve_host": true },
        "endpoints": { "*": { "http": "2", "read_timeout": "8s" }, "pets": { "read_timeout": "7s" } },
    });
    let upstreams = build(group("pets", Strategy::Single, &["http://a.example"]), more).unwrap();
    let endpoint = first(&upstreams);
    let upstream = &endpoint.upstream;
    assert_eq!((upstream.http, upstream.timeouts.read, upstream.preserve_host), (UpstreamHttp::Two, Duration::from_secs(7), true));
}

#[test]
fn a_variable_replaces_one_url() {
    let plan = plan(vec![group("pets", Strategy::Failover, &["http://a.example", "http://b.example"])]);
    let variables = BTreeMap::from([("pets_prod_endpoint_1", "http://x.example"), ("pets_sand_endpoint_0", "http://no.example")]);
    let upstreams = build_with(&plan, &gateway(json!({})), &variables).unwrap();
    assert_eq!(hosts(&upstreams), ["a.example", "x.example"]);
}

#[test]
fn a_bad_url_in_a_variable_is_blamed_on_the_variable() {
    let plan = plan(vec![group("pets", Strategy::Single, &["http://a.example"])]);
    let problems = build_with(&plan, &gateway(json!({})), &BTreeMap::from([("pets_prod_endpoint_0", "x.example")])).unwrap_err();
    assert!(problems.0[0].message.starts_with("pets_prod_endpoint_0: "), "{problems}");
}

#[test]
fn a_bad_url_in_a_definition_is_blamed_on_its_line() {
    let problem = problem(group("pets", Strategy::Single, &["http://u:hunter2@a.example"]), json!({}));
    assert_eq!((problem.file.as_str(), problem.line, problem.code), ("api_definitions/pets.yaml", 7, "upstream.url"));
    assert!(!problem.message.contains("hunter2"), "{problem}");
}

#[test]
fn an_entry_that_meets_no_group_is_refused_with_the_name_that_was_meant() {
    let problem = problem(group("pet_store", Strategy::Single, &["http://a.example"]), json!({ "endpoints": { "pet-stroe": {} } }));
    assert_eq!((problem.file.as_str(), problem.pointer.as_str()), ("gateway.yaml", "/endpoints/pet-stroe"));
    assert_eq!(problem.hint, "did you mean `pet_store`?");
}

#[test]
fn an_entry_far_from_every_name_is_shown_the_names() {
    let problem = problem(group("pets", Strategy::Single, &["http://a.example"]), json!({ "endpoints": { "invoices": {} } }));
    assert_eq!(problem.hint, "the groups are `pets`");
}

#[test]
fn urls_for_a_side_the_group_does_not_have_are_refused() {
    let more = json!({ "endpoints": { "pets": { "sandbox": ["http://s.example"] } } });
    let problem = problem(group("pets", Strategy::Single, &["http://a.example"]), more);
    assert_eq!((problem.code, problem.pointer.as_str()), ("upstream.override", "/endpoints/pets/sandbox"));
}

#[test]
fn an_empty_list_of_urls_is_refused() {
    let more = json!({ "endpoints": { "pets": { "production": [] } } });
    assert_eq!(problem(group("pets", Strategy::Single, &["http://a.example"]), more).code, "upstream.url");
}

#[test]
fn every_problem_comes_at_once() {
    let plan = plan(vec![group("a", Strategy::Single, &["nonsense"]), group("b", Strategy::Single, &["https://192.0.2.1"])]);
    let problems = build_with(&plan, &gateway(json!({ "endpoints": { "zzz": {} } })), &BTreeMap::new()).unwrap_err();
    assert_eq!(problems.0.len(), 3, "{problems}");
}

fn credentials(more: serde_json::Value, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
    let plan = plan(vec![with_basic(group("pets", Strategy::Single, &["http://a.example"]), "alice")]);
    let upstreams = build_with(&plan, &gateway(more), &variables.iter().copied().collect()).map_err(|problems| problems.to_string())?;
    let endpoint = first(&upstreams);
    let value = endpoint.upstream.authorization.as_ref();
    assert!(value.is_none_or(http::HeaderValue::is_sensitive));
    Ok(value.map(|value| {
        let encoded = value.to_str().unwrap().strip_prefix("Basic ").unwrap();
        String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
    }))
}

/// A reference to a variable that every test run has; its value is the password.
const REFERENCE: &str = "${env:PATH}";

fn path() -> String {
    std::env::var("PATH").unwrap()
}

#[test]
fn the_user_comes_from_the_definition_and_the_password_by_reference() {
    let more = json!({ "endpoints": { "pets": { "basic": { "password": REFERENCE } } } });
    assert_eq!(credentials(more, &[]).unwrap(), Some(format!("alice:{}", path())));
}

#[test]
fn the_entry_may_name_another_user() {
    let more = json!({ "endpoints": { "*": { "basic": { "username": "bob", "password": REFERENCE } } } });
    assert_eq!(credentials(more, &[]).unwrap(), Some(format!("bob:{}", path())));
}

#[test]
fn variables_are_nearest() {
    let more = json!({ "endpoints": { "pets": { "basic": { "password": REFERENCE } } } });
    let variables = [("pets_prod_basic_username", "carol"), ("pets_prod_basic_password", "s3cret")];
    assert_eq!(credentials(more, &variables).unwrap(), Some("carol:s3cret".into()));
}

#[test]
fn a_user_without_a_password_is_refused_with_the_setting_to_write() {
    let text = credentials(json!({}), &[]).unwrap_err();
    for part in ["api_definitions/pets.yaml:9", "`alice`", "/endpoints/pets/basic/password", "pets_prod_basic_password"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_demand_can_be_waived_by_name() {
    assert_eq!(credentials(json!({ "waive": ["upstream_basic"] }), &[]), Ok(None));
    assert!(credentials(json!({ "waive": ["basic_auth"] }), &[]).is_err());
}

#[test]
fn a_waiver_does_not_switch_off_what_is_there() {
    let variables = [("pets_prod_basic_password", "s3cret")];
    assert_eq!(credentials(json!({ "waive": ["upstream_basic"] }), &variables), Ok(Some("alice:s3cret".into())));
}

#[test]
fn a_password_for_a_group_that_names_no_user_is_refused() {
    let more = json!({ "endpoints": { "pets": { "basic": { "password": REFERENCE } } } });
    assert_eq!(problem(group("pets", Strategy::Single, &["http://a.example"]), more).code, "upstream.credentials");
}

#[test]
fn a_password_for_all_reaches_only_groups_that_name_a_user() {
    let more = json!({ "endpoints": { "*": { "basic": { "password": REFERENCE } } } });
    let upstreams = build(group("pets", Strategy::Single, &["http://a.example"]), more).unwrap();
    assert!(first(&upstreams).upstream.authorization.is_none());
}

#[test]
fn a_user_with_a_colon_would_be_another_user() {
    let text = credentials(json!({}), &[("pets_prod_basic_username", "al:ice"), ("pets_prod_basic_password", "x")]).unwrap_err();
    assert!(text.contains("colon"), "{text}");
}

#[test]
fn a_plan_that_refers_to_a_group_it_does_not_have_is_refused() {
    let mut plan = plan(vec![group("pets", Strategy::Single, &["http://a.example"])]);
    let source = json!({ "document": 0, "line": 30, "pointer": "/paths/~1pets/get" });
    let api = json!({
        "title": "pets", "version": "1.0", "base_path": "/pets", "transports": { "http": true, "https": true }, "auth_header": null,
        "owner": null, "source": source, "operations": [{
            "id": "list", "method": "GET", "template": "/", "target": { "endpoints": { "production": 0, "sandbox": 1 } },
            "security": { "alternatives": [], "source": source }, "demands": [], "source": source,
        }],
    });
    plan.apis.push(serde_json::from_value(api).unwrap());
    let problems = build_with(&plan, &gateway(json!({})), &BTreeMap::new()).unwrap_err();
    assert_eq!((problems.0.len(), problems.0[0].code, problems.0[0].line), (1, "upstream.group", 30));
}

#[test]
fn the_times_for_a_head_and_for_the_whole_are_the_groups_own() {
    let times = |more| {
        let upstreams = build(group("pets", Strategy::Single, &["http://a.example"]), more).unwrap();
        let timeouts = first(&upstreams).upstream.timeouts;
        (timeouts.response_header.as_secs(), timeouts.request.map(|limit| limit.as_secs()))
    };
    assert_eq!(times(json!({})), (62, None), "two seconds more than silence may last, and no limit for the whole");
    assert_eq!(times(json!({ "upstream": { "response_header_timeout": "9s", "request_timeout": "5m" } })), (9, Some(300)));
    let more = json!({
        "upstream": { "response_header_timeout": "9s", "request_timeout": "5m" },
        "endpoints": { "*": { "request_timeout": "4m" }, "pets": { "response_header_timeout": "8s", "request_timeout": "0s" } },
    });
    assert_eq!(times(more), (8, None));
}

#[test]
fn a_head_that_must_come_sooner_than_silence_ends_needs_http_1() {
    let build = |url: &str, more| build(group("pets", Strategy::Single, &[url]), more);
    let sooner = |http: &str| json!({ "endpoints": { "pets": { "response_header_timeout": "9s", "http": http } } });
    assert!(build("http://a.example", sooner("auto")).is_ok() && build("https://a.example", sooner("1")).is_ok());
    for (url, http) in [("https://a.example", "auto"), ("http://a.example", "2")] {
        let problems = build(url, sooner(http)).unwrap_err();
        assert_eq!(problems.0[0].pointer, "/endpoints/pets/response_header_timeout", "{url} {http}");
    }
    let general = json!({ "upstream": { "response_header_timeout": "9s" } });
    assert_eq!(build("https://a.example", general).unwrap_err().0[0].pointer, "/upstream/response_header_timeout");
}
