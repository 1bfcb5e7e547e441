//! The gateway as a client: an upstream that does not prove who it is gets nothing.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use openssl::{
    ssl::{SslAcceptor, SslAcceptorBuilder, SslMethod, SslVersion},
    x509::extension::ExtendedKeyUsage,
};
use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Reply, Settings, Upstream,
    certificates::Identity,
    forms::{DAY, DNS, Form, URI, alternative_names, name},
    ports::listener,
    project::{open_api, operation},
};

/// What an upstream is sent and must not be told.
const SECRET: &str = "Authorization: Bearer for-the-upstream";

/// A definition with one path for each upstream.
fn definition(urls: &[(&str, String)]) -> Value {
    let item = |url: &str| {
        let mut item = operation();
        item["x-wso2-production-endpoints"] = json!({ "urls": [url], "type": "http" });
        json!({ "get": item })
    };
    let paths: serde_json::Map<String, Value> = urls.iter().map(|(name, url)| (format!("/{name}"), item(url))).collect();
    open_api("/", &urls[0].1, paths.into())
}

fn server(common: &str, names: &[&[u8]]) -> Form {
    let names: Vec<(u8, &[u8])> = names.iter().map(|name| (DNS, *name)).collect();
    Form::plain(common).with(ExtendedKeyUsage::new().server_auth().build().unwrap()).with(alternative_names(false, &names))
}

/// Its name is in its subject, and these are its other names.
fn by_subject(names: &[(u8, &[u8])]) -> Form {
    let form = Form::plain("localhost").with(ExtendedKeyUsage::new().server_auth().build().unwrap());
    if names.is_empty() { form } else { form.with(alternative_names(false, names)) }
}

fn acceptor(identity: &Identity) -> SslAcceptorBuilder {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    builder.set_security_level(0);
    builder.set_certificate(&identity.certificate).unwrap();
    builder.set_private_key(&identity.key).unwrap();
    builder
}

/// A server that speaks no TLS newer than this.
fn old(identity: &Identity, version: SslVersion) -> SslAcceptor {
    let mut builder = SslAcceptor::mozilla_intermediate(SslMethod::tls_server()).unwrap();
    builder.set_security_level(0);
    builder.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
    builder.clear_options(openssl::ssl::SslOptions::NO_TLSV1 | openssl::ssl::SslOptions::NO_TLSV1_1);
    builder.set_certificate(&identity.certificate).unwrap();
    builder.set_private_key(&identity.key).unwrap();
    builder.set_min_proto_version(Some(SslVersion::TLS1)).unwrap();
    builder.set_max_proto_version(Some(version)).unwrap();
    builder.build()
}

#[test]
fn t16_an_upstream_that_does_not_prove_who_it_is_is_sent_nothing() {
    let folder = Folder::new();
    let root = Form::authority("root", None).self_signed();
    let between = Form::authority("between", None).signed_by(&root);
    let good = || server("x", &[b"localhost"]);
    let forms: Vec<(&str, Identity)> = vec![
        ("good", good().signed_by(&root)),
        ("wildcard-of-another", server("x", &[b"*.localhost"]).signed_by(&root)),
        ("wrong-name", server("localhost", &[b"other.example"]).signed_by(&root)),
        ("nul-in-name", server("x", &[b"localhost\0.evil"]).signed_by(&root)),
        ("name-in-subject-only", server("localhost", &[b""]).signed_by(&root)),
        ("no-other-name-than-the-subject", by_subject(&[]).signed_by(&root)),
        ("a-name-of-another-kind-beside-the-subject", by_subject(&[(URI, b"https://localhost/")]).signed_by(&root)),
        ("expired", good().valid(-DAY, -60).signed_by(&root)),
        ("not-yet-valid", good().valid(60, DAY).signed_by(&root)),
        ("unknown-authority", good().signed_by(&Form::authority("other", None).self_signed())),
        ("authority-of-the-same-name", good().signed_by(&Form::authority("root", None).self_signed())),
        ("self-signed", good().self_signed()),
        ("for-clients", Form::client("x").with(alternative_names(false, &[(DNS, b"localhost")])).signed_by(&root)),
        ("missing-link", good().signed_by(&between)),
        ("signed-by-a-leaf", good().subject(name(&[("CN", "y")])).signed_by(&good().signed_by(&root))),
    ];
    let mut upstreams: Vec<(&str, Upstream)> =
        forms.iter().map(|(name, identity)| (*name, Upstream::tls(acceptor(identity).build(), |_| Reply::new(200, "")))).collect();
    for (name, version) in [("tls-1-1", SslVersion::TLS1_1), ("tls-1-0", SslVersion::TLS1)] {
        upstreams.push((name, Upstream::tls(old(&forms[0].1, version), |_| Reply::new(200, ""))));
    }
    let urls: Vec<(&str, String)> = upstreams.iter().map(|(name, upstream)| (*name, upstream.https("localhost"))).collect();
    let ca = folder.write("ca.pem", root.certificate.to_pem().unwrap());
    let gateway = Gateway::serving(&definition(&urls), Settings::of(json!({ "upstream": { "ca": ca } })));
    for (name, upstream) in &upstreams {
        let answer = gateway.send("GET", &format!("/{name}"), &[SECRET], b"");
        let (status, count) = if *name == "good" { (200, 1) } else { (502, 0) };
        assert_eq!((answer.status(), upstream.count()), (status, count), "{name}: {}", answer.text());
        assert_eq!(upstream.broken(), Vec::<String>::new(), "{name}");
        assert!(upstream.connections() > 0, "{name} was not tried");
    }
    assert!(gateway.log_of(upstreams.len())[1..].iter().all(|line| line["reason"] == "upstream.connect"));
}

