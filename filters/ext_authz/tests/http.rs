//! The `ext_authz` filter from outside, asked over HTTP.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use filter_ext_authz::{ExtAuthz, KIND};
use tollgate_filter_api::{HeaderName, HeaderValue, RemoteError, RemoteRequest, RemoteResponse};
use tollgate_filter_testkit::{Conformance, Harness};

fn field(request: &RemoteRequest, name: &str) -> String {
    let found = request.headers.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

fn answer(status: u16, fields: &[(&'static str, &str)], body: &'static str) -> RemoteResponse {
    let mut answer = RemoteResponse::of_type(status, "text/plain", body);
    for (name, value) in fields {
        answer.fields.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    answer
}

/// Does what the credential says.
fn service(request: &RemoteRequest) -> Result<RemoteResponse, RemoteError> {
    let more = [("x-user", "ada"), ("x-hidden", "1"), ("x-quota", "7"), ("x-forwarded-for", "6.6.6.6"), ("www-authenticate", "Basic")];
    match field(request, "authorization").as_str() {
        "allow" => Ok(answer(200, &more, "")),
        "deny" => Ok(answer(401, &more, "no")),
        "broken" => Ok(answer(503, &more, "")),
        "away" => Err(RemoteError("away".to_owned())),
        _ => Ok(answer(200, &[], "")),
    }
}

/// Says what it was asked, where the client sees it.
fn mirror(request: &RemoteRequest) -> Result<RemoteResponse, RemoteError> {
    let names: Vec<String> = request.headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
    let target = request.target.as_ref().unwrap();
    let said = format!("{} {target} {} {}", request.method, names.join(","), String::from_utf8_lossy(&request.body));
    Ok(answer(403, &[("x-said", said.trim_end())], ""))
}

#[test]
fn it_conforms() {
    Conformance::<ExtAuthz>::new(&KIND).answer_with(service).run();
}

#[test]
fn the_question_has_what_is_listed_and_what_the_gateway_knows() {
    let setup = Harness::<ExtAuthz>::setup();
    setup.answer_with(mirror);
    let h = setup.yaml("{http: {url: 'https://a.example', path_prefix: /check}, headers: {request: [authorization, x-t*, x-forwarded-for], client: [x-said]}}");
    let request = h.request("POST", "/pets/1?a=b").header("authorization", "a").header("x-tenant", "t").header("cookie", "c");
    let run = request.header("x-forwarded-for", "6.6.6.6").header("x-forwarded-proto", "gopher").may_wait().run();
    let said = run.answer_header("x-said").unwrap();
    assert!(said.starts_with("POST /check/pets/1?a=b authorization=a,x-tenant=t,"), "{said}");
    assert!(!said.contains("6.6.6.6") && !said.contains("gopher") && !said.contains("cookie"), "{said}");
    assert!(said.contains("x-forwarded-for=") && said.contains("x-forwarded-proto=http"), "{said}");
}

#[test]
fn what_would_be_asked_in_the_clear_or_written_in_the_gateways_place_is_refused_at_load() {
    for (settings, pointer) in [
        ("{}", ""),
        ("{http: {url: 'https://a.example'}, grpc: {url: 'https://a.example'}}", ""),
        ("{http: {url: 'http://a.example'}}", "/http/url"),
        ("{grpc: {url: 'http://a.example:9001'}}", "/grpc/url"),
        ("{http: {url: nothing}}", "/http/url"),
        ("{http: {url: 'https://a.example', path_prefix: check}}", "/http/path_prefix"),
        ("{http: {url: 'https://a.example'}, headers: {upstream: [x-a, X_Forwarded_For]}}", "/headers/upstream/1"),
        ("{http: {url: 'https://a.example'}, headers: {upstream: [content-length]}}", "/headers/upstream/0"),
        ("{http: {url: 'https://a.example'}, headers: {client: ['a b']}}", "/headers/client/0"),
    ] {
        assert_eq!(Harness::<ExtAuthz>::problem(settings).pointer, pointer, "{settings}");
    }
    Harness::<ExtAuthz>::yaml("{http: {url: 'http://a.example', plaintext: true}}");
    Harness::<ExtAuthz>::yaml("{http: {url: 'http://127.0.0.1:9000'}}");
}
