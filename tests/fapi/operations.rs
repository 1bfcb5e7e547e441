//! F18: what the definition does not declare is refused before the bank sees it.

use serde_json::json;
use tollgate_tests::{
    Client,
    certificates::connector,
    h2::{DATA, END_STREAM, H2, Outcome},
};

use super::world::{API, PAYMENTS, Plan};

#[test]
fn f18_methods_paths_and_media_types_are_those_of_the_definition() {
    let world = Plan::new().start();
    let token = world.token(json!({}));
    let one = format!("{PAYMENTS}/p1");
    let (json, xml) = ("Content-Type: application/json", "Content-Type: application/xml");
    let cases: [(&str, &str, &[&str], u16); 24] = [
        ("DELETE", &one, &[], 405),
        ("PUT", &one, &[json], 405),
        ("POST", &one, &[json], 405),
        ("PATCH", PAYMENTS, &[json], 405),
        ("GET", PAYMENTS, &[], 405),
        ("HEAD", &one, &[], 405),
        ("GET", "/open-banking/v4.0/pisp", &[], 404),
        ("GET", "/open-banking/v4.0/pisp/domestic-payment/p1", &[], 404),
        ("GET", "/open-banking/v3.1/pisp/domestic-payments/p1", &[], 404),
        ("GET", "/open-banking/v4.0/pisp/domestic-payments/p1/p2", &[], 404),
        ("GET", "/open-banking/v4.0/PISP/domestic-payments/p1", &[], 404),
        ("GET", "/", &[], 404),
        ("GET", &one, &["Accept: application/xml"], 406),
        ("GET", &one, &["Accept: text/*, application/xml;q=0.9"], 406),
        ("GET", &one, &["Accept: */*, application/json;q=0, application/jose+jwe;q=0"], 406),
        ("POST", PAYMENTS, &[json, "Accept: text/html"], 406),
        ("POST", PAYMENTS, &[xml], 415),
        ("POST", PAYMENTS, &["Content-Type: text/json"], 415),
        ("POST", PAYMENTS, &["Content-Type: application/json, application/xml"], 415),
        ("POST", PAYMENTS, &[json, json], 415),
        ("POST", PAYMENTS, &[], 415),
        ("GET", &one, &["Accept: application/json; charset=utf-8"], 200),
        ("GET", &one, &["Accept: */*"], 200),
        ("POST", PAYMENTS, &["Content-Type: application/JSON;charset=UTF-8", "Accept: application/json"], 201),
    ];
    for (method, path, fields, status) in cases {
        let body: &[u8] = if method == "GET" || method == "HEAD" { b"" } else { b"{}" };
        let answer = world.ask(method, path, &token, fields, body);
        assert_eq!(answer.status(), status, "{method} {path} {fields:?}: {}", answer.text());
        match status {
            405 => assert!(answer.field("allow").is_some()),
            415 => assert_eq!(answer.field("accept"), Some("application/jose+jwe, application/json")),
            _ => {}
        }
    }
    assert_eq!(world.upstream.count(), 3);
    // Whoever has no token learns neither.
    assert_eq!(world.ask("POST", PAYMENTS, "x.y.z", &[xml], b"{}").status(), 401);
}

/// HTTP/2 announces no body in a field: whether there is one says the end of the header.
#[test]
fn f18_a_body_has_a_media_type_on_http_2_too() {
    let world = Plan::new().start();
    let token = format!("Bearer {}", world.token(json!({})));
    let connector = connector(&world.authority, Some(&world.tpp), b"\x02h2", None);
    let mut client = H2::start(Client::tls(world.gateway.ports.tls, API, &connector).unwrap()).unwrap();
    let (good, wrong) = (Some("application/json"), Some("application/xml"));
    for (number, (kind, body, status)) in
        [(wrong, true, 415), (None, true, 415), (good, true, 201), (wrong, false, 201)].into_iter().enumerate()
    {
        let stream = 2 * u32::try_from(number).unwrap() + 1;
        let mut fields =
            vec![(":method", "POST"), (":scheme", "https"), (":authority", API), (":path", PAYMENTS), ("authorization", &token)];
        fields.extend(kind.map(|kind| ("content-type", kind)));
        client.headers(stream, &fields, !body).unwrap();
        if body {
            client.send(DATA, END_STREAM, stream, b"{}").unwrap();
        }
        assert!(matches!(client.outcome(stream), Outcome::Answered(_)));
        let line = world.line(number);
        assert_eq!((&line["status"], &line["protocol"]), (&json!(status), &json!("HTTP/2")), "{line}");
    }
    assert_eq!(world.upstream.count(), 2);
}
