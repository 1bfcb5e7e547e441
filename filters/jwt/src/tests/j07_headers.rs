//! J7–J11 and J20: what the header and the JSON of both parts may say.

use serde_json::json;

use super::kit::*;
use tollgate_jose::Algorithm::ES256;

const HEADER: &str = r#"{"alg":"ES256","kid":"k1"}"#;

#[test]
fn j07_both_parts_are_one_object_with_each_name_once() {
    let filter = plain();
    let claims = good_claims().to_string();
    accepted(&filter, &P256.seal(ES256, HEADER, &claims));
    let body = claims.trim_start_matches('{');
    let deep = format!("{}1{}", "[".repeat(50), "]".repeat(50));
    let payloads = [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "\"x\"".to_owned(),
        format!("[{claims}]"),
        format!("{claims}{claims}"),
        format!("{claims}x"),
        format!("\u{feff}{claims}"),
        format!(r#"{{"sub":"mallory",{body}"#),
        format!(r#"{{"s\u0075b":"mallory",{body}"#),
        format!(r#"{{"exp":1,{body}"#),
        format!(r#"{{"x":{{"a":1,"a":2}},{body}"#),
        format!(r#"{{"x":{deep},{body}"#),
        format!(r#"{{"x":1e400,{body}"#),
        format!(r#"{{"x":"\ud800",{body}"#),
        format!("{{/* c */{body}"),
    ];
    for payload in &payloads {
        refused(&filter, &P256.seal(ES256, HEADER, payload), "jwt.malformed");
    }
    let headers = ["", "null", "[]", r#"{"alg":"none","alg":"ES256"}"#, r#"{"alg":"ES256","kid":"k1","kid":"k1"}"#, r#"{"alg":"ES256"}x"#];
    for header in headers {
        refused(&filter, &P256.seal(ES256, header, &claims), "jwt.malformed");
    }
}

#[test]
fn j07_text_that_is_not_utf8_is_refused() {
    let mut payload = format!("{{\"x\":\"?\",{}", good_claims().to_string().trim_start_matches('{')).into_bytes();
    let at = payload.iter().position(|byte| *byte == b'?').unwrap();
    payload[at] = 0xff;
    let input = format!("{}.{}", b64(HEADER), b64(&payload));
    let token = format!("{input}.{}", b64(P256.sign(ES256, input.as_bytes())));
    refused(&plain(), &token, "jwt.malformed");
}

#[test]
fn j07_a_token_longer_than_allowed_is_not_looked_at() {
    let filter = filter(none(), json!({ "max_token_bytes": "1KiB" }));
    accepted(&filter, &P256.claims(none()));
    refused(&filter, &P256.claims(json!({ "x": "x".repeat(1024) })), "jwt.too_long");
    assert_eq!(filter.metric("jwt_cache_misses_total", None), 1.0);
}

#[test]
fn j08_no_extension_can_be_demanded() {
    let filter = plain();
    for crit in [json!([]), json!(["exp"]), json!(["b64"]), json!(["alg"]), json!(["x", "x"]), json!("exp"), json!(null), json!({})] {
        // The helper takes null for "remove it", so the header is written out.
        let header = format!(r#"{{"alg":"ES256","kid":"k1","b64":true,"exp":1,"crit":{crit}}}"#);
        refused(&filter, &P256.seal(ES256, &header, &good_claims().to_string()), "jwt.critical");
    }
}

#[test]
fn j08_an_unencoded_payload_is_refused() {
    for b64 in ["false", "0", "\"true\"", "[]"] {
        let header = format!(r#"{{"alg":"ES256","kid":"k1","b64":{b64}}}"#);
        refused(&plain(), &P256.seal(ES256, &header, &good_claims().to_string()), "jwt.critical");
    }
    accepted(&plain(), &P256.token(json!({ "b64": true }), none()));
}

#[test]
fn j09_a_key_that_comes_with_the_token_is_never_used() {
    let attacker = Signing::ec(openssl::nid::Nid::X9_62_PRIME256V1);
    let filter = plain();
    let certificate = attacker.certificate(0, 4_000_000_000);
    let x5c = String::from_utf8(certificate).unwrap().lines().filter(|line| !line.starts_with('-')).collect::<String>();
    let headers = [
        json!({ "jwk": attacker.jwk() }),
        json!({ "jwk": attacker.named("k1") }),
        json!({ "jku": "https://attacker.example/jwks.json" }),
        json!({ "x5u": "https://attacker.example/chain.pem" }),
        json!({ "x5c": [x5c] }),
        json!({ "x5t": b64([1; 20]) }),
        json!({ "x5t#S256": b64([1; 32]) }),
    ];
    for header in headers {
        refused(&filter, &attacker.token(header.clone(), none()), "jwt.signature");
        refused(&filter, &attacker.token(merged(header.clone(), json!({ "kid": "other" })), none()), "jwt.unknown_key");
        // They do no harm to a good token either.
        accepted(&filter, &P256.token(header, none()));
    }
}

#[test]
fn j10_the_name_of_a_key_is_compared_exactly_and_nothing_else() {
    let names = ["../../etc/passwd", "' OR 1=1 --", "k1\u{0}", "k1 ", "K1", "$(id)", "\r\nX: y", "", "https://attacker.example/k"];
    let filter = plain();
    for name in names.into_iter().filter(|name| !name.is_empty()) {
        let run = refused(&filter, &P256.token(json!({ "kid": name }), none()), "jwt.unknown_key");
        let log = run.answer().cause().expect("a refusal has a cause").to_string();
        assert!(!log.contains(['\r', '\n', '\0']), "{log:?}");
        assert!(run.answer().get_detail().is_none());
        assert!(!run.answer_header("www-authenticate").unwrap().contains("kid"));
    }
    for name in names {
        accepted(&filter_with(&[P256.named(name)], none(), none()), &P256.token(json!({ "kid": name }), none()));
    }
    for kid in [json!(1), json!(["k1"]), json!({})] {
        refused(&filter, &P256.token(json!({ "kid": kid }), none()), "jwt.malformed");
    }
}

#[test]
fn j10_a_long_name_is_cut_in_the_log() {
    let run = refused(&plain(), &P256.token(json!({ "kid": "k".repeat(3000) }), none()), "jwt.unknown_key");
    assert!(run.answer().cause().unwrap().to_string().len() < 200);
}

#[test]
fn j11_only_access_tokens_are_accepted() {
    let filter = plain();
    for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/at+JWT", ""] {
        accepted(&filter, &P256.token(json!({ "typ": typ }), none()));
    }
    for typ in ["dpop+jwt", "logout+jwt", "secevent+jwt", "JOSE", "application/x/at+jwt", "at+jwt ", "x-at+jwt"] {
        refused(&filter, &P256.token(json!({ "typ": typ }), none()), "jwt.type");
    }
    refused(&filter, &P256.token(json!({ "typ": 1 }), none()), "jwt.malformed");
}

#[test]
fn j11_what_a_claim_calls_something_else_is_no_access_token() {
    let filter = filter(json!({ "audiences": null, "any_audience": true }), none());
    for other in [
        json!({ "at_hash": "x" }),
        json!({ "c_hash": "x" }),
        json!({ "token_use": "id" }),
        json!({ "typ": "ID" }),
        json!({ "typ": "Refresh" }),
        json!({ "typ": "Offline" }),
        json!({ "type": "refresh_token" }),
        json!({ "type": "id_token" }),
    ] {
        for typ in [json!("JWT"), json!(null)] {
            refused(&filter, &P256.token(json!({ "typ": typ }), other.clone()), "jwt.type");
        }
        accepted(&filter, &P256.token(json!({ "typ": "application/at+jwt" }), other));
    }
    for access in [json!({ "token_use": "access" }), json!({ "typ": "Bearer" }), json!({ "type": "access_token" }), json!({ "type": 1 })] {
        accepted(&filter, &P256.token(json!({ "typ": "JWT" }), access));
    }
}

#[test]
fn j11_a_logout_token_is_no_access_token() {
    let filter = plain();
    let event = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    for typ in [json!(null), json!("JWT"), json!("at+jwt"), json!("logout+jwt"), json!("application/logout+jwt")] {
        let token = P256.token(json!({ "typ": typ }), json!({ "events": event, "sid": "1", "jti": "1" }));
        refused(&filter, &token, "jwt.type");
    }
}

#[test]
fn j11_what_an_issuer_signs_for_others_is_no_access_token() {
    let filter = filter(json!({ "audiences": null, "any_audience": true }), none());
    for other in [
        json!({ "events": {} }),
        json!({ "events": { "https://schemas.openid.net/secevent/risc/event-type/account-disabled": {} } }),
        json!({ "token_introspection": { "active": true } }),
        json!({ "sub": null, "state": "s", "code": "c" }),
        json!({ "sub": null, "state": "s", "error": "access_denied" }),
        json!({ "s_hash": "x" }),
        json!({ "typ": "Serialized-ID" }),
        json!({ "typ": "RegistrationAccessToken" }),
    ] {
        refused(&filter, &P256.token(json!({ "typ": "JWT" }), other), "jwt.type");
    }
    for access in [json!({ "events": ["seen"] }), json!({ "nonce": "n", "sid": "1" }), json!({ "state": "CA" }), json!({ "code": "7" })] {
        accepted(&filter, &P256.token(json!({ "typ": "JWT" }), access));
    }
}

#[test]
fn j11_the_profile_of_rfc_9068_can_be_demanded() {
    let filter = filter(json!({ "typ": ["at+jwt"] }), none());
    accepted(&filter, &P256.token(json!({ "typ": "at+jwt" }), none()));
    accepted(&filter, &P256.token(json!({ "typ": "application/at+jwt" }), none()));
    refused(&filter, &P256.token(json!({ "typ": "JWT" }), none()), "jwt.type");
    refused(&filter, &P256.token(none(), none()), "jwt.type");
}

#[test]
fn j20_encrypted_nested_and_compressed_tokens_are_refused() {
    let filter = plain();
    for header in [
        json!({ "enc": "A256GCM" }),
        json!({ "zip": "DEF" }),
        json!({ "cty": "JWT" }),
        json!({ "cty": "application/jwt" }),
        json!({ "cty": 1 }),
    ] {
        refused(&filter, &P256.token(header, none()), "jwt.malformed");
    }
    let encrypted = format!("{}.a.b.c.d", b64(r#"{"alg":"PBES2-HS256+A128KW","p2c":2000000000,"enc":"A128GCM"}"#));
    refused(&filter, &encrypted, "jwt.malformed");
    accepted(&filter, &P256.token(json!({ "cty": "json" }), none()));
}
