//! Debian's glewlwyd with its plugin `oidc`, set up through its own administration API.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use super::{
    openid::{API, APP, GATEWAY, OTHER, OpenId, SCOPES, USER},
    process::Process,
};
use crate::{
    Folder,
    jwk::{SigningKey, key_set},
    oauth::{Endpoint, Login, Server, Tokens},
    ports::free_port,
    until,
};

/// Its tables, as Debian sets them up, with an administrator.
const SCHEMA: &str = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3";
/// That administrator.
const ADMINISTRATOR: (&str, &str) = ("admin", "password");

/// The scope of who may ask about every client's tokens.
const INTROSPECT: &str = "introspect";

/// A running provider.
pub struct Glewlwyd {
    server: Server,
    session: String,
    process: Option<Process>,
    _folder: Folder,
}

impl Glewlwyd {
    /// Nothing when somebody else was faster with the port.
    fn launch(key: &SigningKey) -> Option<Self> {
        let (folder, port) = (Folder::new(), free_port());
        let endpoint = Endpoint { port, tls: None };
        let (origin, database) = (endpoint.origin(), folder.join("db"));
        // Waiting for the disk after each of its many statements would take most of the start.
        let tables = ["PRAGMA synchronous=OFF", "PRAGMA journal_mode=WAL", &format!(".read {SCHEMA}")];
        let made = Command::new("sqlite3").arg("-bail").arg(&database).args(tables).output().unwrap();
        assert!(made.status.success(), "its tables could not be made: {}", String::from_utf8_lossy(&made.stderr));
        let modules = ["user", "client", "scheme", "plugin"].map(|kind| format!("/usr/lib/glewlwyd/{kind}"));
        let [user, client, scheme, plugin] = modules;
        let config = folder.write(
            "config",
            format!(
                "port={port}\nbind_address=\"127.0.0.1\"\nexternal_url=\"{origin}\"\napi_prefix=\"api\"\nlog_mode=\"console\"\nlog_level=\"INFO\"\n\
                 cookie_secure=false\nsession_expiration=3600\nsession_key=\"SESSION\"\nadmin_scope=\"g_admin\"\nprofile_scope=\"g_profile\"\n\
                 user_module_path=\"{user}\"\nclient_module_path=\"{client}\"\nuser_auth_scheme_module_path=\"{scheme}\"\n\
                 plugin_module_path=\"{plugin}\"\nhash_algorithm=\"SHA512\"\ndatabase={{ type=\"sqlite3\"; path=\"{}\"; }};\n",
                database.display()
            ),
        );
        let mut process = Process::start(Command::new("glewlwyd").arg("--config-file").arg(config), folder.join("log"));
        if !process.listens(port) {
            assert!(process.said().contains("in use"), "it ended: {}", process.said());
            return None;
        }
        let session = log_in(&endpoint);
        let set_up = |path: &str, what: Value| administer(&endpoint, &session, "POST", path, &what);
        set_up("mod/plugin/", plugin_of(&origin, &[key]));
        for scope in SCOPES.into_iter().chain([INTROSPECT]) {
            set_up("scope/", json!({ "name": scope, "display_name": scope, "password_required": false, "scheme": {} }));
        }
        set_up("user/", json!({ "username": USER.0, "password": USER.1, "name": USER.0, "enabled": true, "scope": SCOPES }));
        let client = |login: Login, scopes: &[&str], grants: &[&str]| {
            json!({ "client_id": login.id, "name": login.id, "client_secret": login.secret, "confidential": true, "enabled": true,
                    "scope": scopes, "redirect_uri": [], "authorization_type": grants,
                    "token_endpoint_auth_method": ["client_secret_basic"] })
        };
        set_up("client/", client(APP, &SCOPES, &["client_credentials", "password", "refresh_token"]));
        set_up("client/", client(GATEWAY, &[INTROSPECT], &["client_credentials"]));
        let server = Server::ready(origin.clone(), format!("{origin}/api/oidc"), endpoint, || false)?;
        Some(Self { server, session, process: Some(process), _folder: folder })
    }
}

/// The plugin with these keys.
fn plugin_of(issuer: &str, keys: &[&SigningKey]) -> Value {
    let resources: Value = SCOPES.iter().map(|scope| ((*scope).to_owned(), json!([API, OTHER]))).collect::<serde_json::Map<_, _>>().into();
    json!({
        "module": "oidc", "name": "oidc", "display_name": "oidc", "order_rank": 0,
        "parameters": {
            "iss": issuer, "subject-type": "public", "allow-non-oidc": true, "jwks-private": key_set(keys).to_string(), "jwks-show": true,
            "jwt-type": "sha", "jwt-key-size": "256",
            "access-token-duration": 3600, "refresh-token-duration": 3600, "code-duration": 600, "refresh-token-rolling": true,
            "auth-type-client-enabled": true, "auth-type-password-enabled": true, "auth-type-refresh-enabled": true,
            "introspection-revocation-allowed": true, "introspection-revocation-allow-target-client": true,
            "introspection-revocation-auth-scope": [INTROSPECT],
            "resource-allowed": true, "resource-scope": resources,
        },
    })
}

/// The administrator's session.
fn log_in(endpoint: &Endpoint) -> String {
    let (username, password) = ADMINISTRATOR;
    let body = json!({ "username": username, "password": password }).to_string();
    let answer = endpoint.send("POST", "/api/auth/", &["Content-Type: application/json"], &body);
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let cookie = answer.field("set-cookie").and_then(|cookie| cookie.split(';').next()).unwrap();
    format!("Cookie: {cookie}")
}

fn administer(endpoint: &Endpoint, session: &str, method: &str, path: &str, what: &Value) {
    let answer = endpoint.send(method, &format!("/api/{path}"), &[session, "Content-Type: application/json"], &what.to_string());
    assert_eq!(answer.status(), 200, "{method} {path}: {}", answer.text());
}

impl OpenId for Glewlwyd {
    fn start(key: &SigningKey) -> Self {
        (0..3).find_map(|_| Self::launch(key)).expect("it did not start on three ports")
    }

    fn server(&self) -> &Server {
        &self.server
    }

    fn ca(&self) -> Option<&Path> {
        None
    }

    /// It tells a client about the client's own tokens only.
    fn own_token(&self) -> Value {
        json!({ "url": self.server.url("token_endpoint"), "scope": INTROSPECT })
    }

    /// It has JWTs only; nobody has to read them.
    fn opaque(&self, scope: &str) -> (String, &'static str) {
        (self.server.client_credentials(APP, scope, API), API)
    }

    /// By the user's password (RFC 6749 §4.3).
    fn log_in(&self, scope: &str) -> Tokens {
        self.server.token(APP, &[], &[("grant_type", "password"), ("username", USER.0), ("password", USER.1), ("scope", scope)])
    }

    /// It knows no resource in this flow, and then names the scopes.
    fn audience<'a>(&self, scope: &'a str) -> &'a str {
        scope
    }

    fn publish(&mut self, keys: &[&SigningKey]) {
        let administer = |path: &str, what: &Value| administer(&self.server.endpoint, &self.session, "PUT", path, what);
        administer("mod/plugin/oidc", &plugin_of(&self.server.issuer, keys));
        administer("mod/plugin/oidc/reset", &Value::Null);
        let names: Vec<&str> = keys.iter().map(|key| key.kid.as_str()).collect();
        until("the keys to be shown", || (self.server.shown() == names).then_some(()));
    }

    fn kill(&mut self) {
        self.process = None;
    }
}
