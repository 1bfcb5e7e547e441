//! What an answer must say, and how the issuer is asked for it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::{Arc, Mutex};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use filter_introspection::Introspection;
use serde_json::{Value, json};
use tollgate_filter_api::{Carrier, Certificate, NoCertificate, Peer, Principal, RemoteError, RemoteRequest, RemoteResponse};
use tollgate_filter_testkit::{Harness, Run, START};

const SETTINGS: &str = "{url: 'https://a.example/i', client: {id: g, secret: '${env:PATH}'}}";

/// Answers with what the token itself says.
fn echo(request: &RemoteRequest) -> Result<RemoteResponse, RemoteError> {
    let form = String::from_utf8(request.body.to_vec()).unwrap();
    let token = form.strip_prefix("token=").and_then(|rest| rest.split('&').next()).unwrap();
    Ok(RemoteResponse::of_type(200, "application/json", URL_SAFE_NO_PAD.decode(token).unwrap()))
}

fn filter(more: &str) -> Harness<Introspection> {
    let setup = Harness::<Introspection>::setup();
    setup.answer_with(echo);
    setup.yaml(&SETTINGS.replacen('{', &format!("{{{more}"), 1))
}

fn send(h: &Harness<Introspection>, credential: &str) -> Run {
    h.request("GET", "/").header("authorization", credential).given(Peer::Anonymous(NoCertificate::Plain)).may_wait().run()
}

/// A token of which the issuer says this, besides that it is active.
fn token(says: Value) -> String {
    let mut answer = json!({ "active": true, "token_type": "Bearer" });
    answer.as_object_mut().unwrap().extend(says.as_object().unwrap().clone());
    URL_SAFE_NO_PAD.encode(answer.to_string())
}

fn ask(h: &Harness<Introspection>, says: Value) -> Run {
    send(h, &format!("Bearer {}", token(says)))
}

#[test]
fn a_token_is_good_from_its_begin_until_its_end() {
    let h = filter("");
    let after = |seconds: f64| START as f64 + seconds;
    for good in [
        json!({ "exp": START + 1 }),
        json!({ "exp": after(0.5) }),
        json!({ "nbf": START }),
        json!({ "nbf": after(-0.5), "exp": START + 1, "iat": after(-0.5) }),
    ] {
        ask(&h, good).next();
    }
    for bad in [
        json!({ "exp": START }),
        json!({ "exp": START - 1 }),
        json!({ "exp": after(-0.5) }),
        json!({ "exp": -1.5 }),
        json!({ "nbf": START + 1 }),
        json!({ "nbf": after(0.5) }),
    ] {
        ask(&h, bad).assert_denied(401, "introspection.time");
    }
    for odd in [json!({ "exp": "1" }), json!({ "exp": [] }), json!({ "nbf": true }), json!({ "iat": "" })] {
        ask(&h, odd).assert_fault("introspection.unavailable");
    }
}

#[test]
fn only_an_access_token_of_a_listed_type_is_good() {
    let h = filter("");
    for good in [json!({ "token_type": "bearer" }), json!({ "token_type": "ACCESS_TOKEN" }), json!({ "token_use": "access_token" })] {
        ask(&h, good).next();
    }
    for bad in [json!({ "token_use": "refresh_token" }), json!({ "token_use": 1 }), json!({ "token_type": 1 })] {
        ask(&h, bad).assert_denied(401, "introspection.type");
    }
    ask(&h, json!({ "token_type": "DPoP" })).assert_denied(401, "introspection.binding");
}

#[test]
fn an_answer_that_names_its_issuer_names_the_configured_one() {
    let h = filter("issuer: 'https://a.example', ");
    ask(&h, json!({ "iss": "https://a.example" })).next();
    ask(&h, json!({})).next();
    ask(&h, json!({ "iss": "https://a.example/" })).assert_denied(401, "introspection.issuer");
    ask(&h, json!({ "iss": ["https://a.example"] })).assert_fault("introspection.unavailable");
}

