//! In place of the reference product: its definitions, its tokens, its codes and bodies, under the example configuration for it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use openssl::{
    hash::MessageDigest,
    pkey::{PKey, Private},
    rsa::Rsa,
    sign::Signer,
};
use serde_json::{Value, json};
use tollgate_document::{Document, Limits};
use tollgate_tests::{
    Client, Folder, Gateway, Project, Response, Settings, Upstream,
    certificates::{Authority, connector},
    forms::Form,
    shared_cases,
    token::now,
    tollgate,
};

use crate::corpus::{FOREIGN_CODE, definitions, encoded, sample};

const ISSUER: &str = "https://localhost:9443/oauth2/token";

/// Tiers, which would refuse requests that are about tokens.
const NOT_ABOUT_TOKENS: [&str; 1] = ["throttle"];

const MISSING: &str = r#"{"fault":{"code":900902, "message":"Missing Credentials", "description":"Missing Credentials. Make sure your API invocation call has a header: \"HEADER\""}}"#;
const INVALID: &str = r#"{"fault":{"code":900901, "message":"Invalid Credentials", "description":"Invalid Credentials. Make sure you have given the correct access token"}}"#;
const SCOPE: &str = r#"{"fault":{"code":900910, "message":"The access token does not allow you to access the requested resource", "description":"The access token does not allow you to access the requested resource"}}"#;
const WRONG_PASSWORD: &str = r#"{"fault":{"code":900911, "message":"Invalid Credentials", "description":"Invalid Credentials. Make sure you have given the correct username and password"}}"#;
const NO_COLON: &str = r#"{"fault":{"code":900912, "message":"Invalid Format", "description":"Invalid Format. Make sure you have given the credentials in correct format with \":\" character"}}"#;
const FORBIDDEN: &str = r#"{"fault":{"code":900908, "message":"Resource forbidden ", "description":"Resource forbidden "}}"#;

const THROTTLED: &str = r#"{"fault":{"code":900800, "message":"Message throttled out", "description":"You have exceeded your quota"}}"#;

/// The reference product's key manager: RS256, segments of base64url with padding, `iat` in milliseconds.
struct KeyManager(PKey<Private>);

impl KeyManager {
    fn new() -> Self {
        Self(PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap())
    }

    fn certificate(&self) -> Vec<u8> {
        Form::plain("localhost").key(self.0.clone()).self_signed().certificate.to_pem().unwrap()
    }

