//! F7–F12, F14, F17: what becomes of requests and answers on their way, and what is written down.

use serde_json::{Value, json};
use tollgate_tests::{Reply, Upstream};

use super::world::{API, PAYMENT, PAYMENTS, Plan, UUID, answered, ask, definition, send};

const JSON: &str = "Content-Type: application/json";

fn payment() -> String {
    format!("{PAYMENTS}/p1")
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[test]
fn f07_an_interaction_has_one_id_for_client_upstream_and_log() {
    let world = Plan::new().start();
    let token = world.token(json!({}));
    let sent = format!("x-fapi-interaction-id: {UUID}");
    let cases: [(&[&str], bool); 6] = [
        (&[&sent], true),
        (&[], false),
        (&["x-fapi-interaction-id: not-a-uuid"], false),
        (&["x-fapi-interaction-id: 93bac548-d2de-4546-b106-880a5018460d<script>"], false),
        (&["x-fapi-interaction-id: "], false),
        (&[&sent, &sent], false),
    ];
    for (number, (fields, kept)) in cases.into_iter().enumerate() {
        let answer = world.ask("GET", &payment(), &token, fields, b"");
        let id = answer.field("x-fapi-interaction-id").unwrap();
        assert!(answer.status() == 200 && is_uuid(id) && (id == UUID) == kept, "{fields:?}: {id}");
        assert_eq!(answer.all("x-fapi-interaction-id").len(), 1);
        assert_eq!(world.upstream.requests()[number].message.all("x-fapi-interaction-id"), [id]);
        assert_eq!(world.line(number)["request_id"], id);
    }
    let refused = world.ask("GET", &payment(), "no token", &[&sent], b"");
    assert_eq!((refused.status(), refused.field("x-fapi-interaction-id")), (401, Some(UUID)));
    let nowhere = world.ask("GET", "/nowhere", &token, &[&sent], b"");
    assert_eq!((nowhere.status(), nowhere.field("x-fapi-interaction-id")), (404, Some(UUID)));
}

#[test]
fn f08_what_is_said_of_the_customer_passes_as_it_is() {
    let world = Plan::new().start();
    let fields = [
        "x-fapi-auth-date: Tue, 11 Sep 2012 19:43:31 UTC",
        "x-fapi-customer-ip-address: 2001:DB8::1893:25c8:1946",
        "x-customer-user-agent: Mozilla/5.0  (X11; \"Linux\")  t\u{e9}st,;=",
        "x-fapi-financial-id: open-bank",
    ];
    assert_eq!(world.ask("GET", &payment(), &world.token(json!({})), &fields, b"").status(), 200);
    let received = world.upstream.only();
    for field in fields {
        let (name, value) = field.split_once(": ").unwrap();
        // What the upstream wrote down has a character for each byte.
        let bytes: String = value.bytes().map(char::from).collect();
        assert_eq!(received.all(name), [bytes], "{name}");
    }
}

#[test]
fn f09_answers_are_json_with_a_date_and_are_stored_by_nobody() {
    const FIELDS: [&str; 3] =
        ["Content-Type: application/json; charset=utf-8", "Cache-Control: no-store", "Date: Sun, 06 Nov 1994 08:49:37 GMT"];
    let bank = Upstream::answering(|request| match request.target() {
        "/domestic-payments/dated" => Reply::with(200, &FIELDS, PAYMENT),
        _ => Reply::with(200, &FIELDS[..2], PAYMENT),
    });
    let world = Plan::over(bank).start();
    let token = world.token(json!({}));
    for resource in ["p1", "dated"] {
        let answer = world.ask("GET", &format!("{PAYMENTS}/{resource}"), &token, &["Accept: application/json"], b"");
        assert_eq!((answer.status(), answer.text().as_str()), (200, PAYMENT));
        assert_eq!(answer.all("content-type"), ["application/json; charset=utf-8"]);
        assert_eq!(answer.all("cache-control"), ["no-store"]);
        let [date] = answer.all("date")[..] else { panic!("{answer:?}") };
        assert!(date.ends_with(" GMT") && date.len() == 29, "{date}");
    }
    let refused = world.ask("GET", &payment(), "no token", &[], b"");
    assert_eq!(refused.all("content-type"), ["application/problem+json"]);
    assert_eq!((refused.all("cache-control"), refused.all("date").len()), (vec!["no-store"], 1));
    assert!(serde_json::from_slice::<Value>(&refused.body).unwrap().is_object());
}

#[test]
fn f10_a_refusal_holds_nothing_of_the_bank_and_the_banks_own_errors_pass() {
    const ERROR: &str = "{\"Id\":\"e-1\", \"Errors\":[ {\"ErrorCode\":\"U004\",\"Message\":\"Betrag f\u{e4}llt weg\"} ]}\n";
    let bank = Upstream::answering(|request| match request.target() {
        "/domestic-payments/wrong" => answered(400, ERROR),
        _ => answered(200, PAYMENT),
    });
    let world = Plan::over(bank).start();
    let good = world.token(json!({}));
    let scopeless = world.token(json!({ "scope": "accounts" }));
    for (method, path, token) in [
        ("GET", payment(), "x.y.z"),
        ("GET", payment(), scopeless.as_str()),
        ("DELETE", payment(), good.as_str()),
        ("GET", format!("{PAYMENTS}/p1/more"), good.as_str()),
    ] {
        let answer = world.ask(method, &path, token, &[], b"");
        assert!(answer.status() >= 400, "{method} {path}");
        assert!(!answer.text().contains("p1") && !answer.text().contains("payment"), "{}", answer.text());
    }
    assert_eq!(world.upstream.count(), 0);
    let answer = world.ask("GET", &format!("{PAYMENTS}/wrong"), &good, &[], b"");
    assert_eq!((answer.status(), answer.body.as_slice()), (400, ERROR.as_bytes()));
    assert_eq!(answer.all("content-type"), ["application/json; charset=utf-8"]);
}

#[test]
fn f11_a_signed_message_passes_byte_for_byte() {
    let world = Plan::new().start();
    let token = world.token(json!({}));
    // The signature is over these bytes: an order, spaces, escapes, a line end that nobody would write again.
    let body = b"{ \"b\" :1.0e0,\r\n\"a\":\"\\u00e9\xc3\xa9\",\"a\":[ ]}\n ";
    let signature = "x-jws-signature: eyJhbGciOiJQUzI1NiIsImI2NCI6ZmFsc2V9..QUJD_-";
    let answer = world.ask("POST", PAYMENTS, &token, &[JSON, signature], body);
    assert_eq!(answer.status(), 201, "{}", answer.text());
    let chunked = [JSON, signature, "Transfer-Encoding: chunked"];
    let mut client = world.connect();
    let (host, authorization) = (format!("Host: {API}"), format!("Authorization: Bearer {token}"));
    let fields = [&[host.as_str(), authorization.as_str()], &chunked[..]].concat();
    let pieces = body.iter().flat_map(|byte| [b"1\r\n", &[*byte][..], b"\r\n"].concat()).chain(*b"0\r\n\r\n").collect::<Vec<u8>>();
    let head = tollgate_tests::client::request("POST", PAYMENTS, &fields, b"");
    client.write([head, pieces].concat()).unwrap();
    assert_eq!(client.answer("POST").unwrap().status(), 201);
    for received in world.upstream.requests() {
        assert_eq!(received.message.body, body);
        assert_eq!(received.message.all("x-jws-signature"), [signature.split_once(": ").unwrap().1]);
        assert_eq!(received.message.all("content-type"), ["application/json"]);
    }
    assert_eq!(world.upstream.count(), 2);
}

#[test]
fn f12_a_payment_is_sent_once_with_its_idempotency_key() {
    // Reads the payment and hangs up, or is overloaded.
    let broken = Upstream::answering(|request| match request.field("x-idempotency-key") {
        Some("breaks") => Reply::raw("").close(),
        Some("busy") => answered(503, "{}"),
        _ => answered(201, PAYMENT),
    });
    let second = Upstream::answering(|_| answered(201, PAYMENT));
    for order in ["load_balance", "failover"] {
        let mut plan = Plan::new();
        let urls = json!([broken.url(), second.url()]);
        let group = format!("{{ urls: {urls}, type: {order} }}");
        let text = definition(&["http://endpoint.example"]).replace(r#"{ urls: ["http://endpoint.example"] }"#, &group);
        assert!(text.contains(order));
        plan.definitions = vec![("payments.yaml".to_owned(), text)];
        let world = plan.start();
        let token = world.token(json!({}));
        let mut refused = Vec::new();
        for key in ["first", "breaks", "busy", "last", "breaks"] {
            let fields = [JSON, &format!("x-idempotency-key: {key}")];
            let status = world.ask("POST", PAYMENTS, &token, &fields, b"{}").status();
            let arrived: Vec<_> = [&broken, &second].iter().flat_map(|upstream| upstream.requests()).collect();
            let [only] = arrived.as_slice() else { panic!("{order} {key}: {} payments", arrived.len()) };
            assert_eq!(only.message.all("x-idempotency-key"), [key]);
            let by_broken = broken.count() == 1;
            let expected = match key {
                "breaks" if by_broken => 502,
                "busy" if by_broken => 503,
                _ => 201,
            };
            assert_eq!(status, expected, "{order} {key}");
            refused.extend((status != 201).then_some(status));
            broken.forget();
            second.forget();
        }
        refused.sort_unstable();
        assert_eq!(refused, [502, 503], "{order}");
    }
}

#[test]
fn f14_the_consent_is_the_tokens_and_no_answer_is_kept() {
    let bank = Upstream::answering(|request| {
        let fields = ["Content-Type: application/json", "Cache-Control: public, max-age=3600", "ETag: \"1\""];
        Reply::with(200, &fields, format!("{{\"consent\":\"{}\"}}", request.field("x-consent-id").unwrap_or_default()))
    });
    let world = Plan::over(bank).start();
    let forged = ["X-Consent-Id: consent-9", "x_consent_id: consent-9"];
    for (consent, seen) in [(json!("consent-1"), "consent-1"), (json!("consent-2"), "consent-2"), (json!(null), ""), (json!({}), "")] {
        let token = world.token(json!({ "openbanking_intent_id": consent }));
        for _ in 0..2 {
            let answer = world.ask("GET", &payment(), &token, &forged, b"");
            assert_eq!(answer.text(), format!("{{\"consent\":\"{seen}\"}}"), "{consent}");
        }
    }
    assert_eq!(world.upstream.count(), 8, "each request is the bank's to answer");
    assert!(world.upstream.requests().iter().all(|received| received.message.field("x_consent_id").is_none()));
}

#[test]
fn f17_the_log_says_who_was_refused_and_holds_no_token() {
    let world = Plan::new().start();
    let (own, other) = (world.tpp.thumbprint(), world.authority.issue("tpp-two", 10, &[]));
    let good = world.token(json!({}));
    let tokens = [
        (world.token(json!({ "exp": 1, "iat": 0 })), "jwt.expired", Some("tpp-one")),
        (world.token(json!({ "aud": "other" })), "jwt.audience", Some("tpp-one")),
        (world.token(json!({ "cnf": null })), "jwt.not_bound", Some("tpp-one")),
        (world.token(json!({ "scope": "accounts" })), "authorize.scope", Some("tpp-one")),
        // Whoever forges a token may name anybody in it: then the certificate alone says who it was, and the log whom the token claims.
        (tollgate_tests::signer::Signer::new("ES256", "key-1").seal(json!({}), &super::world::claims(json!({}))), "jwt.signature", None),
        ("not.a.token".to_owned(), "jwt.malformed", None),
    ];
    let id = format!("x-fapi-interaction-id: {UUID}");
    let mut number = 0;
    let mut logged = |reason: &str, client: Option<&str>, certificate: Option<&str>| {
        let line = world.line(number);
        number += 1;
        assert_eq!(line["reason"], reason, "{line}");
        assert_eq!((line["request_id"].as_str(), line["client_id"].as_str()), (Some(UUID), client), "{line}");
        assert_eq!(line["certificate_sha256"].as_str(), certificate, "{line}");
        assert_eq!(line["claimed_client_id"].as_str(), (reason == "jwt.signature").then_some("tpp-one"), "{line}");
    };
    for (token, reason, client) in &tokens {
        assert!(world.ask("GET", &payment(), token, &[&id], b"").status() >= 400);
        logged(reason, *client, Some(&own));
    }
    ask(&mut world.connect_as(Some(&other)), "GET", &payment(), &good, &[&id], b"");
    logged("jwt.binding", Some("tpp-one"), Some(&other.thumbprint()));
    ask(&mut world.connect_as(None), "GET", &payment(), &good, &[&id], b"");
    logged("jwt.binding", Some("tpp-one"), None);
    // Of requests that met no filter the connection is known all the same.
    for (method, path, reason) in [("GET", "/nowhere", "route.not_found"), ("PUT", PAYMENTS, "route.method")] {
        world.ask(method, path, &good, &[&id], b"");
        logged(reason, None, Some(&own));
    }
    send(&mut world.connect(), "GET", &payment(), &[&format!("Host: {API}"), &id], b"");
    logged("jwt.missing", None, Some(&own));
    assert_eq!(world.upstream.count(), 0);
    let text = std::fs::read_to_string(world.gateway.folder.join("access.log")).unwrap() + &world.gateway.stderr();
    for token in tokens.iter().map(|(token, ..)| token).chain([&good]) {
        for part in token.split('.').filter(|part| part.len() > 8) {
            assert!(!text.contains(part), "a part of a token is in a log");
        }
    }
}
