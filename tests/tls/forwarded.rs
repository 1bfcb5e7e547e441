//! Certificates that a load balancer forwards.

use std::{
    io::{BufReader, Write},
    net::TcpStream,
};

use openssl::ssl::SslStream;
use serde_json::{Value, json};
use tollgate_tests::{
    Client,
    certificates::{Authority, Identity, connector},
    forms::Form,
    h2::{H2, Outcome},
    message, until,
};

use super::world::{LATE, World, world_of};

/// A world behind a balancer, whose own certificate comes back.
pub fn behind_a_balancer(mode: &str) -> (World, Identity) {
    let authority = Authority::new("root");
    let balancer = authority.issue("balancer", 50, &["lb.example"]);
    let forwarded = json!({ "header": "X-Client-Cert", "balancers": [balancer.thumbprint().to_uppercase()] });
    (world_of(authority, "mandatory", json!({ "mode": mode, "forwarded": forwarded }), json!({})), balancer)
}

/// A certificate as balancers write it: percent-encoded PEM, bare base64, base64 between colons.
pub fn spellings(identity: &Identity) -> [String; 3] {
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
    let asked = json!({ "forwarded": { "header": "X-Client-Cert", "balancers": [balancer.thumbprint()] }, "crl": [] });
    let world = world_of(authority, "mandatory", asked, json!({}));
    let shop = world.authority.issue("shop", 9, &["shop.example"]);
    let [value, ..] = spellings(&shop);
    let ask = || world.told(Some(&balancer), &[format!("X-Client-Cert: {value}")]);
    assert_eq!(ask().0, 200);
    world.replace("list.crl", world.authority.revoke(&[9], LATE));
    until("the list to be read", || (ask() == (401.into(), "mtls.untrusted".into(), Value::Null)).then_some(()));
}

/// Balancers speak for clients of many hosts, and many of them name no server in their own handshake.
#[test]
fn t12_a_balancers_connection_brings_requests_for_any_host_and_nobody_elses_does() {
    let (world, balancer) = behind_a_balancer("required");
    let shop = world.authority.issue("shop", 9, &["shop.example"]);
    let [value, ..] = spellings(&shop);
    let ask = |identity: &Identity, name: Option<&str>| {
        let ssl = connector(&world.authority, Some(identity), b"", None).configure().unwrap();
        let ssl = ssl.use_server_name_indication(name.is_some()).verify_hostname(false).into_ssl(name.unwrap_or("none")).unwrap();
        let mut stream = SslStream::new(ssl, TcpStream::connect(("127.0.0.1", world.gateway.ports.tls)).unwrap()).unwrap();
        stream.connect().unwrap();
        let request = format!("GET /a/x HTTP/1.1\r\nHost: shop.example\r\nX-Client-Cert: {value}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        message::head(&mut BufReader::new(stream)).unwrap().unwrap().status()
    };
    assert_eq!([ask(&balancer, None), ask(&balancer, Some("backend.example"))], [200, 200]);
    assert_eq!([ask(&shop, None), ask(&shop, Some("backend.example"))], [421, 421]);
    assert_eq!(world.upstream.count(), 2);
}

/// The fields in which other products forward certificates, on a gateway that reads none.
#[test]
fn t12_a_certificate_in_a_usual_field_reaches_no_upstream_even_where_none_is_read() {
    let world = world_of(Authority::new("root"), "optional", json!({}), json!({}));
    let shop = world.authority.issue("shop", 9, &["shop.example"]);
    let [value, ..] = spellings(&shop);
    let names = [
        "Client-Cert",
        "client_cert",
        "Client-Cert-Chain",
        "X-Forwarded-Client-Cert",
        "X-WSO2-CLIENT-CERTIFICATE",
        "x_wso2_client-certificate",
    ];
    for name in names {
        let fields = [format!("{name}: {value}"), format!("{name}: {value}")];
        assert_eq!(world.told(None, &fields), (200.into(), Value::Null, Value::Null), "{name}");
        assert_eq!(world.told_h2(Some(&shop), (&name.to_lowercase(), &value)), (200.into(), Value::Null, "shop.example".into()), "{name}");
    }
    let arrived = world.upstream.requests();
    assert_eq!(arrived.len(), 2 * names.len());
    for request in arrived {
        let text = format!("{:?}", request.message).to_lowercase().replace('_', "-");
        assert!(!text.contains("client-cert"), "{text}");
    }
}

/// Clocks differ: a certificate that was not valid yet is, soon.
#[test]
fn t12_a_forwarded_certificate_counts_as_soon_as_its_validity_begins() {
    let (world, balancer) = behind_a_balancer("optional");
    let young = Form::client("young").valid(2, 3600).signed_by(&world.authority.0);
    let [value, ..] = spellings(&young);
    let ask = || world.told(Some(&balancer), &[format!("X-Client-Cert: {value}")]);
    assert_eq!(ask().1, "mtls.untrusted");
    until("its validity to begin", || (ask().0 == 200).then_some(()));
}

#[test]
fn t10_of_several_certificates_that_a_balancer_forwards_the_first_is_the_clients() {
    let (world, balancer) = behind_a_balancer("optional");
    let (shop, bank) = (world.authority.issue("shop", 9, &["shop.example"]), world.authority.issue("bank", 8, &["bank.example"]));
    let stranger = Authority::new("root").issue("shop", 9, &["shop.example"]);
    let [[shop, ..], [bank, ..], [stranger, ..]] = [spellings(&shop), spellings(&bank), spellings(&stranger)];
    let client = |value: String| world.told(Some(&balancer), &[format!("X-Client-Cert: {value}")]);
    let known = |name: &str| (200.into(), Value::Null, name.into());
    assert_eq!(client(format!("{shop}{bank}")), known("shop.example"));
    assert_eq!(client(format!("{bank}{shop}")), known("bank.example"));
    let untrusted = (401.into(), "mtls.untrusted".into(), Value::Null);
    assert_eq!(client(format!("{stranger}{shop}")), untrusted);
    assert_eq!(client(format!("{shop},{bank}")), untrusted, "two values in one");
}
