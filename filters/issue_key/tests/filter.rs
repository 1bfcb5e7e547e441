//! The `issue_key` filter from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use filter_issue_key::{IssueKey, KIND};
use openssl::{
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::PKey,
};
use serde_json::Value;
use tollgate_filter_api::{KeyType, Principal, PrincipalParts};
use tollgate_filter_testkit::{Conformance, Harness, START, principal};
use tollgate_jose::{Jws, object};

#[test]
fn it_conforms() {
    Conformance::<IssueKey>::new(&KIND).document("k.pem", pem()).document("certs/key-issuer.key", pem()).run();
}

fn pem() -> Vec<u8> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap().private_key_to_pem_pkcs8().unwrap()
}

fn settings(more: &str) -> String {
    format!("{{here: true, issuer: 'https://gw/apikey', key: k.pem, kid: k1, apis: [{{name: Test}}]{more}}}")
}

fn harness(more: &str) -> Harness<IssueKey> {
    Harness::<IssueKey>::setup().document("k.pem", pem()).yaml(&settings(more))
}

fn claims(h: &Harness<IssueKey>, body: &str) -> Value {
    let run = h.request("POST", "/apikey").given(principal("alice")).body(body.to_owned()).run().assert_reply(200, "issue_key.issued");
    assert_eq!((run.answer_header("content-type"), run.answer_header("cache-control")), (Some("text/plain"), Some("no-store")));
    let body = run.answer().get_body().unwrap().clone();
    let jws = Jws::parse(std::str::from_utf8(&body).unwrap(), false).unwrap();
    assert_eq!((jws.kid.as_deref(), jws.typ.as_deref()), (Some("k1"), Some("JWT")));
    Value::Object(object(&jws.payload).unwrap())
}

#[test]
fn a_known_caller_gets_a_key_for_as_long_as_asked_and_no_longer_than_allowed() {
    let (h, limited) = (harness(""), harness(", valid: 1h"));
    let ever = claims(&h, "");
    assert_eq!((&ever["sub"], &ever["iss"], &ever["iat"]), (&"alice".into(), &"https://gw/apikey".into(), &START.into()));
    assert_eq!((&ever["keytype"], &ever["exp"]), (&"PRODUCTION".into(), &Value::Null));
    assert_eq!(ever["allowedAPIs"], serde_json::json!([{ "name": "Test", "version": "*" }]));
    assert_ne!(claims(&h, "")["jti"], ever["jti"]);
    let end = |h: &Harness<IssueKey>, body: &str| claims(h, body)["exp"].as_u64().map(|end| end - START);
    assert_eq!(end(&h, r#"{"validityTime": 60}"#), Some(60));
    assert_eq!(end(&limited, ""), Some(3600));
    assert_eq!(end(&limited, r#"{"validityTime": 60}"#), Some(60));
    assert_eq!(end(&limited, r#"{"validityTime": 7200}"#), Some(3600));
    assert_eq!(end(&limited, r#"{"validityTime": -1}"#), Some(3600));
    assert_eq!(end(&limited, "{}"), Some(3600));
    assert_eq!((end(&limited, r#"{"validityTime": 0}"#), end(&h, r#"{"validityTime": 0}"#)), (Some(3600), None));
}

/// The caller, as another filter vouches for it.
fn known_by(filter: &'static str, key_type: KeyType) -> Principal {
    Principal::new(PrincipalParts { filter, subject: Some("alice".into()), key_type, ..PrincipalParts::default() })
}

#[test]
fn a_caller_of_the_sandbox_gets_a_key_for_the_sandbox() {
    let run = harness("").request("GET", "/").given(known_by("jwt", KeyType::Sandbox)).body(String::new()).run();
    let run = run.assert_reply(200, "issue_key.issued");
    let body = run.answer().get_body().unwrap().clone();
    let payload = Jws::parse(std::str::from_utf8(&body).unwrap(), false).unwrap().payload;
    assert_eq!(object(&payload).unwrap()["keytype"], "SANDBOX");
}

#[test]
fn a_key_begets_no_key() {
    let run = harness("").request("GET", "/").given(known_by("api_key", KeyType::Production)).body(String::new()).run();
    run.assert_denied(403, "issue_key.key");
    let (key, other) = (known_by("api_key", KeyType::Production), known_by("mtls", KeyType::Production));
    for both in [[key.clone(), other.clone()], [other, key]] {
        harness("").request("GET", "/").credentials(both).body(String::new()).run().assert_denied(403, "issue_key.key");
    }
}

#[test]
fn nobody_gets_a_key_unknown_in_the_open_or_with_a_strange_body() {
    let h = harness("");
    h.request("GET", "/").given(Principal::anonymous()).body(String::new()).run().assert_denied(403, "issue_key.anonymous");
    for body in ["x", "[]", r#"{"validityTime":"60"}"#, r#"{"validityTime":1.5}"#] {
        h.request("POST", "/").given(principal("alice")).body(body.to_owned()).run().assert_denied(400, "issue_key.body");
    }
    let plain = |h: &Harness<IssueKey>| h.request("GET", "/").given(principal("alice")).body(String::new()).secure(false).run();
    plain(&h).assert_denied(403, "issue_key.plain_http");
    plain(&harness(", plain_http: true")).assert_reply(200, "issue_key.issued");
}

#[test]
fn settings_that_cannot_issue_are_refused_and_the_key_is_not_repeated() {
    let problem = |content: &str, settings: &str| Harness::<IssueKey>::setup().document("k.pem", content.to_owned()).problem(settings);
    assert!(Harness::<IssueKey>::setup().is_idle("{}"));
    assert_eq!(Harness::<IssueKey>::problem(&settings("")).pointer, "/key");
    assert_eq!(problem("", "{here: true}").pointer, "/issuer");
    assert_eq!(problem("", &settings("").replace("[{name: Test}]", "[]")).pointer, "/apis");
    let wrong = problem("hunter2", &settings(""));
    assert_eq!(wrong.pointer, "/key");
    assert!(!wrong.to_string().contains("hunter2"));
}
