//! A client that proves a key at each request.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::{
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::PKey,
    sha::sha256,
};
use serde_json::{Map, Value, json};
use tollgate_filter_testkit::START;
use tollgate_jose::SigningKey;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    SigningKey::from_pem(&key.private_key_to_pem_pkcs8().unwrap(), None).unwrap()
});

/// `jkt` of its key (RFC 7638).
pub fn thumbprint() -> String {
    let jwk = KEY.public_jwk(None).unwrap();
    let members = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
    URL_SAFE_NO_PAD.encode(sha256(members.as_bytes()))
}

/// A proof for `GET https://api.example.com/` with that token, with changes to its claims.
pub fn proof(token: &str, changes: &Value) -> String {
    let (htu, ath) = ("https://api.example.com/", URL_SAFE_NO_PAD.encode(sha256(token.as_bytes())));
    let mut claims = json!({ "jti": "1", "htm": "GET", "htu": htu, "iat": START, "ath": ath });
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let header = json!({ "typ": "dpop+jwt", "jwk": KEY.public_jwk(None).unwrap() });
    let object = |value: Value| -> Map<String, Value> { value.as_object().unwrap().clone() };
    KEY.seal(&object(header), &object(claims)).unwrap()
}
