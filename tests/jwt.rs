//! Tokens, end to end: what does not verify never reaches the upstream.

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Reply, Response, Settings, Upstream,
    project::{open_api, operation},
    token::{Issuer, hmac_token, now, signing_input},
    until,
};

struct World {
    upstream: Upstream,
    gateway: Gateway,
    issuer: Issuer,
    keys: Folder,
}

fn definition(endpoint: &str) -> Value {
    let mut scoped = operation();
    scoped["security"] = json!([{ "oauth": ["write"] }]);
    let mut definition = open_api("/a", endpoint, json!({ "/x": { "get": operation() }, "/scoped": { "get": scoped } }));
    definition["x-wso2-disable-security"] = false.into();
    definition["components"] = json!({ "securitySchemes": { "oauth": { "type": "oauth2", "flows": { "clientCredentials": { "tokenUrl": "https://issuer.example/token", "scopes": { "write": "w" } } } } } });
    definition
}

fn world() -> World {
    let (upstream, keys, issuer) = (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"));
    let key = issuer.write(&keys, "issuer.pem");
    let config = json!({ "chain": [{ "jwt": { "issuers": [issuer.config(&key)] } }, "authorize"] });
    let gateway = Gateway::serving(&definition(&upstream.url()), Settings::of(config));
    World { upstream, gateway, issuer, keys }
}

impl World {
    fn ask(&self, path: &str, token: &str) -> Response {
        self.gateway.send("GET", path, &[&format!("Authorization: Bearer {token}")], b"")
    }
}

#[test]
fn a_good_token_passes_and_stays_in_the_gateway() {
    let world = world();
    let token = world.issuer.token(json!({}));
    for _ in 0..3 {
        assert_eq!(world.ask("/a/x", &token).status(), 200);
    }
    assert!(world.upstream.requests().iter().all(|received| received.message.field("authorization").is_none()));
    assert!(!std::fs::read_to_string(world.gateway.folder.join("access.log")).unwrap().contains(&token));
}

#[test]
fn nothing_but_a_good_token_reaches_the_upstream() {
    let world = world();
    let issuer = &world.issuer;
    let stranger = Issuer::new(&issuer.name);
    let good = issuer.token(json!({}));
    let (head, signature) = good.rsplit_once('.').unwrap();
    let public = std::fs::read(world.keys.join("issuer.pem")).unwrap();
    let without = |name: &str| {
        let mut claims = issuer.claims();
        claims.as_object_mut().unwrap().remove(name);
        issuer.sign(&claims)
    };
    let bad = [
        ("no token at all", String::new()),
        ("not a token", "a.b.c".into()),
        ("another key", stranger.token(json!({}))),
        ("another issuer", issuer.token(json!({ "iss": "https://evil.example" }))),
        ("another audience", issuer.token(json!({ "aud": "others" }))),
        ("expired", issuer.token(json!({ "iat": now() - 7200, "exp": now() - 3600 }))),
        ("not yet valid", issuer.token(json!({ "nbf": now() + 3600 }))),
        ("expiry as text", issuer.token(json!({ "exp": "9999999999" }))),
        ("no expiry", without("exp")),
        ("no audience", without("aud")),
        ("no issuer", without("iss")),
        ("algorithm none", format!("{}.", signing_input(&json!({ "alg": "none" }), &issuer.claims()))),
        ("public key as secret", hmac_token(&issuer.claims(), &public)),
        ("other payload", {
            let mut claims = issuer.claims();
            claims["sub"] = "root".into();
            format!("{}.{signature}", signing_input(&json!({ "alg": "ES256", "typ": "at+jwt" }), &claims))
        }),
        ("cut signature", format!("{head}.{}", &signature[..signature.len() - 4])),
        ("padded", format!("{good}==")),
        ("a fourth part", format!("{good}.x")),
    ];
    for (what, token) in &bad {
        let answer = world.ask("/a/x", token);
        assert_eq!(answer.status(), 401, "{what}: {}", answer.text());
        assert!(answer.field("www-authenticate").is_some(), "{what}");
    }
    assert_eq!(world.upstream.count(), 0);
}

#[test]
fn two_credentials_are_refused() {
    let world = world();
    let token = format!("Authorization: Bearer {}", world.issuer.token(json!({})));
    let answer = world.gateway.send("GET", "/a/x", &[&token, &token], b"");
    assert!(matches!(answer.status(), 400 | 401), "{answer:?}");
    assert_eq!(world.upstream.count(), 0);
}

#[test]
fn a_missing_scope_is_a_403_that_names_it() {
    let world = world();
    let answer = world.ask("/a/scoped", &world.issuer.token(json!({ "scope": "read" })));
    assert_eq!(answer.status(), 403, "{}", answer.text());
    let challenge = answer.field("www-authenticate").unwrap();
    assert!(challenge.contains("insufficient_scope") && challenge.contains("write"), "{challenge}");
    assert_eq!(world.ask("/a/scoped", &world.issuer.token(json!({ "scope": "read write" }))).status(), 200);
    assert_eq!(world.upstream.count(), 1);
}

#[test]
fn a_token_that_expires_while_it_is_cached_is_refused() {
    let (upstream, keys, issuer) = (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"));
    let mut config = issuer.config(&issuer.write(&keys, "issuer.pem"));
    config["clock_skew"] = "0s".into();
    let gateway =
        Gateway::serving(&definition(&upstream.url()), Settings::of(json!({ "chain": [{ "jwt": { "issuers": [config] } }, "authorize"] })));
    let token = format!("Authorization: Bearer {}", issuer.token(json!({ "exp": now() + 3 })));
    assert_eq!(gateway.send("GET", "/a/x", &[&token], b"").status(), 200);
    until("the token to expire", || (gateway.send("GET", "/a/x", &[&token], b"").status() == 401).then_some(()));
}

#[test]
fn keys_of_a_url_are_fetched_once_and_an_unreachable_one_fails_closed() {
    let upstream = Upstream::start();
    let issuer = Issuer::new("https://issuer.example");
    let set = Upstream::answering(|_| Reply::new(500, "down"));
    let config = json!({ "issuer": issuer.name, "audiences": ["tests"], "keys": { "jwks": format!("{}/keys", set.url()) } });
    let folder = Folder::new();
    let artifact = tollgate_tests::project::artifact(&folder, &definition(&upstream.url()));
    let settings = Settings::of(json!({ "chain": [{ "jwt": { "issuers": [config] } }, "authorize"] }));
    let gateway = Gateway::start_listening(&artifact, settings);
    let token = format!("Authorization: Bearer {}", issuer.token(json!({})));
    for _ in 0..20 {
        let answer = gateway.send("GET", "/a/x", &[&token], b"");
        assert!(matches!(answer.status(), 401 | 503), "{}", answer.text());
    }
    assert_eq!(upstream.count(), 0);
    assert!(set.count() < 10, "{} fetches for 20 requests", set.count());
}

#[test]
fn a_key_set_of_a_url_is_fetched_once_for_many_requests_and_outlives_its_server() {
    let upstream = Upstream::start();
    let issuer = Issuer::new("https://issuer.example");
    let set = issuer.jwks().to_string();
    let server = Upstream::answering(move |_| Reply::with(200, &["Content-Type: application/json"], &set));
    let config = json!({ "issuer": issuer.name, "audiences": ["tests"], "keys": { "jwks": format!("{}/keys", server.url()) } });
    let gateway =
        Gateway::serving(&definition(&upstream.url()), Settings::of(json!({ "chain": [{ "jwt": { "issuers": [config] } }, "authorize"] })));
    let ask = || gateway.send("GET", "/a/x", &[&format!("Authorization: Bearer {}", issuer.token(json!({ "jti": "x" })))], b"").status();
    for _ in 0..30 {
        assert_eq!(ask(), 200);
    }
    assert!(server.count() <= 2, "{} fetches for 30 requests", server.count());
    drop(server);
    assert_eq!(ask(), 200);
    assert_eq!(upstream.count(), 31);
}

#[test]
fn a_flood_of_unknown_keys_does_not_become_a_flood_of_fetches() {
    let upstream = Upstream::start();
    let (issuer, stranger) = (Issuer::new("https://issuer.example"), Issuer::new("https://issuer.example"));
    let set = issuer.jwks().to_string();
    let server = Upstream::answering(move |_| Reply::with(200, &["Content-Type: application/json"], &set));
    let config = json!({ "issuer": issuer.name, "audiences": ["tests"], "keys": { "jwks": format!("{}/keys", server.url()) } });
    let gateway =
        Gateway::serving(&definition(&upstream.url()), Settings::of(json!({ "chain": [{ "jwt": { "issuers": [config] } }, "authorize"] })));
    for n in 0..50 {
        let token = stranger.token(json!({ "jti": n.to_string() }));
        assert_eq!(gateway.send("GET", "/a/x", &[&format!("Authorization: Bearer {token}")], b"").status(), 401);
    }
    assert!(server.count() <= 5, "{} fetches for 50 bad tokens", server.count());
    assert_eq!(upstream.count(), 0);
}

#[test]
fn a_bound_token_is_refused_without_its_certificate_and_a_key_bound_one_without_its_proof() {
    let world = world();
    for cnf in [json!({ "x5t#S256": "A".repeat(43) }), json!({ "jkt": "A".repeat(43) }), json!({ "new": "x" }), json!("x")] {
        let answer = world.ask("/a/x", &world.issuer.token(json!({ "cnf": cnf })));
        assert_eq!(answer.status(), 401, "{cnf}: {}", answer.text());
        assert!(answer.field("www-authenticate").unwrap().contains("invalid_token"));
    }
    assert_eq!(world.upstream.count(), 0);
}

#[test]
fn the_upstream_gets_the_gateways_own_token_and_never_the_clients() {
    let (upstream, keys, issuer) = (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"));
    let key = keys.write("backend.key", tollgate_tests::certificates::ec_key().private_key_to_pem_pkcs8().unwrap());
    let jwt = json!({ "jwt": { "issuers": [issuer.config(&issuer.write(&keys, "issuer.pem"))] } });
    let backend = json!({ "backend_jwt": { "key": key, "issuer": "gateway", "audience": "upstream" } });
    let gateway = Gateway::serving(&definition(&upstream.url()), Settings::of(json!({ "chain": [jwt, "authorize", backend] })));
    let token = format!("Authorization: Bearer {}", issuer.token(json!({})));
    assert_eq!(gateway.send("GET", "/a/x", &[&token, "x_jwt_assertion: forged"], b"").status(), 400);
    assert_eq!(upstream.count(), 0);
    let answer = gateway.send("GET", "/a/x", &[&token, "X-JWT-Assertion: forged"], b"");
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let received = &upstream.requests()[0].message;
    let assertion = received.field("x-jwt-assertion").unwrap();
    assert_eq!(assertion.split('.').count(), 3);
}
