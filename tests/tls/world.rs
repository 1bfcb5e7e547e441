//! A gateway that asks for client certificates, and what its clients see.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

use openssl::ssl::SslVersion;
use serde_json::{Value, json};
use tollgate_tests::{
    Call, Client, Folder, Gateway, Settings, Upstream,
    certificates::{Authority, Identity, connector},
    h2::{H2, Outcome},
    project::{open_api, operation},
    until,
};

/// When lists end that are to stay in force.
/// When a list ends that is good.
pub const LATE: i64 = tollgate_tests::forms::DAY;

pub struct World {
    pub upstream: Upstream,
    pub gateway: Gateway,
    pub authority: Authority,
    pub folder: Folder,
    paths: AtomicUsize,
}

/// An open API whose certificates are `mandatory` or `optional`.
pub fn definition(endpoint: &str, mutual: &str) -> Value {
    let mut definition = open_api("/a", endpoint, json!({ "/*": { "get": operation() } }));
    definition["x-wso2-mutual-ssl"] = mutual.into();
    definition
}

/// `client_auth` besides its authority, and settings of the filter.
pub fn world(mutual: &str, client_auth: Value, filter: Value) -> World {
    world_of(Authority::new("root"), mutual, client_auth, filter)
}

/// The same with a chain of its own.
pub fn world_with(chain: Value) -> World {
    world_in(Authority::new("root"), "mandatory", json!({}), chain)
}

pub fn world_of(authority: Authority, mutual: &str, client_auth: Value, filter: Value) -> World {
    world_in(authority, mutual, client_auth, json!([{ "mtls": filter }]))
}

fn world_in(authority: Authority, mutual: &str, client_auth: Value, chain: Value) -> World {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let mut asked = json!({ "mode": "optional", "ca": authority.write(&folder, "ca.pem") });
    for (name, value) in client_auth.as_object().unwrap() {
        asked[name] = value.clone();
    }
    if asked["crl"].is_array() {
        asked["crl"] = json!([folder.write("list.crl", authority.revoke(&[], LATE))]);
    }
    let tls = json!({ "certificate": certificate, "key": key, "refresh": "100ms", "client_auth": asked });
    let settings = Settings { tls: Some(tls), config: json!({ "chain": chain }), h2c: false };
    let gateway = Gateway::serving(&definition(&upstream.url(), mutual), settings);
    World { upstream, gateway, authority, folder, paths: AtomicUsize::new(0) }
}

impl World {
    pub fn connect(&self, identity: Option<&Identity>, version: Option<SslVersion>) -> Client {
        Client::tls(self.gateway.ports.tls, "localhost", &connector(&self.authority, identity, b"", version)).unwrap()
    }

    /// A request of the host that the gateway's certificate is for.
    pub fn call(&self) -> Call<'static> {
        Call { port: self.gateway.ports.tls, name: Some("localhost"), host: "localhost", path: "/a/x" }
    }

    /// A path that nobody asked for before.
    pub fn path(&self) -> String {
        format!("/a/n{}", self.paths.fetch_add(1, Ordering::Relaxed))
    }

    pub fn logged(&self, path: &str) -> Value {
        until("a line of the access log", || self.gateway.log().into_iter().find(|line| line["path"] == path))
    }

    /// The line of the access log that a request over HTTP/1.1 leaves.
    pub fn ask(&self, identity: Option<&Identity>) -> Value {
        let path = self.path();
        let status = self.connect(identity, None).ask("GET", &path, &[], b"").unwrap().status();
        let line = self.logged(&path);
        assert_eq!(line["status"], status);
        line
    }

    /// The same over HTTP/2.
    pub fn ask_h2(&self, identity: Option<&Identity>, authority: &str) -> Value {
        let path = self.path();
        let client = Client::tls(self.gateway.ports.tls, "localhost", &connector(&self.authority, identity, b"\x02h2", None)).unwrap();
        let mut client = H2::start(client).unwrap();
        client.headers(1, &[(":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", &path)], true).unwrap();
        assert!(matches!(client.outcome(1), Outcome::Answered(_)));
        let line = self.logged(&path);
        assert_eq!(line["protocol"], "HTTP/2");
        line
    }

    /// Both, which must agree.
    pub fn both(&self, identity: Option<&Identity>) -> (Value, Value) {
        let (one, two) = (self.ask(identity), self.ask_h2(identity, "localhost"));
        assert_eq!((&one["status"], &one["reason"]), (&two["status"], &two["reason"]));
        (one["status"].clone(), one["reason"].clone())
    }

    /// Puts a file in the place of another, whole.
    pub fn replace(&self, name: &str, content: impl AsRef<[u8]>) {
        let next = self.folder.write("next", content);
        fs::rename(next, self.folder.join(name)).unwrap();
    }

    pub fn broken(&self) -> Option<f64> {
        self.gateway.metric(&format!("tollgate_tls_files_broken{{listener=\"127.0.0.1:{}\"}}", self.gateway.ports.tls))
    }
}

pub fn ask(client: &mut Client) -> u16 {
    client.ask("GET", "/a/x", &[], b"").unwrap().status()
}
