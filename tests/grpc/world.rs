//! A real server, a gateway before it, and calls of a real client.

use serde_json::{Value, json};
use tollgate_tests::{
    Gateway, Settings,
    parts::{GrpcServer, grpc},
    project::{open_api, operation},
};

/// An API as the definition of a gRPC service makes one: a POST for each method, below the service's full name.
pub fn service(endpoint: &str) -> Value {
    let methods = ["Unary", "Wait", "Count", "Total", "Chat"];
    let paths: serde_json::Map<_, _> = methods.iter().map(|name| (format!("/{name}"), json!({ "post": operation() }))).collect();
    open_api("/demo.Echo", endpoint, paths.into())
}

pub fn settings(mut config: Value) -> Settings {
    config["upstream"]["http"] = "2".into();
    Settings { h2c: true, config, tls: None }
}

pub fn unary(message: &str) -> Value {
    call("Unary", "unary", json!([message]), json!({}))
}

/// A call of a method, with what else `client.py` takes.
pub fn call(method: &str, kind: &str, messages: Value, more: Value) -> Value {
    let mut call = json!({ "method": format!("/demo.Echo/{method}"), "kind": kind, "messages": messages });
    for (name, value) in more.as_object().unwrap() {
        call[name] = value.clone();
    }
    call
}

/// A server and an open gateway before it.
pub fn world(config: Value) -> (GrpcServer, Gateway) {
    let server = GrpcServer::start();
    let gateway = Gateway::serving(&service(&format!("{}/demo.Echo", server.url())), settings(config));
    (server, gateway)
}

pub fn make(gateway: &Gateway, calls: &[Value]) -> Vec<Value> {
    grpc::call(gateway.ports.h2c, &json!({}), calls)
}

/// The value of a field in metadata that a client got.
pub fn field<'a>(metadata: &'a Value, name: &str) -> Option<&'a str> {
    metadata.as_array().unwrap().iter().find(|pair| pair[0] == name).and_then(|pair| pair[1].as_str())
}
