//! Settings that cannot be enforced do not start.

use serde_json::json;
use tollgate_filter_testkit::Harness;

use super::kit::*;
use crate::Jwt;

#[track_caller]
fn problem(settings: &str, pointer: &str) {
    let setup = Harness::<Jwt>::setup().document(SET, set(&[P256.named("k1")])).document("empty.pem", "");
    let setup = setup.document("private.pem", P256.private.private_key_to_pem_pkcs8().unwrap());
    let setup =
        setup.document("weak.pem", Signing::rsa(1024).public_pem()).document("weak.json", set(&[json!({ "kty": "oct", "k": "AA" })]));
    let setup = setup.document("contrary.json", set(&[merged(P256.jwk(), json!({ "alg": "RS256" }))]));
    let torn = String::from_utf8(P256.public_pem()).unwrap().replacen("MF", "!!", 1) + &String::from_utf8(P384.public_pem()).unwrap();
    let setup = setup.document("torn.pem", torn);
    let problem = setup.problem(settings);
    assert_eq!(problem.pointer, pointer, "{problem}");
}

#[test]
fn without_an_issuer_nothing_could_be_accepted() {
    problem("{}", "/issuers");
    problem("{ issuers: [] }", "/issuers");
    let hint = Harness::<Jwt>::problem("{}").hint;
    assert!(hint.contains("issuer"), "{hint}");
}

#[test]
fn what_an_issuer_leaves_open_is_a_problem() {
    let cases = [
        (json!({ "audiences": null }), "/issuers/0/audiences"),
        (json!({ "audiences": [] }), "/issuers/0/audiences"),
        (json!({ "any_audience": true }), "/issuers/0/any_audience"),
        (json!({ "issuer": "" }), "/issuers/0/issuer"),
        (json!({ "algorithms": [] }), "/issuers/0/algorithms"),
        (json!({ "algorithms": ["none"] }), "/issuers/0/algorithms/0"),
        (json!({ "algorithms": ["HS256"] }), "/issuers/0/algorithms/0"),
        (json!({ "typ": [] }), "/issuers/0/typ"),
        (json!({ "typ": ["JWT", "application/Logout+JWT"] }), "/issuers/0/typ/1"),
        (json!({ "keys": [] }), "/issuers/0/keys"),
        (json!({ "refresh": "0s" }), "/issuers/0/max_age"),
        (json!({ "max_age": "599s" }), "/issuers/0/max_age"),
        (json!({ "clock_skew": 60 }), "/issuers/0/clock_skew"),
        (json!({ "audience": "x" }), "/issuers/0/audience"),
    ];
    for (change, pointer) in cases {
        problem(&settings(change, none()), pointer);
    }
}

#[test]
fn key_sources_without_a_usable_key_are_a_problem() {
    for (keys, pointer) in [
        (json!({ "pem": "empty.pem" }), "/issuers/0/keys/0"),
        (json!({ "pem": "private.pem" }), "/issuers/0/keys/0"),
        (json!({ "pem": "weak.pem" }), "/issuers/0/keys/0"),
        (json!({ "pem": "torn.pem" }), "/issuers/0/keys/0"),
        (json!({ "certificate": "weak.pem" }), "/issuers/0/keys/0"),
        (json!([{ "jwks": SET }, { "jwks": "weak.json" }]), "/issuers/0/keys/1"),
        (json!({ "jwks": "contrary.json" }), "/issuers/0/keys/0"),
        (json!([{ "jwks": SET }, { "pem": "absent.pem" }]), "/issuers/0/keys/1"),
        (json!({ "jwks": "https://" }), "/issuers/0/keys/0"),
        (json!({ "jwks": SET, "pem": "empty.pem" }), "/issuers/0/keys"),
    ] {
        problem(&settings(json!({ "keys": keys }), none()), pointer);
    }
}

#[test]
fn algorithms_of_which_the_issuer_has_none_are_a_problem() {
    problem(&settings(json!({ "algorithms": ["ES256"] }), json!({ "algorithms": ["PS256"] })), "/algorithms");
    problem(&settings(none(), json!({ "algorithms": [] })), "/algorithms");
    problem(&settings(none(), json!({ "algorithms": ["none"] })), "/algorithms/0");
}

#[test]
fn plain_http_is_for_this_machine_or_by_leave() {
    for url in ["http://127.0.0.1:8080/jwks", "http://localhost/jwks", "http://[::1]:1/jwks"] {
        Harness::<Jwt>::setup().unfetched(url).yaml(&settings(json!({ "keys": { "jwks": url } }), none()));
    }
    let elsewhere = [
        "http://issuer.example/jwks",
        "http://127.0.0.1.example/jwks",
        "http://10.0.0.1/jwks",
        "http://localhost.example/",
        "ftp://localhost/jwks",
    ];
    for (kind, url, document) in elsewhere
        .iter()
        .map(|url| ("jwks", *url, (*url).to_owned()))
        .chain(elsewhere.iter().map(|url| ("discovery", *url, format!("{}/.well-known/openid-configuration", url.trim_end_matches('/')))))
    {
        let setup = Harness::<Jwt>::setup().unfetched(&document);
        let problem = setup.problem(&settings(json!({ "keys": { kind: url } }), none()));
        assert_eq!(problem.pointer, "/issuers/0/keys/0", "{url}");
        assert!(problem.message.contains(url), "{problem}");
    }
    let url = "http://keys.internal/jwks";
    Harness::<Jwt>::setup().unfetched(url).yaml(&settings(json!({ "keys": { "jwks": url }, "plain_http": true }), none()));
}

#[test]
fn one_issuer_has_one_entry() {
    let one = json!({ "issuer": ISSUER, "audiences": ["a"], "keys": { "jwks": SET } });
    problem(&json!({ "issuers": [one, one] }).to_string(), "/issuers/1/issuer");
}

#[test]
fn headers_are_checked_before_they_are_written() {
    problem(&settings(none(), json!({ "header": "a b" })), "/header");
    problem(&settings(none(), json!({ "header": "" })), "/header");
    problem(&settings(none(), json!({ "scheme": "Bearer token" })), "/scheme");
    problem(&settings(none(), json!({ "realm": "a\"b" })), "/realm");
    problem(&settings(none(), json!({ "realm": "a\r\nb" })), "/realm");
    problem(&settings(none(), json!({ "realm": "a\\b" })), "/realm");
}
