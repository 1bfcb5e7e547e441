use std::sync::Arc;

use http::Version;
use pingora_http::RequestHeader;
use tollgate_filter_api::ByteSize;

use super::{Families, FieldsPresent, ReservedFields, Rules, Via, admit, closes, has_fragment, join_crumbs};
use crate::{
    chain::gateway as reasons,
    config::{Forwarding, Limits},
    routes::host,
    telemetry::{LimitCounters, Telemetry},
};

const HOST: (&str, &str) = ("Host", "a.example");

fn head(target: &str, fields: &[(&'static str, &str)]) -> RequestHeader {
    let mut req = RequestHeader::build("GET", target.as_bytes(), None).unwrap();
    for (name, value) in fields {
        req.append_header(*name, *value).unwrap();
    }
    req
}

fn limits() -> Limits {
    Limits { header_fields: 5, header_bytes: ByteSize(200), target_bytes: ByteSize(20), ..Limits::default() }
}

fn via() -> Via {
    Via::new(&Forwarding { pseudonym: Some("edge".to_owned()), ..Forwarding::default() }).unwrap()
}

fn judged(req: &RequestHeader) -> (Result<Arc<str>, &'static str>, LimitCounters) {
    let counters = Telemetry::new([]).limits;
    let (limits, families, via) = (limits(), Families::new(vec![], []), via());
    let rules = Rules { limits: &limits, reserved: &ReservedFields::default(), families: &families, via: &via };
    let judged = admit(req, rules, None).map(|(host, _)| host).map_err(|refusal| {
        refusal.limit.into_iter().for_each(|limit| limit(&counters).inc());
        refusal.answer.reason().id
    });
    (judged, counters)
}

fn refusal(fields: &[(&'static str, &str)]) -> &'static str {
    judged(&head("/", &[&[HOST], fields].concat())).0.expect_err("it must be refused")
}

#[test]
fn an_ordinary_request_is_admitted_with_its_host_in_normal_form() {
    let req =
        head("/pets?x=1", &[("Host", "A.Example.:8080"), ("Content-Length", "3"), ("Expect", "100-continue"), ("Cookie", "a=1; b=2")]);
    assert_eq!(judged(&req).0, Ok("a.example:8080".into()));
}

#[test]
fn a_length_must_be_one_number() {
    for length in ["4, 4", "+4", "", "4 4", "0x4", "-1"] {
        assert_eq!(refusal(&[("Content-Length", length)]), reasons::FRAMING.id, "{length}");
    }
    assert_eq!(refusal(&[("Content-Length", "4"), ("Content-Length", "4")]), reasons::FRAMING.id);
}

#[test]
fn a_coding_must_be_chunked_once_and_alone() {
    for coding in ["gzip, chunked", "identity", "chunked, chunked", "xchunked", ""] {
        assert_eq!(refusal(&[("Transfer-Encoding", coding)]), reasons::FRAMING.id, "{coding}");
    }
    assert_eq!(refusal(&[("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")]), reasons::FRAMING.id);
    assert_eq!(refusal(&[("Transfer-Encoding", "chunked"), ("Content-Length", "4")]), reasons::FRAMING.id);
    let mut old = head("/", &[HOST, ("Transfer-Encoding", "chunked")]);
    assert!(judged(&old).0.is_ok());
    old.set_version(Version::HTTP_10);
    assert_eq!(judged(&old).0, Err(reasons::FRAMING.id));
}

#[test]
fn a_second_spelling_of_an_owned_field_is_refused() {
    for name in ["X_Forwarded_For", "x-forwarded_proto", "X_JWT_Assertion", "x_request-id", "x.request.id", "x~original-url"] {
        assert_eq!(refusal(&[(name, "x")]), reasons::FIELD.id, "{name}");
    }
    assert!(judged(&head("/", &[HOST, ("x_own_field", "x")])).0.is_ok());
}

#[test]
fn a_second_spelling_of_what_frames_a_message_is_refused() {
    for name in ["Content_Length", "transfer_encoding", "Content.Length", "transfer~encoding"] {
        assert_eq!(refusal(&[(name, "5")]), reasons::FIELD.id, "{name}");
    }
}

#[test]
fn no_field_names_another_method_than_the_request() {
    for name in ["X-HTTP-Method-Override", "x-http-method", "X-Method-Override", "X_HTTP_Method_Override"] {
        assert_eq!(refusal(&[(name, "DELETE")]), reasons::OVERRIDE.id, "{name}");
        assert_eq!(refusal(&[(name, "get"), (name, "PUT")]), reasons::OVERRIDE.id, "{name}");
        assert!(judged(&head("/", &[HOST, (name, "get")])).0.is_ok(), "{name}");
    }
}

#[test]
fn a_request_that_names_the_gateway_among_those_that_it_has_passed_goes_in_a_circle() {
    for values in [&["1.1 edge"][..], &["1.1 other, 2.0 Edge"], &["1.0 fred", "1.1 edge"]] {
        let fields: Vec<_> = values.iter().map(|value| ("Via", *value)).collect();
        assert_eq!(refusal(&fields), reasons::LOOP.id, "{values:?}");
    }
    assert!(judged(&head("/", &[HOST, ("Via", "1.1 edge-2")])).0.is_ok());
}

#[test]
fn a_fragment_is_seen_in_the_target_and_nowhere_else() {
    for raw in ["GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\nGET # HTTP/1.1\r\n\r\n", "GET http://a/#"] {
        assert!(has_fragment(raw.as_bytes()), "{raw}");
    }
    for raw in ["M#THOD /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1\r\nX: #\r\n\r\n", "\r\n", ""] {
        assert!(!has_fragment(raw.as_bytes()), "{raw}");
    }
}

#[test]
fn a_value_has_no_blanks_around_it() {
    for value in [" x", "x ", "\tx", "x\t", " "] {
        let mut req = head("/", &[HOST]);
        req.append_header("x-any", http::HeaderValue::from_str(value).unwrap()).unwrap();
        assert_eq!(judged(&req).0, Err(reasons::FIELD.id), "{value:?}");
    }
    assert!(judged(&head("/", &[HOST, ("x-any", ""), ("x-two", "a b")])).0.is_ok());
}

#[test]
fn crumbs_of_a_cookie_are_put_together_in_their_order() {
    let mut req = head("/", &[HOST, ("Cookie", "a=1; b=2"), ("X", "1"), ("Cookie", "c=3")]);
    join_crumbs(&mut req).unwrap();
    assert_eq!(req.headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2; c=3"]);
}

#[test]
fn only_the_expectation_that_everybody_knows_is_met() {
    assert_eq!(refusal(&[("Expect", "a-miracle")]), reasons::EXPECT.id);
    assert_eq!(refusal(&[("Expect", "100-continue"), ("Expect", "100-continue")]), reasons::EXPECT.id);
}

#[test]
fn there_is_one_host_and_it_agrees_with_the_target() {
    assert_eq!(refusal(&[("Host", "a.example")]), host::HOST.reason.id);
    assert_eq!(judged(&head("/", &[])).0, Err(host::HOST.reason.id));
    let mut absolute = head("/", &[HOST]);
    absolute.set_uri("http://b.example/".parse().unwrap());
    assert_eq!(judged(&absolute).0, Err(host::HOST.reason.id));
    let mut old = head("/", &[]);
    old.set_version(Version::HTTP_10);
    assert_eq!(judged(&old).0, Ok("".into()));
}

#[test]
fn each_limit_of_a_header_refuses_and_counts() {
    let (found, counters) = judged(&head("/123456789012345678901", &[HOST]));
    assert_eq!((found, counters.target_bytes.get()), (Err(reasons::TARGET_BYTES.id), 1));
    let (found, counters) = judged(&head("/", &[HOST, ("Cookie", "a=1; b=2; c=3; d=4; e=5")]));
    assert_eq!((found, counters.header_fields.get()), (Err(reasons::HEADER_FIELDS.id), 1));
    let (found, counters) = judged(&head("/", &[HOST, ("X-Long", &"x".repeat(200))]));
    assert_eq!((found, counters.header_bytes.get()), (Err(reasons::HEADER_BYTES.id), 1));
    // Target, then name, colon, space, value and line end of each field.
    let rest = 200 - 1 - (4 + 4 + 9) - (4 + 6);
    assert!(judged(&head("/", &[HOST, ("X-Long", &"x".repeat(rest))])).0.is_ok());
    assert_eq!(judged(&head("/", &[HOST, ("X-Long", &"x".repeat(rest + 1))])).0, Err(reasons::HEADER_BYTES.id));
    assert!(judged(&head("/1234567890123456789", &[HOST])).0.is_ok());
}

#[test]
fn doubt_about_the_framing_closes_the_connection() {
    for reason in [&reasons::FRAMING, &reasons::BODY_BYTES, &reasons::EXPECT, &reasons::HEADER_BYTES] {
        assert!(closes(reason), "{}", reason.id);
    }
    for reason in [&reasons::NOT_FOUND, &reasons::METHOD, &reasons::MISDIRECTED, &reasons::FAULT] {
        assert!(!closes(reason), "{}", reason.id);
    }
}

#[test]
fn the_pass_tells_what_somebody_must_see_to() {
    let reserved: ReservedFields = [http::HeaderName::from_static("x-user")].into_iter().collect();
    let (families, via) = (Families::new(vec![], []), via());
    let present = |fields: &[(&'static str, &str)]| {
        let req = head("/", &[&[HOST], fields].concat());
        let rules = Rules { limits: &Limits::default(), reserved: &reserved, families: &families, via: &via };
        admit(&req, rules, None).unwrap().1
    };
    assert_eq!(present(&[("X-Users", "1"), ("Accept", "*/*")]), FieldsPresent::default());
    assert_eq!(present(&[("Connection", "close")]), FieldsPresent { connection: true, ..FieldsPresent::default() });
    assert_eq!(present(&[("Upgrade", "websocket")]), FieldsPresent { upgrade: true, ..FieldsPresent::default() });
    for name in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Original-URL", "X-Envoy-Retry-On", "Client-Cert", "client_cert", "Proxy"] {
        assert_eq!(present(&[(name, "1")]), FieldsPresent { forwarding: true, ..FieldsPresent::default() }, "{name}");
    }
    for name in ["X-User", "x_user"] {
        assert_eq!(present(&[(name, "1")]), FieldsPresent { reserved: true, ..FieldsPresent::default() }, "{name}");
    }
    assert_eq!(present(&[("Content-Length", "0")]), FieldsPresent { length: true, ..FieldsPresent::default() });
    assert_eq!(
        present(&[("Transfer-Encoding", "Chunked"), ("Expect", "100-Continue")]),
        FieldsPresent { coding: true, ..FieldsPresent::default() }
    );
}
