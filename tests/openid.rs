//! Tokens of two real OpenID providers that share no code, end to end: the gateway knows an issuer's name and where it is.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Response, Settings, Upstream, client,
    jwk::SigningKey,
    parts::{
        OidcProvider, OpenId,
        openid::{API, APP, OTHER, SCOPES},
    },
    project::{artifact, open_api},
    until,
};

/// Has each test run against each provider.
macro_rules! with_each_provider {
    ($($test:ident,)*) => {
        mod oidc_provider {
            $(#[test] fn $test() { super::$test::<tollgate_tests::parts::OidcProvider>() })*
        }
        mod glewlwyd {
            $(#[test] fn $test() { super::$test::<tollgate_tests::parts::Glewlwyd>() })*
        }
    };
}
pub(crate) use with_each_provider;

with_each_provider! {
    the_issuers_document_alone_leads_to_its_keys,
    scopes_and_audience_count_as_the_provider_writes_them,
    a_refreshed_token_passes_and_no_other_kind_of_token_does,
    a_token_revoked_by_its_id_is_refused_at_once_and_its_successor_is_not,
    a_document_of_another_issuer_opens_nothing_and_is_named,
}

/// A provider, and a gateway in front of an upstream that asks for its tokens.
pub(crate) struct World<P> {
    pub provider: P,
    pub key: SigningKey,
    pub gateway: Gateway,
    pub upstream: Upstream,
    _folder: Folder,
}

/// An API with an operation for each scope, and `/a/x` for every token.
fn definition(endpoint: &str) -> Value {
    let operation =
        |scopes: &[&str]| json!({ "get": { "security": [{ "oauth": scopes }], "responses": { "200": { "description": "ok" } } } });
    let mut paths = json!({ "/x": operation(&[]) });
    for scope in SCOPES {
        paths[format!("/{scope}")] = operation(&[scope]);
    }
    let mut definition = open_api("/a", endpoint, paths);
    definition["x-wso2-disable-security"] = false.into();
    let scopes: serde_json::Map<String, Value> = SCOPES.iter().map(|scope| ((*scope).to_owned(), "".into())).collect();
    let flows = json!({ "clientCredentials": { "tokenUrl": "https://issuer.example/token", "scopes": scopes } });
    definition["components"] = json!({ "securitySchemes": { "oauth": { "type": "oauth2", "flows": flows } } });
    definition
}

/// An issuer of `jwt` that finds its keys itself, for these audiences, with further settings.
pub(crate) fn issuer<P: OpenId>(provider: &P, audiences: &[&str], more: Value) -> Value {
    let server = provider.server();
    let mut issuer = json!({ "issuer": server.issuer, "audiences": audiences, "keys": { "discovery": server.discovery }, "refresh": "1s" });
    issuer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    issuer
}

impl<P: OpenId> World<P> {
    /// With the filter that says who is calling, and a TLS listener or none.
    pub(crate) fn start(settings: impl FnOnce(&P, &Folder) -> (Value, Option<Value>)) -> Self {
        Self::launch(settings, Gateway::start)
    }

    fn launch(settings: impl FnOnce(&P, &Folder) -> (Value, Option<Value>), start: fn(&std::path::Path, Settings) -> Gateway) -> Self {
        let key = SigningKey::new("ES256", "first");
        let provider = P::start(&key);
        let (folder, upstream) = (Folder::new(), Upstream::start());
        let (credentials, tls) = settings(&provider, &folder);
        let chain = json!([credentials, { "revocation": {} }, "authorize"]);
        let mut config = json!({ "chain": chain, "stores": { "revocations": { "journal": folder.join("journal") } } });
        if let Some(ca) = provider.ca() {
            config["trust"] = json!({ "ca": ca });
        }
        let built = artifact(&folder, &definition(&upstream.url()));
        let gateway = start(&built, Settings { config, tls, h2c: false });
        Self { provider, key, gateway, upstream, _folder: folder }
    }

    /// With `jwt` for these audiences.
    pub(crate) fn guarded(audiences: &[&str]) -> Self {
        Self::start(|provider, _| (json!({ "jwt": { "issuers": [issuer(provider, audiences, json!({}))] } }), None))
    }

    pub(crate) fn ask(&self, path: &str, token: &str) -> Response {
        self.gateway.send("GET", path, &[&format!("Authorization: Bearer {token}")], b"")
    }

    pub(crate) fn status(&self, path: &str, token: &str) -> u16 {
        self.ask(path, token).status()
    }

    /// The line of the access log about a request.
    pub(crate) fn line(&self, answer: &Response) -> Value {
        let id = answer.field("x-request-id").unwrap();
        until("a line of the access log", || self.gateway.log().into_iter().find(|line| line["request_id"] == id))
    }

    /// Asks with a token: the status, and of a refusal the logged reason.
    pub(crate) fn refusal(&self, path: &str, token: &str) -> (u16, String) {
        let answer = self.ask(path, token);
        let line = if answer.status() == 200 { Value::Null } else { self.line(&answer) };
        (answer.status(), line["reason"].as_str().unwrap_or_default().to_owned())
    }
}

fn the_issuers_document_alone_leads_to_its_keys<P: OpenId>() {
    let world = World::<P>::guarded(&[API]);
    let server = world.provider.server();
    let token = server.client_credentials(APP, "read", API);
    let answer = world.ask("/a/x", &token);
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let forged = SigningKey::new("ES256", "first").forge(&token);
    assert_eq!(world.refusal("/a/x", &forged), (401, "jwt.signature".into()));
    assert_eq!(world.upstream.count(), 1);
}

fn scopes_and_audience_count_as_the_provider_writes_them<P: OpenId>() {
    let world = World::<P>::guarded(&[API, "read", "read write"]);
    let server = world.provider.server();
    let tokens = |scope: &'static str| {
        let provider = &world.provider;
        [server.client_credentials(APP, scope, API), provider.log_in(scope).access()].map(|token| (scope, token))
    };
    for (scopes, token) in tokens("read").into_iter().chain(tokens("read write")) {
        let answer = world.ask("/a/read", &token);
        assert_eq!(answer.status(), 200, "{scopes}: {}", answer.text());
        let answer = world.ask("/a/write", &token);
        assert_eq!(answer.status(), if scopes == "read" { 403 } else { 200 }, "{scopes}: {}", answer.text());
        if scopes == "read" {
            assert_eq!(answer.field("www-authenticate"), Some("Bearer error=\"insufficient_scope\", scope=\"write\""));
        }
    }
    assert!(world.gateway.log_of(8).iter().all(|line| line["client_id"] == APP.id), "{:?}", world.gateway.log());
    assert_eq!(world.refusal("/a/read", &server.client_credentials(APP, "read", OTHER)), (401, "jwt.audience".into()));
    assert_eq!(world.upstream.count(), 6);
}

fn a_refreshed_token_passes_and_no_other_kind_of_token_does<P: OpenId>() {
    let world = World::<P>::guarded(&[API, "read"]);
    let server = world.provider.server();
    let first = world.provider.log_in("read");
    let second = server.refresh(APP, &first.named("refresh_token"));
    assert_ne!(first.access(), second.access());
    for tokens in [&first, &second] {
        assert_eq!(world.status("/a/read", &tokens.access()), 200);
    }
    assert_eq!(world.refusal("/a/x", &first.named("refresh_token")), (401, "jwt.opaque".into()));
    assert_eq!(world.upstream.count(), 2);
}

fn a_token_revoked_by_its_id_is_refused_at_once_and_its_successor_is_not<P: OpenId>() {
    let world = World::<P>::guarded(&[API, "read"]);
    let first = world.provider.log_in("read");
    let token = first.access();
    assert_eq!(world.status("/a/read", &token), 200);
    let revoked = json!({ "jti": claims(&token)["jti"] }).to_string();
    let receipt = client::send(world.gateway.ports.admin, "POST", "/revocations", &[], revoked.as_bytes());
    assert_eq!(receipt.status(), 200, "{}", receipt.text());
    assert_eq!(world.status("/a/read", &token), 401);
    let successor = world.provider.server().refresh(APP, &first.named("refresh_token"));
    assert_eq!(world.status("/a/read", &successor.access()), 200);
    assert_eq!(world.upstream.count(), 2);
}

fn a_document_of_another_issuer_opens_nothing_and_is_named<P: OpenId>() {
    let settings = |provider: &P, _: &Folder| {
        let other = format!("{}/", provider.server().issuer);
        (json!({ "jwt": { "issuers": [issuer(provider, &[API], json!({ "issuer": other }))] } }), None)
    };
    let world = World::<P>::launch(settings, Gateway::start_listening);
    let server = world.provider.server();
    let token = server.client_credentials(APP, "read", API);
    assert_eq!(world.refusal("/a/x", &token), (401, "jwt.unknown_issuer".into()));
    let meant = json!({ "iss": format!("{}/", server.issuer), "aud": API, "exp": 9_999_999_999_u64 });
    let answer = world.ask("/a/x", &world.key.token(&meant));
    assert_eq!((answer.status(), answer.field("retry-after").is_some()), (503, true), "{}", answer.text());
    let document = format!("{}/.well-known/openid-configuration cannot be used", server.discovery);
    let said = until("the document to be named", || Some(world.gateway.stderr()).filter(|said| said.contains(&document)));
    assert!(said.contains(&server.issuer), "{said}");
    assert_eq!(world.gateway.admin("/readyz").status(), 503);
    assert_eq!(world.upstream.count(), 0);
}

#[test]
fn an_id_token_opens_nothing_also_where_any_audience_does() {
    let world = World::<OidcProvider>::start(|provider, _| {
        (json!({ "jwt": { "issuers": [issuer(provider, &[], json!({ "any_audience": true }))] } }), None)
    });
    let tokens = world.provider.log_in("read");
    assert_eq!(world.status("/a/x", &tokens.access()), 200);
    assert_eq!(world.refusal("/a/x", &tokens.named("id_token")), (401, "jwt.type".into()));
    assert_eq!(world.upstream.count(), 1);
}

/// What a JWT says.
pub(crate) fn claims(token: &str) -> Value {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}
