//! What real providers say of tokens that only they can read, end to end: introspection (RFC 7662) and revocation (RFC 7009).

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tollgate_tests::{
    Folder,
    parts::openid::{APP, GATEWAY, OpenId},
    until,
};

use crate::openid::{World, with_each_provider};

/// How long an answer is remembered where that is waited for.
const SHORT: Duration = Duration::from_secs(3);
/// How long it is where it is not.
pub(crate) const LONG: Duration = Duration::from_secs(60);

with_each_provider! {
    a_token_is_what_its_issuer_says_it_is,
    a_token_for_another_audience_is_refused,
    a_provider_that_is_down_is_a_503_and_never_a_401,
    a_revoked_token_is_refused_once_its_answer_is_forgotten,
}

/// The filter `introspection` for a provider.
pub(crate) fn introspection<P: OpenId>(provider: &P, folder: &Folder, audience: &str, ttl: Duration) -> Value {
    let secret = folder.write("introspection.secret", GATEWAY.secret);
    json!({ "introspection": {
        "url": provider.server().url("introspection_endpoint"),
        "client": { "id": GATEWAY.id, "secret": format!("${{file:{}}}", secret.display()), "token": provider.own_token() },
        "issuer": provider.server().issuer,
        "audiences": [audience],
        "jwt": true,
        "cache": { "ttl": format!("{}s", ttl.as_secs()), "negative_ttl": "0s" },
    } })
}

/// Asks the provider about every token, and remembers it for so long; and such a token.
fn world<P: OpenId>(ttl: Duration) -> (World<P>, String) {
    let mut token = String::new();
    let world = World::<P>::start(|provider, folder| {
        let (opaque, audience) = provider.opaque("read");
        token = opaque;
        (introspection(provider, folder, audience, ttl), None)
    });
    (world, token)
}

fn a_token_is_what_its_issuer_says_it_is<P: OpenId>() {
    let (world, token) = world::<P>(LONG);
    for _ in 0..3 {
        assert_eq!(world.status("/a/read", &token), 200);
    }
    assert_eq!(world.gateway.metric("tollgate_introspection_cache_misses_total"), Some(1.0));
    assert!(world.gateway.log_of(3).iter().all(|line| line["client_id"] == APP.id), "{:?}", world.gateway.log());
    let answer = world.ask("/a/write", &token);
    assert_eq!(answer.field("www-authenticate"), Some("Bearer error=\"insufficient_scope\", scope=\"write\""));
    assert_eq!(world.refusal("/a/read", "unknown"), (401, "introspection.inactive".into()));
    let refresh = world.provider.log_in("read").named("refresh_token");
    assert_eq!(world.provider.server().introspect(APP, &refresh)["active"], true);
    let (status, reason) = world.refusal("/a/read", &refresh);
    assert!(status == 401 && ["introspection.type", "introspection.inactive"].contains(&reason.as_str()), "{status} {reason}");
    assert_eq!(world.upstream.count(), 3);
}

fn a_token_for_another_audience_is_refused<P: OpenId>() {
    let world = World::<P>::start(|provider, folder| (introspection(provider, folder, "https://nobody.example", LONG), None));
    let (token, _) = world.provider.opaque("read");
    assert_eq!(world.refusal("/a/read", &token), (401, "introspection.audience".into()));
}

fn a_provider_that_is_down_is_a_503_and_never_a_401<P: OpenId>() {
    let (mut world, token) = world::<P>(SHORT);
    let (other, _) = world.provider.opaque("read");
    let asked = Instant::now();
    assert_eq!(world.status("/a/read", &token), 200);
    world.provider.kill();
    for token in [&other, "unknown"] {
        let answer = world.ask("/a/read", token);
        assert_eq!((answer.status(), answer.field("retry-after").is_some()), (503, true), "{}", answer.text());
    }
    until("the answer to be forgotten", || match world.status("/a/read", &token) {
        200 => None,
        503 => Some(()),
        other => panic!("a good token was answered {other}"),
    });
    assert!(asked.elapsed() >= SHORT, "it was remembered for {:?} only", asked.elapsed());
    let line = world.line(&world.ask("/a/read", &token));
    let named = format!("introspection.unavailable: {}", world.provider.server().url("introspection_endpoint"));
    assert!(line["detail"].as_str().is_some_and(|detail| detail.contains(&named)), "{line}");
}

fn a_revoked_token_is_refused_once_its_answer_is_forgotten<P: OpenId>() {
    let (world, token) = world::<P>(SHORT);
    let (other, _) = world.provider.opaque("read");
    assert_eq!((world.status("/a/read", &token), world.status("/a/read", &other)), (200, 200));
    world.provider.server().revoke(APP, &token, "access_token");
    let revoked = Instant::now();
    until("the token to be refused", || match world.status("/a/read", &token) {
        200 => None,
        401 => Some(()),
        other => panic!("{other}"),
    });
    assert!(revoked.elapsed() < SHORT + Duration::from_secs(10), "it passed for {:?} after it was revoked", revoked.elapsed());
    assert_eq!(world.refusal("/a/read", &token), (401, "introspection.inactive".into()));
    assert_eq!(world.status("/a/read", &other), 200);
}
