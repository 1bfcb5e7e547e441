//! Certificates that a load balancer forwards.

use serde_json::{Value, json};
use tollgate_tests::{
    Client,
    certificates::{Authority, Identity, connector},
    h2::{H2, Outcome},
    until,
};

use super::world::{LATE, World, world_of};

/// A world behind a balancer, whose own certificate comes back.
fn behind_a_balancer(mode: &str) -> (World, Identity) {
    let authority = Authority::new("root");
    let balancer = authority.issue("balancer", 50, &["lb.example"]);
    let digest: String = openssl::sha::sha256(&balancer.certificate.to_der().unwrap()).iter().map(|byte| format!("{byte:02X}")).collect();
    let forwarded = json!({ "header": "X-Client-Cert", "balancers": [digest] });
    (world_of(authority, "mandatory", json!({ "mode": mode, "forwarded": forwarded }), json!({})), balancer)
}

/// A certificate as balancers write it: percent-encoded PEM, bare base64, base64 between colons.
fn spellings(identity: &Identity) -> [String; 3] {
    let pem = String::from_utf8(identity.certificate.to_pem().unwrap()).unwrap();
    let escaped: String =
        pem.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect();
    let der = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, identity.certificate.to_der().unwrap());
    [escaped, der.clone(), format!(":{der}:")]
}

impl World {
    /// Status, and what the log says, of a request with these fields.
    fn told(&self, identity: Option<&Identity>, fields: &[String]) -> (Value, Value, Value) {
        let path = self.path();
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        self.connect(identity, None).ask("GET", &path, &fields, b"").unwrap();
        let line = self.logged(&path);
        (line["status"].clone(), line["reason"].clone(), line["client_id"].clone())
    }

    /// The same over HTTP/2, with one field.
    fn told_h2(&self, identity: Option<&Identity>, field: (&str, &str)) -> (Value, Value, Value) {
        let path = self.path();
        let client = Client::tls(self.gateway.ports.tls, "localhost", &connector(&self.authority, identity, b"\x02h2", None)).unwrap();
        let mut client = H2::start(client).unwrap();
        let head = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", &path), field];
        client.headers(1, &head, true).unwrap();
        assert!(matches!(client.outcome(1), Outcome::Answered(_)));
        let line = self.logged(&path);
        (line["status"].clone(), line["reason"].clone(), line["client_id"].clone())
    }
}

#[test]
fn t12_a_certificate_that_a_balancer_forwards_is_the_clients_over_both_protocols() {
    for mode in ["required", "optional"] {
        let (world, balancer) = behind_a_balancer(mode);
        let shop = world.authority.issue("shop", 9, &["shop.example"]);
        let known = (200.into(), Value::Null, "shop.example".into());
        for value in spellings(&shop) {
            assert_eq!(world.told(Some(&balancer), &[format!("X-Client-Cert: {value}")]), known, "{mode} {value}");
            assert_eq!(world.told_h2(Some(&balancer), ("x-client-cert", &value)), known, "{mode} {value}");
        }
        let stranger = Authority::new("root").issue("shop", 9, &["shop.example"]);
        let [foreign, ..] = spellings(&stranger);
        let [own, ..] = spellings(&shop);
        let missing = (401.into(), "mtls.missing".into(), Value::Null);
        let untrusted = (401.into(), "mtls.untrusted".into(), Value::Null);
        assert_eq!(world.told(Some(&balancer), &[]), missing, "the balancer's own certificate is not the client's");
        for bad in [&foreign, "", "x", "%zz", &own[..own.len() / 2]] {
            assert_eq!(world.told(Some(&balancer), &[format!("X-Client-Cert: {bad}")]), untrusted, "{bad}");
        }
        let twice = [format!("X-Client-Cert: {own}"), format!("x-client-cert: {own}")];
        assert_eq!(world.told(Some(&balancer), &twice), untrusted);
        assert_eq!(world.upstream.count(), 6);
        assert!(world.upstream.requests().iter().all(|request| request.message.field("x-client-cert").is_none()));
    }
}

#[test]
fn t12_a_forwarded_certificate_counts_from_nobody_else_and_goes_no_further_in_any_spelling() {
    let (world, _) = behind_a_balancer("optional");
    let (shop, other) = (world.authority.issue("shop", 9, &["shop.example"]), world.authority.issue("other", 10, &["other.example"]));
    let [value, ..] = spellings(&shop);
    for name in ["X-Client-Cert", "x-client-cert", "X-CLIENT-CERT", "x_client_cert", "X-Client_Cert"] {
        assert_eq!(world.told(None, &[format!("{name}: {value}")]), (401.into(), "mtls.missing".into(), Value::Null), "{name}");
        let known = (200.into(), Value::Null, "other.example".into());
        assert_eq!(world.told(Some(&other), &[format!("{name}: {value}"), format!("{name}: {value}")]), known, "{name}");
        assert_eq!(world.told_h2(Some(&other), (&name.to_lowercase(), &value)), known, "{name}");
    }
    let plain = world.gateway.send("GET", "/a/x", &[&format!("X-Client-Cert: {value}")], b"");
    assert_eq!(plain.status(), 401);
    let arrived = world.upstream.requests();
    assert_eq!(arrived.len(), 10);
    for request in arrived {
        let text = format!("{:?}", request.message).to_lowercase();
        assert!(!text.contains("client-cert") && !text.contains("client_cert"), "{text}");
    }
}

#[test]
fn t12_a_forwarded_certificate_that_is_revoked_is_refused_from_then_on() {
    let authority = Authority::new("root");
    let balancer = authority.issue("balancer", 50, &["lb.example"]);
    let digest: String = openssl::sha::sha256(&balancer.certificate.to_der().unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
    let asked = json!({ "forwarded": { "header": "X-Client-Cert", "balancers": [digest] }, "crl": [] });
    let world = world_of(authority, "mandatory", asked, json!({}));
    let shop = world.authority.issue("shop", 9, &["shop.example"]);
    let [value, ..] = spellings(&shop);
    let ask = || world.told(Some(&balancer), &[format!("X-Client-Cert: {value}")]);
    assert_eq!(ask().0, 200);
    world.replace("list.crl", world.authority.revoke(&[9], LATE));
    until("the list to be read", || (ask() == (401.into(), "mtls.untrusted".into(), Value::Null)).then_some(()));
}
