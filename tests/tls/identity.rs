//! Who is known by which certificate.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use openssl::ssl::{SslConnector, SslMethod, SslStream, SslVersion};
use serde_json::{Value, json};
use tollgate_tests::{
    Client,
    certificates::{Authority, connector},
    message,
};

use super::world::{ask, world};

#[test]
fn t04_without_a_certificate_nothing_reaches_the_upstream() {
    let world = world("mandatory", json!({}), json!({}));
    assert_eq!(world.both(None), (401.into(), "mtls.missing".into()));
    let answer = world.gateway.get("/a/x");
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.field("www-authenticate"), Some("MutualTLS realm=\"api\""));
    assert_eq!(world.gateway.log_of(3)[2]["reason"], "mtls.not_asked");
    assert_eq!(world.upstream.count(), 0);
}

#[test]
fn t04_a_trusted_certificate_makes_the_caller_known() {
    let world = world("mandatory", json!({}), json!({}));
    let shop = world.authority.issue("shop", 9, &["shop.example"]);
    for line in [world.ask(Some(&shop)), world.ask_h2(Some(&shop), "localhost")] {
        assert_eq!((&line["status"], &line["filter"], &line["client_id"]), (&200.into(), &"mtls".into(), &"shop.example".into()));
    }
    assert_eq!(world.upstream.count(), 2);
}

#[test]
fn t05_an_optional_certificate_that_is_not_trusted_counts_as_none() {
    let stranger = Authority::new("root").issue("shop", 9, &["shop.example"]);
    let mandatory = world("mandatory", json!({}), json!({}));
    assert_eq!(mandatory.both(Some(&stranger)), (401.into(), "mtls.untrusted".into()));
    assert_eq!(mandatory.upstream.count(), 0);
    let optional = world("optional", json!({}), json!({}));
    let known = optional.authority.issue("shop", 9, &["shop.example"]);
    let client = |identity| optional.ask(identity)["client_id"].clone();
    assert_eq!((client(Some(&stranger)), client(None), client(Some(&known))), (Value::Null, Value::Null, "shop.example".into()));
    assert_eq!(optional.upstream.count(), 3);
}

#[test]
fn a_listed_api_accepts_its_own_certificates_only() {
    let rules = json!({ "apis": [{ "name": "a", "version": "1", "allow": { "subjects": ["CN=bank"] } }] });
    let world = world("mandatory", json!({}), rules);
    let bank = world.authority.issue("bank", 8, &[]);
    let shop = world.authority.issue("shop", 9, &[]);
    assert_eq!(world.both(Some(&bank)), (200.into(), Value::Null));
    assert_eq!(world.both(Some(&shop)), (401.into(), "mtls.not_allowed".into()));
    assert_eq!(world.upstream.count(), 2);
}

#[test]
fn t10_the_first_certificate_is_the_client_whatever_comes_with_it() {
    let rules = json!({ "allow": { "subjects": ["CN=bank"] } });
    let world = world("mandatory", json!({}), rules);
    let (bank, shop) = (world.authority.issue("bank", 8, &[]), world.authority.issue("shop", 9, &[]));
    for (first, second, status) in [(&bank, &shop, 200), (&shop, &bank, 401)] {
        let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
        builder.cert_store_mut().add_cert(world.authority.0.certificate.clone()).unwrap();
        builder.set_certificate(&first.certificate).unwrap();
        builder.set_private_key(&first.key).unwrap();
        builder.add_extra_chain_cert(second.certificate.clone()).unwrap();
        let mut client = Client::tls(world.gateway.ports.tls, "localhost", &builder.build()).unwrap();
        assert_eq!(ask(&mut client), status);
    }
}

#[test]
fn rules_for_an_api_that_is_not_served_are_told_at_start() {
    let rule = |name: &str, version: &str| json!({ "name": name, "version": version, "allow": { "subjects": ["CN=bank"] } });
    let rules = json!({ "apis": [rule("a", "1"), rule("a", "*"), rule("A", "*"), rule("a", "2")] });
    let said = world("mandatory", json!({}), rules).gateway.stderr();
    let told = |api: &str| said.contains(&format!("rules for the API `{api}`, which is not served here"));
    assert_eq!((told("A *"), told("a 2"), told("a 1"), told("a *")), (true, true, false, false), "{said}");
}

/// Sends every byte of the first record in a packet of its own, or also in a record of its own.
struct Dripping {
    stream: TcpStream,
    records: bool,
    first: bool,
}

impl Write for Dripping {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.first, false) {
            return self.stream.write(bytes);
        }
        let hello = if self.records { bytes[5..].iter().flat_map(|byte| [22, 3, 1, 0, 1, *byte]).collect() } else { bytes.to_vec() };
        for byte in hello {
            self.stream.write_all(&[byte])?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Read for Dripping {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.read(bytes)
    }
}

#[test]
fn t08_a_handshake_that_begins_byte_by_byte_is_one_like_any_other() {
    let world = world("mandatory", json!({}), json!({}));
    let shop = world.authority.issue("shop", 9, &["shop.example"]);
    for (records, version) in [(false, None), (true, None), (false, Some(SslVersion::TLS1_2)), (true, Some(SslVersion::TLS1_2))] {
        let stream = TcpStream::connect(("127.0.0.1", world.gateway.ports.tls)).unwrap();
        stream.set_nodelay(true).unwrap();
        let dripping = Dripping { stream, records, first: true };
        let ssl = connector(&world.authority, Some(&shop), b"", version).configure().unwrap().into_ssl("localhost").unwrap();
        let mut stream = SslStream::new(ssl, dripping).unwrap();
        stream.connect().unwrap();
        assert_eq!(over(&mut stream), 200, "records {records}, {version:?}");
    }
    assert!(world.gateway.log_of(4).iter().all(|line| line["client_id"] == "shop.example"));
}

fn over(stream: &mut (impl Read + Write)) -> u16 {
    stream.write_all(b"GET /a/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    message::head(&mut io::BufReader::new(stream)).unwrap().unwrap().status()
}
