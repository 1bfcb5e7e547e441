//! Blocks, end to end: before every limit, and changed while the gateway runs.

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Settings, Upstream,
    project::{everything, open_api},
    token::Issuer,
    until,
};

#[test]
fn callers_are_blocked_with_the_reference_products_answer_as_soon_as_the_port_says_so_and_still_after_a_restart() {
    let (upstream, folder, issuer) = (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"));
    let mut definition = open_api("/a", &upstream.url(), everything());
    definition["x-wso2-disable-security"] = false.into();
    definition["security"] = json!([{ "oauth": [] }]);
    definition["components"] = json!({ "securitySchemes": { "oauth": { "type": "http", "scheme": "bearer" } } });
    let list = folder.join("blocks.json");
    let throttle = json!({ "throttle": {
        "policies": { "one": { "requests": 1, "per": "365d" } },
        "limits": [{ "policy": "one", "key": ["principal.subject"], "when": [{ "claim": "sub", "is": ["mallory"] }] }],
        "blocks": [{ "user": "mallory" }],
    } });
    let jwt = json!({ "issuers": [issuer.config(&issuer.write(&folder, "issuer.pem"))] });
    let config = json!({ "errors": "wso2", "chain": [{ "jwt": jwt }, throttle], "stores": { "blocks": list } });
    let start = || Gateway::serving(&definition, Settings::of(config.clone()));
    let bearer = |claims: Value| format!("Authorization: Bearer {}", issuer.token(claims));
    let (mallory, ann) = (bearer(json!({ "sub": "mallory" })), bearer(json!({ "sub": "ann", "application": { "id": 7 } })));
    let gateway = start();
    for _ in 0..2 {
        let refused = gateway.send("GET", "/a/x", &[&mallory], b"");
        assert_eq!((refused.status(), refused.field("ratelimit"), refused.field("retry-after")), (403, None, None));
        let body =
            r#"{"fault":{"code":900805, "message":"Message blocked", "description":"You have been blocked from accessing the resource"}}"#;
        assert_eq!(refused.text(), body);
    }
    let status = |gateway: &Gateway| gateway.send("GET", "/a/x", &[&ann], b"").status();
    assert_eq!((status(&gateway), upstream.count()), (200, 1));
    let change = |gateway: &Gateway, body: &str| {
        let answer = gateway.admin_post("/blocks", body);
        assert_eq!(answer.status(), 200, "{}", answer.text());
        serde_json::from_str::<Value>(&answer.text()).unwrap()
    };
    assert_eq!(change(&gateway, r#"{ "block": [{ "application": "7" }, { "user": "eve" }] }"#), json!({ "changed": 2, "blocks": 2 }));
    assert_eq!(status(&gateway), 403, "it is in force when the port says so");
    drop(gateway);
    let gateway = start();
    assert_eq!(status(&gateway), 403);
    assert_eq!(gateway.admin("/blocks").text().trim(), r#"[{"application":"7"},{"user":"eve"}]"#);
    assert_eq!(change(&gateway, r#"{ "unblock": [{ "application": "7" }] }"#), json!({ "changed": 1, "blocks": 1 }));
    assert_eq!(status(&gateway), 200);
    folder.write("blocks.json", r#"[{ "application": "7" }]"#);
    until("the block that was written by hand", || (status(&gateway) == 403).then_some(()));
    folder.write("blocks.json", "[");
    let refused = gateway.admin_post("/blocks", r#"{ "block": [{ "user": "ann" }] }"#);
    assert_eq!((refused.status(), status(&gateway)), (503, 403), "a file that cannot be read changes nothing");
    assert!(refused.text().contains("blocks.json"), "{}", refused.text());
}
