//! Client certificates, end to end: who is known by which certificate, on full handshakes, resumed sessions and kept connections.

use std::{
    fs,
    io::{self, Read, Write},
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use openssl::ssl::{SslConnector, SslMethod, SslSession, SslSessionCacheMode, SslStream, SslVersion};
use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder, Gateway, Settings, Upstream,
    certificates::{Authority, Identity, connector},
    h2::{H2, Outcome},
    message,
    project::{artifact, open_api, operation},
    tollgate, until,
};

const LATE: &str = "491231235959Z";

struct World {
    upstream: Upstream,
    gateway: Gateway,
    authority: Authority,
    folder: Folder,
    paths: AtomicUsize,
}

/// An open API whose certificates are `mandatory` or `optional`.
fn definition(endpoint: &str, mutual: &str) -> Value {
    let mut definition = open_api("/a", endpoint, json!({ "/*": { "get": operation() } }));
    definition["x-wso2-mutual-ssl"] = mutual.into();
    definition
}

/// `client_auth` besides its authority, and settings of the filter.
fn world(mutual: &str, client_auth: Value, filter: Value) -> World {
    world_of(Authority::new("root"), mutual, client_auth, filter)
}

fn world_of(authority: Authority, mutual: &str, client_auth: Value, filter: Value) -> World {
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
    let settings = Settings { tls: Some(tls), config: json!({ "chain": [{ "mtls": filter }] }), h2c: false };
    let gateway = Gateway::serving(&definition(&upstream.url(), mutual), settings);
    World { upstream, gateway, authority, folder, paths: AtomicUsize::new(0) }
}

impl World {
    fn connect(&self, identity: Option<&Identity>, version: Option<SslVersion>) -> Client {
        Client::tls(self.gateway.ports.tls, "localhost", &connector(&self.authority, identity, b"", version)).unwrap()
    }

    /// A path that nobody asked for before.
    fn path(&self) -> String {
        format!("/a/n{}", self.paths.fetch_add(1, Ordering::Relaxed))
    }

    fn logged(&self, path: &str) -> Value {
        until("a line of the access log", || self.gateway.log().into_iter().find(|line| line["path"] == path))
    }

    /// The line of the access log that a request over HTTP/1.1 leaves.
    fn ask(&self, identity: Option<&Identity>) -> Value {
        let path = self.path();
        let status = self.connect(identity, None).ask("GET", &path, &[], b"").unwrap().status();
        let line = self.logged(&path);
        assert_eq!(line["status"], status);
        line
    }

    /// The same over HTTP/2.
    fn ask_h2(&self, identity: Option<&Identity>, authority: &str) -> Value {
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
    fn both(&self, identity: Option<&Identity>) -> (Value, Value) {
        let (one, two) = (self.ask(identity), self.ask_h2(identity, "localhost"));
        assert_eq!((&one["status"], &one["reason"]), (&two["status"], &two["reason"]));
        (one["status"].clone(), one["reason"].clone())
    }

    /// Puts a file in the place of another, whole.
    fn replace(&self, name: &str, content: impl AsRef<[u8]>) {
        let next = self.folder.write("next", content);
        fs::rename(next, self.folder.join(name)).unwrap();
    }

    fn broken(&self) -> Option<f64> {
        self.gateway.metric(&format!("tollgate_tls_files_broken{{listener=\"127.0.0.1:{}\"}}", self.gateway.ports.tls))
    }
}

fn ask(client: &mut Client) -> u16 {
    client.ask("GET", "/a/x", &[], b"").unwrap().status()
}

/// T4
#[test]
fn without_a_certificate_nothing_reaches_the_upstream() {
    let world = world("mandatory", json!({}), json!({}));
    assert_eq!(world.both(None), (401.into(), "mtls.missing".into()));
    let answer = world.gateway.get("/a/x");
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.field("www-authenticate"), Some("MutualTLS realm=\"api\""));
    assert_eq!(world.gateway.log_of(3)[2]["reason"], "mtls.not_asked");
    assert_eq!(world.upstream.count(), 0);
}

/// T4
#[test]
fn a_trusted_certificate_makes_the_caller_known() {
    let world = world("mandatory", json!({}), json!({}));
    let shop = world.authority.issue("shop", 9, &["shop.example"]);
    for line in [world.ask(Some(&shop)), world.ask_h2(Some(&shop), "localhost")] {
        assert_eq!((&line["status"], &line["filter"], &line["client_id"]), (&200.into(), &"mtls".into(), &"shop.example".into()));
    }
    assert_eq!(world.upstream.count(), 2);
}

