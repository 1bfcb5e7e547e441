//! Modules that a definition names.

use serde_json::{Value, json};
use tollgate_tests::{
    Gateway, Project, Reply, Settings, Upstream,
    project::{open_api, operation},
};

use super::guest::built;

pub fn definition(endpoint: &str) -> Value {
    let mut both = operation();
    both["x-wso2-request-interceptor"] = json!("headers");
    both["x-wso2-response-interceptor"] = json!("headers");
    let mut request = operation();
    request["x-wso2-request-interceptor"] = json!("headers");
    let paths = json!({ "/both": { "get": both }, "/request": { "get": request }, "/none": { "get": operation() } });
    open_api("/v1", endpoint, paths)
}

#[test]
fn interceptors_run_for_their_operation_and_on_their_way() {
    let upstream = Upstream::answering(|_| Reply::with(200, &["Server-Secret: 1"], "ok"));
    let module = std::fs::read(built("headers")).unwrap();
    let project = Project::new().definition("api.json", definition(&upstream.url()).to_string()).file("interceptors/headers.wasm", module);
    let gateway = Gateway::start(&project.build(&[]), Settings::default());
    for (target, request, response) in [("/v1/both", true, true), ("/v1/request", true, false), ("/v1/none", false, false)] {
        let answer = gateway.send("GET", target, &["X-Name: Ada", "X-Secret: 1"], b"");
        let seen = upstream.only();
        assert_eq!(seen.field("x-greeting"), request.then_some("hello, Ada"), "{target}");
        assert_eq!(seen.field("x-secret"), (!request).then_some("1"), "{target}");
        assert_eq!(answer.field("x-guest"), response.then_some("headers"), "{target}");
        assert_eq!(answer.field("server-secret"), (!response).then_some("1"), "{target}");
        upstream.forget();
    }
}
