//! The `redirect` filter from outside.

use filter_redirect::{KIND, Redirect};
use tollgate_filter_testkit::{Conformance, Harness};

#[test]
fn it_conforms() {
    Conformance::<Redirect>::new(&KIND).value("4097 letters", "a".repeat(4097)).run();
}

#[test]
fn every_status_that_redirects_is_taken() {
    for status in [301, 302, 303, 307, 308] {
        let filter = Harness::<Redirect>::yaml(&format!("{{ to: /b, status: {status} }}"));
        let run = filter.request("POST", "/a").run().assert_reply(status, "redirect.sent");
        assert_eq!(run.answer_header("location"), Some("/b"));
    }
    let filter = Harness::<Redirect>::yaml("{ to: /b }");
    filter.request("HEAD", "/a").run().assert_reply(308, "redirect.sent");
}

#[test]
fn a_trusted_proxy_says_whether_the_client_came_over_tls_and_for_which_host() {
    let filter = Harness::<Redirect>::yaml("{ https: true, port: 8443, hosts: [shop.example] }");
    let request = || filter.request("GET", "/a").without("host").header("host", "inside");
    request().secure(false).forwarded("https", "shop.example").run().next();
    let run = request().forwarded("http", "Shop.Example:80").run().assert_reply(308, "redirect.sent");
    assert_eq!(run.answer_header("location"), Some("https://shop.example:8443/a"));
    for (scheme, host) in
        [("http", "evil.example"), ("http", "shop.example, evil.example"), ("http", "shop.example@evil.example"), ("x", "")]
    {
        request().forwarded(scheme, host).run().assert_denied(421, "redirect.host");
    }
}

#[test]
fn a_request_without_a_host_is_sent_nowhere() {
    for hosts in ["[shop.example]", "['*']"] {
        let filter = Harness::<Redirect>::yaml(&format!("{{ https: true, hosts: {hosts} }}"));
        filter.request("GET", "/").without("host").secure(false).run().assert_denied(421, "redirect.host");
    }
}

#[test]
fn a_redirection_over_tls_says_that_browsers_are_to_come_so_again() {
    let filter = Harness::<Redirect>::yaml("{ to: /b, hsts: { max_age: 0s } }");
    let over = |secure| {
        let run = filter.request("GET", "/a").secure(secure).run().assert_reply(308, "redirect.sent");
        run.answer_header("strict-transport-security").map(str::to_owned)
    };
    assert_eq!((over(true).as_deref(), over(false)), (Some("max-age=0"), None));
}

#[test]
fn an_answer_without_tls_says_nothing_of_it_not_even_the_upstreams() {
    let filter = Harness::<Redirect>::yaml("{ hsts: { max_age: 365d, include_subdomains: true, preload: true } }");
    let field = |secure| {
        let mut run = filter.request("GET", "/a").secure(secure).run().next();
        let head = run.response_with(200, &[("strict-transport-security", "max-age=7")]);
        head.fields().get("strict-transport-security").map(|value| value.to_str().expect("it is text").to_owned())
    };
    assert_eq!((field(true).as_deref(), field(false)), (Some("max-age=31536000; includeSubDomains; preload"), None));
}

#[test]
fn what_could_send_clients_anywhere_or_nowhere_does_not_start() {
    for (settings, pointer) in [
        ("{ https: true }", "/hosts"),
        ("{ to: 'https://${request.host}/' }", "/hosts"),
        ("{ to: /a, hosts: [shop.example] }", "/hosts"),
        ("{ https: true, hosts: ['https://shop.example'] }", "/hosts/0"),
        ("{ https: true, to: /a, hosts: [a] }", "/to"),
        ("{ to: /a, port: 443 }", "/port"),
        ("{ https: true, port: 0, hosts: [a] }", "/port"),
        ("{ to: /a, status: 304 }", "/status"),
        ("{ to: //evil.example }", "/to"),
        ("{ to: 'https://${query.next}/' }", "/to"),
        ("{ to: '${no.fact}' }", "/to"),
        ("{ hsts: { max_age: 1500ms } }", "/hsts/max_age"),
        ("{ hsts: { max_age: 365d, preload: true } }", "/hsts/preload"),
        ("{ hsts: { max_age: 30d, include_subdomains: true, preload: true } }", "/hsts/preload"),
    ] {
        let problem = Harness::<Redirect>::problem(settings);
        assert_eq!(problem.pointer, pointer, "{settings}");
        assert!(!problem.hint.is_empty(), "{settings}");
    }
    assert!(Harness::<Redirect>::setup().is_idle("{ status: 301 }"));
}
