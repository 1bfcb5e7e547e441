use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use pingora_http::RequestHeader;
use tollgate_filter_api::{NoCertificate, Peer};

use super::Way;
use crate::{
    config::TrustedProxies,
    judge::{
        admit::FieldsPresent,
        fields::{
            families::Families,
            forwarding::{FOR, client, direct, is_hop_by_hop, take},
        },
    },
    proxy::client::connection::Connection,
};

fn from(address: &str, secure: bool) -> Connection {
    Connection::new(address.parse().unwrap(), secure, Peer::Anonymous(NoCertificate::Plain), None, false)
}

fn proxies() -> TrustedProxies {
    TrustedProxies::parse(&["10.0.0.0/8".to_owned()]).unwrap()
}

fn named(lists: &[&str], address: &str) -> Option<IpAddr> {
    let mut headers = HeaderMap::new();
    for list in lists {
        headers.append(FOR, list.parse().unwrap());
    }
    client(&headers, address.parse().unwrap(), &proxies())
}

fn client_of(lists: &[&str], address: &str) -> IpAddr {
    named(lists, address).unwrap_or_else(|| panic!("{lists:?} name nobody"))
}

fn rewritten(fields: &[(&'static str, &str)], address: &str, secure: bool) -> RequestHeader {
    let mut req = RequestHeader::build("GET", b"/", None).unwrap();
    for (name, value) in fields {
        req.append_header(*name, *value).unwrap();
    }
    let present = FieldsPresent { connection: true, forwarding: true, ..FieldsPresent::default() };
    let connection = from(address, secure);
    let forwarded = take(&mut req, present, connection.address, &proxies(), &Families::new(vec![], [])).unwrap();
    for name in ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"] {
        assert!(field(&req, name).is_empty(), "a filter could take {name} for the gateway's word");
    }
    let way = Way { connection: &connection, forwarded: forwarded.as_deref(), via: HeaderValue::from_static("1.1 edge") };
    direct(&mut req, |parts| way.write(&mut parts.headers, "api.example", None)).unwrap();
    req
}

fn field<'a>(req: &'a RequestHeader, name: &str) -> Vec<&'a str> {
    req.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

#[test]
fn a_stranger_speaks_for_nobody() {
    assert_eq!(client_of(&["198.51.100.1"], "192.0.2.1").to_string(), "192.0.2.1");
}

#[test]
fn the_client_is_the_last_address_that_no_trusted_proxy_has() {
    assert_eq!(client_of(&["203.0.113.9, 198.51.100.1, 10.0.0.2"], "10.0.0.1").to_string(), "198.51.100.1");
    assert_eq!(client_of(&["203.0.113.9, 198.51.100.1", "10.0.0.2"], "10.0.0.1").to_string(), "198.51.100.1");
    assert_eq!(client_of(&["::ffff:198.51.100.1"], "10.0.0.1").to_string(), "198.51.100.1");
}

#[test]
fn an_address_with_a_port_names_that_client() {
    for (list, client) in [
        ("203.0.113.7:51008", "203.0.113.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[::ffff:203.0.113.7]:1", "203.0.113.7"),
        ("198.51.100.1:80, 203.0.113.7:51008 , 10.0.0.2:9", "203.0.113.7"),
    ] {
        assert_eq!(client_of(&[list], "10.0.0.1").to_string(), client, "{list}");
    }
}

#[test]
fn an_element_without_anything_is_none() {
    assert_eq!(client_of(&["203.0.113.7, ,", ""], "10.0.0.1").to_string(), "203.0.113.7");
    for nobody in [&[][..], &[""], &[" , "]] {
        assert_eq!(client_of(nobody, "10.0.0.1").to_string(), "10.0.0.1", "{nobody:?}");
    }
}

