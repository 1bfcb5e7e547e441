//! Blocks, end to end: before every limit, and changed while the gateway runs.

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Settings, Upstream,
    project::{everything, open_api},
    token::Issuer,
    until,
};

#[test]
fn callers_are_blocked_with_the_reference_products_answer_as_soon_as_the_list_names_them_and_still_after_a_restart() {
    let (upstream, folder, issuer) = (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"));
    let mut definition = open_api("/a", &upstream.url(), everything());
    definition["x-wso2-disable-security"] = false.into();
    definition["security"] = json!([{ "oauth": [] }]);
    definition["components"] = json!({ "securitySchemes": { "oauth": { "type": "http", "scheme": "bearer" } } });
    let list = folder.write("blocks.json", "[]");
    let throttle = json!({ "throttle": {
        "policies": { "one": { "requests": 1, "per": "365d" } },
        "limits": [{ "policy": "one", "key": ["principal.subject"], "when": [{ "claim": "sub", "is": ["mallory"] }] }],
        "blocks": [{ "user": "mallory" }],
        "blocks_file": list,
    } });
    let jwt = json!({ "issuers": [issuer.config(&issuer.write(&folder, "issuer.pem"))] });
    let config = json!({ "errors": "wso2", "chain": [{ "jwt": jwt }, throttle] });
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
    folder.write("blocks.json", r#"[{ "application": "7" }]"#);
    until("the block of the application", || (status(&gateway) == 403).then_some(()));
    drop(gateway);
    let gateway = start();
    assert_eq!(status(&gateway), 403);
    folder.write("blocks.json", "[]");
    until("the end of the block", || (status(&gateway) == 200).then_some(()));
}
