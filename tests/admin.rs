//! The operator's port.

use serde_json::{Value, json};
use tollgate_tests::{Gateway, Settings, Upstream, client, until};

#[test]
fn health_plan_artifact_and_metrics_are_told() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    assert_eq!(gateway.admin("/livez").status(), 200);
    assert_eq!(gateway.admin("/readyz").status(), 200);
    let plan: Value = serde_json::from_slice(&gateway.admin("/plan").body).unwrap();
    assert_eq!(plan["apis"][0]["base_path"], "/");
    let artifact: Value = serde_json::from_slice(&gateway.admin("/artifact").body).unwrap();
    let digest = artifact["digest"].as_str().unwrap();
    assert_eq!(digest.len(), 64);
    gateway.metric_reaches(&format!("tollgate_artifact_info{{digest=\"{digest}\"}}"), 1.0);
    gateway.get("/x");
    gateway.metric_reaches("tollgate_config_generation", 1.0);
    until("the request to be counted", || gateway.admin("/metrics").text().contains("tollgate_requests_total{").then_some(()));
}

#[test]
fn the_operators_paths_are_not_served_on_a_listener() {
    let upstream = Upstream::start();
    let definition =
        tollgate_tests::project::open_api("/a", &upstream.url(), json!({ "/x": { "get": tollgate_tests::project::operation() } }));
    let gateway = Gateway::serving(&definition, Settings::default());
    for path in ["/livez", "/readyz", "/metrics", "/plan", "/artifact", "/coverage", "/reload"] {
        assert_eq!(gateway.get(path).status(), 404, "{path}");
    }
    assert_eq!(upstream.count(), 0);
}

#[test]
fn a_reload_wants_post_and_no_web_page_may_ask_for_it() {
    let upstream = Upstream::start();
    let gateway = Gateway::over(&upstream.url(), Settings::default());
    assert_eq!(gateway.admin("/reload").status(), 405);
    let admin = gateway.ports.admin;
    assert_eq!(client::send(admin, "POST", "/reload", &["Origin: http://evil.example"], b"").status(), 421);
    assert_eq!(client::send(admin, "POST", "/reload", &["Host: evil.example"], b"").status(), 421);
    assert_eq!(gateway.metric("tollgate_config_generation"), Some(1.0));
    assert_eq!(gateway.reload().status(), 200);
    assert_eq!(gateway.metric("tollgate_config_generation"), Some(2.0));
}

#[test]
fn the_access_log_has_one_json_line_a_request_with_operation_reason_and_times() {
    let upstream = Upstream::start();
    let definition = tollgate_tests::project::open_api(
        "/a",
        &upstream.url(),
        json!({ "/x/{id}": { "get": { "operationId": "getX", "responses": { "200": { "description": "ok" } } } } }),
    );
    let gateway = Gateway::serving(&definition, Settings::default());
    gateway.get("/a/x/7?secret=1");
    gateway.get("/a/none");
    let mut log = gateway.log_of(2);
    // Each worker hands over its own lines; two requests on two connections may change places.
    log.sort_by_key(|line| line["status"].as_u64());
    assert_eq!((&log[0]["operation"], &log[0]["status"], &log[0]["path"]), (&json!("getX"), &json!(200), &json!("/a/x/7")));
    assert!(log[0]["duration_ms"].is_number() && log[0]["upstream_ms"].is_number());
    assert_eq!((&log[1]["reason"], &log[1]["status"], &log[1]["attempts"]), (&json!("route.no_resource"), &json!(404), &json!(0)));
    assert!(!log.iter().any(|line| line.to_string().contains("secret")));
    assert_eq!(log.len(), 2);
}
