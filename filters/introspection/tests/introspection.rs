//! The `introspection` filter from outside.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;

use std::sync::Arc;

use filter_introspection::{Introspection, KIND};
use tollgate_filter_api::{Certificate, KeyType, NoCertificate, Peer, Principal, RemoteError, RemoteRequest, RemoteResponse};
use tollgate_filter_testkit::{Conformance, Harness};

/// What the issuer of the tests says about each token.
fn issuer(request: &RemoteRequest) -> Result<RemoteResponse, RemoteError> {
    let body = String::from_utf8_lossy(&request.body);
    if body.starts_with("grant_type=") {
        let body = r#"{"access_token":"own","token_type":"Bearer"}"#;
        return Ok(RemoteResponse::of_type(200, "application/json", body));
    }
    let token = body.strip_prefix("token=").and_then(|rest| rest.split('&').next()).unwrap_or_default();
    let good = r#""active":true,"sub":"alice","client_id":"app","scope":"read list","aud":["api"],"token_type":"Bearer""#;
    let answer = match token {
        "good" => format!("{{{good}}}"),
        jwt if jwt.starts_with("eyJ") => format!("{{{good}}}"),
        "expired" => format!("{{{good},\"exp\":1}}"),
        "early" => format!("{{{good},\"nbf\":1900000000}}"),
        "refresh" => format!("{{{}}}", good.replace("Bearer", "refresh_token")),
        "untyped" => r#"{"active":true,"aud":"api"}"#.to_owned(),
        "foreign" => format!("{{{good},\"iss\":\"https://evil.example\"}}"),
        "elsewhere" => format!("{{{}}}", good.replace("api", "other")),
        "bound" => format!("{{{good},\"cnf\":{{\"x5t#S256\":\"abc\"}}}}"),
        "dpop" => format!("{{{good},\"cnf\":{{\"jkt\":\"abc\"}}}}"),
        "proved" => format!("{{{},\"cnf\":{{\"jkt\":\"{}\"}}}}", good.replace("Bearer", "DPoP"), client::thumbprint()),
        "text" => r#"{"active":"true"}"#.to_owned(),
        "list" => "[]".to_owned(),
        "odd" => r#"{"active":true,"exp":"soon"}"#.to_owned(),
        "twice" => r#"{"active":false,"active":true}"#.to_owned(),
        "mtls" => format!("{{{good},\"cnf\":{{\"x5t#S256\":\"{}\"}}}}", "A".repeat(43)),
        "sandbox" => format!("{{{good},\"keytype\":\"SANDBOX\"}}"),
        "milliseconds" => format!("{{{good},\"iat\":1700000000123}}"),
        "playground" => format!("{{{good},\"keytype\":\"PLAYGROUND\"}}"),
        "down" => return Err(RemoteError("away".to_owned())),
        _ => r#"{"active":false}"#.to_owned(),
    };
    Ok(RemoteResponse::of_type(200, "application/json", answer))
}

fn away(_: &RemoteRequest) -> Result<RemoteResponse, RemoteError> {
    Err(RemoteError("away".to_owned()))
}

const SETTINGS: &str = "{url: 'https://a.example/i', client: {id: g, secret: '${env:PATH}'}}";

#[test]
fn it_conforms() {
    let proof = |token: &str| client::proof(token, &serde_json::json!({}));
    let checks = Conformance::<Introspection>::new(&KIND).answer_with(issuer);
    checks.value("proof", proof("proved")).value("unbound_proof", proof("good")).run();
}

#[test]
fn an_issuer_that_is_away_leaves_good_tokens_their_minute_and_no_more() {
    let setup = Harness::<Introspection>::setup();
    setup.answer_with(issuer);
    let h = setup.yaml(SETTINGS);
    let ask = |h: &Harness<Introspection>| {
        h.request("GET", "/").header("authorization", "Bearer good").given(Peer::Anonymous(NoCertificate::Plain)).may_wait().run()
    };
    ask(&h).next();
    setup.answer_with(away);
    let later = setup.yaml(SETTINGS);
    later.advance(std::time::Duration::from_secs(59));
    ask(&later).next();
    later.advance(std::time::Duration::from_secs(2));
    ask(&later).assert_fault("introspection.unavailable");
    drop(h);
}

#[test]
fn plain_http_to_another_host_and_long_memories_are_refused() {
    let client = "client: {id: g, secret: '${env:PATH}'}";
    assert_eq!(Harness::<Introspection>::problem(&format!("{{url: 'http://a.example/', {client}}}")).pointer, "/url");
    let settings = format!("{{url: 'https://a.example/', {client}, cache: {{ttl: 61s}}}}");
    assert_eq!(Harness::<Introspection>::problem(&settings).pointer, "/cache/ttl");
}

#[test]
fn a_bound_token_passes_over_its_own_certificate_alone() {
    let setup = Harness::<Introspection>::setup();
    setup.answer_with(issuer);
    let h = setup.yaml(SETTINGS);
    let ask = |sha256: [u8; 32]| {
        let peer = Peer::Certified(Arc::new(Certificate { sha256, ..Certificate::default() }));
        h.request("GET", "/").header("authorization", "Bearer mtls").given(peer).may_wait().run()
    };
    ask([0; 32]).next();
    ask([1; 32]).assert_denied(401, "introspection.binding");
}

