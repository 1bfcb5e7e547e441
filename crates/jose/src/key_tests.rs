use serde_json::json;

use super::*;

/// The public key of RFC 8037 §A.2.
fn good() -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "one" })
}

fn read(change: Value) -> Result<Key, Unusable> {
    let mut jwk = good();
    jwk.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    Key::from_jwk(jwk.as_object().unwrap())
}

#[test]
fn an_optional_member_that_is_null_or_empty_is_as_good_as_absent() {
    let optional = ["use", "key_ops", "alg", "x5u", "x5c", "x5t", "x5t#S256", "n", "e", "y"];
    for name in optional.into_iter().chain(PRIVATE) {
        for nothing in [json!(null), json!(""), json!([])] {
            let key = read(json!({ name: nothing }));
            assert_eq!(key.map(|key| key.kid).as_ref().map(Option::as_deref), Ok(Some("one")), "{name}: {nothing}");
        }
    }
    for nothing in [json!(null), json!("")] {
        assert_eq!(read(json!({ "kid": nothing })).map(|key| key.kid), Ok(None));
    }
    for name in ["kty", "crv", "x"] {
        for nothing in [json!(null), json!(""), json!([])] {
            assert_eq!(read(json!({ name: nothing })).err(), Some(Missing(name)), "{nothing}");
        }
    }
}

#[test]
fn a_key_that_cannot_be_used_says_why() {
    let cases = [
        (json!({ "use": "enc" }), Purpose("use"), "purpose"),
        (json!({ "key_ops": ["sign"] }), Purpose("key_ops"), "purpose"),
        (json!({ "use": {} }), Malformed("use"), "malformed"),
        (json!({ "key_ops": "verify" }), Malformed("key_ops"), "malformed"),
        (json!({ "kid": 1 }), Malformed("kid"), "malformed"),
        (json!({ "x": "!" }), Malformed("x"), "malformed"),
        (json!({ "x": "AAAA" }), Malformed("x"), "malformed"),
        (json!({ "d": "AAAA" }), Private("d"), "private"),
        (json!({ "oth": [{ "r": "AAAA" }] }), Private("oth"), "private"),
        (json!({ "p": 1 }), Private("p"), "private"),
        (json!({ "alg": "RSA-OAEP" }), Unusable::Algorithm, "algorithm"),
        (json!({ "alg": "ES256" }), Unusable::Algorithm, "algorithm"),
        (json!({ "crv": "Ed448" }), Unusable::Kind, "kind"),
        (json!({ "kty": "AKP" }), Unusable::Kind, "kind"),
        (json!({ "x": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }), Unusable::Strength, "strength"),
    ];
    for (change, why, kind) in cases {
        assert_eq!(read(change.clone()).err(), Some(why), "{change}");
        assert_eq!(why.kind(), kind);
    }
}
