//! Fields, cookies, and segments of the path.

use super::*;
use crate::Direction;
use tollgate_filter_api::below;

#[test]
fn a_field_is_found_however_its_name_is_written() {
    let rule = named("X-Count", rule(Place::Header, Style::Simple));
    let parameters = compiled(&[rule], "/x", &[json!({"type": "integer"})]);
    let mut head = RequestHead::build("GET", "/x").unwrap();
    head.append(HeaderName::from_bytes(b"x-COUNT").unwrap(), HeaderValue::from_static("x"));
    assert_eq!(judge(&parameters, &head).rules(), ["type"]);
}

#[test]
fn the_name_of_a_query_parameter_and_of_a_cookie_is_exact() {
    for place in [Place::Query, Place::Cookie] {
        let found = judged(&rule(place, Style::Form), &json!({"type": "integer"}), "N=x");
        assert_eq!((found.rules(), found.present.clone()), (vec![], vec![]));
    }
    // The name of a cookie is not escaped by anybody.
    assert_eq!(judged(&rule(Place::Cookie, Style::Form), &json!({"type": "integer"}), "%6E=x").present, [0; 0]);
}

#[test]
fn an_answer_is_judged_by_the_same_rules() {
    let rules = [
        named("X-Left", ParameterRule { required: true, ..rule(Place::Header, Style::Simple) }),
        named("Set-Cookie", ParameterRule { schema: Some(1), ..rule(Place::Header, Style::Simple) }),
        named("X-Tags", ParameterRule { schema: Some(2), ..rule(Place::Header, Style::Simple) }),
    ];
    let schemas = [json!({"type": "integer"}), json!({"type": "string", "pattern": "HttpOnly"}), json!({"type": "array", "maxItems": 2})];
    let parameters = Parameters::compile(&rules, "", &library(&schemas), Some(Direction::Answer)).unwrap();
    let judged = |fields: &[(&'static str, &'static str)]| {
        let mut head = ResponseHead::build(200).unwrap();
        fields.iter().for_each(|(name, value)| head.append(HeaderName::from_static(name), HeaderValue::from_static(value)));
        let (mut findings, mut present) = (Vec::new(), Vec::new());
        parameters.judge_answer(&head, &Limits::default(), &mut findings, &mut |number| present.push(number));
        (findings.into_iter().map(|finding| finding.rule.into_owned()).collect::<Vec<_>>(), present)
    };
    let cookies = [("set-cookie", "a=1; HttpOnly"), ("set-cookie", "b=1; HttpOnly")];
    assert_eq!(judged(&[&cookies[..], &[("x-left", "3"), ("x-tags", "a"), ("x-tags", "b")]].concat()), (vec![], vec![0, 1, 1, 2]));
    assert_eq!(judged(&[("set-cookie", "a=1"), ("x-tags", "a, b, c")]).0, ["required", "pattern", "maxItems"]);
}

#[test]
fn the_texts_of_a_segment_are_those_that_the_router_saw() {
    let string = |value: &str| json!({"const": value});
    for (template, path, values) in [
        ("/a/{n}/b/{m}", "/a/x/b/y", ["x", "y"]),
        ("/a/{n}/b/{m}/", "/a/x/b/y", ["x", "y"]),
        ("/a/{m}/{n}", "/a/x%2Fz/y/", ["y", "x/z"]),
        ("/report-{n}.{m}", "/report-a.b.c", ["a", "b.c"]),
        ("/{n}:{m}", "/a%3Ab", ["a", "b"]),
        ("/{n}:{m}", "/:a%3Ab%3A", [":a", "b:"]),
        ("/{n}...{m}", "/v1...v2", ["v1", "v2"]),
        ("/%C3%A9{n}-{m}é", "/%C3%A9%C3%A4-%C3%BC%C3%A9", ["ä", "ü"]),
        ("/x/{n}/{z}/{m}", "/x/a/b/c", ["a", "c"]),
    ] {
        let rules = [rule(Place::Path, Style::Simple), named("m", ParameterRule { schema: Some(1), ..rule(Place::Path, Style::Simple) })];
        let found = judge(&compiled(&rules, template, &values.map(string)), &RequestHead::build("GET", path).unwrap());
        let mut present = found.present.clone();
        present.sort_unstable();
        assert_eq!((found.rules(), present), (vec![], vec![0, 1]), "{template} {path}: {found:?}");
    }
}

#[test]
fn a_path_that_is_not_of_the_template_is_not_let_through() {
    let rule = ParameterRule { required: true, ..rule(Place::Path, Style::Simple) };
    for (template, path) in [("/a/{n}", "/a"), ("/{n}.json", "/a.xml"), ("/x-{n}", "/x-%zz")] {
        let parameters = compiled(std::slice::from_ref(&rule), template, &[json!({})]);
        assert_eq!(judge(&parameters, &RequestHead::build("GET", path).unwrap()).rules(), ["required"], "{path}");
    }
}

#[test]
fn a_base_path_is_cut_off_by_its_segments() {
    for (path, base, rest) in
        [("/a/b/c", "/a/b", "/c"), ("/a/b/c", "/", "/a/b/c"), ("/%61/c", "a/", "/c"), ("/a", "/a", ""), ("/a/c", "", "/a/c")]
    {
        assert_eq!(below(path, base), rest, "{path} {base}");
    }
}

#[test]
fn rules_that_no_request_can_be_held_to_are_broken() {
    let compile = |rule: ParameterRule| Parameters::compile(&[rule], "/{n}", &library(&[json!({"pattern": "("})]), None).unwrap_err();
    let free = |rule: ParameterRule| ParameterRule { schema: None, ..rule };
    assert_eq!(
        compile(free(named("m", rule(Place::Path, Style::Simple)))).to_string(),
        "api.yaml:7: the template `/{n}` has no parameter `m`"
    );
    assert_eq!(compile(free(named("a b", rule(Place::Header, Style::Simple)))).to_string(), "api.yaml:7: `a b` is not the name of a field");
    assert!(compile(rule(Place::Query, Style::Form)).message.contains('('));
}
