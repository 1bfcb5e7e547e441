//! Targets that are rewritten on the way to upstreams, and answers on the way back.

use serde_json::{Value, json};
use tollgate_tests::{Gateway, Message, Reply, Settings, Upstream, project::open_api};

fn gateway(upstream: &Upstream, rules: Value) -> Gateway {
    let back = json!({
        "hosts": ["app.internal:8080"],
        "paths": [{ "from": "/app", "to": "/shop" }],
        "cookie_domains": [{ "from": "app.internal" }],
        "cookie_paths": [{ "from": "/app", "to": "/shop" }],
    });
    let settings = json!({ "rules": rules, "back": back });
    let operation = json!({ "responses": { "200": { "description": "ok" } }, "x-tollgate-rewrite": settings });
    Gateway::serving(&open_api("/shop", &upstream.url(), json!({ "/*": { "get": operation } })), Settings::default())
}

#[test]
fn an_upstream_sees_its_own_paths_and_a_client_those_of_the_gateway() {
    let upstream = Upstream::answering(|_: &Message| {
        let fields =
            ["Location: http://app.internal:8080/app/next?a", "Set-Cookie: a=1; Domain=app.internal; Path=/app", "Set-Cookie: b=2; Path=/"];
        Reply::with(302, &fields, "")
    });
    let gateway = gateway(&upstream, json!([{ "regex": "^/item-([0-9]+)$", "to": "/app/items?id=$1" }, { "prefix": "/", "to": "/app" }]));
    let answer = gateway.get("/shop/item-7?debug=1");
    assert_eq!((answer.status(), answer.field("location")), (302, Some("/shop/next?a")));
    assert_eq!(answer.all("set-cookie"), ["a=1; Path=/shop", "b=2; Path=/"]);
    gateway.get("/shop/a%20b/c?q");
    let asked: Vec<String> = upstream.requests().iter().map(|request| request.message.target().to_owned()).collect();
    assert_eq!(asked, ["/app/items?id=7&debug=1", "/app/a%20b/c?q"]);
    let log = gateway.log_of(2);
    assert_eq!(log[0]["path"], "/shop/item-7", "{log:?}");
}

#[test]
fn what_comes_of_a_clients_path_is_judged_as_that_was() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream, json!([{ "regex": "^/x/a(.*)$", "to": "/in/.$1" }]));
    assert_eq!(gateway.get("/shop/x/ab/c").status(), 200);
    // A dot of the rule's and one of the client's are two.
    for target in ["/shop/x/a./c", "/shop/x/a%2e/c", "/shop/x/a./%2e%2e/c"] {
        gateway.get(target);
    }
    let asked: Vec<String> = upstream.requests().iter().map(|request| request.message.target().to_owned()).collect();
    assert_eq!(asked[0], "/in/.b/c");
    assert!(asked.iter().all(|target| !target.split('/').any(|segment| segment == "..")), "{asked:?}");
}
