use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use pingora::http::{RequestHeader, ResponseHeader};

use super::{AnswerFields, clean, clean_trailers};

fn answer(status: u16, fields: &[(&'static str, &str)]) -> ResponseHeader {
    let mut resp = ResponseHeader::build(status, None).unwrap();
    for (name, value) in fields {
        resp.append_header(*name, *value).unwrap();
    }
    resp
}

fn request(fields: &[(&'static str, &str)], version: Version) -> RequestHeader {
    let mut req = RequestHeader::build(Method::GET, b"/", None).unwrap();
    req.set_version(version);
    for (name, value) in fields {
        req.append_header(*name, *value).unwrap();
    }
    req
}

fn judge(req: &RequestHeader, resp: &ResponseHeader) -> Result<(), &'static str> {
    super::judge(req, resp, AnswerFields::of(resp))
}

fn left(status: u16, fields: &[(&'static str, &str)]) -> Vec<String> {
    let mut resp = answer(status, fields);
    let fields = AnswerFields::of(&resp);
    clean(&mut resp, fields);
    resp.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
}

#[test]
fn a_coding_is_chunked_once_and_alone() {
    let req = request(&[], Version::HTTP_11);
    for codings in [&["gzip, chunked"][..], &["identity"], &["xchunked"], &["chunked", "chunked"], &["chunked, chunked"], &[""]] {
        let fields: Vec<_> = codings.iter().map(|coding| ("Transfer-Encoding", *coding)).collect();
        assert!(judge(&req, &answer(200, &fields)).is_err(), "{codings:?}");
    }
    assert!(judge(&req, &answer(200, &[("Transfer-Encoding", "Chunked")])).is_ok());
    assert!(judge(&req, &answer(200, &[])).is_ok());
}

#[test]
fn the_protocol_is_changed_for_nobody_who_did_not_ask() {
    let asked = [("Upgrade", "websocket")];
    let switches = answer(101, &asked);
    assert!(judge(&request(&asked, Version::HTTP_11), &switches).is_ok());
    for req in [request(&[], Version::HTTP_11), request(&asked, Version::HTTP_10), request(&asked, Version::HTTP_2)] {
        assert!(judge(&req, &switches).is_err());
    }
}

#[test]
fn fields_of_the_upstreams_connection_end_here() {
    let fields = [
        ("Connection", "x-mine, Keep-Alive, content-length"),
        ("Connection", ",,y-mine"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "close"),
        ("TE", "trailers"),
        ("Upgrade", "h2c"),
        ("X-Mine", "1"),
        ("Y-Mine", "1"),
        ("X-Other", "1"),
        ("Content-Length", "2"),
    ];
    assert_eq!(
        left(200, &fields),
        ["connection: x-mine, Keep-Alive, content-length", "connection: ,,y-mine", "x-other: 1", "content-length: 2"]
    );
    let switches = [("Connection", "Upgrade"), ("Upgrade", "websocket")];
    assert_eq!(left(101, &switches), ["connection: Upgrade", "upgrade: websocket"]);
}

#[test]
fn what_has_no_body_has_no_length() {
    for status in [100, 103, 204] {
        assert!(left(status, &[("Content-Length", "5")]).is_empty(), "{status}");
        assert!(left(status, &[("Transfer-Encoding", "chunked")]).is_empty(), "{status}");
    }
    assert_eq!(left(304, &[("Content-Length", "5")]), ["content-length: 5"]);
}

#[test]
fn a_length_that_is_repeated_is_passed_on_once() {
    for lengths in [&["2", "2"][..], &["2, 2"], &["2 , 2", "2"]] {
        let fields: Vec<_> = lengths.iter().map(|length| ("Content-Length", *length)).collect();
        assert_eq!(left(200, &fields), ["content-length: 2"], "{lengths:?}");
    }
}

#[test]
fn the_gateways_word_for_upstreams_comes_back_in_no_spelling() {
    for status in [103, 200] {
        assert!(left(status, &[("X-JWT-Assertion", "1"), ("X_JWT_Assertion", "1"), ("x-jwt_assertion", "1")]).is_empty(), "{status}");
    }
}

#[test]
fn the_version_is_the_gateways_own() {
    let mut resp = answer(200, &[]);
    resp.set_version(Version::HTTP_10);
    let fields = AnswerFields::of(&resp);
    clean(&mut resp, fields);
    assert_eq!(resp.version, Version::HTTP_11);
}

#[test]
fn trailers_hold_no_assertion_in_any_spelling() {
    let names = ["x-jwt-assertion", "x_jwt_assertion", "grpc-status"];
    let mut trailers: HeaderMap = names.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("0"))).collect();
    clean_trailers(&mut trailers);
    assert_eq!(trailers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["grpc-status"]);
}
