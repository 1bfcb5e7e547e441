//! Certificates and lists that change while connections and sessions last.

use std::net::TcpStream;

use openssl::ssl::SslVersion;
use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder, Resuming, Upstream,
    certificates::{Authority, connector},
    project::artifact,
    tollgate, until,
};

use super::world::{LATE, ask, definition, world};

#[test]
fn t06_a_revoked_certificate_is_refused_on_full_and_resumed_handshakes_and_on_kept_connections() {
    let world = world("mandatory", json!({ "crl": [] }), json!({}));
    let (shop, bank) = (world.authority.issue("shop", 9, &[]), world.authority.issue("bank", 8, &[]));
    let resuming = [SslVersion::TLS1_2, SslVersion::TLS1_3].map(|version| Resuming::new(&shop, version));
    let call = |client: &Resuming| {
        let called = client.call(world.call());
        (called.resumed, called.status)
    };
    for client in &resuming {
        assert_eq!((call(client), call(client)), ((false, Some(200)), (true, Some(200))));
    }
    let (mut kept, mut other) = (world.connect(Some(&shop), None), world.connect(Some(&bank), None));
    assert_eq!((ask(&mut kept), ask(&mut other)), (200, 200));
    world.replace("list.crl", world.authority.revoke(&[9], LATE));
    until("the new list to count", || (world.ask(Some(&shop))["status"] == 401).then_some(()));
    let forwarded = world.upstream.count();
    assert_eq!(ask(&mut kept), 401, "a kept connection");
    assert_eq!(world.both(Some(&shop)), (401.into(), "mtls.untrusted".into()));
    for client in &resuming {
        assert_eq!(call(client), (false, Some(401)));
        assert_eq!(call(client).1, Some(401));
    }
    assert_eq!(world.upstream.count(), forwarded);
    assert_eq!(ask(&mut other), 200, "a kept connection of another");
    assert_eq!(world.ask(Some(&bank))["status"], 200);
}

#[test]
fn t06_where_certificates_are_required_a_kept_connection_ends_with_its_certificate() {
    // The API would take the request without one: it is the listener that lets nobody in.
    let world = world("optional", json!({ "mode": "required", "crl": [] }), json!({}));
    let shop = world.authority.issue("shop", 9, &[]);
    let mut kept = world.connect(Some(&shop), None);
    assert_eq!(ask(&mut kept), 200);
    world.replace("list.crl", world.authority.revoke(&[9], LATE));
    let status = until("the kept connection to be refused", || Some(ask(&mut kept)).filter(|status| *status != 200));
    assert_eq!((status, kept.is_closed()), (401, true));
    let again = Client::tls(world.gateway.ports.tls, "localhost", &connector(&world.authority, Some(&shop), b"", None));
    assert!(again.and_then(|mut client| client.ask("GET", "/a/x", &[], b"").map_err(|error| error.to_string())).is_err());
}

#[test]
fn t06_a_stale_list_lets_nobody_in_unless_the_operator_says_so() {
    const PAST: i64 = -tollgate_tests::forms::DAY;
    for (stale, good) in [("closed", 401), ("open", 200)] {
        let world = world("mandatory", json!({ "crl": [], "crl_stale": stale }), json!({}));
        let (shop, bank) = (world.authority.issue("shop", 9, &[]), world.authority.issue("bank", 8, &[]));
        world.replace("list.crl", world.authority.revoke(&[9], PAST));
        until("the stale list to count", || (world.ask(Some(&shop))["status"] == 401).then_some(()));
        assert_eq!(world.ask(Some(&bank))["status"], good, "{stale}");
    }
}

#[test]
fn t14_a_new_server_certificate_is_shown_to_new_connections_and_drops_none() {
    let world = world("optional", json!({}), json!({}));
    let shown = || {
        let stream = connector(&world.authority, None, b"", None);
        let stream = stream.connect("localhost", TcpStream::connect(("127.0.0.1", world.gateway.ports.tls)).unwrap()).unwrap();
        stream.ssl().peer_certificate().unwrap().to_der().unwrap()
    };
    let (before, mut kept) = (shown(), world.connect(None, None));
    assert_eq!(ask(&mut kept), 200);
    let next = world.authority.issue("gateway", 3, &["localhost"]);
    // A key of another certificate, for as long as only one of the two files is there.
    world.replace("gateway.key", next.key.private_key_to_pem_pkcs8().unwrap());
    until("the broken pair to be noticed", || (world.broken() == Some(1.0)).then_some(()));
    assert_eq!((shown() == before, ask(&mut kept)), (true, 200));
    world.replace("gateway.pem", next.certificate.to_pem().unwrap());
    let after = next.certificate.to_der().unwrap();
    until("the new certificate", || (shown() == after).then_some(()));
    assert_eq!((ask(&mut kept), world.broken()), (200, Some(0.0)));
}

#[test]
fn t13_a_trust_store_that_breaks_leaves_the_old_in_force_and_refuses_the_reload() {
    let world = world("mandatory", json!({}), json!({}));
    let shop = world.authority.issue("shop", 9, &[]);
    let stranger = Authority::new("other").issue("shop", 9, &[]);
    for content in ["", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"] {
        world.replace("ca.pem", content);
        until("the broken store to be noticed", || (world.broken() == Some(1.0)).then_some(()));
        assert_ne!(world.gateway.reload().status(), 200);
        assert_eq!(world.ask(Some(&shop))["status"], 200);
        assert_eq!(world.ask(Some(&stranger))["status"], 401);
    }
}

#[test]
fn t04_an_operation_that_needs_a_certificate_where_nobody_is_asked_for_one_stops_the_start() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let judge = |mutual: &str, more: Value| {
        let artifact = artifact(&folder, &definition(&upstream.url(), mutual));
        let mut config = json!({ "listeners": [{ "address": "127.0.0.1:0" }], "chain": [{ "mtls": {} }] });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config = folder.write("gateway.yaml", config.to_string());
        tollgate(["run".as_ref(), artifact.as_os_str(), "--config".as_ref(), config.as_os_str(), "--test".as_ref()])
    };
    let refused = judge("mandatory", json!({}));
    assert_eq!(refused.code, 1, "{refused:?}");
    let said = &refused.stderr;
    let place = said.contains("api_definitions/api.json:1: error[tls.not_asked]") && said.contains("at /x-wso2-mutual-ssl");
    assert!(place && said.matches("tls.not_asked").count() == 1, "{said}");
    judge("optional", json!({})).ok();
    assert!(judge("mandatory", json!({ "waive": ["mtls"] })).stderr.contains("error[chain.opens]"));
    judge("mandatory", json!({ "waive_to_open": ["mtls"] })).ok();
}
