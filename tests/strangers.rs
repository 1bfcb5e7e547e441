//! Fields that only a proxy can know the value of, and the way of a request: what a stranger says of them reaches no upstream.

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Reply, Settings, Upstream,
    client::Client,
    h2::{H2, Outcome},
    message::Message,
    ports::free_port,
    project::{artifact, everything, open_api, operation},
    token::Issuer,
    tollgate,
};

/// Fields of each kind; upstreams believe one or the other of them.
const FORGED: [&str; 44] = [
    "X-Forwarded-Prefix",
    "X-Forwarded-Scheme",
    "X-Forwarded-Ssl",
    "X-Forwarded-Server",
    "X-Forwarded-Uri",
    "X-Forwarded-Path",
    "X-Forwarded-Method",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Port",
    "X-Forwarded-Tls-Client-Cert",
    "X-Forwarded-Tls-Client-Cert-Info",
    "X-Forwarded",
    "Forwarded",
    "Forwarded-For",
    "X-Real-IP",
    "True-Client-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
    "X-ProxyUser-IP",
    "WL-Proxy-Client-IP",
    "X-Original-URL",
    "X-Original-Host",
    "X-Original-Forwarded-For",
    "X-Rewrite-URL",
    "X-Override-URL",
    "X-Envoy-External-Address",
    "X-Envoy-Original-Path",
    "X-Envoy-Retry-On",
    "X-SSL-Client-Verify",
    "X-SSL-Client-Cert",
    "SSL-Client-S-DN",
    "X-Client-Cert",
    "X-ARR-ClientCert",
    "Client-Cert",
    "Client-Cert-Chain",
    "Front-End-Https",
    "X-Url-Scheme",
    "X-Scheme",
    "X-Auth-Request-User",
    "Proxy",
];

/// Members of which another spelling is refused, so that it reaches nobody either.
const REFUSED: [&str; 6] = ["X-Forwarded-Port", "X-Real-IP", "X-Original-URL", "X-Rewrite-URL", "X-Override-URL", "Forwarded"];

fn gateway(upstream: &Upstream, config: Value) -> Gateway {
    Gateway::over(&upstream.url(), Settings { h2c: true, ..Settings::of(config) })
}

fn over_h2(gateway: &Gateway, fields: &[(&str, &str)]) -> Outcome {
    let mut client = H2::start(Client::connect(gateway.ports.h2c)).unwrap();
    client.get(1, "/h2", fields).unwrap();
    client.outcome(1)
}

/// Names of the fields that arrived.
fn names(message: &Message) -> Vec<String> {
    message.fields.iter().map(|(name, _)| name.to_ascii_lowercase()).collect()
}

fn is_clean(message: &Message) {
    assert!(!String::from_utf8_lossy(&message.head).contains("forged"), "{message:?}");
}

#[test]
fn from_a_stranger_no_field_of_a_forwarding_family_reaches_an_upstream_over_either_protocol() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, json!({}));
    let fields: Vec<String> = FORGED.iter().map(|name| format!("{name}: forged")).collect();
    let fields: Vec<&str> = fields.iter().map(String::as_str).chain(["X-Kept: 1"]).collect();
    assert_eq!(gateway.send("GET", "/h1", &fields, b"").status(), 200);
    let lower: Vec<String> = FORGED.iter().map(|name| name.to_ascii_lowercase()).collect();
    let fields: Vec<(&str, &str)> = lower.iter().map(|name| (name.as_str(), "forged")).chain([("x-kept", "1")]).collect();
    assert_eq!(over_h2(&gateway, &fields), Outcome::Answered(200));
    let arrived = upstream.requests();
    assert_eq!(arrived.len(), 2);
    for request in &arrived {
        is_clean(&request.message);
        assert_eq!(request.message.field("x-kept"), Some("1"));
        let mut left = names(&request.message);
        left.sort_unstable();
        assert_eq!(left, ["host", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-kept", "x-request-id"]);
    }
}

#[test]
fn no_other_spelling_of_such_a_field_reaches_an_upstream() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, json!({}));
    let mut client = gateway.connect();
    for name in FORGED {
        for other in [name.replace('-', "_"), name.replacen('-', "_", 1), name.replace('-', "."), name.to_uppercase()] {
            let refused = other.contains(['_', '.']) && REFUSED.contains(&name);
            let status = client.ask("GET", "/x", &[&format!("{other}: forged")], b"").unwrap().status();
            assert_eq!(status, if refused { 400 } else { 200 }, "{other}");
            if refused {
                client = gateway.connect();
            }
        }
    }
    assert!(upstream.count() > 100);
    upstream.requests().iter().for_each(|request| is_clean(&request.message));
}

