//! Which operation a path belongs to.

use tollgate_plan::{Alternative, Api, Operation, Plan, Security, Source, Target, Transports};

use crate::{
    config::Paths,
    routes::{Route, Router, normal::normalize},
};

use super::asked;

fn operation((method, template): &(&str, &str)) -> Operation {
    Operation {
        id: format!("{method} {template}"),
        method: (*method).into(),
        template: (*template).into(),
        target: Target::Endpoints { production: Some(0), sandbox: None },
        security: Security { alternatives: Vec::<Alternative>::new(), waived: Vec::new(), source: Source::default() },
        conditions: Vec::new(),
        body_bytes: None,
        demands: vec![],
        declarations: Vec::new(),
        source: Source::default(),
    }
}

pub(in crate::routes) fn api(base_path: &str, operations: &[(&str, &str)]) -> Api {
    Api {
        title: base_path.into(),
        version: "1".into(),
        base_path: base_path.into(),
        transports: Transports { http: true, https: true },
        auth_header: None,
        hosts: Vec::new(),
        routes: false,
        whole_path: false,
        owner: None,
        operations: operations.iter().map(operation).collect(),
        source: Source::default(),
    }
}

pub(in crate::routes) fn plan(apis: Vec<Api>) -> Plan {
    Plan { apis, ..Plan::default() }
}

/// Template that answers, or the kind of miss.
pub(super) fn ask(plan: &Plan, path: &str, method: &str) -> String {
    ask_by(plan, path, method, &Paths::default())
}

pub(super) fn ask_by(plan: &Plan, path: &str, method: &str, rules: &Paths) -> String {
    let router = Router::build(plan).unwrap();
    let normal = normalize(path.as_bytes(), rules).unwrap_or_else(|rejection| panic!("{path}: {}", rejection.reason.id));
    match router.find(&asked(&normal.path, normal.reading.as_ref(), method, true)) {
        Route::Operation { index, .. } => {
            let all: Vec<_> = plan.apis.iter().flat_map(|api| api.operations.iter().map(move |o| (api, o))).collect();
            let (api, operation) = all[index as usize];
            format!("{} {}", api.base_path, operation.template)
        }
        Route::MethodNotAllowed { allow } => format!("405 {allow}"),
        Route::NoResource { api } => format!("404 in {}", plan.apis[api as usize].base_path),
        Route::Ambiguous { .. } => "ambiguous".into(),
        Route::NoApi => "404".into(),
        Route::NoHost => "421".into(),
    }
}

pub(super) fn gets(templates: &[&str]) -> Plan {
    plan(vec![api("/", &templates.iter().map(|t| ("GET", *t)).collect::<Vec<_>>())])
}

#[test]
fn the_longest_base_path_wins_by_whole_segments() {
    let plan = plan(vec![api("/", &[("GET", "/*")]), api("/pets", &[("GET", "/x")]), api("/pets/v1", &[("GET", "/x"), ("GET", "/")])]);
    assert_eq!(ask(&plan, "/pets/x", "GET"), "/pets /x");
    assert_eq!(ask(&plan, "/pets/v1/x", "GET"), "/pets/v1 /x");
    assert_eq!(ask(&plan, "/pets/v1", "GET"), "/pets/v1 /");
    assert_eq!(ask(&plan, "/pets/v1/", "GET"), "/pets/v1 /");
    assert_eq!(ask(&plan, "/pets/v12/x", "GET"), "404 in /pets");
    assert_eq!(ask(&plan, "/petshop", "GET"), "/ /*");
    assert_eq!(ask(&plan, "/Pets/x", "GET"), "/ /*");
    assert_eq!(ask(&plan, "/pets/v1/y", "GET"), "404 in /pets/v1");
}

#[test]
fn without_a_root_api_other_paths_belong_to_nobody() {
    let plan = plan(vec![api("/pets/v1", &[("GET", "/x")])]);
    for path in ["/", "/pets", "/other", "/pets/v2/x", "/x"] {
        assert_eq!(ask(&plan, path, "GET"), "404", "{path}");
    }
}

#[test]
fn the_base_path_length_leaves_the_resource_part() {
    let plan = plan(vec![api("/", &[("GET", "/a")]), api("/pets/v1", &[("GET", "/x")])]);
    let router = Router::build(&plan).unwrap();
    assert_eq!(router.find(&asked("/a", None, "GET", false)), Route::Operation { index: 0, base_len: 0 });
    assert_eq!(router.find(&asked("/pets/v1/x", None, "GET", false)), Route::Operation { index: 1, base_len: 8 });
}

#[test]
fn literals_come_before_partial_segments_before_parameters_before_the_rest() {
    let plan = gets(&["/*", "/{id}", "/{id}.json", "/report-{id}.json", "/pets"]);
    assert_eq!(ask(&plan, "/pets", "GET"), "/ /pets");
    assert_eq!(ask(&plan, "/report-1.json", "GET"), "/ /report-{id}.json");
    assert_eq!(ask(&plan, "/1.json", "GET"), "/ /{id}.json");
    assert_eq!(ask(&plan, "/report-.json", "GET"), "/ /{id}.json");
    assert_eq!(ask(&plan, "/.json", "GET"), "/ /{id}");
    assert_eq!(ask(&plan, "/1.xml", "GET"), "/ /{id}");
    assert_eq!(ask(&plan, "/a/b", "GET"), "/ /*");
}