#[test]
fn an_answer_that_says_two_things_is_none() {
    let setup = Harness::<Introspection>::setup();
    setup.answer_with(issuer);
    let h = setup.yaml(SETTINGS);
    let request = h.request("GET", "/").header("authorization", "Bearer twice").given(Peer::Anonymous(NoCertificate::Plain));
    request.may_wait().run().assert_fault("introspection.unavailable");
}

#[test]
fn the_answer_says_which_endpoints_a_token_is_for() {
    let setup = Harness::<Introspection>::setup();
    setup.answer_with(issuer);
    let (h, other) = (setup.yaml(SETTINGS), setup.yaml(&SETTINGS.replace("{url", "{key_type_claim: kind, url")));
    let ask = |h: &Harness<Introspection>, token: &str| {
        let request = h.request("GET", "/").header("authorization", format!("Bearer {token}"));
        request.given(Peer::Anonymous(NoCertificate::Plain)).may_wait().run()
    };
    assert_eq!(ask(&h, "sandbox").next().fact::<Principal>().key_type, KeyType::Sandbox);
    assert_eq!(ask(&h, "good").next().fact::<Principal>().key_type, KeyType::Production);
    ask(&h, "playground").assert_fault("introspection.unavailable");
    assert_eq!(ask(&other, "sandbox").next().fact::<Principal>().key_type, KeyType::Production);
}

#[test]
fn an_issue_time_in_milliseconds_is_not_later_than_every_revocation() {
    let setup = Harness::<Introspection>::setup();
    setup.answer_with(issuer);
    let h = setup.yaml(SETTINGS);
    let request = h.request("GET", "/").header("authorization", "Bearer milliseconds").given(Peer::Anonymous(NoCertificate::Plain));
    assert_eq!(request.may_wait().run().next().fact::<Principal>().token.as_ref().unwrap().issued, Some(1_700_000_000));
}

#[test]
fn operations_share_answers_only_when_they_would_get_the_same() {
    let setup = Harness::<Introspection>::setup();
    setup.answer_with(issuer);
    let changes = [
        ("{url", "{url"),
        ("a.example/i", "a.example/j"),
        ("id: g", "id: h"),
        ("env:PATH", "env:CARGO_MANIFEST_DIR"),
        ("id: g", "post: true, id: g"),
        ("id: g", "token: {url: 'https://a.example/t'}, id: g"),
        ("id: g", "token: {url: 'https://a.example/t', scope: s}, id: g"),
        ("{url", "{timeout: 1s, url"),
        ("{url", "{issuer: a, url"),
        ("{url", "{key_type_claim: kind, url"),
        ("{url", "{cache: {ttl: 1s}, url"),
    ];
    let all: Vec<_> = changes.iter().map(|(from, to)| setup.yaml(&SETTINGS.replace(from, to))).collect();
    for h in [&setup.yaml(SETTINGS)].into_iter().chain(&all) {
        h.request("GET", "/").header("authorization", "Bearer good").given(Peer::Anonymous(NoCertificate::Plain)).may_wait().run().next();
    }
    let metric = |name| all[0].metric(name, None);
    assert_eq!((metric("introspection_cache_hits_total"), metric("introspection_cache_misses_total")), (1.0, changes.len() as f64));
}

/// Whoever revokes a JWT as it was sent means the token of that signature; of ECDSA's two, also the other.
#[test]
fn j17_a_jwt_is_known_to_the_list_by_its_signature_and_any_other_token_as_a_whole() {
    let setup = Harness::<Introspection>::setup();
    setup.answer_with(issuer);
    let h = setup.yaml(&SETTINGS.replacen('{', "{jwt: true, ", 1));
    let ask = |token: &str| {
        let request = h.request("GET", "/").header("authorization", format!("Bearer {token}"));
        request.given(Peer::Anonymous(NoCertificate::Plain)).may_wait().run().next()
    };
    let opaque = ask("good").fact::<Principal>().token.clone().unwrap();
    assert_eq!((opaque.signature.as_deref(), opaque.twin), (Some("good"), None));
    // {"alg":"ES256"}, and 64 bytes of 1.
    let signature = format!("{}AQ", "AQEB".repeat(21));
    let jwt = ask(&format!("eyJhbGciOiJFUzI1NiJ9.e30.{signature}")).fact::<Principal>().token.clone().unwrap();
    assert_eq!(jwt.signature.as_deref(), Some(signature.as_str()));
    let twin = jwt.twin.unwrap();
    assert!(twin.len() == signature.len() && twin[..40] == signature[..40] && twin != signature, "{twin}");
}

#[test]
fn of_an_active_token_that_is_refused_the_log_learns_the_client() {
    let setup = Harness::<Introspection>::setup();
    setup.answer_with(issuer);
    let h = setup.yaml(SETTINGS);
    let client = |token: &str| {
        let request = h.request("GET", "/").header("authorization", format!("Bearer {token}"));
        let run = request.given(Peer::Anonymous(NoCertificate::Plain)).may_wait().run();
        run.answer().get_client().map(str::to_owned)
    };
    assert_eq!((client("expired").as_deref(), client("unknown")), (Some("app"), None));
}
