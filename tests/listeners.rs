//! What listeners show and read before the first request: certificates by name, and the header of the PROXY protocol.

use std::{fs, net::TcpStream, path::Path};

use openssl::ssl::{SslConnector, SslMethod, SslStream, SslVerifyMode};
use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder, Gateway, Settings, Upstream,
    certificates::{Authority, Identity},
    until,
};

fn pair(folder: &Folder, identity: &Identity, name: &str) -> Value {
    let (certificate, key) = identity.write(folder, name);
    json!({ "certificate": certificate, "key": key })
}

/// A connection of a client that asks for a name, or for none.
fn connect(port: u16, name: &str) -> SslStream<TcpStream> {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.set_verify(SslVerifyMode::NONE);
    let tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let configured = connector.build().configure().unwrap().use_server_name_indication(!name.is_empty()).verify_hostname(false);
    configured.connect(name, tcp).unwrap()
}

/// The alternative names of the certificate that a client is shown who asks for a name.
fn shown(port: u16, name: &str) -> Vec<String> {
    let names = connect(port, name).ssl().peer_certificate().unwrap().subject_alt_names().unwrap();
    names.iter().filter_map(|one| one.dnsname().map(str::to_owned)).collect()
}

#[test]
fn a_client_is_shown_the_certificate_of_the_name_it_asks_for_and_a_new_one_after_a_change() {
    let (folder, upstream, authority) = (Folder::new(), Upstream::start(), Authority::new("root"));
    let mut tls = pair(&folder, &authority.issue("default", 1, &["default.example"]), "default");
    let shop = authority.issue("shop", 2, &["shop.example", "*.shop.example"]);
    tls["certificates"] = json!([pair(&folder, &shop, "shop"), pair(&folder, &authority.issue("other", 3, &["other.example"]), "other")]);
    tls["refresh"] = "100ms".into();
    let settings = Settings { tls: Some(tls), ..Settings::of(json!({ "routes": [{ "upstream": upstream.url() }] })) };
    let gateway = Gateway::routing_with(folder, settings);
    let port = gateway.ports.tls;
    for (name, expected) in [
        ("shop.example", "shop.example"),
        ("SHOP.example", "shop.example"),
        ("a.shop.example", "shop.example"),
        ("a.b.shop.example", "default.example"),
        ("other.example", "other.example"),
        ("unknown.example", "default.example"),
        ("", "default.example"),
    ] {
        assert_eq!(shown(port, name)[0], expected, "{name}");
    }
    authority.issue("moved", 4, &["moved.example"]).write(&gateway.folder, "other");
    until("the new certificate to be shown", || (shown(port, "moved.example")[0] == "moved.example").then_some(()));
    assert_eq!(shown(port, "other.example")[0], "default.example");
}

#[test]
fn each_certificate_goes_with_its_own_intermediate_ones_and_no_others() {
    let (folder, upstream, authority) = (Folder::new(), Upstream::start(), Authority::new("root"));
    let (certificate, key) = authority.issue("default", 1, &["default.example"]).write(&folder, "default");
    let chain = [fs::read(&certificate).unwrap(), fs::read(authority.write(&folder, "root.pem")).unwrap()].concat();
    fs::write(&certificate, chain).unwrap();
    let alone = pair(&folder, &authority.issue("alone", 2, &["alone.example"]), "alone");
    let tls = json!({ "certificate": certificate, "key": key, "certificates": [alone] });
    let settings = Settings { tls: Some(tls), ..Settings::of(json!({ "routes": [{ "upstream": upstream.url() }] })) };
    let gateway = Gateway::routing_with(folder, settings);
    let sent = ["default.example", "alone.example", ""].map(|name| connect(gateway.ports.tls, name).ssl().peer_cert_chain().unwrap().len());
    assert_eq!(sent, [2, 1, 2]);
}

/// The status of a request on a connection that begins with these bytes; nothing when it is closed.
fn status_after(port: u16, start: &[u8]) -> Option<u16> {
    let mut client = Client::connect(port);
    client.write([start, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"].concat()).ok()?;
    Some(client.answer("GET").ok()?.status())
}

#[test]
fn behind_the_proxy_protocol_the_client_is_who_the_header_names() {
    let upstream = Upstream::start();
    let config = |trusted: &'static str| {
        let upstream = upstream.url();
        move |_: &Folder, ports: tollgate_tests::Ports| {
            json!({
                "listeners": [{ "address": format!("127.0.0.1:{}", ports.plain), "proxy_protocol": true }],
                "admin": { "address": format!("127.0.0.1:{}", ports.admin) },
                "trusted_proxies": [trusted],
                "limits": { "connections_per_client": 3 },
                "routes": [{ "upstream": upstream }],
            })
            .to_string()
        }
    };
    let gateway = Gateway::configured(Folder::new(), Path::new(""), &config("127.0.0.1"));
    let port = gateway.ports.plain;
    let binary = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".as_slice(), &[192, 0, 2, 9, 127, 0, 0, 1, 0x13, 0x88, 0, 80]].concat();
    assert_eq!(status_after(port, b"PROXY TCP4 192.0.2.7 127.0.0.1 5000 80\r\n"), Some(200));
    assert_eq!(status_after(port, &binary), Some(200));
    assert_eq!(status_after(port, b""), None, "no header");
    assert_eq!(status_after(port, b"PROXY TCP4 nobody 127.0.0.1 5000 80\r\n"), None);
    let said: Vec<_> =
        upstream.requests().iter().map(|request| request.message.field("x-forwarded-for").unwrap_or_default().to_owned()).collect();
    assert_eq!(said, ["192.0.2.7", "192.0.2.9"]);
    let held: Vec<Client> = (0..3)
        .map(|_| {
            let mut client = Client::connect(port);
            client.write("PROXY TCP4 192.0.2.8 127.0.0.1 5000 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            assert_eq!(client.answer("GET").unwrap().status(), 200);
            client
        })
        .collect();
    assert_eq!(status_after(port, b"PROXY TCP4 192.0.2.8 127.0.0.1 5000 80\r\n"), None, "a fourth connection of one client");
    assert_eq!(status_after(port, b"PROXY TCP4 192.0.2.10 127.0.0.1 5000 80\r\n"), Some(200), "of another client");
    drop(held);
    let stranger = Gateway::configured(Folder::new(), Path::new(""), &config("192.0.2.1"));
    assert_eq!(status_after(stranger.ports.plain, b"PROXY TCP4 192.0.2.7 127.0.0.1 5000 80\r\n"), None, "nobody vouches for it");
}