/// T5
#[test]
fn an_optional_certificate_that_is_not_trusted_counts_as_none() {
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

/// T10
#[test]
fn the_first_certificate_is_the_client_whatever_comes_with_it() {
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

/// T9
#[test]
fn a_host_that_is_not_the_name_of_the_handshake_is_misdirected() {
    let world = world("mandatory", json!({}), json!({}));
    let shop = world.authority.issue("shop", 9, &[]);
    let mut client = world.connect(Some(&shop), None);
    assert_eq!(client.ask("GET", "/a/x", &["Host: other.example"], b"").unwrap().status(), 421);
    assert_eq!(world.ask_h2(Some(&shop), "other.example")["status"], 421);
    assert_eq!(world.upstream.count(), 0);
}

/// A client that keeps the session it was last given.
struct Resuming {
    connector: SslConnector,
    session: Arc<Mutex<Option<SslSession>>>,
    port: u16,
}

impl Resuming {
    fn new(world: &World, identity: &Identity, version: SslVersion) -> Self {
        let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
        builder.cert_store_mut().add_cert(world.authority.0.certificate.clone()).unwrap();
        builder.set_certificate(&identity.certificate).unwrap();
        builder.set_private_key(&identity.key).unwrap();
        builder.set_min_proto_version(Some(version)).unwrap();
        builder.set_max_proto_version(Some(version)).unwrap();
        builder.set_session_cache_mode(SslSessionCacheMode::CLIENT);
        let session = Arc::new(Mutex::new(None));
        let kept = session.clone();
        builder.set_new_session_callback(move |_, session| *kept.lock().unwrap() = Some(session));
        Self { connector: builder.build(), session, port: world.gateway.ports.tls }
    }

    /// Whether the session was resumed, and the status.
    fn ask(&self) -> (bool, u16) {
        let mut ssl = self.connector.configure().unwrap().into_ssl("localhost").unwrap();
        if let Some(session) = &*self.session.lock().unwrap() {
            resume(&mut ssl, session);
        }
        let mut stream = SslStream::new(ssl, TcpStream::connect(("127.0.0.1", self.port)).unwrap()).unwrap();
        stream.connect().unwrap();
        let resumed = stream.ssl().session_reused();
        let status = over(&mut stream);
        // A session that ends without a goodbye is not resumed.
        let _ = stream.shutdown();
        (resumed, status)
    }
}

#[allow(unsafe_code)]
fn resume(ssl: &mut openssl::ssl::SslRef, session: &SslSession) {
    // SAFETY: the session was made by the context that this connection belongs to.
    unsafe { ssl.set_session(session).unwrap() }
}

fn over(stream: &mut (impl Read + Write)) -> u16 {
    stream.write_all(b"GET /a/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    message::head(&mut io::BufReader::new(stream)).unwrap().unwrap().status()
}

/// T6
#[test]
fn a_revoked_certificate_is_refused_on_full_and_resumed_handshakes_and_on_kept_connections() {
    let world = world("mandatory", json!({ "crl": [] }), json!({}));
    let (shop, bank) = (world.authority.issue("shop", 9, &[]), world.authority.issue("bank", 8, &[]));
    let resuming = [SslVersion::TLS1_2, SslVersion::TLS1_3].map(|version| Resuming::new(&world, &shop, version));
    for client in &resuming {
        assert_eq!((client.ask(), client.ask()), ((false, 200), (true, 200)));
    }
    let (mut kept, mut other) = (world.connect(Some(&shop), None), world.connect(Some(&bank), None));
    assert_eq!((ask(&mut kept), ask(&mut other)), (200, 200));
    world.replace("list.crl", world.authority.revoke(&[9], LATE));
    until("the new list to count", || (world.ask(Some(&shop))["status"] == 401).then_some(()));
    let forwarded = world.upstream.count();
    assert_eq!(ask(&mut kept), 401, "a kept connection");
    assert_eq!(world.both(Some(&shop)), (401.into(), "mtls.untrusted".into()));
    for client in &resuming {
        assert_eq!(client.ask(), (false, 401));
        assert_eq!(client.ask().1, 401);
    }
    assert_eq!(world.upstream.count(), forwarded);
    assert_eq!(ask(&mut other), 200, "a kept connection of another");
    assert_eq!(world.ask(Some(&bank))["status"], 200);
}

/// T6
#[test]
fn where_certificates_are_required_a_kept_connection_ends_with_its_certificate() {
    let world = world("mandatory", json!({ "mode": "required", "crl": [] }), json!({}));
    let shop = world.authority.issue("shop", 9, &[]);
    let mut kept = world.connect(Some(&shop), None);
    assert_eq!(ask(&mut kept), 200);
    world.replace("list.crl", world.authority.revoke(&[9], LATE));
    let status = until("the kept connection to be refused", || Some(ask(&mut kept)).filter(|status| *status != 200));
    assert_eq!((status, kept.is_closed()), (401, true));
    let again = Client::tls(world.gateway.ports.tls, "localhost", &connector(&world.authority, Some(&shop), b"", None));
    assert!(again.and_then(|mut client| client.ask("GET", "/a/x", &[], b"").map_err(|error| error.to_string())).is_err());
}

/// T6
#[test]
fn a_stale_list_lets_nobody_in_unless_the_operator_says_so() {
    const PAST: &str = "250201000000Z";
    for (stale, good) in [("closed", 401), ("open", 200)] {
        let world = world("mandatory", json!({ "crl": [], "crl_stale": stale }), json!({}));
        let (shop, bank) = (world.authority.issue("shop", 9, &[]), world.authority.issue("bank", 8, &[]));
        world.replace("list.crl", world.authority.revoke(&[9], PAST));
        until("the stale list to count", || (world.ask(Some(&shop))["status"] == 401).then_some(()));
        assert_eq!(world.ask(Some(&bank))["status"], good, "{stale}");
    }
}

/// T14
#[test]
fn a_new_server_certificate_is_shown_to_new_connections_and_drops_none() {
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

/// T13
#[test]
fn a_trust_store_that_breaks_leaves_the_old_in_force_and_refuses_the_reload() {
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

/// T13
#[test]
fn an_operation_that_needs_a_certificate_where_nobody_is_asked_for_one_stops_the_start() {
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
    judge("mandatory", json!({ "waive": ["mtls"] })).ok();
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

/// T8
#[test]
fn a_handshake_that_begins_byte_by_byte_is_one_like_any_other() {
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

/// T12
#[test]
fn a_certificate_that_a_balancer_forwards_is_the_clients_over_both_protocols() {
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

/// T12
#[test]
fn a_forwarded_certificate_counts_from_nobody_else_and_goes_no_further_in_any_spelling() {
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

/// T12
#[test]
fn a_forwarded_certificate_that_is_revoked_is_refused_from_then_on() {
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
