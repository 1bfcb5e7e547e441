//! F3–F6, F15, F16: which tokens are good, for whom and when.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use openssl::sha::sha256;
use serde_json::{Value, json};
use tollgate_tests::{
    Client, client,
    signer::Signer,
    token::{hmac_token, now, signing_input},
};

use super::world::{API, PAYMENTS, Plan, World, ask, bound_to, claims, definition, send};

fn payment() -> String {
    format!("{PAYMENTS}/p1")
}

#[test]
fn f03_a_token_is_read_from_the_authorization_header_and_from_nowhere_else() {
    let world = Plan::new().start();
    let (token, host) = (world.token(json!({})), format!("Host: {API}"));
    let form = format!("access_token={token}");
    let elsewhere: [(&str, String, Vec<String>, &str); 5] = [
        ("GET", format!("{}?access_token={token}", payment()), vec![], ""),
        ("GET", format!("{}?access%5Ftoken={token}", payment()), vec![], ""),
        ("POST", PAYMENTS.to_owned(), vec!["Content-Type: application/x-www-form-urlencoded".to_owned()], &form),
        ("GET", payment(), vec![format!("Cookie: access_token={token}")], ""),
        ("GET", payment(), vec![format!("X-Authorization: Bearer {token}"), format!("Proxy-Authorization: Bearer {token}")], ""),
    ];
    for (method, path, mut fields, body) in elsewhere {
        fields.push(host.clone());
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let answer = send(&mut world.connect(), method, &path, &fields, body.as_bytes());
        assert_eq!(answer.status(), 401, "{method} {path} {fields:?}");
        let challenges = answer.all("www-authenticate");
        assert!(challenges.len() == 2 && challenges.iter().all(|challenge| !challenge.contains("error=")), "{challenges:?}");
    }
    let answer = world.ask("GET", &format!("{}?access_token={token}", payment()), &token, &[], b"");
    assert_eq!(answer.status(), 400, "two tokens are one too many");
    assert_eq!(world.upstream.count(), 0);
    assert_eq!(world.status(&token), 200);
}

/// A company that proves a key instead of showing a certificate.
struct Proving {
    key: Signer,
    token: String,
    nonce: Option<String>,
    number: u32,
}

impl Proving {
    fn new(world: &World) -> Self {
        let key = Signer::new("ES256", "tpp");
        let token = world.token(json!({ "cnf": { "jkt": key.thumbprint() } }));
        Self { key, token, nonce: None, number: 0 }
    }

    /// A fresh proof, with changes to its claims.
    fn proof(&mut self, change: Value) -> String {
        self.number += 1;
        let mut claims = json!({
            "jti": self.number.to_string(), "htm": "GET", "htu": format!("https://{API}{}", payment()), "iat": now(),
            "ath": BASE64.encode(sha256(self.token.as_bytes())), "nonce": self.nonce,
        });
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.key.seal(json!({ "typ": "dpop+jwt", "jwk": self.key.jwk() }), &claims)
    }

    fn ask(&self, client: &mut Client, proof: &str) -> client::Response {
        let fields = [format!("Host: {API}"), format!("Authorization: DPoP {}", self.token), format!("DPoP: {proof}")];
        send(client, "GET", &payment(), &fields.each_ref().map(String::as_str), b"")
    }
}

