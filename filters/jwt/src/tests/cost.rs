//! What a token costs. Run it with `cargo test --release -p filter-jwt cost -- --ignored --nocapture`.

use std::{
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant, UNIX_EPOCH},
};

use serde_json::json;
use tollgate_filter_testkit::{Harness, START};

use super::kit::*;
use tollgate_jose::{Algorithm::*, Jws, Key};

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

#[test]
#[ignore = "measures, and needs a release build to mean anything"]
fn cost_of_a_token() {
    let now = UNIX_EPOCH + Duration::from_secs(START);
    for (key, algorithm) in [(&RSA, RS256), (&RSA, PS256), (&P256, ES256), (&P384, ES384), (&P521, ES512), (&ED25519, EdDSA)] {
        let env = Harness::<Jwt>::setup().document(SET, set(&[key.named("k1")])).env();
        let verifier = |entries: usize| -> std::sync::Arc<Verifier> {
            let config: Config = serde_json::from_str(&settings(none(), json!({ "cache": { "entries": entries } }))).unwrap();
            setup::verifier(&config, &env).unwrap()
        };
        let claims = merged(good_claims(), json!({ "azp": "app", "jti": "b3f1", "roles": ["a", "b", "c"], "pad": "x".repeat(200) }));
        let token = key.seal(algorithm, &format!(r#"{{"alg":"{algorithm:?}","kid":"k1","typ":"at+jwt"}}"#), &claims.to_string());
        println!("{algorithm:?}, {} bytes", token.len());
        let (cached, uncached) = (verifier(10_000), verifier(0));
        ready(cached.verify(token.as_bytes(), now));
        time("  found in the cache", 20_000, || {
            black_box(ready(cached.verify(black_box(token.as_bytes()), now)));
        });
        time("  verified anew", 500, || {
            black_box(ready(uncached.verify(black_box(token.as_bytes()), now)));
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
