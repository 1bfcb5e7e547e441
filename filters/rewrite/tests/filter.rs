//! The `rewrite` filter from outside.

use std::time::{Duration, Instant};

use filter_rewrite::{KIND, Rewrite};
use tollgate_filter_api::OperationInfo;
use tollgate_filter_testkit::{Conformance, Harness};

#[test]
fn it_conforms() {
    Conformance::<Rewrite>::new(&KIND).value("many", "a".repeat(5000)).run();
}

#[test]
fn the_base_path_is_no_part_of_what_is_matched_and_stays() {
    let filter =
        Harness::<Rewrite>::yaml("{ rules: [{ regex: '^/v1(/.*)?$', to: /second }, { path: /, to: /home }, { prefix: /v1, to: /third }] }");
    let path = |path: &str, base_path: &str| {
        let operation = OperationInfo { base_path: base_path.into(), template: "/*".into(), ..OperationInfo::default() };
        filter.request("GET", path).operation(operation).run().next().request().path().to_owned()
    };
    assert_eq!(path("/v1/v1/a", "/v1"), "/v1/second");
    assert_eq!(path("/v1", "/v1"), "/v1/home");
    assert_eq!(path("/v1/", "/v1"), "/v1/home");
    assert_eq!(path("/v1/a", "/"), "/second");
    assert_eq!(path("/v12", "/v1"), "/v12");
}

#[test]
fn an_expression_takes_no_longer_than_the_path_is_long() {
    let filter = Harness::<Rewrite>::yaml("{ rules: [{ regex: '^(/a*)*(a*)*b$', to: /b }] }");
    let path = format!("/{}", "a".repeat(8000));
    let begun = Instant::now();
    filter.request("GET", &path).run().next();
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[test]
fn what_the_gateway_says_itself_is_not_translated() {
    let filter = Harness::<Rewrite>::yaml("{ rules: [{ regex: '(.*)', to: '/a$1$1' }], back: { paths: [{ from: /a, to: /b }] } }");
    let mut run = filter.request("GET", &format!("/{}", "a".repeat(5000))).run().assert_denied(414, "rewrite.too_long");
    assert_eq!(run.response_with(302, &[("location", "/a")]).fields()["location"], "/a");
    let mut run = filter.request("GET", "/").run().next();
    assert_eq!(run.response_with(302, &[("location", "/a")]).fields()["location"], "/b");
}

#[test]
fn what_cannot_be_enforced_does_not_start() {
    let many = format!("{{ rules: [{}] }}", vec!["{ prefix: /a, to: /b }"; 101].join(", "));
    for (settings, pointer) in [
        (many.as_str(), "/rules"),
        ("{ rules: [{ to: /a }] }", "/rules/0"),
        ("{ rules: [{ prefix: /a, regex: a, to: /a }] }", "/rules/0"),
        ("{ rules: [{ prefix: /a, to: /b }, { regex: '(', to: /a }] }", "/rules/1/regex"),
        ("{ back: { hosts: ['http://a'] } }", "/back/hosts/0"),
        ("{ back: { hosts: ['a:b'] } }", "/back/hosts/0"),
        ("{ back: { paths: [{ from: a, to: /b }] } }", "/back/paths/0/from"),
        ("{ back: { cookie_domains: [{ from: 'a b' }] } }", "/back/cookie_domains/0/from"),
        ("{ back: { cookie_domains: [{ from: a, to: 'b;c' }] } }", "/back/cookie_domains/0/to"),
        ("{ back: { cookie_paths: [{ from: /a, to: '/b;c d' }] } }", "/back/cookie_paths/0/to"),
    ] {
        let problem = Harness::<Rewrite>::problem(settings);
        assert_eq!(problem.pointer, pointer, "{settings}");
        assert!(!problem.hint.is_empty(), "{settings}");
    }
    assert!(Harness::<Rewrite>::setup().is_idle("{ back: {} }"));
}