#[test]
fn f04_a_token_is_good_for_the_certificate_or_the_key_that_it_is_bound_to() {
    let world = Plan::new().start();
    let other = world.authority.issue("tpp-two", 10, &[]);
    let (bound, free) = (world.token(json!({})), world.token(json!({ "cnf": null })));
    let refused = [
        (Some(&world.tpp), &free, "jwt.not_bound"),
        (None, &free, "jwt.not_bound"),
        (Some(&other), &bound, "jwt.binding"),
        (None, &bound, "jwt.binding"),
    ];
    for (number, (identity, token, reason)) in refused.into_iter().enumerate() {
        let answer = ask(&mut world.connect_as(identity), "GET", &payment(), token, &[], b"");
        assert_eq!((answer.status(), &world.line(number)["reason"]), (401, &reason.into()));
        assert!(answer.field("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    }
    let mut company = Proving::new(&world);
    let mut client = world.connect_as(None);
    // Under the other scheme whoever holds the token could use it.
    assert_eq!(ask(&mut client, "GET", &payment(), &company.token, &[], b"").status(), 401);
    assert_eq!(world.upstream.count(), 0);
    let proof = company.proof(json!({}));
    let answer = company.ask(&mut client, &proof);
    assert!(answer.status() == 401 && answer.field("www-authenticate").unwrap().contains("error=\"use_dpop_nonce\""), "{answer:?}");
    company.nonce = answer.field("dpop-nonce").map(str::to_owned);
    let proof = company.proof(json!({}));
    assert_eq!((company.ask(&mut client, &proof).status(), world.upstream.count()), (200, 1));
    assert!(world.upstream.only().field("dpop").is_none());
    let wrong =
        [json!({ "htm": "POST" }), json!({ "htu": "https://other.example/" }), json!({ "ath": "x" }), json!({ "iat": now() - 120 })];
    let wrong: Vec<String> = wrong.into_iter().map(|change| company.proof(change)).chain([proof]).collect();
    for proof in wrong {
        let answer = company.ask(&mut client, &proof);
        assert!(answer.status() == 401 && answer.field("www-authenticate").unwrap().contains("error=\"invalid_dpop_proof\""), "{answer:?}");
    }
    assert_eq!(world.upstream.count(), 1);
    assert_eq!(world.status(&bound), 200);
}

#[test]
fn f05_everything_about_a_token_is_checked_on_each_request() {
    let world = Plan::new().start();
    let mut client = world.connect();
    let mut status = |token: &str| ask(&mut client, "GET", &payment(), token, &[], b"").status();
    let good = world.token(json!({ "jti": "t1" }));
    assert_eq!((status(&good), status(&good)), (200, 200));
    let (input, _) = good.rsplit_once('.').unwrap();
    let (_, signature) = world.token(json!({ "jti": "t2" })).rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let refused = [
        (format!("{input}.{signature}"), 401, "jwt.signature"),
        (world.token_by(&Signer::new("ES256", "key-1"), json!({})), 401, "jwt.signature"),
        (world.token(json!({ "exp": now() - 11, "iat": now() - 60 })), 401, "jwt.expired"),
        (world.token(json!({ "aud": "https://another.example" })), 401, "jwt.audience"),
        (world.token(json!({ "iss": "https://another.example" })), 401, "jwt.unknown_issuer"),
        (world.token(json!({ "exp": now() + 4000 })), 401, "jwt.lifetime"),
        (world.token(json!({ "scope": "accounts" })), 403, "authorize.scope"),
        (world.token(json!({ "scope": "payments:read xpayments" })), 403, "authorize.scope"),
        (world.token(json!({ "scope": null })), 403, "authorize.scope"),
    ];
    for (number, (token, expected, reason)) in refused.iter().enumerate() {
        assert_eq!(status(token), *expected, "{reason}");
        assert_eq!(world.line(2 + number)["reason"], *reason);
    }
    assert_eq!((status(&good), world.upstream.count()), (200, 3));
    let receipt = client::send(world.gateway.ports.admin, "POST", "/revocations", &[], json!({ "jti": "t1" }).to_string().as_bytes());
    assert_eq!((receipt.status(), status(&good)), (200, 401), "revoked while the connection and the remembered token live");
    // Another company's connection.
    let other = world.authority.issue("tpp-two", 10, &[]);
    let kept = world.token(json!({ "jti": "t3" }));
    assert_eq!(status(&kept), 200);
    assert_eq!(ask(&mut world.connect_as(Some(&other)), "GET", &payment(), &kept, &[], b"").status(), 401);
    assert_eq!(world.upstream.count(), 4);
}

#[test]
fn f06_only_the_algorithms_of_fapi_are_accepted_where_they_are_asked_for() {
    let mut plan = Plan::new();
    // A gateway that serves others too, and a second API that does not ask for FAPI.
    let marked = definition(&[&plan.upstream.url()]);
    let mark = "x-tollgate-jwt: { algorithms: [PS256, ES256, EdDSA], sender_constrained: required }\n";
    assert!(marked.contains(mark));
    let open = marked.replace(mark, "").replace("/open-banking/v4.0/pisp", "/partners").replace("title: Payments", "title: Partners");
    plan.definitions = vec![("payments.yaml".to_owned(), marked), ("partners.yaml".to_owned(), open)];
    let (rsa, elliptic, edwards) = (Signer::new("RS256", "rsa"), Signer::new("ES256", "ec"), Signer::new("EdDSA", "ed"));
    let public = rsa.jwk()["n"].as_str().unwrap().to_owned();
    let probabilistic = rsa.as_algorithm("PS256");
    plan.keys = vec![rsa, elliptic.clone(), edwards.clone()];
    let only = "          algorithms: [PS256, ES256, EdDSA]\n";
    let required = "      sender_constrained: required\n";
    let world = plan.change(only, "").change(required, "").start();
    let unsigned = signing_input(&json!({ "alg": "none", "typ": "at+jwt" }), &claims(json!({ "cnf": bound_to(&world.tpp) })));
    let confused = hmac_token(&claims(json!({ "cnf": bound_to(&world.tpp) })), public.as_bytes());
    let token = |issuer: &Signer| world.token_by(issuer, json!({}));
    for (name, token, marked, open) in [
        ("PS256", token(&probabilistic), 200, 200),
        ("ES256", token(&elliptic), 200, 200),
        ("EdDSA", token(&edwards), 200, 200),
        ("RS256", token(&world.issuer), 401, 200),
        ("none", format!("{unsigned}."), 401, 401),
        ("None", format!("{}.", unsigned.replacen(&BASE64.encode(r#"{"alg":"none"#), &BASE64.encode(r#"{"alg":"None"#), 1)), 401, 401),
        ("HS256", confused, 401, 401),
    ] {
        assert_eq!(world.status(&token), marked, "{name} where FAPI is asked for");
        assert_eq!(world.ask("GET", "/partners/domestic-payments/p1", &token, &[], b"").status(), open, "{name} elsewhere");
    }
    assert_eq!(world.upstream.count(), 7);
}

#[test]
fn f15_clocks_may_be_ten_seconds_apart_and_not_a_minute() {
    let world = Plan::new().start();
    for (claim, ahead, status) in [("iat", 10, 200), ("nbf", 10, 200), ("iat", 61, 401), ("nbf", 61, 401), ("iat", 3600, 401)] {
        let token = world.token(json!({ claim: now() + ahead, "exp": now() + ahead + 300 }));
        assert_eq!(world.status(&token), status, "{claim} {ahead} s ahead");
    }
    // What is a word and no number is no time.
    assert_eq!(world.status(&world.token(json!({ "iat": now().to_string() }))), 401);
    let mut company = Proving::new(&world);
    let mut client = world.connect_as(None);
    let first = company.proof(json!({}));
    company.nonce = company.ask(&mut client, &first).field("dpop-nonce").map(str::to_owned);
    for (ahead, status) in [(10, 200), (61, 401)] {
        let proof = company.proof(json!({ "iat": now() + ahead }));
        assert_eq!(company.ask(&mut client, &proof).status(), status, "a proof {ahead} s ahead");
    }
}

#[test]
fn f16_keys_that_overlap_refuse_nobody_and_removed_ones_end() {
    let world = Plan::new().change("refresh: 1m", "refresh: 1s").start();
    let next = Signer::new("ES256", "key-2");
    let publish = |keys: &[&Signer]| {
        let set = json!({ "keys": keys.iter().map(|key| key.published()).collect::<Vec<_>>() }).to_string();
        let file = world.gateway.folder.write("certs/next", set);
        std::fs::rename(file, world.gateway.folder.join("certs/issuer.jwks.json")).unwrap();
    };
    let (old, new) = (world.token(json!({})), world.token_by(&next, json!({})));
    assert_eq!(world.status(&old), 200);
    publish(&[&world.issuer, &next]);
    // The key may be a new one: until the set was read again nobody says that the token is bad.
    tollgate_tests::until("the new key", || match world.status(&new) {
        200 => Some(()),
        503 => None,
        other => panic!("{other} while keys overlap"),
    });
    assert_eq!(world.status(&old), 200);
    publish(&[&next]);
    // 503 as long as the set may not be read again yet: the key might be the next new one.
    tollgate_tests::until("the old key's end", || match (world.status(&new), world.status(&old)) {
        (200, 401 | 503) => Some(()),
        (200, 200) => None,
        other => panic!("{other:?} after the old key was removed"),
    });
    let arrived = world.upstream.count();
    assert_ne!(world.status(&old), 200);
    assert_eq!(world.upstream.count(), arrived);
    assert_eq!((world.status(&new), world.status(&world.token_by(&next, json!({})))), (200, 200));
}
