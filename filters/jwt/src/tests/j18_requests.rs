//! J18, J19, J24: the cache, the challenge, and what of a request goes upstream.

use std::time::{Duration, SystemTime};

use serde_json::json;
use tollgate_filter_api::{Carrier, Meaning, Principal};
use tollgate_filter_testkit::{Harness, START};

use super::kit::*;
use crate::Jwt;

fn hits(filter: &Harness<Jwt>) -> f64 {
    filter.metric("jwt_cache_hits_total", None)
}

#[test]
fn j18_a_token_is_verified_once() {
    let filter = plain();
    let token = P256.claims(none());
    for times in 0..3 {
        let run = accepted(&filter, &token);
        assert_eq!(run.fact::<Principal>().subject.as_deref(), Some("alice"));
        assert_eq!(hits(&filter), f64::from(times));
    }
    assert_eq!(filter.metric("jwt_cache_misses_total", None), 1.0);
}

#[test]
fn j18_a_token_that_differs_in_one_character_is_another_token() {
    let filter = plain();
    let token = P256.claims(none());
    accepted(&filter, &token);
    let (input, signature) = token.rsplit_once('.').unwrap();
    refused(&filter, &format!("{input}.{}", b64([0; 64])), "jwt.signature");
    let swapped = if signature.starts_with('A') { "B" } else { "A" };
    refused(&filter, &format!("{input}.{swapped}{}", &signature[1..]), "jwt.signature");
    refused(&filter, input, "jwt.opaque");
    assert_eq!(hits(&filter), 0.0);
}

#[test]
fn j18_a_remembered_token_expires() {
    let filter = filter(json!({ "clock_skew": "0s" }), none());
    let token = P256.claims(json!({ "exp": START + 100 }));
    accepted(&filter, &token);
    filter.advance(Duration::from_secs(99));
    accepted(&filter, &token);
    assert_eq!(hits(&filter), 1.0);
    filter.advance(Duration::from_secs(1));
    refused(&filter, &token, "jwt.expired");
}

#[test]
fn j18_a_remembered_token_is_not_good_before_its_time_when_the_clock_steps_back() {
    let filter = filter(json!({ "clock_skew": "0s" }), none());
    let token = P256.claims(none());
    accepted(&filter, &token);
    filter.clock().step_to(SystemTime::UNIX_EPOCH + Duration::from_secs(START - 1));
    refused(&filter, &token, "jwt.not_yet");
}

#[test]
fn j18_operations_that_differ_in_what_becomes_of_the_token_share_what_is_remembered() {
    let setup = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")]));
    let one = setup.yaml(&settings(none(), none()));
    let other = setup.yaml(&settings(none(), json!({ "forward_token": true })));
    let token = P256.claims(none());
    accepted(&one, &token);
    accepted(&other, &token);
    assert_eq!(hits(&other), 1.0, "both operations share one cache");
}

#[test]
fn j18_what_differs_in_audience_shares_nothing() {
    let setup = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")]));
    let ours = setup.yaml(&settings(none(), none()));
    let theirs = setup.yaml(&settings(json!({ "audiences": ["other"] }), none()));
    let token = P256.claims(none());
    accepted(&ours, &token);
    refused(&theirs, &token, "jwt.audience");
}

#[test]
fn j18_what_differs_in_leniency_shares_nothing() {
    let setup = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")]));
    let cases = [
        (json!({ "iat_in_ms": true }), P256.claims(json!({ "iat": START * 1000 })), "jwt.not_yet"),
        (json!({ "padded": true }), format!("{}==", P256.claims(none())), "jwt.malformed"),
        (json!({ "max_token_bytes": "64KiB" }), P256.claims(json!({ "x": "x".repeat(8192) })), "jwt.too_long"),
    ];
    for (leave, token, reason) in cases {
        // Both are alive at once: what is shared ends with its last user.
        let (lenient, strict) = (setup.yaml(&settings(none(), leave)), setup.yaml(&settings(none(), none())));
        accepted(&lenient, &token);
        refused(&strict, &token, reason);
    }
}

#[test]
fn j18_what_differs_in_algorithms_shares_nothing() {
    let setup = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")]));
    let (wide, narrow) = (setup.yaml(&settings(none(), none())), setup.yaml(&settings(none(), json!({ "algorithms": ["ES384"] }))));
    let token = P256.claims(none());
    accepted(&wide, &token);
    refused(&narrow, &token, "jwt.algorithm");
}

#[test]
fn j18_refused_tokens_are_not_remembered() {
    let filter = plain();
    for _ in 0..3 {
        refused(&filter, &P384.claims(none()), "jwt.unknown_key");
    }
    assert_eq!((hits(&filter), filter.metric("jwt_cache_misses_total", None)), (0.0, 3.0));
}

#[test]
fn j18_without_a_cache_every_token_is_verified() {
    let filter = filter(none(), json!({ "cache": { "entries": 0 } }));
    let token = P256.claims(none());
    accepted(&filter, &token);
    accepted(&filter, &token);
    assert_eq!((hits(&filter), filter.metric("jwt_cache_misses_total", None)), (0.0, 2.0));
}

