//! Empty and null mean absent: in keys, in headers, in claims, in proofs. What must be there is then missing, and refused.

use serde_json::{Value, json};
use tollgate_filter_api::{KeyType, Principal};
use tollgate_filter_testkit::Harness;
use tollgate_jose::Algorithm::ES256;

use super::{b06_proofs::*, kit::*};
use crate::Jwt;

const HEADER: &str = r#"{"alg":"ES256","kid":"k1"}"#;

/// An object with further members, nulls included.
fn with(mut object: Value, members: Value) -> Value {
    object.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    object
}

fn claims(change: Value) -> String {
    P256.seal(ES256, HEADER, &with(good_claims(), change).to_string())
}

#[test]
fn a_key_with_empty_or_null_members_is_a_key_and_its_set_is_a_set() {
    let optional = ["use", "key_ops", "alg", "kid", "x5u", "x5c", "x5t", "x5t#S256", "d", "p", "q", "dp", "dq", "qi", "oth", "k", "other"];
    for name in optional {
        for nothing in [json!(null), json!([]), json!("")] {
            if name == "kid" && nothing.is_array() {
                continue;
            }
            let key = with(P256.named("k1"), json!({ name: nothing }));
            let filter = filter_with(&[key, P384.named("k2")], none(), none());
            accepted(&filter, &P256.claims(none()));
            accepted(&filter, &P384.token(json!({ "kid": "k2" }), none()));
        }
    }
}

