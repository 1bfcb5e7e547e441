//! One connection, one policy: what server name, host and a resumed session cannot change.

use openssl::ssl::SslVersion;
use serde_json::{Value, json};
use tollgate_tests::{
    Call, Called, Client, Folder, Gateway, Resuming, Settings, Upstream,
    certificates::{Authority, Identity, connector},
    h2::{H2, Outcome},
    ports::free_port,
};

use super::world::{World, definition, world};

const VERSIONS: [SslVersion; 2] = [SslVersion::TLS1_2, SslVersion::TLS1_3];

/// A world and a client of it.
fn asking(mode: &str) -> (World, Identity) {
    let world = world("mandatory", json!({ "mode": mode }), json!({}));
    let shop = world.authority.issue("shop", 9, &["shop.example"]);
    (world, shop)
}

#[test]
fn t09_a_host_that_is_not_the_name_of_the_handshake_is_misdirected() {
    let (world, shop) = asking("optional");
    let mut client = world.connect(Some(&shop), None);
    assert_eq!(client.ask("GET", "/a/x", &["Host: other.example"], b"").unwrap().status(), 421);
    assert_eq!(world.ask_h2(Some(&shop), "other.example")["status"], 421);
    assert_eq!(world.upstream.count(), 0);
}

/// A browser sends requests for other hosts over a connection whose certificate covers them (RFC 9113 §9.1.1).
#[test]
fn t09_a_coalesced_request_is_misdirected_and_its_connection_goes_on() {
    let (world, shop) = asking("required");
    let client = Client::tls(world.gateway.ports.tls, "localhost", &connector(&world.authority, Some(&shop), b"\x02h2", None)).unwrap();
    let mut client = H2::start(client).unwrap();
    for (stream, authority, path) in [(1, "localhost", "/a/first"), (3, "other.example", "/a/second"), (5, "localhost:8443", "/a/third")] {
        client.headers(stream, &[(":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", path)], true).unwrap();
        assert!(matches!(client.outcome(stream), Outcome::Answered(_)));
    }
    let status = |path: &str| world.logged(path)["status"].clone();
    assert_eq!([status("/a/first"), status("/a/second"), status("/a/third")], [200, 421, 200]);
    assert_eq!(world.logged("/a/second")["reason"], "request.misdirected");
    assert_eq!(world.upstream.count(), 2);
}

/// Who names nobody in the handshake gets what the listener asks of everybody, and no host but an address.
#[test]
fn t09_a_client_that_names_no_server_is_held_to_the_listeners_policy_and_may_ask_for_an_address_only() {
    let (world, shop) = asking("required");
    for version in VERSIONS {
        let client = Resuming::new(&shop, version);
        let ask = |host: &str| client.call(Call { name: None, host, ..world.call() }).status;
        assert_eq!((ask("localhost"), ask("127.0.0.1"), ask("[::1]:443")), (Some(421), Some(200), Some(200)));
        let stranger = Resuming::new(&Authority::new("root").issue("shop", 9, &[]), version);
        assert_eq!(stranger.call(Call { name: None, host: "127.0.0.1", ..world.call() }).status, None);
    }
    assert_eq!(world.upstream.count(), 4);
}

/// RFC 6066 §3: the handshake is a full one, and the host is compared with the name of that handshake.
#[test]
fn t07_a_session_is_resumed_under_its_own_name_only() {
    let (world, shop) = asking("optional");
    for version in VERSIONS {
        let client = Resuming::new(&shop, version);
        let ask = |name: Option<&str>, host: &str| client.call(Call { name, host, ..world.call() });
        let full = |status| Called { resumed: false, status: Some(status) };
        let resumed = |status| Called { resumed: true, status: Some(status) };
        assert_eq!(ask(Some("localhost"), "localhost"), full(200), "{version:?}");
        assert_eq!(ask(Some("localhost"), "localhost"), resumed(200), "{version:?}");
        assert_eq!(ask(Some("other.example"), "localhost"), full(421), "{version:?}");
        assert_eq!(ask(Some("other.example"), "other.example"), resumed(200), "{version:?}");
        assert_eq!(ask(Some("other.example"), "localhost"), resumed(421), "{version:?}");
        assert_eq!(ask(None, "other.example"), full(421), "{version:?}");
        assert_eq!(ask(None, "127.0.0.1"), resumed(200), "{version:?}");
        assert_eq!(ask(Some("localhost"), "127.0.0.1"), full(421), "{version:?}");
    }
    assert_eq!(world.upstream.count(), 2 * 4);
}