#[test]
fn who_has_no_address_is_not_taken_for_the_proxy_that_names_him() {
    let unread = [
        "unknown",
        "_hidden",
        "\"[2001:db8::1]:443\"",
        "for=203.0.113.7",
        "203.0.113.7:",
        "203.0.113.7:x",
        "203.0.113.7:65536",
        "[203.0.113.7]",
        "[2001:db8::1",
        "2001:db8::1]:443",
        "[2001:db8::1]443",
        "203.0.113",
        "203.0.113.007",
        "203.0.113.7 1",
        "\u{fc}",
    ];
    for entry in unread {
        assert_eq!(named(&[entry], "10.0.0.1"), None, "{entry}");
        assert_eq!(named(&[&format!("198.51.100.1, {entry}, 10.0.0.2")], "10.0.0.1"), None, "{entry}");
        // What the client itself wrote stands before its address, and is not read.
        assert_eq!(client_of(&[&format!("{entry}, 198.51.100.1")], "10.0.0.1").to_string(), "198.51.100.1", "{entry}");
        assert_eq!(client_of(&[entry], "192.0.2.1").to_string(), "192.0.2.1", "{entry}");
    }
}

#[test]
fn what_a_stranger_says_of_the_way_is_replaced() {
    let said = [
        ("X-Forwarded-For", "1.1.1.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Port", "1"),
        ("Forwarded", "for=1.1.1.1"),
        ("X-Real-IP", "1.1.1.1"),
        ("X-JWT-Assertion", "x"),
    ];
    let req = rewritten(&said, "192.0.2.1", false);
    assert_eq!(field(&req, "x-forwarded-for"), ["192.0.2.1"]);
    assert_eq!(field(&req, "x-forwarded-proto"), ["http"]);
    assert_eq!(field(&req, "x-forwarded-host"), ["api.example"]);
    for gone in ["x-forwarded-port", "forwarded", "x-real-ip", "x-jwt-assertion"] {
        assert!(field(&req, gone).is_empty(), "{gone}");
    }
}

#[test]
fn what_a_trusted_proxy_says_is_continued() {
    let said = [("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "shop.example")];
    let req = rewritten(&said, "10.0.0.1", false);
    assert_eq!(field(&req, "x-forwarded-for"), ["198.51.100.1, 10.0.0.1"]);
    assert_eq!(field(&req, "x-forwarded-proto"), ["https"]);
    assert_eq!(field(&req, "x-forwarded-host"), ["shop.example"]);
}

#[test]
fn of_two_words_in_the_name_of_a_trusted_proxy_the_last_is_its_own() {
    let said = [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Proto", "http"),
        ("X-Forwarded-Host", "forged"),
        ("X-Forwarded-Host", "shop.example"),
    ];
    let req = rewritten(&said, "10.0.0.1", false);
    assert_eq!((field(&req, "x-forwarded-proto"), field(&req, "x-forwarded-host")), (vec!["http"], vec!["shop.example"]));
}

#[test]
fn the_gateway_adds_its_name_to_those_that_the_request_has_passed() {
    assert_eq!(field(&rewritten(&[], "192.0.2.1", false), "via"), ["1.1 edge"]);
    let said = [("Via", "1.0 fred"), ("Via", "1.1 p.example")];
    assert_eq!(field(&rewritten(&said, "192.0.2.1", false), "via"), ["1.0 fred", "1.1 p.example", "1.1 edge"]);
}

#[test]
fn an_encrypted_connection_is_told_as_such() {
    assert_eq!(field(&rewritten(&[], "192.0.2.1", true), "x-forwarded-proto"), ["https"]);
}

#[test]
fn what_belongs_to_one_connection_is_noticed_by_every_name_that_the_engine_takes_away() {
    let holds = |name: &'static str| is_hop_by_hop(&HeaderMap::from_iter([(name.parse().unwrap(), "1".parse().unwrap())]));
    let names = ["keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding"];
    for name in names.into_iter().chain(["connection", "upgrade", "http2-settings"]) {
        assert!(holds(name), "{name}");
    }
    for name in ["host", "accept", "content-length", "x-te"] {
        assert!(!holds(name), "{name}");
    }
}