#[test]
fn a_field_that_is_listed_passes_from_anybody_in_that_spelling_and_no_other() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, json!({ "forwarding": { "pass": ["X-Forwarded-Prefix"] } }));
    let fields = ["X-Forwarded-Prefix: /shop", "X_Forwarded_Prefix: forged", "X-Forwarded-User: forged"];
    assert_eq!(gateway.send("GET", "/x", &fields, b"").status(), 200);
    assert_eq!(over_h2(&gateway, &[("x-forwarded-prefix", "/shop"), ("x-forwarded_prefix", "forged")]), Outcome::Answered(200));
    for request in upstream.requests() {
        is_clean(&request.message);
        assert_eq!(request.message.field("x-forwarded-prefix"), Some("/shop"));
    }
    assert_eq!(upstream.count(), 2);
}

#[test]
fn from_a_trusted_proxy_such_fields_pass_but_for_what_the_gateway_writes_itself() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, json!({ "trusted_proxies": ["127.0.0.0/8"] }));
    let fields = [
        "X-Forwarded-For: 192.0.2.7",
        "X-Forwarded-Prefix: /shop",
        "X-SSL-Client-Verify: SUCCESS",
        "X_SSL_Client_Verify: forged",
        "X-Original-URL: forged",
        "X-Real-IP: forged",
        "Forwarded: for=forged",
        "Client-Cert: forged",
    ];
    assert_eq!(gateway.send("GET", "/x", &fields, b"").status(), 200);
    let request = upstream.only();
    is_clean(&request);
    assert_eq!(request.field("x-forwarded-prefix"), Some("/shop"));
    assert_eq!(request.field("x-ssl-client-verify"), Some("SUCCESS"));
    assert_eq!(request.field("x-forwarded-for"), Some("192.0.2.7, 127.0.0.1"));
}

#[test]
fn what_a_filter_writes_under_such_a_name_reaches_the_upstream_and_the_clients_does_not() {
    let upstream = Upstream::start();
    let chain = json!([{ "headers": { "request": { "set": { "X-Forwarded-Prefix": "/shop", "X-SSL-Client-Verify": "NONE" } } } }]);
    let mut definition = open_api("/a", &upstream.url(), json!({ "/x": { "get": operation() } }));
    definition["security"] = json!([]);
    let gateway = Gateway::serving(&definition, Settings::of(json!({ "chain": chain })));
    let fields = ["X-Forwarded-Prefix: forged", "x_forwarded_prefix: forged", "X-SSL-Client-Verify: forged"];
    assert_eq!(gateway.send("GET", "/a/x", &fields, b"").status(), 200);
    let request = upstream.only();
    is_clean(&request);
    assert_eq!((request.field("x-forwarded-prefix"), request.field("x-ssl-client-verify")), (Some("/shop"), Some("NONE")));
}

#[test]
fn an_address_with_a_port_from_a_trusted_proxy_names_that_client() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, json!({ "trusted_proxies": ["127.0.0.0/8"] }));
    let named = [("203.0.113.7:51008", "203.0.113.7"), ("[2001:db8::1]:443", "2001:db8::1"), ("[2001:db8::1]", "2001:db8::1")];
    for (index, (sent, client)) in named.into_iter().enumerate() {
        assert_eq!(gateway.send("GET", "/x", &[&format!("X-Forwarded-For: {sent}")], b"").status(), 200, "{sent}");
        assert_eq!(gateway.log_of(index + 1)[index]["client"], client);
        assert_eq!(upstream.requests()[index].message.field("x-forwarded-for"), Some(format!("{sent}, 127.0.0.1").as_str()));
    }
}

#[test]
fn a_client_without_an_address_is_not_taken_for_the_trusted_proxy_that_names_him() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, json!({ "trusted_proxies": ["127.0.0.0/8"] }));
    for sent in ["unknown", "_hidden", "198.51.100.1, unknown", "for=198.51.100.1"] {
        let answer = gateway.send("GET", "/x", &[&format!("X-Forwarded-For: {sent}")], b"");
        assert_eq!(answer.status(), 400, "{sent}");
        assert!(answer.text().contains("request.forwarded"), "{}", answer.text());
    }
    assert_eq!(upstream.count(), 0);
    assert_eq!(gateway.send("GET", "/x", &["X-Forwarded-For: unknown, 198.51.100.1"], b"").status(), 200);
}

#[test]
fn via_says_which_gateway_a_request_has_passed_and_by_which_version_it_came() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, json!({ "forwarding": { "pseudonym": "edge-1" } }));
    gateway.get("/x");
    gateway.send("GET", "/x", &["Via: 1.0 fred", "Via: 1.1 edge-2"], b"");
    over_h2(&gateway, &[]);
    let mut old = gateway.connect();
    old.write("GET /old HTTP/1.0\r\n\r\n").unwrap();
    assert_eq!(old.answer("GET").unwrap().status(), 200);
    let via: Vec<String> = upstream.requests().iter().map(|request| request.message.all("via").join(", ")).collect();
    assert_eq!(via, ["1.1 edge-1", "1.0 fred, 1.1 edge-2, 1.1 edge-1", "2.0 edge-1", "1.0 edge-1"]);
}