/// A session that the client keeps in a ticket holds its name as well.
#[test]
fn t07_a_ticket_of_a_listener_that_asks_for_no_certificate_is_good_under_its_own_name_only() {
    let (folder, authority, upstream) = (Folder::new(), Authority::new("root"), Upstream::start());
    let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let settings = Settings { tls: Some(json!({ "certificate": certificate, "key": key })), ..Settings::default() };
    let gateway = Gateway::over(&upstream.url(), settings);
    for version in VERSIONS {
        let client = Resuming::new(&authority.issue("shop", 9, &[]), version);
        let resumed = |name| client.call(Call { port: gateway.ports.tls, name, host: "localhost", path: "/x" }).resumed;
        let names = [Some("localhost"), Some("localhost"), Some("other.example"), Some("localhost"), None, None, Some("localhost")];
        assert_eq!(names.map(resumed), [false, true, false, false, false, true, false], "{version:?}");
    }
}

struct Listeners {
    gateway: Gateway,
    upstream: Upstream,
    ports: Vec<u16>,
}

/// A gateway with a listener for each `client_auth`.
fn listeners(folder: &Folder, authority: &Authority, asked: &[Value]) -> Listeners {
    let upstream = Upstream::start();
    let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(folder, "gateway");
    let ports: Vec<u16> = asked.iter().map(|_| free_port()).collect();
    let listener = |(port, asked): (&u16, &Value)| {
        let tls = json!({ "certificate": certificate, "key": key, "client_auth": asked });
        json!({ "address": format!("127.0.0.1:{port}"), "tls": tls })
    };
    let all: Vec<Value> = ports.iter().zip(asked).map(listener).collect();
    let settings = Settings::of(json!({ "chain": [{ "mtls": {} }], "listeners": all }));
    Listeners { gateway: Gateway::serving(&definition(&upstream.url(), "mandatory"), settings), upstream, ports }
}

#[test]
fn t07_a_session_of_one_listener_is_no_identity_on_another() {
    let (folder, ours, theirs) = (Folder::new(), Authority::new("root"), Authority::new("root"));
    let (our, their) = (ours.write(&folder, "ours.pem"), theirs.write(&folder, "theirs.pem"));
    let revoked = folder.write("list.crl", ours.revoke(&[9], super::world::LATE));
    let world = listeners(
        &folder,
        &ours,
        &[
            json!({ "mode": "optional", "ca": our }),
            json!({ "mode": "required", "ca": our }),
            json!({ "mode": "optional", "ca": their }),
            json!({ "mode": "required", "ca": our, "crl": [revoked] }),
            json!({ "mode": "optional", "ca": our, "crl": [revoked] }),
        ],
    );
    let shop = ours.issue("shop", 9, &[]);
    let call = |port: u16| Call { port, name: Some("localhost"), host: "localhost", path: "/a/x" };
    for version in VERSIONS {
        for (index, status) in [(1, Some(200)), (2, Some(401)), (3, None), (4, Some(401))] {
            let client = Resuming::new(&shop, version);
            assert_eq!(client.call(call(world.ports[0])), Called { resumed: false, status: Some(200) });
            assert_eq!(client.call(call(world.ports[0])), Called { resumed: true, status: Some(200) });
            assert_eq!(client.call(call(world.ports[index])), Called { resumed: false, status }, "{version:?} listener {index}");
        }
    }
    assert_eq!(world.upstream.count(), 2 * (4 * 2 + 1));
}

#[test]
fn a_plain_listener_behind_an_encrypted_one_is_not_held_to_its_policy() {
    let (folder, authority) = (Folder::new(), Authority::new("root"));
    let world = listeners(&folder, &authority, &[json!({ "mode": "required", "ca": authority.write(&folder, "ca.pem") })]);
    let answer = world.gateway.get("/a/x");
    assert_eq!(answer.status(), 401);
    assert_eq!(world.gateway.log_of(1)[0]["reason"], "mtls.not_asked");
    assert_eq!(world.upstream.count(), 0);
}
