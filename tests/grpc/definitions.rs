//! Services out of `.proto` files.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Project, Settings,
    command::binary,
    parts::{GrpcServer, grpc, process::Process},
    token::Issuer,
    tollgate, until,
};

use super::world::{call, make, unary};

const SERVICES: &str = r#"
syntax = "proto3";
package demo;
import "wso2_options.proto";
message Message {}

service Echo {
  option (wso2.production_endpoints) = { url: "ENDPOINT" };
  option (wso2.security) = NONE;
  option (wso2.throttling_tier) = "Three";
  rpc Unary(Message) returns (Message) { option (wso2.method_throttling_tier) = "One"; }
  rpc Count(Message) returns (stream Message);
  rpc Chat(stream Message) returns (stream Message);
}

service Other {
  option (wso2.production_endpoints) = { url: "ENDPOINT" };
  option (wso2.security) = JWT;
  rpc Unary(Message) returns (Message) { option (wso2.method_scopes) = "write"; }
}
"#;

const POLICIES: &str = "resourcePolicies:
- One: {count: 1, unitTime: 1, timeUnit: hour}
- Three: {count: 3, unitTime: 1, timeUnit: hour}
";

#[test]
fn a_proto_file_is_served_with_its_endpoints_security_scopes_and_tiers() {
    let (server, keys) = (GrpcServer::start(), Folder::new());
    let project = Project::new()
        .file("grpc_definitions/demo/demo.proto", SERVICES.replace("ENDPOINT", &server.url()))
        .file("policies.yaml", POLICIES);
    let issuer = Issuer::new("https://issuer.example");
    let issuers = json!([issuer.config(&issuer.write(&keys, "issuer.pem"))]);
    let config = json!({ "chain": [{ "jwt": { "issuers": issuers } }, "throttle", "authorize"] });
    let gateway = Gateway::start(&project.build(&[]), Settings { h2c: true, config, tls: None });
    let other = |scope: &str| {
        let bearer = format!("Bearer {}", issuer.token(json!({ "scope": scope })));
        json!({ "method": "/demo.Other/Unary", "kind": "unary", "messages": ["x"], "metadata": [["authorization", bearer]] })
    };
    let statuses = |calls: &[Value]| -> Vec<Value> {
        let each = calls.iter().map(|call| make(&gateway, std::slice::from_ref(call)).remove(0)["status"].clone());
        each.collect()
    };
    let (count, chat) = (call("Count", "server", json!(["1 1"]), json!({})), call("Chat", "bidi", json!(["x"]), json!({})));
    let unknown = call("Total", "unary", json!(["x"]), json!({}));
    // The method's tier lets one pass, the service's three of all other methods together. What is refused is one message long: Python's client
    // takes a refusal that meets it while it sends for an error of its own.
    let calls = [unary("1"), unary("2"), count.clone(), chat.clone(), chat, count, unknown];
    assert_eq!(statuses(&calls), [0, 8, 0, 0, 0, 8, 12]);
    let anonymous = json!({ "method": "/demo.Other/Unary", "kind": "unary", "messages": ["x"] });
    assert_eq!(statuses(&[anonymous, other("read"), other("read write")]), [16, 7, 0]);
    let log = gateway.log_of(10);
    let last = &log[9];
    let named = (&last["api"], &last["version"], &last["operation"], &last["path"]);
    assert_eq!(named, (&json!("demo.Other"), &json!("1.0.0"), &json!("Unary"), &json!("/demo.Other/Unary")));
    assert_eq!(log.iter().map(|line| line["grpc_status"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 8, 0, 0, 0, 8, 12, 16, 7, 0]);
}

#[test]
fn a_service_takes_keys_and_passwords_as_its_options_say() {
    let server = GrpcServer::start();
    let services = SERVICES.replace("ENDPOINT", &server.url()).replace("option (wso2.security) = NONE", "option (wso2.security) = APIKEY");
    let services = services.replace("option (wso2.security) = JWT", "option (wso2.security) = BASIC; option (wso2.security) = APIKEY");
    let project = Project::new().file("grpc_definitions/demo/demo.proto", services).file("policies.yaml", POLICIES);
    let (ran, _) = project.try_build(&[]);
    assert!(ran.stderr.contains("grpc.scopes"), "{}", ran.stderr);
    let scopes = std::fs::read_to_string(project.path().join("grpc_definitions/demo/demo.proto")).unwrap();
    let scopes = scopes.replace("{ option (wso2.method_scopes) = \"write\"; }", ";");
    std::fs::write(project.path().join("grpc_definitions/demo/demo.proto"), scopes).unwrap();
    let made = tollgate(["key", "new", "--id", "shop", "--api", "demo.Echo", "--format", "json"]).ok().stdout;
    let made: Value = serde_json::from_str(&made).unwrap();
    let users = json!({ "alice": { "hash": made_password("pass") } });
    let chain = json!([{ "basic_auth": { "users": users } }, { "api_key": { "keys": [made["entry"]] } }, "throttle", "authorize"]);
    let gateway = Gateway::start(&project.build(&[]), Settings { h2c: true, config: json!({ "chain": chain }), tls: None });
    let with = |service: &str, name: &str, value: &str| {
        let call = json!({ "method": format!("/demo.{service}/Unary"), "kind": "unary", "messages": ["x"], "metadata": [[name, value]] });
        make(&gateway, &[call]).remove(0)["status"].clone()
    };
    let key = made["key"].as_str().unwrap();
    assert_eq!([with("Echo", "api_key", "tg_wrong"), with("Echo", "api_key", key)], [16, 0]);
    // `alice:pass`, and a key that is not for this service.
    assert_eq!([with("Other", "authorization", "Basic YWxpY2U6cGFzcw=="), with("Other", "api_key", key)], [0, 16]);
    assert!(server.notes()["seen"]["Unary"]["metadata"]["api_key"].is_null());
}

/// What `tollgate password` makes of a line.
fn made_password(line: &str) -> String {
    let mut child = Command::new(binary()).arg("password").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
fn an_environment_replaces_the_endpoint_of_a_service_and_its_version_of_http() {
    let server = GrpcServer::start();
    let services = SERVICES.replace("ENDPOINT", "http://127.0.0.1:1");
    let project = Project::new().file("grpc_definitions/demo/demo.proto", services).file("policies.yaml", POLICIES);
    let artifact = project.build(&[]);
    let config = |http: Value| {
        let endpoint = json!({ "production": [server.url()], "http": http });
        json!({ "chain": ["throttle"], "waive_to_open": ["jwt"], "endpoints": { "demo.Echo:1.0.0": endpoint } })
    };
    for (http, status) in [(Value::Null, 0), (json!("1"), 14)] {
        let gateway = Gateway::start(&artifact, Settings { h2c: true, config: config(http), tls: None });
        assert_eq!(make(&gateway, &[unary("x")])[0]["status"], status);
    }
}

#[test]
fn dev_serves_services_on_an_address_of_their_own_and_swaps_them_on_save() {
    let (server, log) = (GrpcServer::start(), Folder::new());
    let services = SERVICES.replace("ENDPOINT", &server.url()).replace("option (wso2.throttling_tier) = \"Three\";", "");
    let services = services.replace("{ option (wso2.method_throttling_tier) = \"One\"; }", ";");
    let project = Project::new().file("grpc_definitions/demo/demo.proto", &services);
    let arguments =
        ["--format".into(), "json".into(), "dev".into(), project.path().into_os_string(), "--listen".into(), "127.0.0.1:0".into()];
    let process = Process::start(Command::new(binary()).args(arguments), log.join("log"));
    let addresses: Value = until("dev to say where it is", || {
        let said = process.said();
        let (json, _) = said.split_once("\n}")?;
        serde_json::from_str(&format!("{json}}}")).ok()
    });
    let port: u16 = addresses["grpc"].as_str().unwrap().rsplit_once(':').unwrap().1.parse().unwrap();
    until("dev to listen", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    assert_eq!(grpc::one(port, &unary("x"))["status"], 0);
    let write = |text: &str| std::fs::write(project.path().join("grpc_definitions/demo/demo.proto"), text).unwrap();
    write(&services.replace("rpc Unary", "rpc Renamed").replace("service Echo", "service Broken {\nservice Echo"));
    assert_eq!(grpc::one(port, &unary("x"))["status"], 0);
    write(&services.replace("rpc Unary", "rpc Renamed"));
    until("the saved services to be served", || (grpc::one(port, &unary("x"))["status"] == 12).then_some(()));
}

#[test]
fn what_the_guide_shows_builds_and_is_served() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/grpc.md")).unwrap();
    let block = |language: &str| page.split(&format!("```{language}\n")).nth(1).unwrap().split("```").next().unwrap().to_owned();
    let (server, keys) = (GrpcServer::start(), Folder::new());
    let proto = block("proto");
    let file = proto.lines().next().unwrap().strip_prefix("// ").unwrap();
    let policies = "resourcePolicies:\n- 1000PerMin: {count: 1000, unitTime: 1, timeUnit: min}\n";
    let served = proto.replace("http://orders:50051", &server.url()).replace("package shop.v1;", "package demo;");
    let served = served.replace("service Orders", "service Other").replace("rpc Get", "rpc Unary");
    let project = Project::new().file(file, &proto).file(&file.replace("orders", "other"), served).file("policies.yaml", policies);
    let issuer = Issuer::new("https://issuer.example");
    let issuers = json!([issuer.config(&issuer.write(&keys, "issuer.pem"))]);
    let config = json!({ "chain": [{ "jwt": { "issuers": issuers } }, "throttle", "authorize"] });
    let gateway = Gateway::start(&project.build(&[]), Settings { h2c: true, config, tls: None });
    let bearer = format!("Bearer {}", issuer.token(json!({})));
    let get = json!({ "method": "/demo.Other/Unary", "kind": "unary", "messages": ["x"], "metadata": [["authorization", bearer]] });
    assert_eq!(make(&gateway, &[get])[0]["status"], 0);
}
