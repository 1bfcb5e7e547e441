//! Hosts, conditions and expressions: which of several routes is meant.

use http::{HeaderMap, HeaderName, HeaderValue};
use tollgate_plan::{Api, Condition, Part, Plan, Test};

use super::{
    super::{Asked, Route, Router, normal::normalize},
    routing::{api, plan},
};
use crate::config::{Keep, Paths};

fn routes(hosts: &[&str], operations: &[(&str, &str)]) -> Api {
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    Api { hosts, routes: true, whole_path: true, title: "routes".into(), ..api("/", operations) }
}

/// Says which host and template answer, with the number of conditions if there are any.
fn ask(plan: &Plan, host: &str, target: &str, fields: &[(&str, &str)]) -> String {
    let router = Router::build(plan).unwrap();
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let rules = Paths { encoded_slash: Keep::Keep, semicolon: Keep::Keep };
    let normal = normalize(path.as_bytes(), &rules).unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let asked =
        Asked { host, path: &normal.path, reading: normal.reading.as_ref(), query, method: "GET", headers: &headers, secure: false };
    match router.find(&asked) {
        Route::Operation { index, base_len: _ } => {
            let all: Vec<_> = plan.apis.iter().flat_map(|api| api.operations.iter().map(move |one| (api, one))).collect();
            let (api, operation) = all[index as usize];
            let host = api.hosts.first().map_or("any", String::as_str);
            let base = api.base_path.trim_end_matches('/');
            format!("{host} {base}{}{}", operation.template, "?".repeat(operation.conditions.len()))
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn the_most_certain_host_that_has_a_route_is_meant() {
    let plan = plan(vec![
        routes(&["shop.example", "store.example"], &[("*", "/a/*"), ("*", "/b")]),
        routes(&["*.example"], &[("*", "/*")]),
        routes(&["*.eu.shop.example"], &[("*", "/a/*")]),
        routes(&["[::1]"], &[("GET", "/")]),
        routes(&[], &[("*", "/health")]),
        api("/v1", &[("GET", "/pets")]),
    ]);
    let hosts = [
        ("shop.example", "/a/x", "shop.example /a/*"),
        ("shop.example:8080", "/b", "shop.example /b"),
        ("store.example", "/b", "shop.example /b"),
        ("shop.example", "/c", "*.example /*"),
        ("x.shop.example", "/a", "*.example /*"),
        ("de.eu.shop.example", "/a", "*.eu.shop.example /a/*"),
        ("x.de.eu.shop.example", "/b", "*.example /*"),
        ("eu.shop.example", "/a", "*.example /*"),
        ("example", "/health", "any /health"),
        ("other.test", "/v1/pets", "any /v1/pets"),
        ("other.test", "/v1/cats", "NoResource { api: 5 }"),
        ("other.test", "/x", "NoResource { api: 4 }"),
        ("shop.example", "/v1/pets", "*.example /*"),
        ("[::1]:80", "/", "[::1] /"),
        ("[::1]", "/health", "any /health"),
    ];
    for (host, path, expected) in hosts {
        assert_eq!(ask(&plan, host, path, &[]), expected, "{host}{path}");
    }
}

#[test]
fn a_host_of_nobody_is_told_so_and_none_is_guessed() {
    let plan = plan(vec![routes(&["shop.example", "*.shop.example"], &[("*", "/*")])]);
    for host in ["example", "shop.example.evil", "xshop.example", "192.0.2.1", "shopxexample"] {
        assert_eq!(ask(&plan, host, "/", &[]), "NoHost", "{host}");
    }
    assert_eq!(ask(&plan, "a.b.shop.example", "/", &[]), "shop.example /*");
}

#[test]
fn what_is_no_host_or_stands_twice_is_an_error() {
    for host in ["Shop.example", "shop.example:80", "", "*", "*.", "a..b", "*.*.example", "a.*.example", "http://a", "bücher.example"] {
        let problems = Router::build(&plan(vec![routes(&[host], &[("*", "/*")])])).unwrap_err();
        assert!(problems.to_string().contains("is not a host"), "{host}: {problems}");
    }
    let twice = plan(vec![routes(&["a.example"], &[("*", "/*")]), api_of("a.example", "/")]);
    assert!(Router::build(&twice).unwrap_err().to_string().contains("two APIs have the base path `/` of host `a.example`"));
    Router::build(&plan(vec![routes(&["a.example"], &[("*", "/*")]), api_of("b.example", "/"), api_of("a.example", "/v1")])).unwrap();
}

fn api_of(host: &str, base: &str) -> Api {
    Api { hosts: vec![host.into()], ..api(base, &[("GET", "/x")]) }
}

fn condition(part: Part, name: &str, test: Test) -> Condition {
    Condition { part, name: name.into(), test }
}

#[test]
fn a_route_whose_conditions_do_not_hold_counts_as_if_it_were_not_there() {
    let mut api = routes(&[], &[("*", "/a"), ("*", "/a"), ("GET", "/a"), ("*", "/a/*"), ("*", "/*")]);
    let version = condition(Part::Header, "x-version", Test::Is("2".into()));
    let beta = condition(Part::Cookie, "beta", Test::Present(true));
    let debug = condition(Part::Query, "de bug", Test::Matches("on|1".into()));
    api.operations[0].conditions = vec![version.clone()];
    api.operations[1].conditions = vec![version, beta];
    api.operations[2].conditions = vec![debug];
    api.operations[3].conditions = vec![condition(Part::Header, "x-legacy", Test::Present(false))];
    let plan = plan(vec![api]);
    type Fields = &'static [(&'static str, &'static str)];
    let cases: [(&str, Fields, &str); 9] = [
        ("/a", &[("x-version", "2")], "any /a?"),
        ("/a", &[("x-version", "1"), ("x-version", "2")], "any /a?"),
        ("/a", &[("x-version", "2"), ("cookie", "a=1;  beta=")], "any /a??"),
        ("/a", &[("x-version", "22")], "any /a/*?"),
        ("/a?de+bug=on", &[], "any /a?"),
        ("/a?x=1&de%20bug=off&de%20bug=1", &[], "any /a?"),
        ("/a?de+bug=online", &[], "any /a/*?"),
        ("/a", &[("x-legacy", "")], "any /*"),
        ("/a", &[("cookie", "alpha=beta"), ("x-version", "3"), ("x-legacy", "1")], "any /*"),
    ];
    for (target, fields, expected) in cases {
        assert_eq!(ask(&plan, "x", target, fields), expected, "{target} {fields:?}");
    }
}

#[test]
fn the_same_conditions_twice_are_an_error() {
    let mut api = routes(&[], &[("*", "/a"), ("*", "/a")]);
    let one = condition(Part::Header, "x", Test::Present(true));
    let other = condition(Part::Query, "x", Test::Present(true));
    api.operations[0].conditions = vec![one.clone(), other.clone()];
    api.operations[1].conditions = vec![other, one];
    let problems = Router::build(&plan(vec![api])).unwrap_err();
    assert!(problems.to_string().contains("matches the same requests"), "{problems}");
}

#[test]
fn an_expression_comes_after_templates_and_before_the_rest_and_matches_a_whole_path() {
    let plan = plan(vec![routes(&[], &[("*", "/*"), ("*", "~ /v[0-9]+/.*"), ("*", r"~ .*\.png"), ("*", "/v1/{id}"), ("*", "/v2/*")])]);
    let cases = [
        ("/v1/x", "any /v1/{id}"),
        ("/v1/x/y", "any ~ /v[0-9]+/.*"),
        ("/v2/x", "any ~ /v[0-9]+/.*"),
        ("/v3/a.png", "any ~ /v[0-9]+/.*"),
        ("/a.png", r"any ~ .*\.png"),
        ("/a.png/b", "any /*"),
        ("/a%2Epng", r"any ~ .*\.png"),
        ("/x/v1/y", "any /*"),
    ];
    for (path, expected) in cases {
        assert_eq!(ask(&plan, "x", path, &[]), expected, "{path}");
    }
}

#[test]
fn an_expression_that_cannot_be_used_is_an_error() {
    for (expression, why) in [("(", "unclosed"), ("a)|(b", "unopened"), ("[a-", "unclosed"), ("a{1000}{1000}", "limit"), (r"(?=a)", "look")]
    {
        let problems = Router::build(&plan(vec![routes(&[], &[("*", &format!("~ {expression}"))])])).unwrap_err().to_string();
        assert!(problems.contains(&format!("`{expression}`")) && problems.contains(why), "{problems}");
    }
}

#[test]
fn other_readings_of_a_path_are_held_against_expressions_and_other_hosts() {
    let mut guarded = routes(&["a.example"], &[("*", "/*"), ("*", "~ /admin/.*")]);
    guarded.operations[1].security.alternatives = vec![tollgate_plan::Alternative { credentials: Vec::new() }];
    let plan = plan(vec![guarded, api("/v1", &[("GET", "/pets")])]);
    assert_eq!(ask(&plan, "a.example", "/admin/x", &[]), "a.example ~ /admin/.*");
    assert_eq!(ask(&plan, "a.example", "/admin%2Fx", &[]), "Ambiguous { api: 0 }");
    assert_eq!(ask(&plan, "a.example", "/b%2Fx", &[]), "a.example /*");
}