    /// A token as its tests make them, with further claims.
    fn token(&self, api: &Api, more: Value) -> String {
        let mut claims = json!({
            "sub": "admin@carbon.super", "iss": ISSUER, "aud": "http://org.wso2.apimgt/gateway", "jti": "6f2a", "keytype": "PRODUCTION",
            "iat": now() * 1000, "exp": now() + 3600, "consumerKey": "xvzf",
            "application": { "id": 1, "name": "jwtApp", "tier": "Unlimited", "owner": "admin" },
            "subscribedAPIs": [{ "name": api.name, "version": api.version, "context": api.base, "publisher": "admin", "subscriptionTier": "Unlimited", "subscriberTenantDomain": "carbon.super" }],
        });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let input = format!("{}.{}", URL_SAFE.encode(r#"{"alg":"RS256","typ":"JWT"}"#), URL_SAFE.encode(claims.to_string()));
        let mut signer = Signer::new(MessageDigest::sha256(), &self.0).unwrap();
        signer.update(input.as_bytes()).unwrap();
        let token = format!("{input}.{}", URL_SAFE.encode(signer.sign_to_vec().unwrap()));
        assert!(token.contains('='), "a token of the reference product is padded");
        token
    }
}

/// One API of the running plan.
struct Api {
    name: String,
    version: String,
    base: String,
    header: String,
    secure: bool,
    operations: Vec<Value>,
}

struct World {
    upstream: Upstream,
    manager: KeyManager,
    stranger: KeyManager,
    authority: Authority,
    folder: Folder,
    config: Value,
    tls: Value,
}

impl World {
    /// The example configuration, with the files it names made here.
    fn new() -> Self {
        let (upstream, folder, authority) = (Upstream::start(), Folder::new(), Authority::new("root"));
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conf/wso2.yaml");
        let text = fs::read_to_string(example).unwrap().replace("/run/secrets", &folder.path().display().to_string());
        folder.write("admin.hash", password_hash());
        let document = Document::parse("wso2.yaml", text.as_bytes(), &Limits::default()).unwrap();
        let mut config = document.value();
        let tls = config["listeners"].take()[1]["tls"].clone();
        config["endpoints"] = json!({ "*": { "production": [upstream.url()], "sandbox": [upstream.url()] } });
        config["waive_to_open"] = json!(NOT_ABOUT_TOKENS);
        Self { upstream, manager: KeyManager::new(), stranger: KeyManager::new(), authority, folder, config, tls }
    }

    /// With credentials for upstreams that ask for some.
    fn with_upstream_credentials(mut self) -> Self {
        let password = format!("${{file:{}}}", self.folder.write("password", "secret").display());
        self.config["endpoints"]["*"]["basic"] = json!({ "username": "u", "password": password });
        self
    }

    fn serve(&self, artifact: &Path) -> Gateway {
        let folder = Folder::new();
        let (certificate, key) = self.authority.issue("gateway", 2, &["localhost"]).write(&self.folder, "gateway");
        for (name, content) in [
            ("server.pem", fs::read(certificate).unwrap()),
            ("server.key", fs::read(key).unwrap()),
            ("clients.pem", fs::read(self.authority.write(&self.folder, "ca.pem")).unwrap()),
            ("token-issuer.pem", self.manager.certificate()),
            ("key-issuer.pem", self.manager.certificate()),
        ] {
            folder.write(format!("certs/{name}"), content);
        }
        Gateway::start_in(folder, artifact, Settings { config: self.config.clone(), tls: Some(self.tls.clone()), h2c: false })
    }

    /// Asks for every operation in every way; the differences come back, and how many operations ask for a token.
    fn judge(&self, gateway: &Gateway) -> (Vec<String>, usize) {
        let mut secure = Client::tls(gateway.ports.tls, "localhost", &connector(&self.authority, None, b"", None)).unwrap();
        let mut plain = gateway.connect();
        let (mut wrong, mut closed) = (Vec::new(), 0);
        for api in apis(gateway) {
            let client = if api.secure { &mut secure } else { &mut plain };
            for operation in &api.operations {
                let cases = self.cases(&api, operation);
                closed += usize::from(cases.len() > 1);
                for (what, fields, query, expected) in cases {
                    let (method, template) = (operation["method"].as_str().unwrap(), operation["template"].as_str().unwrap());
                    let target = format!("{}{query}", encoded(&format!("{}{}", api.base, sample(template))));
                    let field: Vec<&str> = fields.iter().map(String::as_str).collect();
                    let before = self.upstream.count();
                    let answer = client.ask(method, &target, &field, b"").unwrap_or_else(|error| panic!("{method} {target}: {error}"));
                    let arrived = self.upstream.count() - before;
                    if let Some(difference) = different(&answer, method, arrived, expected.as_deref()) {
                        wrong.push(format!("{method} {target}, {what}: {difference}"));
                    }
                }
            }
        }
        (wrong, closed)
    }

    /// What is sent, and the body of the refusal; `None` for a request that passes.
    fn cases(&self, api: &Api, operation: &Value) -> Vec<Case> {
        let asked = credentials(operation);
        if asked.is_empty() {
            return vec![("open to everybody", vec![], String::new(), None)];
        }
        let scopes = scopes(&asked);
        let mut cases = vec![("no credential", vec![], String::new(), Some(MISSING.replace("HEADER", &api.header)))];
        if asked.iter().any(|credential| credential["filter"] == "jwt") {
            cases.extend(self.tokens(api, &scopes));
        }
        if asked.iter().any(|credential| credential["filter"] == "basic_auth") {
            cases.extend(passwords(api, &scopes));
        }
        for credential in asked.iter().filter(|credential| credential["filter"] == "api_key") {
            cases.extend(self.keys(api, &credential["declared"]));
        }
        cases
    }

    fn tokens(&self, api: &Api, scopes: &[String]) -> Vec<Case> {
        let refused = |body: &str| Some(body.to_owned());
        let all = self.manager.token(api, json!({ "scope": scopes.join(" ") }));
        let (head, signature) = all.rsplit_once('.').unwrap();
        let elsewhere = json!([{ "name": "another", "version": "1" }]);
        let mut cases = vec![
            ("a good token", all.clone(), None),
            ("another key's", self.stranger.token(api, json!({ "scope": scopes.join(" ") })), refused(INVALID)),
            ("another issuer's", self.manager.token(api, json!({ "iss": "https://evil.example" })), refused(INVALID)),
            ("expired", self.manager.token(api, json!({ "iat": (now() - 7200) * 1000, "exp": now() - 3600 })), refused(INVALID)),
            ("a cut signature", format!("{head}.{}", &signature[4..]), refused(INVALID)),
            ("no token at all", "a.b.c".to_owned(), refused(INVALID)),
            (
                "not subscribed",
                self.manager.token(api, json!({ "scope": scopes.join(" "), "subscribedAPIs": elsewhere })),
                refused(FORBIDDEN),
            ),
        ];
        for scope in scopes {
            cases.push(("one of the scopes", self.manager.token(api, json!({ "scope": scope })), None));
        }
        if !scopes.is_empty() {
            cases.push(("no scope", self.manager.token(api, json!({})), refused(SCOPE)));
            cases.push(("another scope", self.manager.token(api, json!({ "scope": "unheard_of" })), refused(SCOPE)));
        }
        let sent = |(what, token, expected)| (what, vec![format!("{}: Bearer {token}", api.header)], String::new(), expected);
        cases.into_iter().map(sent).collect()
    }

    /// Keys that its own issuer made, in a header or the query.
    fn keys(&self, api: &Api, settings: &Value) -> Vec<Case> {
        let name = settings["name"].as_str().unwrap();
        let sent = |key: String| match settings["in"].as_str().unwrap() {
            "header" => (vec![format!("{name}: {key}")], String::new()),
            _ => (vec![], format!("?{name}={key}")),
        };
        let issuer = "https://localhost:9095/apikey";
        let claims = json!({ "iss": issuer, "iat": now(), "consumerKey": "x", "allowedAPIs": [{ "name": api.name, "version": "*" }] });
        let key = |manager: &KeyManager| manager.token(api, claims.clone());
        let cases = [("a good key", key(&self.manager), None), ("another's key", key(&self.stranger), Some(INVALID.to_owned()))];
        let case = |(what, key, expected)| {
            let (fields, query) = sent(key);
            (what, fields, query, expected)
        };
        cases.into_iter().map(case).collect()
    }
}

/// What it is, the fields and the query that are sent, and the body of the refusal.
type Case = (&'static str, Vec<String>, String, Option<String>);

fn password_hash() -> String {
    let digest: String = openssl::sha::sha256(b"right").iter().map(|byte| format!("{byte:02X}")).collect();
    format!("@sha256:{{{digest}}}")
}

/// The user of the example configuration, who has no scopes.
fn passwords(api: &Api, scopes: &[String]) -> Vec<Case> {
    let sent = |text: &str| vec![format!("{}: Basic {}", api.header, STANDARD.encode(text))];
    let good = if scopes.is_empty() { None } else { Some(SCOPE.to_owned()) };
    vec![
        ("a user", sent("admin:right"), String::new(), good),
        ("a wrong password", sent("admin:wrong"), String::new(), Some(WRONG_PASSWORD.to_owned())),
        ("nobody's name", sent("eve:right"), String::new(), Some(WRONG_PASSWORD.to_owned())),
        ("no colon", sent("admin"), String::new(), Some(NO_COLON.to_owned())),
    ]
}

/// The credentials of which one is enough; none where it is open.
fn credentials(operation: &Value) -> Vec<Value> {
    let alternatives = operation["security"]["alternatives"].as_array().unwrap();
    let of = |alternative: &Value| alternative["credentials"].as_array().unwrap().clone();
    if alternatives.iter().any(|alternative| of(alternative).is_empty()) {
        return Vec::new();
    }
    let enforced = |credential: &Value| ["jwt", "basic_auth", "api_key"].iter().any(|filter| credential["filter"] == *filter);
    alternatives.iter().flat_map(of).filter(enforced).collect()
}

/// The scopes of which a caller needs one.
fn scopes(asked: &[Value]) -> Vec<String> {
    let mut scopes: Vec<String> = asked
        .iter()
        .flat_map(|credential| credential["scopes"].as_array().unwrap())
        .map(|scope| scope.as_str().unwrap().to_owned())
        .collect();
    scopes.sort();
    scopes.dedup();
    scopes
}

/// What of an answer is not as it should be.
fn different(answer: &Response, method: &str, arrived: usize, expected: Option<&str>) -> Option<String> {
    let status = match expected {
        None => 200,
        Some(SCOPE | FORBIDDEN) => 403,
        Some(_) => 401,
    };
    let body = expected.filter(|_| method != "HEAD").is_none_or(|body| answer.text() == body);
    let as_expected = answer.status() == status && arrived == usize::from(expected.is_none()) && body;
    (!as_expected)
        .then(|| format!("{} {}, {arrived} arrived; expected {status} {}", answer.status(), answer.text(), expected.unwrap_or("to pass")))
}

/// The operations that reach an upstream, of each API.
fn apis(gateway: &Gateway) -> Vec<Api> {
    let plan: Value = serde_json::from_slice(&gateway.admin("/plan").body).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let read = |api: &Value| Api {
        name: text(&api["title"]),
        version: text(&api["version"]),
        base: text(&api["base_path"]).trim_end_matches('/').to_owned(),
        header: api["auth_header"].as_str().unwrap_or("Authorization").to_owned(),
        secure: api["transports"]["https"] == true,
        operations: api["operations"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|operation| operation["target"]["options"].is_null())
            .cloned()
            .collect(),
    };
    plan["apis"].as_array().unwrap().iter().map(read).collect()
}

/// A definition with all that the reference product knows of tokens.
const PETS: &str = r#"openapi: 3.0.1
info: { title: Pets, version: 1.0.0 }
x-wso2-basePath: /pets/v1
x-wso2-production-endpoints: { urls: ["ENDPOINT"], type: http }
security:
  - OAuth2: [read]
components:
  securitySchemes:
    OAuth2:
      type: oauth2
      flows:
        authorizationCode:
          authorizationUrl: https://example.com/oauth/authorize
          tokenUrl: https://example.com/oauth/token
          scopes: { read: r, write: w, admin: a }
paths:
  /pet:
    get: { responses: { "200": { description: the scope of the API } } }
    post:
      security: [{ OAuth2: [write, admin] }]
      responses: { "200": { description: one of its own scopes } }
    head: { security: [{ OAuth2: [] }], responses: { "200": { description: no scope } } }
  /pet/{id}:
    get:
      x-wso2-application-security: { security-types: [oauth2] }
      responses: { "200": { description: by the extension } }
    delete:
      x-wso2-disable-security: true
      responses: { "200": { description: open } }
    put:
      security: [{ OAuth2: [write] }, { OAuth2: [admin] }]
      responses: { "200": { description: one of the requirements } }
  /store:
    get: { x-auth-type: None, responses: { "200": { description: open } } }
    put: { x-wso2-disable-security: false, responses: { "200": { description: closed } } }
"#;

/// Another, which has its tokens in a header of its own and declares nothing.
const OWN_HEADER: &str = r#"swagger: "2.0"
info: { title: Orders, version: "2" }
basePath: /orders
x-wso2-auth-header: X-API-Token
x-wso2-production-endpoints: { urls: ["ENDPOINT"], type: http }
paths:
  /:
    get: { responses: { "200": { description: closed } } }
    post: { x-scope: "write,admin", responses: { "200": { description: closed, with scopes } } }
"#;

#[test]
fn its_tokens_codes_and_bodies_hold_for_every_way_to_ask_for_a_token() {
    let world = World::new();
    let endpoint = world.upstream.url();
    let project = Project::new()
        .definition("pets.yaml", PETS.replace("ENDPOINT", &endpoint))
        .definition("orders.yaml", OWN_HEADER.replace("ENDPOINT", &endpoint));
    let (wrong, closed) = world.judge(&world.serve(&project.build(&[])));
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(closed, 8);
}

#[test]
fn with_a_header_of_its_own_the_usual_one_is_the_upstreams() {
    let world = World::new();
    let project = Project::new().definition("orders.yaml", OWN_HEADER.replace("ENDPOINT", &world.upstream.url()));
    let gateway = world.serve(&project.build(&[]));
    let api = apis(&gateway).remove(0);
    let token = format!("X-API-Token: Bearer {}", world.manager.token(&api, json!({})));
    let answer = gateway.send("GET", "/orders/", &[&token, "Authorization: Bearer the-upstreams"], b"");
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let received = world.upstream.only();
    assert_eq!((received.field("authorization"), received.field("x-api-token")), (Some("Bearer the-upstreams"), None));
}

#[test]
fn its_own_definitions_ask_for_tokens_as_it_did() {
    let Some(folder) = shared_cases("12-wso2") else { return };
    let mut files = Vec::new();
    definitions(&folder, &mut files);
    let world = World::new().with_upstream_credentials();
    let (mut wrong, mut closed) = (Vec::new(), 0);
    for (number, file) in files.iter().enumerate() {
        match build(&world, file, number) {
            Err(said) => wrong.push(format!("{}: {said}", file.display())),
            Ok(artifact) => {
                let (different, count) = world.judge(&world.serve(&artifact));
                closed += count;
                wrong.extend(different.into_iter().map(|one| format!("{}: {one}", file.display())));
            }
        }
    }
    println!("{} definitions, {closed} operations that ask for a token", files.len());
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(closed >= 100, "only {closed} operations ask for a token");
}

#[test]
fn its_tiers_are_enforced_without_a_waiver_with_its_codes_and_bodies() {
    let Some(folder) = shared_cases("12-wso2") else { return };
    let mut files = Vec::new();
    definitions(&folder.join("tests"), &mut files);
    files.retain(|file| fs::read_to_string(file).unwrap().contains("x-wso2-throttling-tier: 15PerMin"));
    let mut world = World::new().with_upstream_credentials();
    world.config["waive_to_open"] = json!([]);
    for (number, file) in files.iter().enumerate() {
        let artifact = build(&world, file, number).unwrap_or_else(|said| panic!("{}: {said}", file.display()));
        let gateway = world.serve(&artifact);
        let mut client = Client::tls(gateway.ports.tls, "localhost", &connector(&world.authority, None, b"", None)).unwrap();
        let api = apis(&gateway).remove(0);
        let by_token = |operation: &&Value| credentials(operation).first().is_some_and(|credential| credential["filter"] == "jwt");
        let operation = api.operations.iter().find(by_token).unwrap();
        let (method, template) = (operation["method"].as_str().unwrap(), operation["template"].as_str().unwrap());
        let token = world.manager.token(&api, json!({ "scope": scopes(&credentials(operation)).join(" ") }));
        let token = format!("{}: Bearer {token}", api.header);
        let target = encoded(&format!("{}{}", api.base, sample(template)));
        let mut ask = || client.ask(method, &target, &[&token], b"").unwrap();
        // More than 15 pass when a minute ends meanwhile.
        let (passed, refused) = (0..).map(|passed| (passed, ask())).find(|(_, answer)| answer.status() != 200).unwrap();
        assert!((15..=30).contains(&passed), "{}: {passed} passed", file.display());
        assert_eq!((refused.status(), refused.text().as_str()), (429, THROTTLED), "{}", file.display());
    }
    assert!(files.len() >= 6, "only {} definitions have a tier", files.len());
}

/// One definition with the policies that belong to it.
fn build(world: &World, definition: &Path, number: usize) -> Result<PathBuf, String> {
    let mut project = Project::new().definition(&definition.file_name().unwrap().to_string_lossy(), fs::read(definition).unwrap());
    let own = definition.ancestors().map(|folder| folder.join("policies.yaml")).find(|path| path.is_file());
    let shipped = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/cli/templates/policies.yaml");
    project = project.file("policies.yaml", fs::read(own.unwrap_or_else(shipped)).unwrap());
    let artifact = world.folder.join(format!("{number}.toll"));
    let (path, endpoint) = (project.path(), world.upstream.url());
    let fixed = ["build".as_ref(), path.as_os_str(), "-o".as_ref(), artifact.as_os_str()];
    let more = ["--waive", FOREIGN_CODE, "--endpoint", endpoint.as_str()];
    let ran = tollgate(fixed.into_iter().chain(more.iter().map(AsRef::as_ref)));
    if ran.code == 0 { Ok(artifact) } else { Err(ran.stderr) }
}
