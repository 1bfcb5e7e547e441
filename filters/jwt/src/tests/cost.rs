//! What a token costs. Run it with `cargo test --release -p filter-jwt cost -- --ignored --nocapture --test-threads=1`.

use std::{
    hint::black_box,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::{
    bn::BigNum,
    ecdsa::EcdsaSig,
    hash::MessageDigest,
    pkey::{Id, PKey},
};
use serde_json::{Value, json};
use tollgate_filter_api::{Moment, Views};
use tollgate_filter_testkit::{Harness, START};

use super::kit::*;
use tollgate_jose::{
    Algorithm::{self, *},
    Jws, Key,
};

use crate::{
    Jwt,
    config::Config,
    reasons::Failure,
    setup,
    verifier::{Verified, Verifier},
};

fn ready(future: impl Future<Output = Result<Verified, Failure>>) -> Verified {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(verified)) => verified,
        other => panic!("{other:?}"),
    }
}

/// Nanoseconds of one call, the least of several rounds: the rest is the machine's other work.
fn time(what: &str, calls: u32, mut call: impl FnMut()) {
    let round = |call: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed() / calls
    };
    let least = (0..15).map(|_| round(&mut call)).min().unwrap_or_default();
    println!("{what:<42} {:>8} ns", least.as_nanos());
}

fn verifier(key: &Signing, entries: usize) -> Arc<Verifier> {
    let env = Harness::<Jwt>::setup().document(SET, set(&[key.named("k1")])).env();
    let config: Config = serde_json::from_str(&settings(none(), json!({ "cache": { "entries": entries } }))).unwrap();
    setup::verifier(&config, &env).unwrap()
}

/// Some half a KiB, as issuers write them.
fn token(key: &Signing, algorithm: Algorithm) -> String {
    let claims = merged(good_claims(), json!({ "azp": "app", "jti": "b3f1", "roles": ["a", "b", "c"], "pad": "x".repeat(200) }));
    key.seal(algorithm, &format!(r#"{{"alg":"{algorithm:?}","kid":"k1","typ":"at+jwt"}}"#), &claims.to_string())
}

/// Least nanoseconds of two calls, in turns: what else the machine does befalls both.
fn least(calls: u32, mut one: impl FnMut(), mut other: impl FnMut()) -> (f64, f64) {
    let mut least = (f64::MAX, f64::MAX);
    for _ in 0..30 {
        let start = Instant::now();
        (0..calls).for_each(|_| one());
        let middle = Instant::now();
        (0..calls).for_each(|_| other());
        let nanos = |time: Duration| time.as_secs_f64() * 1e9 / f64::from(calls);
        least = (least.0.min(nanos(middle - start)), least.1.min(nanos(middle.elapsed())));
    }
    least
}

/// The same by the libraries alone, as one would write it without a gateway: parts decoded, header and claims read, the times, issuer
/// and audience compared, the signature checked with a key that was read once.
fn libraries(key: &Signing, token: &str, now: u64) -> impl FnMut() {
    let public = PKey::public_key_from_pem(&key.public_pem()).unwrap();
    let elliptic = key.private.id() == Id::EC;
    move || {
        let (input, signature) = black_box(token).rsplit_once('.').unwrap();
        let (header, claims) = input.split_once('.').unwrap();
        let part = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let (header, claims): (Value, Value) =
            (serde_json::from_slice(&part(header)).unwrap(), serde_json::from_slice(&part(claims)).unwrap());
        assert!(header["alg"].is_string() && header["kid"] == "k1");
        assert!(claims["iss"] == ISSUER && claims["aud"] == AUDIENCE && claims["exp"].as_u64().unwrap() > now);
        let mut signature = part(signature);
        if elliptic {
            let number = |range| BigNum::from_slice(&signature[range]).unwrap();
            signature = EcdsaSig::from_private_components(number(0..32), number(32..64)).unwrap().to_der().unwrap();
        }
        let mut verifier = openssl::sign::Verifier::new(MessageDigest::sha256(), &public).unwrap();
        assert!(verifier.verify_oneshot(&signature, input.as_bytes()).unwrap());
        black_box(claims);
    }
}

#[test]
#[ignore = "measures, and needs a release build to mean anything"]
fn cost_of_a_new_token_is_the_libraries_and_a_tenth_at_most() {
    let now = Moment { wall: UNIX_EPOCH + Duration::from_secs(START), instant: Instant::now() };
    for (key, algorithm) in [(&*RSA, RS256), (&*P256, ES256)] {
        let (uncached, token) = (verifier(key, 0), token(key, algorithm));
        let ours = || drop(black_box(ready(uncached.verify(black_box(token.as_bytes()), now, &mut Views::serving()))));
        let (ours, theirs) = least(200, ours, libraries(key, &token, START));
        println!("uncached {algorithm:?}: {ours:.0} ns, the libraries alone {theirs:.0} ns, ratio {:.3}", ours / theirs);
        assert!(ours <= 1.1 * theirs, "{algorithm:?}: {ours:.0} ns for {theirs:.0}");
    }
}

#[test]
#[ignore = "measures, and needs a release build to mean anything"]
fn cost_of_a_token() {
    let now = Moment { wall: UNIX_EPOCH + Duration::from_secs(START), instant: Instant::now() };
    for (key, algorithm) in [(&RSA, RS256), (&RSA, PS256), (&P256, ES256), (&P384, ES384), (&P521, ES512), (&ED25519, EdDSA)] {
        let token = token(key, algorithm);
        println!("{algorithm:?}, {} bytes", token.len());
        let (cached, uncached) = (verifier(key, 10_000), verifier(key, 0));
        ready(cached.verify(token.as_bytes(), now, &mut Views::serving()));
        time("  found in the cache", 20_000, || {
            black_box(ready(cached.verify(black_box(token.as_bytes()), now, &mut Views::serving())));
        });
        time("  verified anew", 500, || {
            black_box(ready(uncached.verify(black_box(token.as_bytes()), now, &mut Views::serving())));
        });
        let jws = Jws::parse(&token, false).unwrap();
        time("  of which taking it apart", 5000, || {
            black_box(Jws::parse(black_box(&token), false).is_ok());
        });
        time("  of which the claims", 5000, || {
            black_box(tollgate_jose::object(black_box(&jws.payload)).is_ok());
        });
        let only = Key::from_jwk(key.jwk().as_object().unwrap()).unwrap();
        time("  of which the signature", 500, || {
            assert!(only.verify(algorithm, black_box(jws.input), &jws.signature));
        });
    }
}