#[test]
fn j19_the_challenge_says_error_only_when_a_token_was_sent() {
    let filter = plain();
    let get = || filter.request("GET", "/");
    let challenge = |run: &tollgate_filter_testkit::Run| run.answer_header("www-authenticate").unwrap().to_owned();
    let bare = "Bearer realm=\"api\"";
    let missing = get().run().assert_denied(401, "jwt.missing");
    assert_eq!((challenge(&missing).as_str(), missing.answer().reason().meaning), (bare, Meaning::Absent));
    for value in ["", "  ", "Bearer", "bearer ", "Bearer   "] {
        assert_eq!(challenge(&get().header("authorization", value).run().assert_denied(401, "jwt.missing")), bare);
    }
    for value in ["Basic YTpi", "Bearertoken", "Bear er", "DPoP abc", "Bearer\ttoken"] {
        let run = get().header("authorization", value).run().assert_denied(401, "jwt.scheme");
        assert_eq!((challenge(&run).as_str(), run.answer().reason().meaning), (bare, Meaning::Absent));
    }
    let expired = refused(&filter, &P256.claims(json!({ "exp": 1 })), "jwt.expired");
    assert_eq!(challenge(&expired), format!("{bare}, error=\"invalid_token\", error_description=\"The token has expired\""));
    assert_eq!(expired.answer().reason().meaning, Meaning::Refused);
}

#[test]
fn j19_tokens_of_somebody_else_leave_room_for_an_alternative() {
    let filter = plain();
    for (token, reason) in [("opaque".to_owned(), "jwt.opaque"), (P256.claims(json!({ "iss": "https://b.example" })), "jwt.unknown_issuer")]
    {
        let run = refused(&filter, &token, reason);
        assert_eq!(run.answer().reason().meaning, Meaning::Absent);
        assert!(run.answer_header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    }
}

#[test]
fn j19_the_scheme_is_compared_without_regard_to_case() {
    let filter = plain();
    let token = P256.claims(none());
    for value in [format!("bearer {token}"), format!("BEARER {token}"), format!("Bearer   {token}"), format!(" Bearer {token} ")] {
        filter.request("GET", "/").header("authorization", value).run().next();
    }
}

#[test]
fn j19_two_credentials_are_one_too_many() {
    let filter = plain();
    let token = P256.claims(none());
    let bearer = format!("Bearer {token}");
    for (first, second) in [(&bearer[..], &bearer[..]), (&bearer, "Basic YTpi"), ("Basic YTpi", &bearer), ("", &bearer), (&bearer, "")] {
        let run = filter.request("GET", "/").header("authorization", first).header("Authorization", second).run();
        let run = run.assert_denied(400, "jwt.two_credentials");
        assert!(run.answer_header("www-authenticate").unwrap().contains("error=\"invalid_request\""));
    }
    for query in ["access_token=x", "a=1&access_token=x", "access_token", "access%5ftoken=x", "%61ccess_token=", "a&%61%63%63ess_token=x#"]
    {
        filter.request("GET", &format!("/?{query}")).header("authorization", &bearer).run().assert_denied(400, "jwt.two_credentials");
    }
    for query in ["access_tokens=x", "x_access_token=x", "a=access_token", "access_toke%", "access_token%5b=x", "Access_token=x", "%"] {
        filter.request("GET", &format!("/?{query}")).header("authorization", &bearer).run().next();
    }
}

#[test]
fn j19_a_token_in_the_query_is_not_read() {
    let path = format!("/?access_token={}", P256.claims(none()));
    plain().request("GET", &path).run().assert_denied(401, "jwt.missing");
}

#[test]
fn j19_a_header_that_is_not_text_is_refused() {
    plain().request("GET", "/").header("authorization", b"Bearer \xff\xfe").run().assert_denied(401, "jwt.malformed");
}

#[test]
fn the_place_of_the_token_is_cleared_when_another_credential_let_the_caller_in() {
    let header = |filter: Harness<Jwt>| match filter.carrier() {
        Some(Carrier::Header(name)) => name.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(header(plain()), "authorization");
    assert_eq!(header(filter(none(), json!({ "header": "X-Token" }))), "x-token");
}

#[test]
fn the_token_stays_in_the_gateway_unless_it_is_let_through() {
    let token = P256.claims(none());
    let mut run = accepted(&plain(), &token);
    assert!(run.upstream().get(&http::header::AUTHORIZATION).is_none());
    let mut run = accepted(&filter(none(), json!({ "forward_token": true })), &token);
    assert_eq!(run.upstream().get(&http::header::AUTHORIZATION).unwrap(), &format!("Bearer {token}"));
}

#[test]
fn another_header_may_carry_the_token() {
    let filter = filter(none(), json!({ "header": "X-Api-Token", "scheme": "" }));
    let token = P256.claims(none());
    let run = filter.request("GET", "/").header("x-api-token", &token).header("authorization", "Basic YTpi").run().next();
    assert_eq!((run.header("x-api-token"), run.header("authorization")), (None, Some("Basic YTpi")));
    filter.request("GET", "/").header("authorization", format!("Bearer {token}")).run().assert_denied(401, "jwt.missing");
    filter.request("GET", "/").header("x-api-token", "").run().assert_denied(401, "jwt.missing");
}
