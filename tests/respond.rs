//! Answers of the gateway's own: no upstream, and nobody gets one before it is known who asks.

use serde_json::{Value, json};
use tollgate_tests::{Folder, Gateway, Settings, project::artifact, token::Issuer};

/// An API without any endpoint: `/open` for everybody, `/known` for callers with a token.
fn definition() -> Value {
    let answering = |open: bool, answer: Value| json!({ "responses": { "200": { "description": "ok" } }, "x-tollgate-respond": answer, "x-wso2-disable-security": open });
    let document = json!({ "status": 200, "headers": { "Content-Type": "application/json" }, "body": "{\"a\":1}" });
    let gone = json!({ "status": 410, "headers": { "x-why": "old" } });
    json!({
        "openapi": "3.0.3",
        "info": { "title": "fixed", "version": "1" },
        "x-wso2-basePath": "/a",
        "paths": {
            "/open": { "get": answering(true, document.clone()), "head": answering(true, document) },
            "/known": { "get": answering(false, gone) },
        },
    })
}

fn jwt(folder: &Folder, issuer: &Issuer) -> Value {
    json!({ "jwt": { "issuers": [issuer.config(&issuer.write(folder, "issuer.pem"))] } })
}

#[test]
fn what_the_definition_answers_itself_needs_no_upstream() {
    let (folder, issuer) = (Folder::new(), Issuer::new("https://issuer.example"));
    let gateway = Gateway::serving(&definition(), Settings::of(json!({ "chain": [jwt(&folder, &issuer), "respond"] })));
    let mut client = gateway.connect();
    for (method, body) in [("GET", "{\"a\":1}"), ("HEAD", ""), ("GET", "{\"a\":1}")] {
        let answer = client.ask(method, "/a/open", &[], b"").unwrap();
        assert_eq!(
            (answer.status(), answer.field("content-type"), answer.text().as_str()),
            (200, Some("application/json"), body),
            "{method}"
        );
        assert_eq!(answer.field("content-length"), Some("7"), "{method}");
    }
    let stranger = gateway.get("/a/known");
    assert_eq!((stranger.status(), stranger.field("x-why")), (401, None), "{}", stranger.text());
    let known = gateway.send("GET", "/a/known", &[&format!("Authorization: Bearer {}", issuer.token(json!({})))], b"");
    assert_eq!((known.status(), known.field("x-why"), known.text().as_str()), (410, Some("old"), ""));
    let log = gateway.log_of(5);
    assert!(log.iter().any(|line| line["status"] == 410 && line["reason"] == "respond.fixed"), "{log:?}");
}

#[test]
fn a_chain_that_answers_before_it_knows_who_asks_does_not_start() {
    let (folder, issuer) = (Folder::new(), Issuer::new("https://issuer.example"));
    let artifact = artifact(&folder, &definition());
    let config = json!({ "listeners": [{ "address": "127.0.0.1:0" }], "chain": ["respond", jwt(&folder, &issuer)] });
    let config = folder.write("gateway.yaml", config.to_string());
    let ran = tollgate_tests::tollgate(["run".as_ref(), artifact.as_os_str(), "--config".as_ref(), config.as_os_str()]);
    assert!(ran.code != 0 && ran.stderr.contains("needs `principal`"), "{ran:?}");
}
