//! J17: by what a verified token can be revoked. The list is looked up by the `revocation` filter, after this one.

use openssl::{
    bn::{BigNum, BigNumContext},
    ec::EcGroup,
    nid::Nid,
};
use serde_json::json;
use tollgate_filter_api::{Principal, Token};

use super::kit::*;

/// The same token with the other signature that anybody can make of an ECDSA one: (r, n − s).
fn signed_anew(token: &str, curve: Nid) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, signature).unwrap();
    let (r, s) = signature.split_at(signature.len() / 2);
    let (mut order, mut other) = (BigNum::new().unwrap(), BigNum::new().unwrap());
    EcGroup::from_curve_name(curve).unwrap().order(&mut order, &mut BigNumContext::new().unwrap()).unwrap();
    other.checked_sub(&order, &BigNum::from_slice(s).unwrap()).unwrap();
    format!("{input}.{}", b64([r, &other.to_vec_padded(i32::try_from(s.len()).unwrap()).unwrap()].concat()))
}

fn last(token: &str) -> Option<&str> {
    token.rsplit('.').next()
}

#[test]
fn j17_a_token_is_known_by_its_jti_and_its_signature() {
    let filter = plain();
    for id in [json!("a"), json!(null)] {
        let token = P256.claims(json!({ "jti": id }));
        let known = accepted(&filter, &token).fact::<Principal>().token.clone().unwrap();
        assert_eq!((known.id.as_deref(), known.signature.as_deref()), (id.as_str(), last(&token)));
    }
    // A `jti` of another type would be looked up by nobody.
    refused(&filter, &P256.claims(json!({ "jti": 7 })), "jwt.malformed");
    refused(&filter, &P256.claims(json!({ "jti": ["a"] })), "jwt.malformed");
}

#[test]
fn j17_a_token_with_its_other_signature_is_still_the_one_that_was_revoked() {
    for (key, curve) in [(&P256, Nid::X9_62_PRIME256V1), (&P384, Nid::SECP384R1), (&P521, Nid::SECP521R1)] {
        let filter = filter_with(&[key.named("k1")], json!({}), json!({}));
        for number in 0..4 {
            let token = key.claims(json!({ "n": number }));
            let other = signed_anew(&token, curve);
            assert_ne!(token, other);
            let known = accepted(&filter, &other).fact::<Principal>().token.clone().unwrap();
            assert_eq!((known.signature.as_deref(), known.twin.as_deref()), (last(&other), last(&token)));
        }
    }
}

#[test]
fn j17_other_signatures_have_one_form() {
    for key in [&RSA, &ED25519] {
        let filter = filter_with(&[key.named("k1")], json!({}), json!({}));
        let known = accepted(&filter, &key.claims(json!({}))).fact::<Principal>().token.clone();
        assert!(matches!(known, Some(Token { signature: Some(_), twin: None, .. })));
    }
}

/// A forged token says nothing of anybody, so it cannot be told whether one was revoked.
#[test]
fn j17_nothing_is_known_of_a_token_before_its_signature_is_checked() {
    let forged = Signing::ec(Nid::X9_62_PRIME256V1).claims(json!({ "jti": "revoked" }));
    let run = refused(&plain(), &forged, "jwt.signature");
    assert_eq!(run.answer().get_client(), None);
}

#[test]
fn j17_of_a_verified_token_that_is_refused_the_log_learns_the_client() {
    let client = |claims| send(&plain(), &P256.claims(claims)).answer().get_client().map(str::to_owned);
    assert_eq!(client(json!({ "azp": "shop", "aud": "other" })).as_deref(), Some("shop"));
    assert_eq!(client(json!({ "azp": "shop", "cnf": { "x5t#S256": b64([7; 32]) } })).as_deref(), Some("shop"));
    assert_eq!(client(json!({ "azp": 7, "aud": "other" })), None);
}

/// Forged tokens are attempts on somebody: on whom, the log learns, and that nobody vouches for it.
#[test]
fn j17_whom_a_forged_token_names_is_a_claim_that_is_escaped_and_bounded() {
    let stranger = Signing::ec(Nid::X9_62_PRIME256V1);
    for (named, shown) in
        [("shop", "shop".to_owned()), ("a\n\u{202e}\"", "a\\n\\u{202e}\\\"".to_owned()), (&"x".repeat(1000), "x".repeat(64))]
    {
        let run = refused(&plain(), &stranger.claims(json!({ "azp": named })), "jwt.signature");
        assert_eq!((run.answer().get_client(), run.answer().get_claimed_client()), (None, Some(shown.as_str())));
    }
    let unknown = refused(&plain(), &stranger.token(json!({ "kid": "k2" }), json!({ "azp": "shop" })), "jwt.unknown_key");
    assert_eq!(unknown.answer().get_claimed_client(), Some("shop"));
    let verified = send(&plain(), &P256.claims(json!({ "azp": "shop", "aud": "other" })));
    assert_eq!(verified.answer().get_claimed_client(), None);
}
