//! What a definition demands of callers, end to end: alternatives, scopes, subscriptions, kinds of keys, transports; and what the
//! operator reads in the log about who was refused.

use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder, Gateway, Project, Response, Settings, Upstream,
    certificates::{Authority, Identity, connector},
    token::Issuer,
    until,
};

/// The definition; `ENDPOINT` is filled in. The tests look up its lines by what stands in them.
const SHOP: &str = r#"openapi: 3.1.0
info: { title: Shop, version: "1" }
x-wso2-basePath: /shop
x-wso2-production-endpoints: { urls: ["ENDPOINT"], type: http }
components:
  securitySchemes:
    oauth: { type: oauth2, flows: { clientCredentials: { tokenUrl: "https://issuer.example/token", scopes: { read: r, list: l, write: w } } } }
    certificate: { type: mutualTLS }
paths:
  /token:
    get: { security: [{ oauth: [] }], responses: { "200": { description: ok } } }
  /scoped:
    get:
      security:
        - oauth: [read, list]
      responses: { "200": { description: ok } }
  /either:
    get:
      security:
        - certificate: []
        - oauth: []
      responses: { "200": { description: ok } }
  /both:
    get:
      security:
        - { oauth: [], certificate: [] }
      responses: { "200": { description: ok } }
  /ways:
    get:
      security:
        - oauth: [read]
        - { oauth: [write], certificate: [] }
        - certificate: [admin]
      responses: { "200": { description: ok } }
  /maybe:
    get: { security: [{ oauth: [] }, {}], responses: { "200": { description: ok } } }
"#;

struct World {
    upstream: Upstream,
    gateway: Gateway,
    issuer: Issuer,
    authority: Authority,
    caller: Identity,
}

