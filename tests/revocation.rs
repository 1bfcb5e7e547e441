//! Revocation by the operator's port, end to end: after a receipt the token is refused, also by the next process.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use openssl::{
    bn::{BigNum, BigNumContext},
    ec::EcGroup,
    nid::Nid,
};
use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Settings, Upstream, client,
    project::{artifact, open_api, operation},
    token::Issuer,
    until,
};

struct World {
    upstream: Upstream,
    gateway: Gateway,
    issuer: Issuer,
    folder: Folder,
}

fn definition(endpoint: &str) -> Value {
    let mut definition = open_api("/a", endpoint, json!({ "/x": { "get": operation() } }));
    definition["x-wso2-disable-security"] = false.into();
    definition
}

fn world() -> World {
    let (upstream, folder, issuer) = (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"));
    let key = issuer.write(&folder, "issuer.pem");
    let built = artifact(&folder, &definition(&upstream.url()));
    let config = json!({
        "chain": [{ "jwt": { "issuers": [issuer.config(&key)] } }, { "revocation": { "max_age": "15m" } }],
        "stores": { "revocations": { "journal": folder.join("revocations") } },
    });
    let gateway = Gateway::start(&built, Settings::of(config));
    World { upstream, gateway, issuer, folder }
}

impl World {
    fn status(&self, port: u16, token: &str) -> u16 {
        client::send(port, "GET", "/a/x", &[&format!("Authorization: Bearer {token}")], b"").status()
    }

    fn revoke(&self, body: &Value) -> client::Response {
        client::send(self.gateway.ports.admin, "POST", "/revocations", &[], body.to_string().as_bytes())
    }
}

#[test]
fn after_a_receipt_no_revoked_token_passes_and_no_other_is_refused() {
    let world = world();
    let plain = world.gateway.ports.plain;
    let mut times = Vec::new();
    for n in 0..200 {
        let bad = world.issuer.token(json!({ "jti": format!("bad-{n}") }));
        let good = world.issuer.token(json!({ "jti": format!("good-{n}") }));
        assert_eq!(world.status(plain, &bad), 200);
        let begun = Instant::now();
        assert_eq!(world.revoke(&json!({ "token": bad })).status(), 200);
        assert_eq!(world.status(plain, &bad), 401);
        times.push(begun.elapsed());
        assert_eq!(world.status(plain, &good), 200);
    }
    times.sort_unstable();
    println!("from the revocation's first byte to the refusal, receipt and fsync included: median {:?}, p99 {:?}", times[100], times[197]);
    assert!(times[197] < Duration::from_millis(500), "{:?}", times[197]);
    assert_eq!(world.upstream.count(), 400);
}

/// Whoever has an ECDSA signature can make another one that the same key verifies.
#[test]
fn a_token_that_was_revoked_does_not_pass_with_the_other_signature_of_its_key() {
    let world = world();
    let token = world.issuer.token(json!({}));
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut bytes = BASE64.decode(signature).unwrap();
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let (mut order, mut context, mut other) = (BigNum::new().unwrap(), BigNumContext::new().unwrap(), BigNum::new().unwrap());
    group.order(&mut order, &mut context).unwrap();
    other.checked_sub(&order, &BigNum::from_slice(&bytes[32..]).unwrap()).unwrap();
    bytes[32..].copy_from_slice(&other.to_vec_padded(32).unwrap());
    let twin = format!("{input}.{}", BASE64.encode(bytes));
    let plain = world.gateway.ports.plain;
    assert_eq!([world.status(plain, &token), world.status(plain, &twin)], [200, 200], "both verify");
    assert_eq!(world.revoke(&json!({ "token": token })).status(), 200);
    assert_eq!([world.status(plain, &token), world.status(plain, &twin)], [401, 401]);
}

#[test]
fn what_was_acknowledged_is_known_after_a_kill() {
    let mut world = world();
    let token = world.issuer.token(json!({ "jti": "lost" }));
    let receipt: Value = serde_json::from_slice(&world.revoke(&json!([{ "jti": "lost" }, { "jti": "other" }])).body).unwrap();
    assert_eq!(receipt["sequence"], 2);
    world.gateway.signal("KILL");
    world.gateway.wait();
    let mut next = world.gateway.spawn_beside(&[]);
    let ready = || std::net::TcpStream::connect(("127.0.0.1", world.gateway.ports.plain)).is_ok();
    until("the next process", || ready().then_some(()));
    let status = world.status(world.gateway.ports.plain, &token);
    let shown: Value = serde_json::from_slice(&world.gateway.admin("/revocation").body).unwrap();
    let _ = (next.kill(), next.wait());
    assert_eq!((status, &shown["inputs"]["admin"]["sequence"], &shown["entries"]), (401, &json!(2), &json!(2)));
    assert!(world.folder.join("revocations").is_file());
}

#[test]
fn without_a_journal_the_port_takes_nothing_and_says_why() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    let answer = client::send(gateway.ports.admin, "POST", "/revocations", &[], br#"{"jti":"x"}"#);
    assert_eq!(answer.status(), 503);
    assert!(answer.text().contains("stores.revocations.journal"), "{}", answer.text());
}

#[test]
fn a_damaged_journal_stops_the_start_and_is_named() {
    let world = world();
    world.folder.write("damaged", "not a journal at all, but longer than its header is");
    let path = world.gateway.folder.join("gateway.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let damaged = world.folder.join("damaged");
    std::fs::write(&path, text.replace(world.folder.join("revocations").to_str().unwrap(), damaged.to_str().unwrap())).unwrap();
    let ran = tollgate_tests::tollgate([
        "run".as_ref(),
        "--test".as_ref(),
        world.folder.join("api.toll").as_os_str(),
        "--config".as_ref(),
        path.as_os_str(),
    ]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(format!("{}{}", ran.stdout, ran.stderr).contains("no revocation journal"), "{}{}", ran.stdout, ran.stderr);
}
