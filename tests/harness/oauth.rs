//! An OAuth 2.0 and OpenID provider as its clients see it: its own document, and the endpoints that it names.

use base64::{Engine, engine::general_purpose::STANDARD};
use openssl::ssl::SslConnector;
use serde_json::Value;

use crate::{Client, Response, until};

/// Where a provider is reached.
#[derive(Clone)]
pub struct Endpoint {
    pub port: u16,
    pub tls: Option<SslConnector>,
}

impl Endpoint {
    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        format!("{}://127.0.0.1:{}", if self.tls.is_some() { "https" } else { "http" }, self.port)
    }

    /// One request on a connection of its own; nothing when nobody answers.
    pub fn try_send(&self, method: &str, url: &str, fields: &[&str], body: &str) -> Option<Response> {
        let mut client = match &self.tls {
            None => Client::try_connect(self.port).ok()?,
            Some(connector) => Client::try_tls(self.port, "127.0.0.1", connector)?,
        };
        let path = url.strip_prefix(&self.origin()).unwrap_or(url);
        let host = format!("Host: 127.0.0.1:{}", self.port);
        let fields: Vec<&str> = [host.as_str()].into_iter().chain(fields.iter().copied()).collect();
        client.ask(method, path, &fields, body.as_bytes()).ok()
    }

    /// # Panics
    /// When nobody answers.
    pub fn send(&self, method: &str, url: &str, fields: &[&str], body: &str) -> Response {
        self.try_send(method, url, fields, body).unwrap_or_else(|| panic!("{method} {url}: no answer"))
    }

    /// Sends a form.
    pub fn post(&self, url: &str, fields: &[&str], form: &[(&str, &str)]) -> Response {
        let fields: Vec<&str> = ["Content-Type: application/x-www-form-urlencoded"].into_iter().chain(fields.iter().copied()).collect();
        self.send("POST", url, &fields, &encode(form))
    }
}

/// A client of a provider, and what it proves itself with.
#[derive(Clone, Copy)]
pub struct Login {
    pub id: &'static str,
    pub secret: &'static str,
}

impl Login {
    pub fn field(self) -> String {
        format!("Authorization: Basic {}", STANDARD.encode(format!("{}:{}", self.id, self.secret)))
    }
}

/// A provider that is ready.
#[derive(Clone)]
pub struct Server {
    /// `iss` of its tokens.
    pub issuer: String,
    /// Below this URL is its document.
    pub discovery: String,
    pub endpoint: Endpoint,
    document: Value,
}

impl Server {
    /// Waits until it says where everything is; nothing when `gone` says that it ended.
    pub fn ready(issuer: String, discovery: String, endpoint: Endpoint, mut gone: impl FnMut() -> bool) -> Option<Self> {
        let about = format!("{discovery}/.well-known/openid-configuration");
        let answer = until("the provider to be ready", || match endpoint.try_send("GET", &about, &[], "") {
            Some(answer) if answer.status() == 200 => Some(Some(answer)),
            _ => gone().then_some(None),
        })?;
        let document: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(document["issuer"], issuer);
        Some(Self { issuer, discovery, endpoint, document })
    }

    /// A URL of its document.
    pub fn url(&self, name: &str) -> &str {
        self.document[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", self.document))
    }

    /// What the token endpoint answers, which must be tokens.
    pub fn token(&self, client: Login, fields: &[&str], form: &[(&str, &str)]) -> Tokens {
        let login = client.field();
        let fields: Vec<&str> = [login.as_str()].into_iter().chain(fields.iter().copied()).collect();
        let answer = self.endpoint.post(self.url("token_endpoint"), &fields, form);
        assert_eq!(answer.status(), 200, "{}", answer.text());
        Tokens(serde_json::from_slice(&answer.body).unwrap())
    }

    /// An access token for the client itself.
    pub fn client_credentials(&self, client: Login, scope: &str, resource: &str) -> String {
        let form = [("grant_type", "client_credentials"), ("scope", scope), ("resource", resource)];
        self.token(client, &[], &form).access()
    }

    pub fn refresh(&self, client: Login, token: &str) -> Tokens {
        self.token(client, &[], &[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    /// Revokes a token (RFC 7009).
    pub fn revoke(&self, client: Login, token: &str, hint: &str) {
        let answer =
            self.endpoint.post(self.url("revocation_endpoint"), &[&client.field()], &[("token", token), ("token_type_hint", hint)]);
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }

    /// What it says of a token (RFC 7662).
    pub fn introspect(&self, client: Login, token: &str) -> Value {
        let answer = self.endpoint.post(self.url("introspection_endpoint"), &[&client.field()], &[("token", token)]);
        assert_eq!(answer.status(), 200, "{}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// The names of the keys that it shows.
    pub fn shown(&self) -> Vec<String> {
        let answer = self.endpoint.send("GET", self.url("jwks_uri"), &[], "");
        let set: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        set["keys"].as_array().into_iter().flatten().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }
}

/// An answer of a token endpoint.
#[derive(Debug)]
pub struct Tokens(pub Value);

impl Tokens {
    pub fn access(&self) -> String {
        self.named("access_token")
    }

    /// # Panics
    /// When there is no such token.
    pub fn named(&self, name: &str) -> String {
        self.0[name].as_str().unwrap_or_else(|| panic!("no {name}: {}", self.0)).to_owned()
    }
}

/// `application/x-www-form-urlencoded`.
pub fn encode(form: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
                b => format!("%{b:02X}"),
            })
            .collect()
    };
    form.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect::<Vec<_>>().join("&")
}