#[test]
fn a_request_that_comes_back_to_its_gateway_is_answered_with_508() {
    let port = free_port();
    let listeners = json!({ "listeners": [{ "address": format!("127.0.0.1:{port}") }] });
    let gateway = Gateway::over(&format!("http://127.0.0.1:{port}"), Settings::of(listeners));
    let answer = gateway.get("/x");
    assert_eq!(answer.status(), 508);
    assert!(answer.text().contains("request.loop"), "{}", answer.text());
    let log = gateway.log_of(2);
    assert_eq!(log.iter().filter(|line| line["reason"] == "request.loop").count(), 1, "{log:?}");
    assert_eq!(gateway.metric("tollgate_refusals_total{reason=\"request.loop\"}"), Some(1.0));
}

#[test]
fn a_request_may_come_back_as_often_as_the_configuration_says() {
    let port = free_port();
    let config = json!({ "listeners": [{ "address": format!("127.0.0.1:{port}") }], "forwarding": { "returns": 3 } });
    let gateway = Gateway::over(&format!("http://127.0.0.1:{port}"), Settings::of(config));
    assert_eq!(gateway.get("/x").status(), 508);
    assert_eq!(gateway.log_of(5).len(), 5);
}

#[test]
fn two_gateways_one_before_the_other_are_no_circle() {
    let upstream = Upstream::start();
    let inner = Gateway::over(&upstream.url(), Settings::default());
    let outer = Gateway::over(&format!("http://127.0.0.1:{}", inner.ports.plain), Settings::default());
    assert_eq!(outer.get("/x").status(), 200);
    let request = upstream.only();
    let [one, other] = request.all("via").try_into().unwrap();
    assert!(one.starts_with("1.1 tollgate-") && other.starts_with("1.1 tollgate-") && one != other, "{one} {other}");
}

/// Said at start rather than by a 401 to everybody.
#[test]
fn a_credential_in_a_field_that_is_taken_away_is_an_error_unless_it_may_pass() {
    let (folder, issuer) = (Folder::new(), Issuer::new("https://issuer.example"));
    let key = issuer.write(&folder, "issuer.pem");
    let mut definition = open_api("/a", "http://127.0.0.1:1", json!({ "/x": { "get": operation() } }));
    definition["x-wso2-disable-security"] = false.into();
    let artifact = artifact(&folder, &definition);
    let config = |header: &str, more: &Value| {
        let mut jwt = json!({ "issuers": [issuer.config(&key)] });
        jwt["header"] = header.into();
        let mut config = json!({ "chain": [{ "jwt": jwt }] });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let proxies = json!({ "trusted_proxies": ["10.0.0.0/8"] });
    for (header, more) in [("X-Goog-IAP-JWT-Assertion", &json!({})), ("X-JWT-Assertion", &proxies), ("X_Client_Cert", &json!({}))] {
        let mut config = config(header, more);
        config["listeners"] = json!([{ "address": "127.0.0.1:0" }]);
        let config = folder.write("gateway.yaml", config.to_string());
        let ran = tollgate(["run".as_ref(), artifact.as_os_str(), "--config".as_ref(), config.as_os_str()]);
        assert!(ran.code != 0 && ran.stderr.contains("error[forwarding.credential]"), "{header}: {}", ran.stderr);
        assert!(ran.stderr.contains(&header.to_lowercase()), "{}", ran.stderr);
    }
    let listed = json!({ "forwarding": { "pass": ["x-goog-iap-jwt-assertion"] } });
    for (header, more) in [("X-Goog-IAP-JWT-Assertion", &listed), ("X-Goog-IAP-JWT-Assertion", &proxies), ("X-API-Token", &json!({}))] {
        let gateway = Gateway::start(&artifact, Settings::of(config(header, more)));
        assert_eq!(gateway.get("/a/x").status(), 401, "{header}");
    }
}

#[test]
fn a_request_that_is_tried_at_a_second_target_names_the_gateway_once() {
    let (first, second) = (Upstream::answering(|_| Reply::new(503, "")), Upstream::start());
    let mut definition = open_api("/", "http://unused.invalid", everything());
    definition["x-wso2-production-endpoints"] = json!({ "urls": [first.url(), second.url()], "type": "failover" });
    let gateway = Gateway::serving(&definition, Settings::of(json!({ "forwarding": { "pseudonym": "edge" } })));
    assert_eq!(gateway.send("GET", "/x", &["Via: 1.1 fred"], b"").status(), 200);
    for upstream in [&first, &second] {
        assert_eq!(upstream.only().all("via"), ["1.1 fred", "1.1 edge"]);
    }
}

#[test]
fn a_connection_cannot_take_via_away() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, json!({}));
    let answer = gateway.send("GET", "/x", &["Via: 1.1 fred", "Connection: via"], b"");
    assert_eq!((answer.status(), upstream.count()), (400, 0));
}
