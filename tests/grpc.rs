//! gRPC through the gateway: a real client, a real server.

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Settings,
    certificates::Authority,
    parts::{GrpcServer, grpc},
    project::{open_api, operation},
    token::Issuer,
};

/// An API as the definition of a gRPC service makes one: a POST for each method, below the service's full name.
fn service(endpoint: &str) -> Value {
    let methods = ["Unary", "Wait", "Count", "Total", "Chat"];
    let paths: serde_json::Map<_, _> = methods.iter().map(|name| (format!("/{name}"), json!({ "post": operation() }))).collect();
    open_api("/demo.Echo", endpoint, paths.into())
}

fn settings(mut config: Value) -> Settings {
    config["upstream"]["http"] = "2".into();
    Settings { h2c: true, config, tls: None }
}

fn unary(message: &str) -> Value {
    json!({ "method": "/demo.Echo/Unary", "kind": "unary", "messages": [message] })
}

#[test]
fn a_call_goes_through_over_cleartext_and_tls_and_without_a_token_it_is_unauthenticated() {
    let (server, folder, authority, keys) = (GrpcServer::start(), Folder::new(), Authority::new("root"), Folder::new());
    let ca = authority.write(&folder, "ca.pem");
    let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let issuer = Issuer::new("https://issuer.example");
    let issuers = json!([issuer.config(&issuer.write(&keys, "issuer.pem"))]);
    let mut definition = service(&format!("{}/demo.Echo", server.url()));
    definition["x-wso2-disable-security"] = false.into();
    let settings = Settings {
        tls: Some(json!({ "certificate": certificate, "key": key })),
        ..settings(json!({ "chain": [{ "jwt": { "issuers": issuers } }, "authorize"] }))
    };
    let gateway = Gateway::serving(&definition, settings);
    let bearer = format!("Bearer {}", issuer.token(json!({})));
    for (port, client) in [(gateway.ports.h2c, json!({})), (gateway.ports.tls, json!({ "ca": ca }))] {
        let mut with_token = unary("hello");
        with_token["metadata"] = json!([["authorization", bearer]]);
        let answers = grpc::call(port, &client, &[with_token, unary("hello")]);
        assert_eq!((&answers[0]["status"], &answers[0]["messages"]), (&json!(0), &json!(["hello"])), "{answers:?}");
        assert_eq!(answers[1]["status"], 16, "{answers:?}");
        assert!(answers[1]["details"].as_str().unwrap().contains("jwt.missing"), "{answers:?}");
    }
    let log = gateway.log_of(4);
    let refused: Vec<_> = log.iter().filter(|line| line["reason"] == "jwt.missing").collect();
    assert_eq!(refused.len(), 2, "{log:?}");
    assert!(refused.iter().all(|line| (&line["status"], &line["grpc_status"]) == (&json!(401), &json!(16))), "{log:?}");
}
