//! The `backend_jwt` filter from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use filter_backend_jwt::{BackendJwt, KIND};
use openssl::{
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::PKey,
};
use serde_json::{Map, Value, json};
use tollgate_filter_api::{HeaderName, KeyType, Principal, PrincipalParts, Token};
use tollgate_filter_testkit::{Conformance, Harness, START};
use tollgate_jose::{Jws, Key, SigningKey};

const SETTINGS: &str = "{ key: backend.pem, kid: b1, issuer: gateway, audience: upstream, restricted_claims: [secret] }";

fn pem() -> Vec<u8> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap().private_key_to_pem_pkcs8().unwrap()
}

fn caller(subject: &str, end: u64) -> Principal {
    let claims = json!({ "secret": 1, "role": "r", "exp": 9, "iss": "issuer", "application": { "id": 7, "owner": "o" } });
    Principal::new(PrincipalParts {
        filter: "jwt",
        subject: Some(subject.to_owned()),
        scopes: vec!["a".into(), "b".into()],
        claims: claims.as_object().unwrap().clone(),
        token: Some(Token { signature: Some(subject.to_owned()), expires: Some(end.cast_signed()), ..Token::default() }),
        ..PrincipalParts::default()
    })
}

/// The token that the upstream gets.
fn sent(harness: &Harness<BackendJwt>, caller: Principal) -> String {
    let mut run = harness.request("GET", "/").header("x-jwt-assertion", "forged").given(caller).run().next();
    let upstream = run.upstream();
    let values: Vec<_> = upstream.get_all(&HeaderName::from_static("x-jwt-assertion")).collect();
    assert!(values.len() == 1 && values[0].is_sensitive());
    values[0].to_str().unwrap().to_owned()
}

fn claims(token: &str) -> Map<String, Value> {
    tollgate_jose::object(&Jws::parse(token, false).unwrap().payload).unwrap()
}

#[test]
fn it_conforms() {
    Conformance::<BackendJwt>::new(&KIND).document("backend.pem", pem()).document("certs/backend-jwt.key", pem()).run();
}

#[test]
fn j24_the_upstream_gets_our_word_signed_with_our_key_and_a_short_life() {
    let key = pem();
    let harness = Harness::<BackendJwt>::setup().document("backend.pem", key.clone()).yaml(SETTINGS);
    let token = sent(&harness, caller("alice", START + 86_400));
    let jws = Jws::parse(&token, false).unwrap();
    let public = Key::from_jwk(&SigningKey::from_pem(&key, None).unwrap().public_jwk(None).unwrap()).unwrap();
    assert!(public.verify(jws.algorithm, jws.input, &jws.signature));
    assert_eq!((jws.kid.as_deref(), jws.typ.as_deref()), (Some("b1"), Some("JWT")));
    let claims = claims(&token);
    let said = |name: &str| claims.get(name).cloned().unwrap_or_default();
    assert_eq!([said("iss"), said("aud"), said("sub"), said("scopes")], ["gateway", "upstream", "alice", "a b"].map(Value::from));
    assert_eq!((said("exp"), said("role"), claims.get("secret")), (json!(START + 300), json!("r"), None));
    let under = |name: &str| said(&format!("http://wso2.org/claims/{name}"));
    assert_eq!([under("enduser"), under("apiname"), under("version")], ["alice", "Test", "1.0.0"].map(Value::from));
    assert_eq!((under("applicationid"), under("subscriber"), under("keytype")), (json!(7), json!("o"), json!("PRODUCTION")));
}

#[test]
fn j24_nothing_that_only_we_may_say_is_taken_from_the_callers_claims() {
    let settings = SETTINGS.replace("[secret]", "[secret, other]");
    let harness = Harness::<BackendJwt>::setup().document("backend.pem", pem()).yaml(&settings);
    let own = json!({
        "nbf": 1, "cnf": {}, "scope": "admin", "scp": ["admin"], "jti": "theirs", "iat": 1, "aud": "theirs", "sub": "mallory",
        "http://wso2.org/claims/subscriber": "mallory", "http://wso2.org/claims/role": "admin", "secret": 1, "other": 1, "kept": 1,
    });
    let parts = PrincipalParts {
        filter: "jwt",
        subject: Some("alice".into()),
        claims: own.as_object().unwrap().clone(),
        ..PrincipalParts::default()
    };
    let token = |harness: &Harness<BackendJwt>| claims(&sent(harness, Principal::new(parts.clone())));
    let said = token(&harness);
    let names: Vec<&str> = said.keys().map(String::as_str).collect();
    let ours = ["enduser", "apiname", "apicontext", "version", "keytype", "usertype"].map(|name| format!("http://wso2.org/claims/{name}"));
    let expected = ["kept", "iss", "aud", "jti", "iat", "exp", "sub", "scopes"].into_iter().chain(ours.iter().map(String::as_str));
    assert_eq!(names, expected.collect::<Vec<_>>());
    assert_eq!([&said["sub"], &said["aud"], &said["iat"]], [&json!("alice"), &json!("upstream"), &json!(START)]);
    let [context, usertype] = ["apicontext", "usertype"].map(|name| said[&format!("http://wso2.org/claims/{name}")].clone());
    assert_eq!([context, usertype], ["/", "Application_User"].map(Value::from));
    let other = Harness::<BackendJwt>::setup().document("backend.pem", pem()).yaml(&settings);
    let ids = [said["jti"].as_str().unwrap().to_owned(), token(&other)["jti"].as_str().unwrap().to_owned()];
    assert!(ids[0] != ids[1] && ids.iter().all(|id| id.len() == 32), "{ids:?}");
}

