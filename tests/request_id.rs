//! What requests are called, end to end: one name for client, upstream and log, and nothing that a client made up.

use serde_json::{Value, json};
use tollgate_tests::{Folder, Gateway, Reply, Response, Settings, Upstream, project, token::Issuer};

const UUID: &str = "93bac548-d2de-4546-b106-880a5018460d";

fn gateway(upstream: &Upstream, request_id: Value, more: Value) -> Gateway {
    let mut config = json!({ "request_id": request_id });
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    Gateway::over(&upstream.url(), Settings::of(config))
}

fn interaction() -> Value {
    json!({ "header": "x-fapi-interaction-id", "from": "clients", "format": "uuid", "answers": "all" })
}

fn id_of(answer: &Response) -> &str {
    answer.field("x-fapi-interaction-id").expect("the answer carries the id")
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

#[test]
fn a_clients_id_is_echoed_forwarded_and_logged_when_it_is_to_count() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, interaction(), json!({}));
    let answer = gateway.send("GET", "/x", &[&format!("X-FAPI-Interaction-Id: {UUID}")], b"");
    assert_eq!((answer.status(), id_of(&answer)), (200, UUID));
    assert_eq!(upstream.only().all("x-fapi-interaction-id"), [UUID]);
    assert_eq!(gateway.log_of(1)[0]["request_id"], UUID);
}

#[test]
fn without_a_good_id_one_is_made_and_nothing_else_is_repeated() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, interaction(), json!({}));
    let twice = format!("x-fapi-interaction-id: {UUID}");
    let sent: [&[&str]; 5] = [
        &[],
        &["x-fapi-interaction-id: forged"],
        &["x-fapi-interaction-id: <script>"],
        &[&twice, &twice],
        &["x_fapi_interaction_id: forged"],
    ];
    for (number, fields) in sent.iter().enumerate() {
        let answer = gateway.send("GET", "/x", fields, b"");
        let id = id_of(&answer);
        assert!(answer.status() == 200 && is_uuid(id) && id != UUID, "{fields:?}: {answer:?}");
        let received = &upstream.requests()[number].message;
        assert_eq!(received.all("x-fapi-interaction-id"), [id], "{fields:?}");
        assert!(received.field("x_fapi_interaction_id").is_none(), "{fields:?}");
        assert_eq!(gateway.log_of(number + 1)[number]["request_id"], id);
    }
}

#[test]
fn a_refusal_carries_the_id_too() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, interaction(), json!({}));
    let answer = gateway.send("BREW", "/x", &[&format!("x-fapi-interaction-id: {UUID}")], b"");
    let body: Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!((id_of(&answer), &body["request_id"]), (UUID, &UUID.into()));
    assert_eq!(upstream.count(), 0);
}

#[test]
fn an_id_counts_from_trusted_proxies_only_when_the_settings_say_so() {
    let hex = UUID.replace('-', "");
    for (trusted, taken) in [(json!(["127.0.0.0/8"]), true), (json!(["192.0.2.0/24"]), false)] {
        let upstream = Upstream::start();
        let gateway = gateway(&upstream, json!({ "from": "trusted_proxies" }), json!({ "trusted_proxies": trusted }));
        gateway.send("GET", "/x", &[&format!("X-Request-Id: {hex}")], b"");
        assert_eq!(upstream.only().field("x-request-id") == Some(&hex), taken);
    }
}

#[test]
fn upstreams_get_no_id_when_they_are_to_get_none() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, json!({ "upstream": false }), json!({}));
    assert_eq!(gateway.send("GET", "/x", &["X-Request-Id: forged"], b"").status(), 200);
    assert!(upstream.only().field("x-request-id").is_none());
}

#[test]
fn an_upstream_cannot_name_the_request() {
    let upstream = Upstream::answering(|_| Reply::with(200, &["X-Request-Id: the-upstreams"], "ok"));
    let gateway = gateway(&upstream, json!({ "answers": "all" }), json!({}));
    let answer = gateway.get("/x");
    let logged = gateway.log_of(1)[0]["request_id"].as_str().unwrap().to_owned();
    assert_eq!(answer.all("x-request-id"), [logged]);
}

#[test]
fn the_field_of_ids_is_not_the_headers_filters_to_change() {
    let folder = Folder::new();
    let chain = json!([{ "headers": { "request": { "set": { "X-Request-Id": "mine" } } } }]);
    let config = folder.write("gateway.yaml", json!({ "listeners": [{ "address": "127.0.0.1:0" }], "chain": chain }).to_string());
    let artifact = project::artifact(&folder, &project::open_api("/", "http://127.0.0.1:1", project::everything()));
    let ran = tollgate_tests::tollgate(["run".as_ref(), artifact.as_os_str(), "--config".as_ref(), config.as_os_str()]);
    assert!(ran.code != 0 && ran.stderr.contains("X-Request-Id"), "{}", ran.stderr);
}

/// Whatever field a filter writes for the upstream, a client cannot write it, in no spelling.
#[test]
fn what_a_filter_tells_the_upstream_no_client_can() {
    let (upstream, folder, issuer) = (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"));
    let key = folder.write("backend.key", tollgate_tests::certificates::ec_key().private_key_to_pem_pkcs8().unwrap());
    let jwt = json!({ "jwt": { "issuers": [issuer.config(&issuer.write(&folder, "issuer.pem"))] } });
    let backend = json!({ "backend_jwt": { "key": key, "issuer": "gateway", "audience": "upstream", "header": "X-Caller-Token" } });
    let mut definition = project::open_api(
        "/a",
        &upstream.url(),
        json!({ "/open": { "get": project::operation() }, "/closed": { "get": project::operation() } }),
    );
    definition["x-wso2-disable-security"] = false.into();
    definition["paths"]["/open"]["get"]["x-wso2-disable-security"] = true.into();
    let gateway = Gateway::serving(&definition, Settings::of(json!({ "chain": [jwt, "authorize", backend] })));
    let token = format!("Authorization: Bearer {}", issuer.token(json!({})));
    for (number, path) in ["/a/open", "/a/closed"].into_iter().enumerate() {
        let forged = ["X-Caller-Token: forged", "x_caller_token: forged", "X-Caller_Token: forged", "X-Callers-Token: kept"];
        let answer = gateway.send("GET", path, &[&[token.as_str()][..], &forged[..]].concat(), b"");
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
        let received = &upstream.requests()[number].message;
        let text = String::from_utf8_lossy(&received.head).to_ascii_lowercase();
        assert!(!text.contains("forged"), "{path}: {text}");
        assert_eq!(received.field("x-callers-token"), Some("kept"));
        let own = received.all("x-caller-token").len();
        assert_eq!(own, usize::from(path == "/a/closed"), "{path}");
    }
}
