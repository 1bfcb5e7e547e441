//! npm's `oidc-provider`, over TLS, which also asks clients for their certificates.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use openssl::sha::sha256;
use serde_json::{Value, json};

use super::{
    openid::{API, APP, GATEWAY, OpenId, SCOPES, USER},
    process::Process,
};
use crate::{
    Folder, Response,
    certificates::{Authority, connector},
    jwk::{SigningKey, key_set},
    oauth::{Endpoint, Login, Server, Tokens, encode},
    ports::free_port,
    until,
};

/// The audience whose tokens are opaque; every other gets JWTs.
pub const OPAQUE: &str = "https://opaque.example";
/// A client whose tokens are bound to its certificate.
pub const CERTIFIED: Login = Login { id: "certified", secret: "certified-secret" };
/// Where the user's browser is sent back to; nobody is there.
const CALLBACK: &str = "https://client.example/callback";

/// A running provider; what it issued is gone with the process.
pub struct OidcProvider {
    server: Server,
    /// Signed its certificate.
    pub authority: Authority,
    ca: PathBuf,
    folder: Folder,
    process: Option<Process>,
}

impl OidcProvider {
    /// Nothing when somebody else was faster with the port.
    fn launch(key: &SigningKey) -> Option<Self> {
        let (folder, authority, port) = (Folder::new(), Authority::new("provider's root"), free_port());
        let ca = authority.write(&folder, "ca.pem");
        let (certificate, private) = authority.issue("provider", 2, &["127.0.0.1"]).write(&folder, "provider");
        let endpoint = Endpoint { port, tls: Some(connector(&authority, None, b"", None)) };
        let origin = endpoint.origin();
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let modules = tests.join(".cache/oidc-provider/package.json");
        assert!(modules.is_file(), "oidc-provider is not here; run tests/install");
        let client = |login: Login, more: Value| {
            let mut client = json!({ "client_id": login.id, "client_secret": login.secret, "redirect_uris": [], "response_types": [] });
            client.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            client
        };
        let app = json!({ "grant_types": ["client_credentials", "authorization_code", "refresh_token"], "response_types": ["code"],
                "redirect_uris": [CALLBACK] });
        let certified = json!({ "grant_types": ["client_credentials"], "tls_client_certificate_bound_access_tokens": true });
        let clients = [client(APP, app), client(CERTIFIED, certified), client(GATEWAY, json!({ "grant_types": [] }))];
        let jwks = folder.write("jwks.json", key_set(&[key]).to_string());
        let settings = json!({ "modules": modules, "issuer": origin, "port": port, "jwks": jwks, "key": private, "certificate": certificate,
                "scopes": SCOPES, "opaque": OPAQUE, "clients": clients });
        let settings = folder.write("settings.json", settings.to_string());
        let script = tests.join("harness/parts/oidc_provider/server.mjs");
        let mut process = Process::start(Command::new("node").arg(script).arg(settings), folder.join("log"));
        let Some(server) = Server::ready(origin.clone(), origin, endpoint, || process.child.try_wait().unwrap().is_some()) else {
            assert!(process.said().contains("EADDRINUSE"), "it ended: {}", process.said());
            return None;
        };
        Some(Self { server, authority, ca, folder, process: Some(process) })
    }

    /// Tokens for the user, by the authorization code flow with PKCE (RFC 6749 §4.1, RFC 7636), as a browser goes through it.
    fn code_flow(&self, scope: &str, resource: &str) -> Tokens {
        let verifier = "v".repeat(43);
        let challenge = URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()));
        let asked = encode(&[
            ("client_id", APP.id),
            ("response_type", "code"),
            ("redirect_uri", CALLBACK),
            ("scope", &format!("openid offline_access {scope}")),
            ("prompt", "consent"),
            ("resource", resource),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let mut browser = Browser { endpoint: &self.server.endpoint, cookies: Vec::new() };
        let login = browser.follow(&format!("{}?{asked}", self.server.url("authorization_endpoint")));
        let next = browser.submit(&login, &[("prompt", "login"), ("login", USER.0), ("password", USER.1)]);
        let consent = browser.follow(&next);
        let next = browser.submit(&consent, &[("prompt", "consent")]);
        let back = browser.follow(&next);
        let code = back.split(['?', '&']).find_map(|pair| pair.strip_prefix("code=")).unwrap_or_else(|| panic!("no code: {back}"));
        let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK), ("code_verifier", &verifier)];
        self.server.token(APP, &[], &form)
    }
}

/// As much of a browser as a login needs: cookies, forms, and where it is sent next.
struct Browser<'a> {
    endpoint: &'a Endpoint,
    cookies: Vec<(String, String)>,
}

impl Browser<'_> {
    /// Where a page sends on to.
    fn follow(&mut self, url: &str) -> String {
        let cookies = self.cookie();
        let answer = self.endpoint.send("GET", url, &[&cookies], "");
        self.sent_on(&answer)
    }

    /// Where the answer to a form sends on to.
    fn submit(&mut self, url: &str, form: &[(&str, &str)]) -> String {
        let cookies = self.cookie();
        let answer = self.endpoint.post(url, &[&cookies], form);
        self.sent_on(&answer)
    }

    fn cookie(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("Cookie: {}", pairs.join("; "))
    }

    /// Paths of cookies are not looked at: a newer one takes the place of an older one of its name.
    fn sent_on(&mut self, answer: &Response) -> String {
        for field in answer.all("set-cookie") {
            let (name, value) = field.split(';').next().and_then(|pair| pair.split_once('=')).unwrap();
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        answer.field("location").unwrap_or_else(|| panic!("not sent on: {} {}", answer.start, answer.text())).to_owned()
    }
}

impl OpenId for OidcProvider {
    fn start(key: &SigningKey) -> Self {
        (0..3).find_map(|_| Self::launch(key)).expect("it did not start on three ports")
    }

    fn server(&self) -> &Server {
        &self.server
    }

    fn ca(&self) -> Option<&Path> {
        Some(&self.ca)
    }

    fn own_token(&self) -> Value {
        Value::Null
    }

    fn opaque(&self, scope: &str) -> (String, &'static str) {
        (self.server.client_credentials(APP, scope, OPAQUE), OPAQUE)
    }

    fn log_in(&self, scope: &str) -> Tokens {
        self.code_flow(scope, API)
    }

    fn audience<'a>(&self, _scope: &'a str) -> &'a str {
        API
    }

    fn publish(&mut self, keys: &[&SigningKey]) {
        let next = self.folder.write("next.json", key_set(keys).to_string());
        fs::rename(next, self.folder.join("jwks.json")).unwrap();
        self.process.as_ref().unwrap().signal("HUP");
        let names: Vec<&str> = keys.iter().map(|key| key.kid.as_str()).collect();
        until("the keys to be shown", || (self.server.shown() == names).then_some(()));
    }

    fn kill(&mut self) {
        self.process = None;
    }
}