/// RFC 9525 §2: the subject is no name. The connection is there already when that is seen, and still nothing has gone out: the next
/// target may have the request, whatever its method.
#[test]
fn t16_a_server_that_its_subject_alone_names_is_passed_over() {
    let folder = Folder::new();
    let root = Form::authority("root", None).self_signed();
    let start = |form: Form| Upstream::tls(acceptor(&form.signed_by(&root)).build(), |_| Reply::new(200, ""));
    let (nameless, good) = (start(by_subject(&[])), start(server("x", &[b"localhost"])));
    let mut definition = open_api("/", &good.https("localhost"), json!({ "/x": { "post": operation() } }));
    definition["x-wso2-production-endpoints"] =
        json!({ "urls": [nameless.https("localhost"), good.https("localhost")], "type": "load_balance" });
    let ca = folder.write("ca.pem", root.certificate.to_pem().unwrap());
    let gateway = Gateway::serving(&definition, Settings::of(json!({ "upstream": { "ca": ca } })));
    for _ in 0..4 {
        let answer = gateway.send("POST", "/x", &[SECRET], b"body");
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }
    assert_eq!((nameless.count(), good.count(), nameless.connections() > 0), (0, 4, true));
    assert!(gateway.metric("tollgate_upstream_failures_total{kind=\"tls\"}") > Some(0.0));
}

/// Nobody set a trust store: the machine's counts, and a private authority is not in it.
#[test]
fn t16_without_a_setting_an_upstream_is_held_to_the_machines_authorities() {
    let root = Form::authority("root", None).self_signed();
    let upstream = Upstream::tls(acceptor(&server("x", &[b"localhost"]).signed_by(&root)).build(), |_| Reply::new(200, ""));
    let gateway = Gateway::over(&upstream.https("localhost"), Settings::default());
    assert_eq!(gateway.send("GET", "/x", &[SECRET], b"").status(), 502);
    assert_eq!((upstream.count(), upstream.connections() > 0), (0, true));
}

/// An attacker in between who answers in the server's place before it has shaken hands (CVE-2026-1642): the bytes come first, and the
/// handshake with the true server follows.
#[test]
fn t16_plaintext_before_the_handshake_is_no_answer() {
    const FORGED: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Forged: yes\r\n\r\nforged";
    let folder = Folder::new();
    let root = Form::authority("root", None).self_signed();
    let server = Upstream::tls(acceptor(&server("x", &[b"localhost"]).signed_by(&root)).build(), |_| Reply::new(200, "true"));
    let ca = folder.write("ca.pem", root.certificate.to_pem().unwrap());
    for (forged, waits) in [(true, false), (true, true), (false, false)] {
        let (port, seen) = between(server.port, if forged { FORGED } else { b"" }, waits);
        let settings = Settings::of(json!({ "upstream": { "ca": ca } }));
        let gateway = Gateway::over(&format!("https://localhost:{port}"), settings);
        let before = server.count();
        let answer = gateway.send("GET", "/x", &[SECRET], b"");
        assert!(seen.load(Ordering::Relaxed) > 0);
        if forged {
            assert_eq!((answer.status(), answer.field("x-forged"), server.count()), (502, None, before), "{}", answer.text());
            assert!(!answer.text().contains("forged"));
        } else {
            assert_eq!((answer.status(), answer.text().as_str()), (200, "true"), "the way itself is good");
        }
    }
}

/// Passes everything on in both directions, with bytes of its own before the server's first: at once, or when the client has spoken.
fn between(port: u16, first: &'static [u8], waits: bool) -> (u16, Arc<AtomicUsize>) {
    let (listener, seen) = (listener(), Arc::new(AtomicUsize::new(0)));
    let (own, counter) = (listener.local_addr().unwrap().port(), seen.clone());
    thread::spawn(move || {
        for client in listener.incoming() {
            let (Ok(mut client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", port))) else { return };
            counter.fetch_add(1, Ordering::Relaxed);
            if waits {
                let _ = client.peek(&mut [0]);
            }
            let _ = client.write_all(first);
            let (Ok(from), Ok(to)) = (client.try_clone(), server.try_clone()) else { return };
            thread::spawn(move || pass(from, to));
            thread::spawn(move || pass(server, client));
        }
    });
    (own, seen)
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..n]).is_err() {
            return;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}
