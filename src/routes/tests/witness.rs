use tollgate_plan::Plan;

use super::*;
use crate::routes::tests::routing::{api, plan};

fn routes(operations: &[(&str, &str)]) -> Api {
    Api { routes: true, ..api("/", operations) }
}

fn warnings(plan: &Plan) -> Vec<String> {
    shadowed(plan, &Router::build(plan).unwrap()).into_iter().map(|problem| problem.message).collect()
}

#[test]
fn routes_that_take_each_others_special_cases_are_not_shadowed() {
    let plan = plan(vec![routes(&[("*", "/*"), ("*", "/x"), ("GET", "/a/{id}"), ("GET", "/a/x"), ("*", "~ /v[0-9]+/.*"), ("*", "/w/*")])]);
    assert_eq!(warnings(&plan), [""; 0]);
}

#[test]
fn a_route_below_the_base_path_of_an_api_and_one_behind_an_expression_are_shadowed_and_a_request_shows_it() {
    let mut any = routes(&[("*", "/v1/static/*"), ("GET", "/files/*"), ("*", "~ /files/.*"), ("*", "~ /files/[a-z]+")]);
    any.operations[3].conditions.clear();
    let plan = plan(vec![api("/v1", &[("GET", "/*")]), any]);
    let found = warnings(&plan);
    assert!(found[0].starts_with("no request reaches this route: `GET http://any.example/v1/static/x` goes to `/v1/*`"), "{found:?}");
    assert!(found[1].contains("`GET http://any.example/files/x` goes to `~ /files/.*`"), "{found:?}");
    assert!(found[2].contains("`GET http://any.example/files/a` goes to `~ /files/.*`"), "{found:?}");
    assert_eq!(found.len(), 3);
}

#[test]
fn what_is_made_up_fits() {
    for expression in ["/v[0-9]+/(a|b)?c{2}", r"\d{3}-\w", "[^/]+", "(?i)abc", r"a\.b", ".*"] {
        let text = sample(expression).unwrap();
        assert!(regex::Regex::new(&format!("^(?:{expression})$")).unwrap().is_match(&text), "{expression}: {text}");
    }
    assert_eq!(sample(r"\bx\B"), None);
    assert_eq!(fill("/a/{b}/c{d}.json", "w"), "/a/w/cw.json");
    assert_eq!(fill("/a/*", "w"), "/a/w");
}