/// A gateway over the definition, with further settings, and settings of `authorize`.
fn world_of(text: &str, more: Value, authorize: Value) -> World {
    let (upstream, folder, issuer, authority) =
        (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"), Authority::new("root"));
    let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let client_auth = json!({ "mode": "optional", "ca": authority.write(&folder, "ca.pem") });
    let tls = json!({ "certificate": certificate, "key": key, "client_auth": client_auth });
    let jwt = json!({ "jwt": { "issuers": [issuer.config(&issuer.write(&folder, "issuer.pem"))] } });
    let mut config = json!({ "chain": [jwt, "mtls", { "authorize": authorize }] });
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    let project = Project::new().definition("shop.yaml", text.replace("ENDPOINT", &upstream.url()));
    let gateway = Gateway::start(&project.build(&[]), Settings { config, tls: Some(tls), h2c: false });
    let caller = authority.issue("caller", 9, &["caller.example"]);
    World { upstream, gateway, issuer, authority, caller }
}

fn world(authorize: Value) -> World {
    world_of(SHOP, json!({}), authorize)
}

impl World {
    /// Asks over TLS, with a token of these claims and perhaps a certificate.
    fn ask(&self, path: &str, claims: Option<Value>, certificate: bool) -> Response {
        let identity = certificate.then_some(&self.caller);
        let mut client = Client::tls(self.gateway.ports.tls, "localhost", &connector(&self.authority, identity, b"", None)).unwrap();
        let field = claims.map(|claims| format!("Authorization: Bearer {}", self.issuer.token(claims)));
        client.ask("GET", path, &field.iter().map(String::as_str).collect::<Vec<_>>(), b"").unwrap()
    }

    fn status(&self, path: &str, claims: Option<Value>, certificate: bool) -> u16 {
        self.ask(path, claims, certificate).status()
    }

    /// The line of the access log about a request that the gateway answered itself.
    fn line(&self, answer: &Response) -> Value {
        let id = answer.field("x-request-id").unwrap();
        until("a line of the access log", || self.gateway.log().into_iter().find(|line| line["request_id"] == id))
    }

    /// Asks with a token: the status, and of a refusal the logged reason and its code.
    fn reason(&self, path: &str, claims: Value) -> Value {
        let answer = self.ask(path, Some(claims), false);
        let line = if answer.status() == 200 { Value::Null } else { self.line(&answer) };
        json!([answer.status(), line["reason"], line["code"]])
    }
}

fn some(scope: &str) -> Option<Value> {
    Some(json!({ "scope": scope }))
}

/// `file:line` of the first line that holds `text`, after the path.
fn line_of(path: &str, text: &str) -> String {
    let lines: Vec<&str> = SHOP.lines().collect();
    let begin = lines.iter().position(|line| line.trim() == format!("{path}:")).unwrap();
    let at = lines[begin..].iter().position(|line| line.contains(text)).unwrap();
    format!("api_definitions/shop.yaml:{}", begin + at + 1)
}

#[test]
fn one_of_the_requirements_is_enough_and_within_one_all_are_needed() {
    let world = world(json!({}));
    let cases = [
        ("/shop/either", None, false, 401),
        ("/shop/either", None, true, 200),
        ("/shop/either", some(""), false, 200),
        ("/shop/either", some(""), true, 200),
        ("/shop/both", None, false, 401),
        ("/shop/both", None, true, 401),
        ("/shop/both", some(""), false, 401),
        ("/shop/both", some(""), true, 200),
        ("/shop/maybe", None, false, 200),
        ("/shop/maybe", some(""), false, 200),
        ("/shop/maybe", Some(json!({ "exp": 1 })), false, 401),
    ];
    for (path, token, certificate, status) in &cases {
        assert_eq!(world.status(path, token.clone(), *certificate), *status, "{path} {token:?} {certificate}");
    }
    assert_eq!(world.upstream.count(), cases.iter().filter(|(.., status)| *status == 200).count());
}

#[test]
fn a_token_beside_the_certificate_that_let_the_caller_in_goes_no_further() {
    let world = world(json!({}));
    assert_eq!(world.status("/shop/either", Some(json!({ "exp": 1 })), true), 200);
    assert_eq!(world.upstream.only().field("authorization"), None);
}

#[test]
fn each_scheme_is_enough_when_the_operator_says_so() {
    let world = world_of(SHOP, json!({ "security": { "requirements": "any" } }), json!({ "scopes": "any" }));
    assert_eq!(world.status("/shop/either", some(""), false), 200);
    // A certificate beside another credential stays needed.
    assert_eq!(world.status("/shop/both", some(""), false), 401);
    assert_eq!(world.status("/shop/both", some(""), true), 200);
    assert_eq!(world.status("/shop/scoped", some("list"), false), 200);
    assert_eq!(world.status("/shop/scoped", some("write"), false), 403);
}

#[test]
fn a_missing_scope_is_named_in_the_challenge_and_not_in_the_body() {
    let world = world(json!({}));
    assert_eq!(world.status("/shop/scoped", some("list read other"), false), 200);
    for scope in ["", "read", "list", "readlist", "READ LIST", "read,list"] {
        let answer = world.ask("/shop/scoped", some(scope), false);
        assert_eq!(answer.status(), 403, "{scope}: {}", answer.text());
        assert_eq!(answer.field("www-authenticate"), Some("Bearer error=\"insufficient_scope\", scope=\"read list\""));
        let body: Value = serde_json::from_str(&answer.text()).unwrap();
        assert_eq!((&body["reason"], &body["code"]), (&"authorize.scope".into(), &900_910.into()));
        assert!(!answer.text().contains("list"), "{}", answer.text());
    }
    assert_eq!(world.upstream.count(), 1);
}

#[test]
fn one_scope_is_enough_when_the_operator_says_so() {
    let world = world(json!({ "scopes": "any" }));
    assert_eq!(world.status("/shop/scoped", some("list"), false), 200);
    assert_eq!(world.status("/shop/scoped", some("write"), false), 403);
}

#[test]
fn a_token_that_is_not_enough_alone_may_be_with_a_certificate() {
    let world = world(json!({}));
    assert_eq!(world.status("/shop/ways", some("read"), false), 200);
    assert_eq!(world.status("/shop/ways", some("read"), true), 200);
    assert_eq!(world.status("/shop/ways", some("write"), true), 200);
    assert_eq!(world.status("/shop/ways", some("write"), false), 403);
    assert_eq!(world.status("/shop/ways", some(""), true), 403);
    assert_eq!(world.upstream.count(), 3);
}

#[test]
fn a_subscription_counts_in_every_state() {
    let world = world(json!({}));
    let subscribed = |name: &str, version: &str, state: Value| {
        let mut one = json!({ "name": name, "version": version, "subscriptionTier": "Gold" });
        if !state.is_null() {
            one["state"] = state;
        }
        json!({ "subscribedAPIs": [{ "name": "Other", "version": "1" }, one] })
    };
    let sandbox = |mut claims: Value| {
        claims["keytype"] = "SANDBOX".into();
        claims
    };
    let passes = json!([200, null, null]);
    let (none, hold, blocked) = (
        json!([403, "authorize.subscription", 900_908]),
        json!([401, "authorize.inactive", 900_909]),
        json!([401, "authorize.blocked", 900_907]),
    );
    let cases = [
        (json!({}), &passes),
        (subscribed("Shop", "1", json!(null)), &passes),
        (subscribed("Shop", "*", json!("UNBLOCKED")), &passes),
        (subscribed("Shop", "2", json!("UNBLOCKED")), &none),
        (subscribed("shop", "1", json!("UNBLOCKED")), &none),
        (json!({ "subscribedAPIs": [] }), &none),
        (json!({ "subscribedAPIs": "Shop" }), &none),
        (json!({ "subscribedAPIs": [["Shop", "1"]] }), &none),
        (subscribed("Shop", "1", json!("ON_HOLD")), &hold),
        (subscribed("Shop", "1", json!("REJECTED")), &hold),
        (subscribed("Shop", "1", json!(7)), &hold),
        (subscribed("Shop", "1", json!("BLOCKED")), &blocked),
        (subscribed("Shop", "1", json!("PROD_ONLY_BLOCKED")), &blocked),
        (sandbox(subscribed("Shop", "1", json!("BLOCKED"))), &blocked),
        // It gets past the subscription, and there is no sandbox.
        (sandbox(subscribed("Shop", "1", json!("PROD_ONLY_BLOCKED"))), &json!([403, "endpoint.none", 900_901])),
    ];
    for (claims, expected) in cases {
        assert_eq!(&world.reason("/shop/token", claims.clone()), expected, "{claims}");
    }
    assert_eq!(world.upstream.count(), 3);
}

#[test]
fn a_subscription_can_be_demanded_or_left_alone() {
    let (demanded, ignored) = (world(json!({ "subscriptions": "required" })), world(json!({ "subscriptions": "off" })));
    assert_eq!(demanded.reason("/shop/token", json!({}))[1], "authorize.subscription");
    let other = json!({ "subscribedAPIs": [{ "name": "Other", "version": "1" }] });
    assert_eq!(ignored.reason("/shop/token", other)[0], 200);
}

#[test]
fn a_token_for_the_sandbox_reaches_no_production_behind_a_certificate_that_is_asked_for_first() {
    let text = SHOP.replace("{ oauth: [], certificate: [] }", "{ certificate: [], oauth: [] }");
    let world = world_of(&text, json!({}), json!({ "key_types": ["sandbox"] }));
    let answer = world.ask("/shop/both", Some(json!({ "keytype": "SANDBOX" })), true);
    assert_eq!((answer.status(), &world.line(&answer)["reason"]), (403, &"endpoint.none".into()));
    let answer = world.ask("/shop/both", Some(json!({})), true);
    assert_eq!((answer.status(), &world.line(&answer)["reason"]), (403, &"authorize.key_type".into()));
    assert_eq!(world.upstream.count(), 0);
}

#[test]
fn a_key_of_the_wrong_kind_is_refused() {
    let world = world(json!({ "key_types": ["sandbox"] }));
    assert_eq!(world.reason("/shop/token", json!({ "keytype": "PRODUCTION" })), json!([403, "authorize.key_type", 900_905]));
    assert_eq!(world.reason("/shop/token", json!({}))[1], "authorize.key_type");
    assert_eq!(world.reason("/shop/token", json!({ "keytype": "SANDBOX" }))[1], "endpoint.none");
    assert_eq!(world.upstream.count(), 0);
}

#[test]
fn the_log_says_which_alternative_failed_how_and_which_line_asked_for_it() {
    let world = world(json!({}));
    let answer = world.ask("/shop/ways", some("write"), false);
    let line = world.line(&answer);
    let (token, both, alone) = (line_of("/ways", "[read]"), line_of("/ways", "[write]"), line_of("/ways", "[admin]"));
    assert_eq!((&line["reason"], &line["code"]), (&"authorize.scope".into(), &900_910.into()));
    let tried = |credentials: Value, by: &str, reason: &str, asked_by: &str| {
        let tried = line["alternatives"].as_array().unwrap().iter();
        let mut found = tried.filter(|one| one["credentials"] == credentials && one["refused_by"] == by && one["reason"] == reason);
        let one = found.next().unwrap_or_else(|| panic!("{credentials} {by} {reason}: {line}"));
        assert!(one["asked_by"].as_str().unwrap().contains(asked_by), "{one}");
    };
    tried(json!(["jwt"]), "authorize", "authorize.scope", "api_definitions/shop.yaml:");
    tried(json!(["jwt", "mtls"]), "mtls", "mtls.missing", &both);
    tried(json!(["mtls"]), "mtls", "mtls.missing", &alone);
    assert!(line["detail"].as_str().unwrap().contains(&token), "{line}");
    for told in ["shop.yaml", "alternatives", "mtls", "admin"] {
        assert!(!answer.text().contains(told), "{}", answer.text());
    }
}

/// The line to which an `asked_by` leads, or one that stands so far from it.
fn line_at(asked_by: &Value, further: i64) -> String {
    let (file, line) = asked_by.as_str().unwrap().rsplit_once(':').unwrap();
    let at = usize::try_from(line.parse::<i64>().unwrap() + further - 1).unwrap();
    std::fs::read_to_string(file).unwrap().lines().nth(at).unwrap().trim().to_owned()
}

#[test]
fn the_log_names_the_line_of_the_setting_that_decides() {
    let world = world_of(SHOP, json!({ "limits": { "header_fields": 20 } }), json!({ "key_types": ["sandbox"] }));
    let kind = world.line(&world.ask("/shop/token", Some(json!({})), false));
    assert_eq!(line_at(&kind["asked_by"], 0), "\"key_types\": [", "{kind}");
    assert_eq!(kind["detail"], "kind of key is not allowed; seen production (setting /key_types)");
    let fields: Vec<String> = (0..30).map(|n| format!("X-{n}: {n}")).collect();
    let many = world.gateway.send("GET", "/shop/token", &fields.iter().map(String::as_str).collect::<Vec<_>>(), b"");
    let line = world.line(&many);
    assert_eq!((&line["reason"], &line["cause"]), (&"limit.header_fields".into(), &"over_limit".into()));
    assert_eq!(line_at(&line["asked_by"], 0), "\"header_fields\": 20", "{line}");
}

#[test]
fn the_log_explains_a_missing_and_a_bad_credential_too() {
    let world = world(json!({}));
    let missing = world.line(&world.ask("/shop/either", None, false));
    let reasons: Vec<&Value> = missing["alternatives"].as_array().unwrap().iter().map(|one| &one["reason"]).collect();
    assert_eq!(reasons, ["mtls.missing", "jwt.missing"], "{missing}");
    let bad = world.line(&world.ask("/shop/token", Some(json!({ "exp": 1 })), false));
    let note = "claim `exp` is not valid at this time; seen 1, wanted a time after the request's (setting /issuers/0/clock_skew)";
    let expected = json!([{
        "credentials": ["jwt"], "refused_by": "jwt", "reason": "jwt.expired", "code": 900_901, "cause": "time",
        "asked_by": bad["asked_by"], "note": note,
    }]);
    assert_eq!((&bad["cause"], &bad["detail"]), (&"time".into(), &note.into()));
    assert_eq!(bad["alternatives"], expected);
    // Nobody wrote `clock_skew`; its issuer stands here.
    assert_eq!(line_at(&bad["asked_by"], -1), "\"issuers\": [");
    assert_eq!(world.status("/shop/token", some(""), false), 200);
    let good = until("the line of the request that passed", || world.gateway.log().into_iter().find(|line| line["status"] == 200));
    assert!(good["alternatives"].is_null() && good["asked_by"].is_null(), "{good}");
}

#[test]
fn scopes_that_nobody_would_compare_keep_the_gateway_from_starting() {
    let folder = Folder::new();
    let issuer = Issuer::new("https://issuer.example");
    let jwt = json!({ "jwt": { "issuers": [issuer.config(&issuer.write(&folder, "issuer.pem"))] } });
    let config = json!({ "listeners": [{ "address": "127.0.0.1:0" }], "chain": [jwt, { "mtls": {} }], "waive": ["mtls"] });
    let config = folder.write("gateway.yaml", config.to_string());
    let project = Project::new().definition("shop.yaml", SHOP.replace("ENDPOINT", "http://127.0.0.1:1"));
    let artifact = project.build(&[]);
    let ran = tollgate_tests::tollgate(["run".as_ref(), artifact.as_os_str(), "--config".as_ref(), config.as_os_str()]);
    assert!(ran.code != 0 && ran.stderr.contains("`authorize`") && ran.stderr.contains(&line_of("/scoped", "oauth")), "{}", ran.stderr);
}

#[test]
fn an_api_for_https_only_is_not_there_without_it() {
    let text = SHOP.replace("x-wso2-basePath: /shop", "x-wso2-basePath: /shop\nx-wso2-transports: [https]");
    let world = world_of(&text, json!({}), json!({}));
    let token = format!("Authorization: Bearer {}", world.issuer.token(json!({})));
    let answer = world.gateway.send("GET", "/shop/token", &[&token], b"");
    assert_eq!((answer.status(), &world.line(&answer)["reason"]), (404, &"route.not_found".into()));
    assert_eq!(world.upstream.count(), 0);
    assert_eq!(world.status("/shop/token", some(""), false), 200);
}