#[test]
fn several_parameters_share_a_segment() {
    let plan = gets(&["/{a}-{b}", "/{a}{b}:go", "/x/{lat},{lon}.{format}"]);
    assert_eq!(ask(&plan, "/1-2", "GET"), "/ /{a}-{b}");
    assert_eq!(ask(&plan, "/--2", "GET"), "/ /{a}-{b}");
    assert_eq!(ask(&plan, "/-2", "GET"), "404 in /");
    assert_eq!(ask(&plan, "/xy:go", "GET"), "/ /{a}{b}:go");
    assert_eq!(ask(&plan, "/x:go", "GET"), "404 in /");
    assert_eq!(ask(&plan, "/x/1,2.json", "GET"), "/ /x/{lat},{lon}.{format}");
    assert_eq!(ask(&plan, "/x/1,.json", "GET"), "404 in /");
}

#[test]
fn a_branch_that_leads_nowhere_is_left_again() {
    let plan = gets(&["/a/b/c", "/a/{x}/d", "/{y}/b/e", "/a/*", "/{y}.json/b/f"]);
    assert_eq!(ask(&plan, "/a/b/c", "GET"), "/ /a/b/c");
    assert_eq!(ask(&plan, "/a/b/d", "GET"), "/ /a/{x}/d");
    assert_eq!(ask(&plan, "/a/b/e", "GET"), "/ /a/*");
    assert_eq!(ask(&plan, "/z/b/e", "GET"), "/ /{y}/b/e");
    assert_eq!(ask(&plan, "/z.json/b/f", "GET"), "/ /{y}.json/b/f");
    assert_eq!(ask(&plan, "/z.json/b/e", "GET"), "/ /{y}/b/e");
}

#[test]
fn the_rest_matches_anything_and_also_nothing() {
    let plan = gets(&["/files/*"]);
    for path in ["/files", "/files/", "/files/a", "/files/a/b/"] {
        assert_eq!(ask(&plan, path, "GET"), "/ /files/*", "{path}");
    }
    assert_eq!(ask(&plan, "/filesystem", "GET"), "404 in /");
}

#[test]
fn a_trailing_slash_is_matched_exactly_first_and_then_ignored() {
    let both = gets(&["/a", "/a/"]);
    assert_eq!(ask(&both, "/a", "GET"), "/ /a");
    assert_eq!(ask(&both, "/a/", "GET"), "/ /a/");
    let (with, without) = (gets(&["/a/"]), gets(&["/a"]));
    assert_eq!(ask(&with, "/a", "GET"), "/ /a/");
    assert_eq!(ask(&without, "/a/", "GET"), "/ /a");
}

#[test]
fn the_method_is_compared_last_and_never_changes_the_path() {
    let plan = plan(vec![api("/", &[("GET", "/pets/mine"), ("HEAD", "/pets/mine"), ("DELETE", "/pets/{id}"), ("OPTIONS", "/pets/{id}")])]);
    assert_eq!(ask(&plan, "/pets/mine", "DELETE"), "405 GET, HEAD");
    assert_eq!(ask(&plan, "/pets/1", "DELETE"), "/ /pets/{id}");
    assert_eq!(ask(&plan, "/pets/1", "GET"), "405 DELETE, OPTIONS");
    assert_eq!(ask(&plan, "/pets/1", "delete"), "405 DELETE, OPTIONS");
    assert_eq!(ask(&plan, "/pets", "GET"), "404 in /");
}

#[test]
fn an_api_is_served_only_on_its_transports_and_hides_the_shorter_one() {
    let mut secure = api("/pets", &[("GET", "/x")]);
    secure.transports = Transports { http: false, https: true };
    let plan = plan(vec![api("/", &[("GET", "/*")]), secure]);
    let router = Router::build(&plan).unwrap();
    assert_eq!(router.find(&asked("/pets/x", None, "GET", false)), Route::NoApi);
    assert_eq!(router.find(&asked("/pets/x", None, "GET", true)), Route::Operation { index: 1, base_len: 5 });
}

#[test]
fn literals_of_a_template_need_not_be_escaped() {
    let plan = gets(&["/caf\u{e9}", "/%7Euser", "/a b", "/x%3ay"]);
    assert_eq!(ask(&plan, "/caf%C3%A9", "GET"), "/ /caf\u{e9}");
    assert_eq!(ask(&plan, "/~user", "GET"), "/ /%7Euser");
    assert_eq!(ask(&plan, "/a%20b", "GET"), "/ /a b");
    assert_eq!(ask(&plan, "/x%3Ay", "GET"), "/ /x%3ay");
}

#[test]
fn templates_that_cannot_be_told_apart_or_matched_are_problems() {
    for (templates, word) in [
        (&["/a/{x}", "/a/{y}"][..], "same requests"),
        (&["/a/{x}.json", "/a/{y}.json"], "same requests"),
        (&["/*/a"], "only possible at its end"),
        (&["/a//b"], "empty segment"),
        (&["a"], "begin with"),
        (&["/{a"], "does not close"),
        (&["/a}"], "not opened"),
        (&["/a/../b"], "dot segments"),
        (&["/a?b=c"], "no request can match"),
    ] {
        let problems = Router::build(&gets(templates)).unwrap_err();
        assert!(problems.0.iter().all(|p| p.message.contains(word)) && problems.0.len() == 1, "{problems}");
    }
    let twice = plan(vec![api("/p", &[("GET", "/a")]), api("/p", &[("GET", "/b")])]);
    assert!(Router::build(&twice).unwrap_err().to_string().contains("two APIs have the base path `/p`"));
}

#[test]
fn different_parameter_names_may_share_a_place() {
    let plan = gets(&["/path/{id}", "/path/{x}/aa/{id}"]);
    assert_eq!(ask(&plan, "/path/1", "GET"), "/ /path/{id}");
    assert_eq!(ask(&plan, "/path/1/aa/2", "GET"), "/ /path/{x}/aa/{id}");
}
