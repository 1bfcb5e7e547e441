//! What the gateway refuses, as a client of gRPC sees it.

use serde_json::json;
use tollgate_tests::{
    Folder, Gateway, Settings,
    certificates::Authority,
    parts::{GrpcServer, grpc},
    token::Issuer,
};

use super::world::{call, field, make, service, settings, unary};

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

#[test]
fn what_filters_refuse_has_its_code_and_keeps_its_fields_in_both_forms_of_errors() {
    for (errors, quota, unknown) in [
        ("problem", "Too many requests", "The API has no such resource (route.no_resource)"),
        ("wso2", "Message throttled out", "no matching resource found for path : /demo.Echo/Nothing , method : POST"),
    ] {
        let server = GrpcServer::start();
        let throttle =
            json!({ "policies": { "one": { "requests": 1, "per": "1h" } }, "limits": [{ "policy": "one", "key": ["operation"] }] });
        let mut gateway = settings(json!({ "errors": errors, "chain": [{ "throttle": throttle }] }));
        gateway.config["limits"] = json!({ "body_bytes": "1MiB" });
        let gateway = Gateway::serving(&service(&format!("{}/demo.Echo", server.url())), gateway);
        let first = &make(&gateway, &[unary("1")])[0];
        assert_eq!(first["status"], 0, "{first}");
        let answers = make(
            &gateway,
            &[unary("2"), call("Nothing", "unary", json!(["x"]), json!({})), call("Total", "unary", json!([2 << 20]), json!({}))],
        );
        let statuses: Vec<_> = answers.iter().map(|answer| answer["status"].clone()).collect();
        assert_eq!(statuses, [8, 12, 8], "{errors}: {answers:?}");
        assert!(answers[0]["details"].as_str().unwrap().contains(quota), "{answers:?}");
        assert_eq!(answers[1]["details"], unknown);
        let fields = &answers[0]["trailing"];
        assert!(field(fields, "retry-after").is_some() && field(fields, "x-request-id").is_some(), "{fields}");
        let mut log: Vec<_> = gateway.log_of(4)[1..].iter().map(|line| (line["status"].as_u64(), line["grpc_status"].as_u64())).collect();
        log.sort_unstable();
        assert_eq!(log, [(Some(404), Some(12)), (Some(413), Some(8)), (Some(429), Some(8))], "{errors}");
    }
}