#[test]
fn a_member_that_is_null_counts_as_absent_and_active_must_be_there() {
    let h = filter("issuer: 'https://a.example', token_types: [Bearer, ''], ");
    let names =
        ["exp", "nbf", "iat", "scope", "client_id", "sub", "username", "iss", "aud", "jti", "cnf", "keytype", "token_type", "token_use"];
    let all = names.into_iter().map(|name| (name.to_owned(), Value::Null)).collect();
    let known = ask(&h, Value::Object(all)).next().fact::<Principal>().clone();
    assert_eq!((known.subject.as_deref(), known.client.as_deref(), known.issuer.as_deref()), (None, None, Some("https://a.example")));
    assert!(known.scopes.is_empty() && known.claims.keys().eq(["active"]));
    let named = ask(&h, json!({ "sub": null, "username": "alice", "client_id": "" })).next().fact::<Principal>().clone();
    assert_eq!((named.subject.as_deref(), named.client.as_deref()), (Some("alice"), None));
    ask(&h, json!({ "active": null })).assert_fault("introspection.unavailable");
    ask(&filter(""), json!({ "token_type": null })).assert_denied(401, "introspection.type");
    ask(&filter("audiences: [first], "), json!({ "aud": null })).assert_denied(401, "introspection.audience");
    ask(&filter("sender_constrained: required, "), json!({ "cnf": null })).assert_denied(401, "introspection.not_bound");
}

#[test]
fn one_audience_of_ours_is_enough_and_none_is_not() {
    let h = filter("audiences: [first, second], ");
    for good in [json!("first"), json!("second"), json!(["other", "second"])] {
        ask(&h, json!({ "aud": good })).next();
    }
    for bad in [json!("other"), json!([]), json!(["other", 1]), json!(1), json!(null), json!({ "first": 1 })] {
        ask(&h, json!({ "aud": bad })).assert_denied(401, "introspection.audience");
    }
    ask(&h, json!({})).assert_denied(401, "introspection.audience");
    ask(&filter(""), json!({ "aud": "other" })).next();
}

#[test]
fn b04_nothing_that_is_not_understood_stands_beside_the_certificate() {
    let h = filter("");
    let thumbprint = URL_SAFE_NO_PAD.encode([0; 32]);
    let ask = |cnf: Value| {
        let peer = Peer::Certified(Arc::new(Certificate::default()));
        let token = token(json!({ "cnf": cnf }));
        h.request("GET", "/").header("authorization", format!("Bearer {token}")).given(peer).may_wait().run()
    };
    ask(json!({ "x5t#S256": thumbprint })).next();
    ask(json!({ "x5t#S256": thumbprint, "jkt": null })).next();
    ask(json!(null)).next();
    for bad in [
        json!({ "x5t#S256": thumbprint, "jkt": "x" }),
        json!({ "x5t#S256": [thumbprint] }),
        json!({}),
        json!({ "x5t#S256": null }),
        json!(thumbprint),
    ] {
        ask(bad).assert_denied(401, "introspection.binding");
    }
}

