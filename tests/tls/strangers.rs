//! Whom the logs name when a certificate is refused: what was shown, and from where; never as somebody who is known.

use openssl::ssl::SslVersion;
use serde_json::{Value, json};
use tollgate_tests::{
    Client,
    certificates::{Authority, Identity, connector},
    forms::{DAY, Form},
    until,
};

use super::{
    forwarded::{behind_a_balancer, spellings},
    world::{LATE, World, ask, world},
};

/// A certificate of another authority, and one whose time is over.
fn strangers(world: &World) -> [(Identity, &'static str); 2] {
    let expired = Form::client("shop").valid(-DAY, -60).signed_by(&world.authority.0);
    [(Authority::new("root").issue("shop", 9, &[]), "certificate"), (expired, "certificate has expired")]
}

/// Which certificates a line of the access log names: the one that is believed, and the one that is not.
fn named(line: &Value) -> (Option<&str>, Option<&str>) {
    (line["certificate_sha256"].as_str(), line["untrusted_certificate_sha256"].as_str())
}

#[test]
fn f17_of_a_handshake_that_is_refused_the_process_log_names_certificate_address_and_verdict() {
    let world = world("mandatory", json!({ "mode": "required" }), json!({}));
    for (stranger, verdict) in strangers(&world) {
        let said = |times: usize| {
            until("a line about the handshake", || {
                let said = world.gateway.stderr();
                let lines: Vec<String> = said.lines().filter(|line| line.contains(&stranger.thumbprint())).map(str::to_owned).collect();
                (lines.len() == times).then_some(lines)
            })
        };
        for (times, version) in [(1, SslVersion::TLS1_2), (2, SslVersion::TLS1_3)] {
            let client =
                Client::tls(world.gateway.ports.tls, "localhost", &connector(&world.authority, Some(&stranger), b"", Some(version)));
            assert!(client.and_then(|mut client| client.ask("GET", "/a/x", &[], b"").map_err(|error| error.to_string())).is_err());
            let lines = said(times);
            assert!(lines.iter().all(|line| line.contains("127.0.0.1") && line.contains(verdict)), "{lines:?}");
        }
    }
    assert_eq!((world.upstream.count(), world.gateway.log().len()), (0, 0));
}

#[test]
fn f17_of_a_request_the_access_log_names_a_certificate_that_is_not_believed_as_such() {
    let world = world("mandatory", json!({}), json!({}));
    for (stranger, _) in strangers(&world) {
        for line in [world.ask(Some(&stranger)), world.ask_h2(Some(&stranger), "localhost")] {
            assert_eq!((&line["reason"], &line["client"]), (&"mtls.untrusted".into(), &"127.0.0.1".into()));
            assert_eq!(named(&line), (None, Some(stranger.thumbprint().as_str())));
        }
    }
    let shop = world.authority.issue("shop", 9, &[]);
    assert_eq!(named(&world.ask(Some(&shop))), (Some(shop.thumbprint().as_str()), None));
    assert_eq!(named(&world.ask(None)), (None, None));
}

#[test]
fn f17_a_certificate_that_is_no_longer_good_is_named_on_a_kept_connection() {
    let world = world("mandatory", json!({ "mode": "required", "crl": [] }), json!({}));
    let shop = world.authority.issue("shop", 9, &[]);
    let mut kept = world.connect(Some(&shop), None);
    assert_eq!(ask(&mut kept), 200);
    world.replace("list.crl", world.authority.revoke(&[9], LATE));
    until("the kept connection to be refused", || (ask(&mut kept) == 401).then_some(()));
    let line = until("its line", || world.gateway.log().into_iter().find(|line| line["status"] == 401));
    assert_eq!(named(&line), (None, Some(shop.thumbprint().as_str())));
}

#[test]
fn f17_a_certificate_that_a_balancer_forwards_and_nobody_believes_is_named() {
    let (world, balancer) = behind_a_balancer("optional");
    let stranger = Authority::new("root").issue("shop", 9, &[]);
    for value in spellings(&stranger) {
        let path = world.path();
        world.connect(Some(&balancer), None).ask("GET", &path, &[&format!("X-Client-Cert: {value}")], b"").unwrap();
        let line = world.logged(&path);
        assert_eq!(line["reason"], "mtls.untrusted");
        assert_eq!(named(&line), (None, Some(stranger.thumbprint().as_str())));
    }
}