#[test]
fn a_key_that_cannot_be_used_is_left_out_alone_and_counted_by_why() {
    let unusable = [
        (json!({ "kty": null }), "malformed"),
        (json!({ "x": [] }), "malformed"),
        (json!({ "kid": ["k1"] }), "malformed"),
        (json!({ "use": "enc" }), "purpose"),
        (json!({ "key_ops": ["encrypt"] }), "purpose"),
        (json!({ "d": "AAAA" }), "private"),
        (json!({ "alg": "RS256" }), "algorithm"),
        (json!({ "crv": "secp256k1" }), "kind"),
    ];
    for (change, why) in unusable {
        let filter = filter_with(&[with(P256.named("bad"), change.clone()), P384.named("k1")], none(), none());
        accepted(&filter, &P384.claims(none()));
        refused(&filter, &P256.token(json!({ "kid": "bad" }), none()), "jwt.unknown_key");
        assert_eq!(filter.metric("jwt_keys_dropped_total", Some(why)), 1.0, "{change}");
        assert_eq!((filter.metric("jwt_keys", Some(ISSUER)), filter.metric("jwt_keys_unreadable_total", Some(ISSUER))), (1.0, 0.0));
    }
    // A name twice spoils its key only.
    let set = format!(r#"{{"keys":[{{"kid":"a","kid":"b"}},{}]}}"#, P256.named("k1"));
    let filter = Harness::<Jwt>::setup().document(SET, set).yaml(&settings(none(), none()));
    accepted(&filter, &P256.claims(none()));
    assert_eq!(filter.metric("jwt_keys_dropped_total", Some("malformed")), 1.0);
}

#[test]
fn no_value_of_any_member_harms_another_key() {
    let odd =
        ["null", "[]", "{}", "\"\"", "0", "-1", "1e400", "true", "[null]", "\"\\u0000\"", "\"=\"", "[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]"];
    for key in [&*P256, &*RSA, &*ED25519] {
        for name in ["kty", "crv", "x", "y", "n", "e", "use", "key_ops", "alg", "kid", "d", "oth", "x5c", "x5t", "exp"] {
            for value in odd {
                let others = merged(key.named("k1"), json!({ name: null })).to_string();
                let odd = format!("{{\"{name}\":{value},{}", others.trim_start_matches('{'));
                let set = format!(r#"{{"keys":[{odd},{}]}}"#, P384.named("k2"));
                let filter = Harness::<Jwt>::setup().document(SET, set).yaml(&settings(none(), none()));
                accepted(&filter, &P384.token(json!({ "kid": "k2" }), none()));
                assert_eq!(filter.metric("jwt_keys_unreadable_total", Some(ISSUER)), 0.0, "{odd}");
            }
        }
    }
}

#[test]
fn a_claim_that_is_null_or_a_name_that_is_empty_counts_as_absent() {
    let filter = plain();
    let names = ["nbf", "iat", "sub", "azp", "client_id", "consumerKey", "scope", "scp", "jti", "keytype", "cnf", "at_hash", "other"];
    let all: serde_json::Map<_, _> = names.into_iter().map(|name| (name.to_owned(), Value::Null)).collect();
    let token =
        P256.seal(ES256, r#"{"typ":null,"kid":null,"alg":"ES256","b64":null,"cty":null}"#, &with(good_claims(), all.into()).to_string());
    let caller = accepted(&filter, &token).fact::<Principal>().clone();
    assert_eq!((caller.subject.as_deref(), caller.client.as_deref(), &caller.scopes[..]), (None, None, &[][..]));
    assert_eq!(caller.key_type, KeyType::Production);
    assert!(caller.claims.keys().all(|name| ["iss", "aud", "exp"].contains(&name.as_str())), "{:?}", caller.claims);
    let next = |change: Value| accepted(&filter, &claims(change)).fact::<Principal>().clone();
    assert_eq!(next(json!({ "azp": null, "client_id": "b" })).client.as_deref(), Some("b"));
    assert_eq!(next(json!({ "azp": "", "client_id": "b" })).client.as_deref(), Some("b"));
    assert_eq!(next(json!({ "scope": null, "scp": ["read"] })).scopes, ["read"]);
    assert_eq!(next(json!({ "sub": "" })).subject, None);
    assert_eq!(next(json!({ "jti": "" })).token.as_ref().unwrap().id, None);
}

#[test]
fn what_must_be_there_is_missing_when_it_is_null() {
    let filter = plain();
    refused(&filter, &claims(json!({ "iss": null })), "jwt.unknown_issuer");
    refused(&filter, &claims(json!({ "exp": null })), "jwt.malformed");
    refused(&filter, &claims(json!({ "aud": null })), "jwt.audience");
    for header in [r#"{"alg":null,"kid":"k1"}"#, r#"{"alg":"","kid":"k1"}"#] {
        let token = P256.seal(ES256, header, &good_claims().to_string());
        send(&filter, &token).assert_denied(401, if header.contains("null") { "jwt.malformed" } else { "jwt.algorithm" });
    }
    let timed = super::kit::filter(json!({ "max_token_age": "1h" }), none());
    refused(&timed, &claims(json!({ "iat": null })), "jwt.too_old");
    let bound = super::kit::filter(none(), json!({ "sender_constrained": "required" }));
    refused(&bound, &claims(json!({ "cnf": null })), "jwt.not_bound");
}

#[test]
fn a_binding_of_which_nothing_can_be_read_is_no_absent_one() {
    let filter = plain();
    for cnf in [json!({}), json!([]), json!(""), json!({ "jkt": null }), json!({ "x5t#S256": "" }), json!({ "x5t#S256": [] })] {
        refused(&filter, &claims(json!({ "cnf": cnf })), "jwt.malformed");
    }
    refused(&filter, &claims(json!({ "cnf": { "kid": "x", "jkt": null } })), "jwt.binding");
}

#[test]
fn a_proof_with_empty_or_null_members_is_a_proof_and_what_must_be_there_is_missing() {
    let token = Proof::token(none());
    let sealed = |jwk: Value, members: Value| {
        let (header, claims) = Proof::new(&token).parts();
        let header = with(header, json!({ "jwk": with(P256.jwk(), jwk), "kid": null }));
        P256.seal(ES256, &header.to_string(), &with(claims, members).to_string())
    };
    for name in ["d", "oth", "k", "use", "key_ops", "alg"] {
        for nothing in [json!(null), json!([]), json!("")] {
            send_with(&proving(none()), &token, &sealed(json!({ name: nothing }), json!({ "nonce": null }))).next();
        }
    }
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        send_with(&proving(none()), &token, &sealed(none(), json!({ name: null }))).assert_denied(401, "jwt.dpop_proof");
    }
    send_with(&proving(none()), &token, &sealed(json!({ "d": "AAAA" }), none())).assert_denied(401, "jwt.dpop_proof");
}
