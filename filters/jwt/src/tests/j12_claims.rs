//! J12–J16: what the claims must say.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_filter_api::{KeyType, Principal};
use tollgate_filter_testkit::{Harness, START};

use super::kit::*;
use crate::Jwt;
use tollgate_jose::Algorithm::ES256;

/// Good claims with this text in the place of a claim's value, which JSON values could not hold.
fn raw(name: &str, value: &str) -> String {
    let others = merged(good_claims(), json!({ name: null })).to_string();
    let payload = format!("{{\"{name}\":{value},{}", others.trim_start_matches('{'));
    P256.seal(ES256, r#"{"alg":"ES256","kid":"k1"}"#, &payload)
}

#[test]
fn j12_the_issuer_is_equal_byte_for_byte() {
    let filter = plain();
    for name in
        ["https://issuer.example/", "https://ISSUER.example", "http://issuer.example", "issuer.example", "", " https://issuer.example"]
    {
        refused(&filter, &P256.claims(json!({ "iss": name })), "jwt.unknown_issuer");
    }
    refused(&filter, &P256.claims(json!({ "iss": null })), "jwt.unknown_issuer");
    refused(&filter, &raw("iss", "null"), "jwt.unknown_issuer");
    for value in ["1", "[\"https://issuer.example\"]", "{}", "true"] {
        refused(&filter, &raw("iss", value), "jwt.malformed");
    }
}

#[test]
fn j12_an_issuer_has_its_own_keys_and_rules_and_no_others() {
    let settings = json!({ "issuers": [
        { "issuer": "https://a.example", "audiences": ["a"], "keys": { "jwks": "https://a.example/jwks" } },
        { "issuer": "https://b.example", "audiences": ["b"], "keys": { "jwks": "https://b.example/jwks" }, "algorithms": ["ES384"] },
    ] });
    let setup = tollgate_filter_testkit::Harness::<crate::Jwt>::setup()
        .document("https://a.example/jwks", set(&[P256.named("k1")]))
        .document("https://b.example/jwks", set(&[P384.named("k1")]));
    let filter = setup.yaml(&settings.to_string());
    let of =
        |key: &Signing, issuer: &str, audience: &str| key.claims(json!({ "iss": format!("https://{issuer}.example"), "aud": audience }));
    accepted(&filter, &of(&P256, "a", "a"));
    accepted(&filter, &of(&P384, "b", "b"));
    refused(&filter, &of(&P384, "a", "a"), "jwt.unknown_key");
    refused(&filter, &of(&P256, "b", "b"), "jwt.algorithm");
    refused(&filter, &of(&P256, "a", "b"), "jwt.audience");
    refused(&filter, &of(&P384, "b", "a"), "jwt.audience");
}

#[test]
fn j13_the_audience_holds_this_api() {
    let filter = filter(json!({ "audiences": [AUDIENCE, "second"] }), none());
    for good in [json!(AUDIENCE), json!("second"), json!(["x", AUDIENCE]), json!([AUDIENCE])] {
        accepted(&filter, &P256.claims(json!({ "aud": good })));
    }
    for bad in [
        json!("https://api.example/"),
        json!("HTTPS://API.EXAMPLE"),
        json!(""),
        json!([]),
        json!(["x"]),
        json!("secon"),
        json!("second second"),
    ] {
        refused(&filter, &P256.claims(json!({ "aud": bad })), "jwt.audience");
    }
    refused(&filter, &P256.claims(json!({ "aud": null })), "jwt.audience");
    refused(&filter, &raw("aud", "null"), "jwt.audience");
    for value in ["1", "{}", "true", "[\"second\",1]", "[[\"second\"]]"] {
        refused(&filter, &raw("aud", value), "jwt.malformed");
    }
}

#[test]
fn j13_an_issuer_may_be_trusted_whatever_the_audience() {
    let filter = filter(json!({ "audiences": null, "any_audience": true }), none());
    accepted(&filter, &P256.claims(json!({ "aud": "other" })));
    accepted(&filter, &P256.claims(json!({ "aud": null })));
    refused(&filter, &raw("aud", "1"), "jwt.malformed");
}

#[test]
fn j14_times_are_numbers_before_they_are_times() {
    let filter = plain();
    let far = START + 3600;
    for name in ["exp", "nbf", "iat"] {
        for value in [format!("\"{far}\""), "true".into(), "{}".into(), format!("[{far}]"), "1e400".into(), "-1e400".into(), "NaN".into()] {
            refused(&filter, &raw(name, &value), "jwt.malformed");
        }
    }
    refused(&filter, &P256.claims(json!({ "exp": null })), "jwt.malformed");
    refused(&filter, &raw("exp", "null"), "jwt.malformed");
    for value in [format!("{far}.5"), "1e300".into(), "18446744073709551615".into(), "9e18".into()] {
        accepted(&filter, &raw("exp", &value));
    }
    for value in ["0", "-1", "-1e300", "1", "-0.0"] {
        refused(&filter, &raw("exp", value), "jwt.expired");
        accepted(&filter, &raw("nbf", value));
        accepted(&filter, &raw("iat", value));
    }
    for value in ["1e300", "9e18"] {
        refused(&filter, &raw("nbf", value), "jwt.not_yet");
        refused(&filter, &raw("iat", value), "jwt.not_yet");
    }
}

#[test]
fn j14_the_skew_is_allowed_to_the_second() {
    let filter = filter(json!({ "clock_skew": "10s" }), none());
    accepted(&filter, &P256.claims(json!({ "exp": START - 9 })));
    refused(&filter, &P256.claims(json!({ "exp": START - 10 })), "jwt.expired");
    for name in ["nbf", "iat"] {
        accepted(&filter, &P256.claims(json!({ name: START + 10 })));
        refused(&filter, &P256.claims(json!({ name: START + 11 })), "jwt.not_yet");
    }
}

#[test]
fn j14_a_minute_of_skew_is_the_default() {
    let filter = plain();
    accepted(&filter, &P256.claims(json!({ "exp": START - 59 })));
    refused(&filter, &P256.claims(json!({ "exp": START - 60 })), "jwt.expired");
}

#[test]
fn j14_milliseconds_in_iat_pass_only_where_they_are_allowed() {
    let token = P256.claims(json!({ "iat": START * 1000 }));
    refused(&plain(), &token, "jwt.not_yet");
    let lenient = filter(json!({ "max_token_age": "1h" }), json!({ "iat_in_ms": true }));
    accepted(&lenient, &token);
    accepted(&lenient, &P256.claims(none()));
    refused(&lenient, &P256.claims(json!({ "iat": (START - 4000) * 1000 })), "jwt.too_old");
    refused(&lenient, &P256.claims(json!({ "iat": (START + 4000) * 1000 })), "jwt.not_yet");
}

#[test]
fn j15_a_token_may_be_too_old_before_it_expires() {
    let filter = filter(json!({ "max_token_age": "10m", "clock_skew": "0s" }), none());
    let token = P256.claims(none());
    accepted(&filter, &token);
    filter.advance(Duration::from_secs(599));
    accepted(&filter, &token);
    filter.advance(Duration::from_secs(1));
    refused(&filter, &token, "jwt.too_old");
    refused(&filter, &P256.claims(json!({ "iat": null })), "jwt.too_old");
    filter.advance(Duration::from_secs(3000));
    refused(&filter, &token, "jwt.expired");
}

#[test]
fn j15_the_skew_is_allowed_at_the_end_of_the_age_too() {
    let filter = filter(json!({ "max_token_age": "10m", "clock_skew": "10s" }), none());
    // In the skew behind its `exp` it is not expired yet, and too old all the same.
    let token = P256.claims(json!({ "exp": START + 605 }));
    filter.advance(Duration::from_secs(609));
    accepted(&filter, &token);
    filter.advance(Duration::from_secs(1));
    refused(&filter, &token, "jwt.too_old");
    filter.advance(Duration::from_secs(5));
    refused(&filter, &token, "jwt.expired");
}

#[test]
fn j15_a_token_may_live_too_long() {
    let filter = filter(json!({ "max_lifetime": "1h" }), none());
    accepted(&filter, &P256.claims(none()));
    refused(&filter, &P256.claims(json!({ "exp": START + 3601 })), "jwt.lifetime");
    refused(&filter, &P256.claims(json!({ "iat": null })), "jwt.lifetime");
}

/// The scopes that a token with these claims grants.
fn scopes(filter: &Harness<Jwt>, claims: Value) -> Vec<String> {
    accepted(filter, &P256.claims(claims)).fact::<Principal>().scopes.clone()
}

#[test]
fn j16_scopes_are_told_apart_by_spaces_and_by_nothing_else() {
    let filter = plain();
    for (scope, granted) in [
        (json!("read"), &["read"][..]),
        (json!("write read"), &["write", "read"]),
        (json!("a  read "), &["a", "read"]),
        (json!(["x", "read"]), &["x", "read"]),
        (json!(["a read"]), &["a read"]),
        (json!("read,write"), &["read,write"]),
        (json!("read\twrite"), &["read\twrite"]),
        (json!("read\u{a0}write"), &["read\u{a0}write"]),
        (json!("READ"), &["READ"]),
        (json!(""), &[]),
        (json!([]), &[]),
        (json!(null), &[]),
    ] {
        assert_eq!(scopes(&filter, json!({ "scope": scope })), granted, "{scope}");
    }
    for value in ["1", "{}", "[\"read\",1]", "[\"read\",null]"] {
        refused(&filter, &raw("scope", value), "jwt.malformed");
    }
}

#[test]
fn j16_scp_is_read_when_there_is_no_scope_and_another_claim_by_setting() {
    let by_default = plain();
    assert_eq!(scopes(&by_default, json!({ "scope": null, "scp": ["read"] })), ["read"]);
    assert_eq!(scopes(&by_default, json!({ "scope": "x", "scp": ["read"] })), ["x"]);
    let other = filter(json!({ "scope_claim": "permissions" }), none());
    assert_eq!(scopes(&other, json!({ "scope": "x", "permissions": ["read"] })), ["read"]);
    assert!(scopes(&other, json!({ "scope": "read" })).is_empty());
}

#[test]
fn the_principal_is_what_the_token_says() {
    let run = accepted(&plain(), &P256.claims(json!({ "client_id": "app", "keytype": "SANDBOX", "jti": "t1" })));
    let principal = run.fact::<Principal>();
    assert_eq!((principal.filter, principal.subject.as_deref(), principal.issuer.as_deref()), ("jwt", Some("alice"), Some(ISSUER)));
    assert_eq!((principal.client.as_deref(), &principal.scopes[..]), (Some("app"), &["read".to_owned(), "write".to_owned()][..]));
    assert_eq!((principal.key_type, &principal.claims["jti"]), (KeyType::Sandbox, &json!("t1")));
}

#[test]
fn the_kind_of_key_is_production_or_sandbox_in_any_case() {
    for (said, kind) in [
        (json!("PRODUCTION"), KeyType::Production),
        (json!("Production"), KeyType::Production),
        (json!("sandbox"), KeyType::Sandbox),
        (json!(null), KeyType::Production),
    ] {
        assert_eq!(accepted(&plain(), &P256.claims(json!({ "keytype": said }))).fact::<Principal>().key_type, kind, "{said}");
    }
}

#[test]
fn the_client_is_azp_before_client_id_before_the_consumer_key() {
    let all = json!({ "azp": "a", "client_id": "b", "consumerKey": "c" });
    let client = |filter, claims| accepted(&filter, &P256.claims(claims)).fact::<Principal>().client.clone();
    assert_eq!(client(plain(), all.clone()).as_deref(), Some("a"));
    assert_eq!(client(plain(), merged(all.clone(), json!({ "azp": null }))).as_deref(), Some("b"));
    assert_eq!(client(plain(), json!({ "consumerKey": "c" })).as_deref(), Some("c"));
    assert_eq!(client(plain(), none()), None);
    assert_eq!(client(filter(json!({ "client_claim": "consumerKey" }), none()), all).as_deref(), Some("c"));
}

#[test]
fn the_subject_may_be_another_claim() {
    let filter = filter(json!({ "subject_claim": "email" }), none());
    let run = accepted(&filter, &P256.claims(json!({ "email": "a@b.example" })));
    assert_eq!(run.fact::<Principal>().subject.as_deref(), Some("a@b.example"));
}

#[test]
fn claims_that_name_the_caller_have_the_right_type() {
    for name in ["sub", "azp", "client_id", "consumerKey", "keytype"] {
        for value in ["1", "[\"a\"]", "{}", "true"] {
            refused(&plain(), &raw(name, value), "jwt.malformed");
        }
    }
    refused(&plain(), &P256.claims(json!({ "keytype": "OTHER" })), "jwt.malformed");
}
