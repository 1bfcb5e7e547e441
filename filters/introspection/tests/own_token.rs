//! Questions asked with an access token of the gateway's own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use filter_introspection::Introspection;
use tollgate_filter_api::{NoCertificate, Peer, RemoteError, RemoteRequest, RemoteResponse};
use tollgate_filter_testkit::{Answerer, Harness, Run};

const SETTINGS: &str = "{url: 'https://a.example/i?x=y', cache: {ttl: 0s}, \
    client: {id: g, secret: '${env:CARGO_PKG_NAME}', token: {url: 'https://a.example/t?x=y', scope: 'introspect more'}}}";

fn filter(answerer: Answerer) -> Harness<Introspection> {
    let setup = Harness::<Introspection>::setup();
    setup.answer_with(answerer);
    setup.yaml(SETTINGS)
}

fn ask(h: &Harness<Introspection>) -> Run {
    h.request("GET", "/").header("authorization", "Bearer opaque").given(Peer::Anonymous(NoCertificate::Plain)).may_wait().run()
}

/// The cause of the fault that a question ends in.
fn fault(h: &Harness<Introspection>) -> String {
    let run = ask(h).assert_fault("introspection.unavailable");
    let Err(fault) = run.outcome() else { panic!("a fault") };
    assert!(fault.retry_after.is_some());
    fault.cause.to_string()
}

fn answer(status: u16, body: impl Into<String>) -> Result<RemoteResponse, RemoteError> {
    Ok(RemoteResponse::of_type(status, "application/json", body.into()))
}

/// The form of a request for a token; nothing for a question.
fn grant(request: &RemoteRequest) -> Option<String> {
    let body = String::from_utf8(request.body.to_vec()).unwrap();
    body.starts_with("grant_type=").then_some(body)
}

fn authorization(request: &RemoteRequest) -> &str {
    let mut fields = request.headers.iter().filter(|(name, _)| name == "authorization");
    let (Some((_, value)), None) = (fields.next(), fields.next()) else { panic!("one Authorization: {request:?}") };
    assert!(value.is_sensitive());
    value.to_str().unwrap()
}

#[test]
fn one_token_serves_many_questions_until_little_of_its_time_is_left() {
    static GRANTS: Mutex<Vec<String>> = Mutex::new(Vec::new());
    fn issuer(request: &RemoteRequest) -> Result<RemoteResponse, RemoteError> {
        if let Some(form) = grant(request) {
            assert!(authorization(request).starts_with("Basic "));
            GRANTS.lock().unwrap().push(form);
            return answer(200, r#"{"access_token":"own","token_type":"bearer","expires_in":1000}"#);
        }
        assert_eq!(authorization(request), "Bearer own");
        assert_eq!(request.body, "token=opaque&token_type_hint=access_token");
        answer(200, r#"{"active":true,"token_type":"Bearer"}"#)
    }
    let h = filter(issuer);
    for _ in 0..3 {
        ask(&h).next();
    }
    h.advance(Duration::from_secs(899));
    ask(&h).next();
    assert_eq!(*GRANTS.lock().unwrap(), ["grant_type=client_credentials&scope=introspect%20more"]);
    h.advance(Duration::from_secs(1));
    ask(&h).next();
    assert_eq!(GRANTS.lock().unwrap().len(), 2);
}

#[test]
fn a_token_that_is_refused_is_exchanged_unless_it_is_new() {
    static GRANTS: AtomicUsize = AtomicUsize::new(0);
    static REFUSED: Mutex<&str> = Mutex::new("");
    fn issuer(request: &RemoteRequest) -> Result<RemoteResponse, RemoteError> {
        if grant(request).is_some() {
            let number = GRANTS.fetch_add(1, Ordering::Relaxed);
            return answer(200, format!(r#"{{"access_token":"own-{number}","token_type":"Bearer"}}"#));
        }
        let refused = *REFUSED.lock().unwrap();
        if !refused.is_empty() && authorization(request).starts_with(refused) {
            return answer(401, "");
        }
        answer(200, r#"{"active":true,"token_type":"Bearer"}"#)
    }
    let h = filter(issuer);
    ask(&h).next();
    *REFUSED.lock().unwrap() = "Bearer own-0";
    assert_eq!(fault(&h), "https://a.example/i: expected status 200, found 401");
    h.advance(Duration::from_secs(10));
    ask(&h).next();
    assert_eq!(GRANTS.load(Ordering::Relaxed), 2);
    *REFUSED.lock().unwrap() = "Bearer own";
    h.advance(Duration::from_secs(10));
    for _ in 0..5 {
        assert!(fault(&h).ends_with("found 401"));
    }
    assert_eq!(GRANTS.load(Ordering::Relaxed), 3);
}

#[test]
fn without_a_token_nothing_is_known_and_the_place_is_named() {
    static ANSWER: Mutex<(u16, &str)> = Mutex::new((0, ""));
    fn issuer(request: &RemoteRequest) -> Result<RemoteResponse, RemoteError> {
        assert!(grant(request).is_some(), "a question without a token: {request:?}");
        match *ANSWER.lock().unwrap() {
            (0, place) => Err(RemoteError(place.to_owned())),
            (status, body) => answer(status, body),
        }
    }
    let h = filter(issuer);
    *ANSWER.lock().unwrap() = (0, "https://a.example/t: away");
    assert_eq!(fault(&h), "no token of our own: https://a.example/t: away");
    let good = r#""access_token":"own","token_type":"Bearer""#;
    for (status, body, wrong) in [
        (401, "{}".to_owned(), "status"),
        (200, "[]".to_owned(), "object"),
        (200, format!("{{{good},{good}}}"), "twice"),
        (200, r#"{"access_token":"own"}"#.to_owned(), "token_type"),
        (200, r#"{"access_token":"own","token_type":"DPoP"}"#.to_owned(), "token_type"),
        (200, r#"{"access_token":1,"token_type":"Bearer"}"#.to_owned(), "access_token"),
        (200, r#"{"access_token":"","token_type":"Bearer"}"#.to_owned(), "access_token"),
        (200, r#"{"access_token":"a\nb","token_type":"Bearer"}"#.to_owned(), "access_token"),
        (200, format!("{{{good},\"expires_in\":\"soon\"}}"), "expires_in"),
        (200, format!("{{{good},\"expires_in\":-1}}"), "expires_in"),
    ] {
        *ANSWER.lock().unwrap() = (status, body.leak());
        let cause = fault(&h);
        assert!(cause.starts_with("no token of our own: https://a.example/t: ") && cause.contains(wrong), "{wrong}: {cause}");
    }
}

#[test]
fn a_page_of_the_token_endpoint_is_no_token() {
    fn issuer(request: &RemoteRequest) -> Result<RemoteResponse, RemoteError> {
        assert!(grant(request).is_some(), "a question without a token: {request:?}");
        let body = r#"{"access_token":"own","token_type":"Bearer"}"#;
        Ok(RemoteResponse::of_type(200, "text/html", body))
    }
    let cause = fault(&filter(issuer));
    assert!(cause.contains("expected `Content-Type: application/json`, found \"text/html\""), "{cause}");
}

#[test]
fn a_token_endpoint_without_encryption_is_refused() {
    let settings = SETTINGS.replace("https://a.example/t", "http://a.example/t");
    assert_eq!(Harness::<Introspection>::problem(&settings).pointer, "/client/token/url");
}
