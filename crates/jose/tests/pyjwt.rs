//! Every algorithm against another implementation: PyJWT reads what is signed here, and what it signs is read here.

#![allow(clippy::unwrap_used)]

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::SystemTime,
};

use openssl::{
    ec::{EcGroup, EcKey},
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
};
use serde_json::{Map, Value, json};
use tollgate_jose::{Algorithm, Jws, Key, SigningKey};

/// The interpreter of the path may have no packages where that of the system has.
fn python() -> &'static str {
    let has =
        |python: &&str| Command::new(python).args(["-c", "import cryptography, jwt"]).output().is_ok_and(|done| done.status.success());
    ["python3", "/usr/bin/python3"].into_iter().find(has).expect("no Python has PyJWT and cryptography; tests/install installs them")
}

fn ask(question: &Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pyjwt.py");
    let mut child = Command::new(python()).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "PyJWT refused a token; see above");
    serde_json::from_slice(&done.stdout).unwrap()
}

fn private_key(algorithm: Algorithm) -> PKey<Private> {
    let ec = |curve| PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(curve).unwrap()).unwrap()).unwrap();
    match algorithm {
        Algorithm::ES256 => ec(Nid::X9_62_PRIME256V1),
        Algorithm::ES384 => ec(Nid::SECP384R1),
        Algorithm::ES512 => ec(Nid::SECP521R1),
        Algorithm::EdDSA => PKey::generate_ed25519().unwrap(),
        _ => PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(),
    }
}

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

#[test]
fn pyjwt_reads_what_every_algorithm_signs_and_no_signature_fits_other_claims() {
    let claims = json!({ "sub": "alice", "text": "päß", "list": [1, 2] });
    let signed = |algorithm: Algorithm| {
        let key = SigningKey::from_pem(&private_key(algorithm).private_key_to_pem_pkcs8().unwrap(), Some(algorithm)).unwrap();
        let token = key.seal(&object(json!({ "kid": "ours", "typ": "JWT" })), &object(claims.clone())).unwrap();
        json!({ "jwk": key.public_jwk(Some("ours")).unwrap(), "token": token })
    };
    let answer = ask(&json!({ "tokens": Algorithm::ALL.map(signed), "algorithms": [] }));
    let read = answer["read"].as_array().unwrap();
    assert_eq!(read.len(), Algorithm::ALL.len());
    for (algorithm, read) in Algorithm::ALL.iter().zip(read) {
        assert_eq!(read["header"], json!({ "alg": algorithm.name(), "kid": "ours", "typ": "JWT" }));
        assert_eq!(read["claims"], claims, "{algorithm:?}");
        assert_eq!(read["forged"], "InvalidSignatureError", "{algorithm:?}");
    }
}

#[test]
fn what_pyjwt_signs_by_every_algorithm_is_read_and_fits_no_other_text_key_or_algorithm() {
    let answer = ask(&json!({ "tokens": [], "algorithms": Algorithm::ALL.map(Algorithm::name) }));
    let made = answer["made"].as_array().unwrap();
    assert_eq!(made.len(), Algorithm::ALL.len());
    let keys: Vec<Key> = made.iter().map(|one| Key::from_jwk(one["jwk"].as_object().unwrap()).unwrap()).collect();
    for (place, (algorithm, one)) in Algorithm::ALL.into_iter().zip(made).enumerate() {
        let jws = Jws::parse(one["token"].as_str().unwrap(), false).unwrap();
        assert_eq!((jws.algorithm, jws.kid.as_deref()), (algorithm, Some("theirs")));
        assert_eq!(serde_json::from_slice::<Value>(&jws.payload).unwrap(), json!({ "sub": "alice", "text": "päß" }));
        assert!(keys[place].fits(algorithm, SystemTime::now()));
        for (other, key) in keys.iter().enumerate() {
            assert_eq!(
                key.verify(algorithm, jws.input, &jws.signature),
                other == place,
                "{algorithm:?} by the key of {:?}",
                Algorithm::ALL[other]
            );
        }
        assert!(!keys[place].verify(algorithm, b"another text", &jws.signature), "{algorithm:?}");
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            assert!(!keys[place].fits(other, SystemTime::now()), "{algorithm:?} as {other:?}");
        }
    }
}
