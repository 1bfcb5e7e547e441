//! The `ext_authz` filter, asked over gRPC. The service's messages are written byte by byte, so that a wrong field number shows.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use filter_ext_authz::ExtAuthz;
use tollgate_filter_api::{HeaderName, HeaderValue, RemoteError, RemoteRequest, RemoteResponse};
use tollgate_filter_testkit::{Harness, Run};

const SETTINGS: &str = "{grpc: {url: 'https://a.example'}, context: {tenant: t}, headers: {upstream: [x-user], remove: [x-internal*], client: [x-why], client_on_success: [x-quota]}}";

/// A field whose value is bytes, a text or a message.
fn bytes(number: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    let length = value.len();
    let varint = if length < 128 { vec![length as u8] } else { vec![length as u8 | 0x80, (length >> 7) as u8] };
    [&[number << 3 | 2], &varint[..], value].concat()
}

fn number(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

fn header(name: &str, value: &str) -> Vec<u8> {
    bytes(1, [bytes(1, name), bytes(2, value)].concat())
}

fn framed(message: Vec<u8>) -> Vec<u8> {
    [&[0, 0, 0, (message.len() >> 8) as u8, message.len() as u8], &message[..]].concat()
}

fn answered(body: Vec<u8>) -> RemoteResponse {
    let mut answer = RemoteResponse::of_type(200, "application/grpc", body);
    answer.fields.insert(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
    answer
}

/// Whether a message has these bytes.
fn has(message: &[u8], part: &[u8]) -> bool {
    message.windows(part.len()).any(|window| window == part)
}

/// Does what the field `x-do` of the request says.
fn service(request: &RemoteRequest) -> Result<RemoteResponse, RemoteError> {
    let (target, body) = (request.target.as_ref().unwrap().to_string(), &request.body[..]);
    assert_eq!(target, "/envoy.service.auth.v3.Authorization/Check");
    assert_eq!(usize::from(body[4]) | usize::from(body[3]) << 8, body.len() - 5);
    for part in [bytes(2, "GET"), bytes(4, "/pets?a=1&b=2")] {
        assert!(has(body, &part), "{part:?}");
    }
    assert!(has(body, &bytes(10, [bytes(1, "tenant"), bytes(2, "t")].concat())));
    let does = |word: &str| has(body, &[bytes(1, "x-do"), bytes(2, word)].concat());
    let ok = [
        bytes(2, header("x-user", "ada")),
        bytes(2, header("x-hidden", "1")),
        bytes(2, header("x-forwarded-for", "6.6.6.6")),
        bytes(5, "x-internal-a"),
        bytes(5, "authorization"),
        bytes(5, "x-request-id"),
        bytes(6, header("x-quota", "7")),
        bytes(7, [bytes(1, "b"), bytes(2, "3&4")].concat()),
        bytes(8, "a"),
    ]
    .concat();
    let denied = [bytes(1, number(1, 99)), bytes(2, header("x-why", "because")), bytes(2, header("x-other", "1")), bytes(3, "no")].concat();
    let refused = bytes(1, number(1, 7));
    Ok(match () {
        () if does("allow") => answered(framed([bytes(1, ""), bytes(3, ok)].concat())),
        () if does("nothing") => answered(framed(Vec::new())),
        () if does("deny") => answered(framed([refused, bytes(2, [bytes(1, [8, 0x93, 3]), denied[4..].to_vec()].concat())].concat())),
        () if does("bare") => answered(framed(refused)),
        () if does("odd") => answered(framed([refused, bytes(2, denied)].concat())),
        () if does("both") => answered(framed(bytes(2, denied))),
        () if does("garbage") => answered(framed(vec![0xff, 0xff, 0xff])),
        () if does("short") => answered(vec![0, 0, 0, 0, 9, 1]),
        () if does("two") => answered([framed(Vec::new()), framed(Vec::new())].concat()),
        () if does("compressed") => answered(vec![1, 0, 0, 0, 0]),
        () if does("smuggle") => answered(framed(bytes(3, bytes(2, header("x-user", "a\r\nb: c"))))),
        () if does("failed") => {
            let mut answer = answered(framed(Vec::new()));
            answer.fields.insert(HeaderName::from_static("grpc-status"), HeaderValue::from_static("14"));
            answer
        }
        () if does("page") => RemoteResponse::of_type(200, "text/html", "<html>"),
        () => return Err(RemoteError("away".to_owned())),
    })
}

fn ask(what: &str) -> Run {
    let setup = Harness::<ExtAuthz>::setup();
    setup.answer_with(service);
    let h = setup.yaml(SETTINGS);
    let request = h.request("GET", "/pets?a=1&b=2").header("x-do", what).header("x-user", "root").header("x-internal-a", "1");
    request.header("authorization", "Bearer a").may_wait().run()
}

#[test]
fn a_request_that_may_pass_is_changed_within_the_lists() {
    let mut run = ask("allow").next();
    let head = run.upstream();
    assert_eq!(head.query(), Some("b=3%264"));
    let get = |name: &'static str| head.get(&HeaderName::from_static(name)).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(get("x-user").as_deref(), Some("ada"));
    assert_eq!(get("authorization").as_deref(), Some("Bearer a"), "it is not in `remove`");
    for absent in ["x-internal-a", "x-hidden", "x-forwarded-for"] {
        assert_eq!(get(absent), None, "{absent}");
    }
    assert_eq!(run.response(200).get(&HeaderName::from_static("x-quota")).unwrap(), "7");
}

#[test]
fn a_service_that_says_nothing_more_than_yes_says_nothing_to_the_upstream() {
    let head = ask("nothing").next().upstream();
    assert_eq!(head.get(&HeaderName::from_static("x-user")), None);
    assert_eq!(head.query(), Some("a=1&b=2"));
}

#[test]
fn a_refusal_has_the_services_status_body_and_listed_fields() {
    let run = ask("deny").assert_reply(403, "ext_authz.denied");
    assert_eq!((run.answer_header("x-why"), run.answer_header("x-other")), (Some("because"), None));
    assert_eq!(run.answer().get_body().unwrap(), "no");
    ask("bare").assert_reply(403, "ext_authz.denied");
}

#[test]
fn what_is_no_decision_lets_nobody_in() {
    for what in ["away", "odd", "both", "garbage", "short", "two", "compressed", "smuggle", "failed", "page"] {
        ask(what).assert_fault("ext_authz.unavailable");
    }
}