#[test]
fn j24_what_a_client_says_in_our_name_is_gone_whoever_it_is() {
    let harness = Harness::<BackendJwt>::setup().document("backend.pem", pem()).yaml(SETTINGS);
    let request = harness.request("GET", "/").header("x-jwt-assertion", "forged").given(Principal::anonymous());
    let mut run = request.run().next();
    assert_eq!(run.header("x-jwt-assertion"), None);
    assert_eq!(harness.owned_headers(), [HeaderName::from_static("x-jwt-assertion")], "no other filter, and no other spelling");
    assert_eq!(run.upstream().get(&HeaderName::from_static("x-jwt-assertion")), None);
}

#[test]
fn a_token_that_is_too_long_for_upstreams_is_not_sent() {
    let harness = Harness::<BackendJwt>::setup().document("backend.pem", pem()).yaml(SETTINGS);
    let long = json!({ "role": "x".repeat(7000) });
    let parts = PrincipalParts { filter: "jwt", claims: long.as_object().unwrap().clone(), ..PrincipalParts::default() };
    assert!(harness.request("GET", "/").given(Principal::new(parts)).run().next().try_upstream().is_err());
}

#[test]
fn it_does_not_outlive_the_callers_credentials() {
    let harness = Harness::<BackendJwt>::setup().document("backend.pem", pem()).yaml(SETTINGS);
    assert_eq!(claims(&sent(&harness, caller("alice", START + 60)))["exp"], START + 60);
    let ends = |all: [u64; 2]| {
        let mut run = harness.request("GET", "/").credentials(all.map(|end| caller("alice", end))).run().next();
        let token = run.upstream().get(&HeaderName::from_static("x-jwt-assertion")).unwrap().to_str().unwrap().to_owned();
        claims(&token)["exp"].as_u64().unwrap() - START
    };
    assert_eq!((ends([86_400 + START, 60 + START]), ends([70 + START, 86_400 + START])), (60, 70));
    // One that ended just now, as clocks are apart, lasts to the upstream.
    assert_eq!(claims(&sent(&harness, caller("alice", START - 1)))["exp"], START + 20);
}

#[test]
fn a_caller_that_comes_again_costs_no_signature_until_the_token_ends() {
    let harness = Harness::<BackendJwt>::setup().document("backend.pem", pem()).yaml(SETTINGS);
    let first = sent(&harness, caller("alice", START + 86_400));
    assert_eq!(sent(&harness, caller("alice", START + 86_400)), first);
    assert_eq!(claims(&sent(&harness, caller("bob", START + 86_400)))["sub"], "bob");
    harness.advance(Duration::from_secs(290));
    assert_ne!(sent(&harness, caller("alice", START + 86_400)), first);
}

#[test]
fn what_is_said_of_a_caller_is_never_what_was_said_of_another_credential_of_the_same_name() {
    let harness = Harness::<BackendJwt>::setup().document("backend.pem", pem()).yaml(SETTINGS);
    let parts = |filter: &'static str, signature: Option<&str>| PrincipalParts {
        filter,
        subject: Some("alice".into()),
        token: Some(Token { signature: signature.map(str::to_owned), ..Token::default() }),
        ..PrincipalParts::default()
    };
    let said = |parts: PrincipalParts, name: &str| claims(&sent(&harness, Principal::new(parts)))[name].clone();
    // Two keys of one owner, of which one is for the sandbox and ends soon.
    let key_type = "http://wso2.org/claims/keytype";
    assert_eq!(said(parts("api_key", None), key_type), "PRODUCTION");
    assert_eq!(said(PrincipalParts { key_type: KeyType::Sandbox, ..parts("api_key", None) }, key_type), "SANDBOX");
    let ends = Some(Token { expires: Some((START + 60).cast_signed()), ..Token::default() });
    assert_eq!(said(PrincipalParts { token: ends, ..parts("api_key", None) }, "exp"), START + 60);
    // An opaque token, of which its issuer says less than a moment ago.
    let scoped = |scopes: &[&str]| PrincipalParts {
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        ..parts("introspection", Some("opaque"))
    };
    assert_eq!(said(scoped(&["read", "write"]), "scopes"), "read write");
    assert_eq!(said(scoped(&["read"]), "scopes"), "read");
}

#[test]
fn what_cannot_be_signed_does_not_start() {
    let problem =
        |key: &[u8], settings: &str| Harness::<BackendJwt>::setup().document("backend.pem", key.to_vec()).problem(settings).pointer;
    assert_eq!(problem(b"none", SETTINGS), "/key");
    assert_eq!(problem(&pem(), &SETTINGS.replace("kid: b1", "algorithm: RS256")), "/key");
    assert_eq!(problem(&pem(), &SETTINGS.replace("kid: b1", "header: a b")), "/header");
    assert_eq!(problem(&pem(), &SETTINGS.replace("kid: b1", "lifetime: 20s")), "/lifetime");
    assert_eq!(problem(&pem(), &SETTINGS.replace("backend.pem", "absent.pem")), "/key");
}
