//! The target that an upstream gets.

use serde_json::json;
use tollgate_tests::{
    Gateway, Settings, Upstream,
    project::{open_api, operation},
};

#[test]
fn a_slash_goes_upstream_only_if_the_client_sent_one() {
    for (base, endpoint, asked, sent) in [
        ("/a", "/base", "/a", "/base"),
        ("/a", "/base/", "/a", "/base"),
        ("/a", "/base", "/a/", "/base/"),
        ("/a", "/base/", "/a/", "/base/"),
        ("/a", "/Echo", "/a?v=1", "/Echo?v=1"),
        ("/a", "/Echo?v=1", "/a", "/Echo?v=1"),
        ("/a", "/Echo?v=1", "/a?w=2", "/Echo?v=1&w=2"),
        ("/a", "", "/a", "/"),
        ("/a", "/", "/a", "/"),
        ("/a", "", "/a?v=1", "/?v=1"),
        ("/", "", "/", "/"),
        ("/", "/base", "/", "/base/"),
        ("/a", "/base", "/a/items", "/base/items"),
        ("/a", "/base", "/a/items/", "/base/items/"),
    ] {
        let upstream = Upstream::start();
        let paths = json!({ "/": { "post": operation() }, "/items": { "post": operation() } });
        let gateway = Gateway::serving(&open_api(base, &format!("{}{endpoint}", upstream.url()), paths), Settings::default());
        assert_eq!(gateway.send("POST", asked, &[], b"<soap/>").status(), 200, "{asked}");
        assert_eq!(upstream.only().target(), sent, "{asked} to {endpoint}");
    }
}
