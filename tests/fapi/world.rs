//! A bank, its authorization server, the scheme's authority and the companies that call.

use std::fs;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use openssl::sha::sha256;
use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder, Gateway, Reply, Response, Upstream,
    certificates::{Authority, Identity, connector},
    client::request,
    project,
    signer::Signer,
    token::now,
};

pub const API: &str = "api.bank.example";
pub const ISSUER: &str = "https://login.bank.example";
pub const PAYMENTS: &str = "/open-banking/v4.0/pisp/domestic-payments";
pub const UUID: &str = "93bac548-d2de-4546-b106-880a5018460d";

/// What the bank says of a payment.
pub const PAYMENT: &str = r#"{"Data":{"DomesticPaymentId":"p1","Status":"RCVD"}}"#;

pub struct World {
    pub upstream: Upstream,
    pub gateway: Gateway,
    /// Of the scheme: signs certificates of companies and of the bank.
    pub authority: Authority,
    /// Of the bank's authorization server.
    pub issuer: Signer,
    /// A company.
    pub tpp: Identity,
}

/// How a world differs from the example.
pub struct Plan {
    pub upstream: Upstream,
    /// Signs every certificate.
    pub authority: Authority,
    /// Published, the first of them signs tokens.
    pub keys: Vec<Signer>,
    /// Definitions by file name.
    pub definitions: Vec<(String, String)>,
    /// Parts of the example's text, and what stands there instead.
    pub changes: Vec<(String, String)>,
}

/// An answer of the bank's.
pub fn answered(status: u16, body: &str) -> Reply {
    let fields = ["Content-Type: application/json; charset=utf-8", "Cache-Control: no-store"];
    Reply::with(status, &fields, body)
}

/// The example definition over these endpoints.
pub fn definition(endpoints: &[&str]) -> String {
    conf("definitions/openbanking.yaml", &[(r#"["https://payments.internal:8443"]"#.to_owned(), json!(endpoints).to_string())])
}

/// A file below `conf/` with changes.
fn conf(name: &str, changes: &[(String, String)]) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf").join(name);
    changes.iter().fold(fs::read_to_string(path).unwrap(), |text, (from, to)| {
        assert!(text.contains(from), "the example does not say {from}");
        text.replace(from, to)
    })
}

impl Plan {
    /// As in the example.
    pub fn new() -> Self {
        Self::over(Upstream::answering(|request| answered(if request.method() == "POST" { 201 } else { 200 }, PAYMENT)))
    }

    pub fn over(upstream: Upstream) -> Self {
        let definitions = vec![("payments.yaml".to_owned(), definition(&[&upstream.url()]))];
        let (authority, keys) = (Authority::new("scheme"), vec![Signer::new("ES256", "key-1")]);
        Self { upstream, authority, keys, definitions, changes: Vec::new() }
    }

    #[must_use]
    pub fn change(mut self, from: &str, to: &str) -> Self {
        self.changes.push((from.to_owned(), to.to_owned()));
        self
    }

    pub fn start(self) -> World {
        self.launch(Gateway::configured)
    }

    /// Starts a gateway that may never be ready.
    pub fn start_listening(self) -> World {
        self.launch(Gateway::listening)
    }

    fn launch(self, start: impl FnOnce(Folder, &std::path::Path, &dyn Fn(&Folder, tollgate_tests::Ports) -> String) -> Gateway) -> World {
        let Self { upstream, authority, mut keys, definitions, changes } = self;
        let folder = Folder::new();
        folder.write("certs/clients.pem", authority.0.certificate.to_pem().unwrap());
        folder.write("certs/upstreams.pem", authority.0.certificate.to_pem().unwrap());
        authority.issue_rsa("bank", 2, &[API]).write(&folder, "certs/server");
        folder.write("certs/issuer.jwks.json", key_set(&keys));
        let built = definitions.into_iter().fold(project::Project::new(), |project, (name, text)| project.definition(&name, text));
        let artifact = built.build(&["--endpoint", &upstream.url()]);
        let gateway = start(folder, &artifact, &|_, ports| {
            let ports = [
                ("0.0.0.0:8443".to_owned(), format!("127.0.0.1:{}", ports.tls)),
                ("127.0.0.1:9901".to_owned(), format!("127.0.0.1:{}", ports.admin)),
            ];
            conf("openbanking.yaml", &[&ports[..], &changes[..]].concat())
        });
        let tpp = authority.issue("tpp-one", 9, &["tpp.example"]);
        World { upstream, gateway, authority, issuer: keys.remove(0), tpp }
    }
}

/// Keys as an issuer publishes them.
pub fn key_set(keys: &[Signer]) -> String {
    json!({ "keys": keys.iter().map(Signer::published).collect::<Vec<_>>() }).to_string()
}

/// Claims that are good for some minutes, with changes; `null` takes one away.
pub fn claims(change: Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": format!("https://{API}"), "sub": "psu-7", "client_id": "tpp-one", "scope": "payments",
        "openbanking_intent_id": "consent-1", "iat": now(), "exp": now() + 300,
    });
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// The confirmation of a token that is bound to a certificate.
pub fn bound_to(identity: &Identity) -> Value {
    json!({ "x5t#S256": BASE64.encode(sha256(&identity.certificate.to_der().unwrap())) })
}

impl World {
    /// A good token of the company's, with changes to its claims.
    pub fn token(&self, change: Value) -> String {
        self.token_by(&self.issuer, change)
    }

    pub fn token_by(&self, issuer: &Signer, change: Value) -> String {
        let mut claims = claims(json!({ "cnf": bound_to(&self.tpp) }));
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        issuer.seal(json!({ "typ": "at+jwt" }), &claims)
    }

    pub fn connect_as(&self, identity: Option<&Identity>) -> Client {
        Client::tls(self.gateway.ports.tls, API, &connector(&self.authority, identity, b"", None)).unwrap()
    }

    /// The company's connection.
    pub fn connect(&self) -> Client {
        self.connect_as(Some(&self.tpp))
    }

    /// One request of the company's, on a connection of its own.
    pub fn ask(&self, method: &str, path: &str, token: &str, fields: &[&str], body: &[u8]) -> Response {
        ask(&mut self.connect(), method, path, token, fields, body)
    }

    /// Whether a payment may be seen with that token.
    pub fn status(&self, token: &str) -> u16 {
        self.ask("GET", &format!("{PAYMENTS}/p1"), token, &[], b"").status()
    }

    /// The lines of the log, when there are so many.
    pub fn line(&self, number: usize) -> Value {
        self.gateway.log_of(number + 1)[number].clone()
    }
}

/// One request with a token.
pub fn ask(client: &mut Client, method: &str, path: &str, token: &str, fields: &[&str], body: &[u8]) -> Response {
    let (host, authorization) = (format!("Host: {API}"), format!("Authorization: Bearer {token}"));
    send(client, method, path, &[&[host.as_str(), authorization.as_str()][..], fields].concat(), body)
}

/// One request of these fields alone.
pub fn send(client: &mut Client, method: &str, path: &str, fields: &[&str], body: &[u8]) -> Response {
    client.write(request(method, path, fields, body)).unwrap();
    client.answer(method).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}