#[test]
fn an_answer_counts_only_with_the_media_type_of_json() {
    fn said(request: &RemoteRequest) -> Result<RemoteResponse, RemoteError> {
        let token = String::from_utf8(request.body.to_vec()).unwrap();
        let token = token.strip_prefix("token=").and_then(|rest| rest.split('&').next()).unwrap();
        let content_type = String::from_utf8(URL_SAFE_NO_PAD.decode(token).unwrap()).unwrap();
        let content_type = if content_type == "none" { "\n" } else { &content_type };
        Ok(RemoteResponse::of_type(200, content_type, r#"{"active":true,"token_type":"Bearer"}"#))
    }
    let setup = Harness::<Introspection>::setup();
    setup.answer_with(said);
    let h = setup.yaml(SETTINGS);
    let ask = |content_type: &str| send(&h, &format!("Bearer {}", URL_SAFE_NO_PAD.encode(content_type)));
    for good in ["application/json", "Application/JSON", "application/json;charset=UTF-8", "application/json ; charset=utf-8"] {
        ask(good).next();
    }
    for other in [
        "none",
        "text/html",
        "text/plain",
        "text/json",
        "application/jwt",
        "application/token-introspection+jwt",
        "application/problem+json",
        "application/json, text/html",
        "application/jsonx",
        "x; application/json",
        "application/octet-stream",
    ] {
        ask(other).assert_fault("introspection.unavailable");
    }
}

#[test]
fn scopes_and_issue_time_are_read_as_they_are_written() {
    let h = filter("");
    let of = |says: Value| ask(&h, says).next().fact::<Principal>().clone();
    assert_eq!(of(json!({ "scope": " read  list" })).scopes, ["read", "list"]);
    assert_eq!(of(json!({ "scope": ["read list", "write"] })).scopes, ["read list", "write"]);
    ask(&h, json!({ "scope": ["read", 1] })).assert_fault("introspection.unavailable");
    assert_eq!(of(json!({ "iat": 1_700_000_000 })).token.as_ref().unwrap().issued, Some(1_700_000_000));
}

#[test]
fn what_is_no_token_is_not_asked_about() {
    // The issuer of this test fails on any question.
    let setup = Harness::<Introspection>::setup();
    let h = setup.yaml(&SETTINGS.replacen('{', "{max_length: 16B, ", 1));
    for wrong in ["=", "==", "12345678901234567", "a=b", "a b"] {
        send(&h, &format!("Bearer {wrong}")).assert_denied(401, "introspection.malformed");
    }
    send(&h, "Bearer 1234567890123456").assert_fault("introspection.unavailable");
}

#[test]
fn a_challenge_names_an_error_only_when_a_token_was_sent() {
    let h = filter("");
    let challenge = |run: Run| run.answer_header("www-authenticate").unwrap().to_owned();
    let bare = "Bearer realm=\"api\"";
    assert_eq!(challenge(send(&h, "Basic YTpi")), bare);
    let names = |run: Run, error: &str| challenge(run).starts_with(&format!("{bare}, error=\"{error}\", error_description="));
    assert!(names(send(&h, "Bearer a,b"), "invalid_token"));
    assert!(names(ask(&h, json!({ "active": false })), "invalid_token"));
    let two = h.request("GET", "/").header("authorization", "Bearer a").header("authorization", "Bearer b");
    let two = two.given(Peer::Anonymous(NoCertificate::Plain)).run().assert_denied(400, "introspection.two_credentials");
    assert!(names(two, "invalid_request"));
}

#[test]
fn the_token_stays_in_the_gateway_unless_it_is_let_through() {
    let good = format!("Bearer {}", token(json!({})));
    let h = filter("");
    assert_eq!(send(&h, &good).next().header("authorization"), None);
    assert_eq!(send(&filter("forward: true, "), &good).next().header("authorization"), Some(good.as_str()));
    assert_eq!(h.carrier(), Some(Carrier::Header("authorization".parse().unwrap())));
}

#[test]
fn the_secret_is_sent_in_one_place_and_is_kept_out_of_debugging() {
    static SENT: Mutex<Vec<(Option<String>, String)>> = Mutex::new(Vec::new());
    fn issuer(request: &RemoteRequest) -> Result<RemoteResponse, RemoteError> {
        let mut fields = request.headers.iter().filter(|(name, _)| name == "authorization").map(|(_, value)| value);
        let authorization = fields.next().inspect(|value| assert!(value.is_sensitive())).map(|value| value.to_str().unwrap().to_owned());
        SENT.lock().unwrap().push((authorization, String::from_utf8(request.body.to_vec()).unwrap()));
        echo(request)
    }
    let setup = Harness::<Introspection>::setup();
    setup.answer_with(issuer);
    let good = token(json!({}));
    for post in ["", "post: true, "] {
        let settings =
            SETTINGS.replace("client: {id: g", &format!("client: {{{post}id: 'a-b._~ &c'")).replace("env:PATH", "env:CARGO_PKG_NAME");
        send(&setup.yaml(&settings), &format!("Bearer {good}")).next();
    }
    let form = format!("token={good}&token_type_hint=access_token");
    let basic = "Basic YS1iLl9+JTIwJTI2YzpmaWx0ZXItaW50cm9zcGVjdGlvbg==".to_owned();
    let posted = format!("{form}&client_id=a-b._~%20%26c&client_secret=filter-introspection");
    assert_eq!(*SENT.lock().unwrap(), [(Some(basic), form), (None, posted)]);
}

#[test]
fn questions_go_out_in_the_open_on_this_machine_only() {
    let with = |url: &str| SETTINGS.replace("https://a.example/i", url);
    for local in ["http://localhost:1/i", "http://127.0.0.1/i", "http://[::1]:1/i"] {
        Harness::<Introspection>::yaml(&with(local));
    }
    for wrong in
        ["http://a.example/i", "http://127.0.0.1.example/i", "ftp://localhost/i", "localhost/i", "/i", "", "http://10.0.0.1/", "a b"]
    {
        assert_eq!(Harness::<Introspection>::problem(&with(wrong)).pointer, "/url", "{wrong}");
    }
}
