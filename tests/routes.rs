//! Routes without an OpenAPI definition: which one a request takes, and that they are like operations in everything else.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Project, Reply, Response, Settings, Upstream,
    command::{binary, run},
    get,
    ports::free_port,
    project::{artifact, open_api, operation},
    token::Issuer,
    until,
};

fn ask(gateway: &Gateway, host: &str, target: &str) -> Response {
    gateway.send("GET", target, &[&format!("Host: {host}")], b"")
}

fn texts(gateway: &Gateway, asked: &[(&str, &str, &str)]) {
    for (host, target, expected) in asked {
        let answer = ask(gateway, host, target);
        assert_eq!(answer.text(), *expected, "{host}{target}");
    }
}

#[test]
fn requests_take_the_most_specific_route_by_host_path_and_conditions() {
    let upstreams: Vec<Upstream> = ["one", "two", "three", "four"].into_iter().map(Upstream::named).collect();
    let gateway = Gateway::routing(json!({ "routes": [
        { "upstream": upstreams[0].url() },
        { "hosts": ["shop.example"], "path": "/a/*", "upstream": upstreams[1].url() },
        { "hosts": ["*.shop.example", "shop.example"], "path": "/a/{id}", "methods": ["GET"], "upstream": upstreams[2].url() },
        { "hosts": ["shop.example"], "path": "/a/*", "query": { "beta": { "present": true } }, "upstream": upstreams[3].url() },
    ] }));
    texts(
        &gateway,
        &[
            ("shop.example", "/a/b/c", "two"),
            ("shop.example:80", "/a/b", "three"),
            ("eu.shop.example", "/a/b", "three"),
            ("shop.example", "/a/b/c?beta", "four"),
            ("shop.example", "/c", "one"),
            ("eu.shop.example", "/c", "one"),
            ("localhost", "/a/b", "one"),
        ],
    );
    assert_eq!(gateway.send("POST", "/a/b", &["Host: eu.shop.example"], b"").status(), 405);
    assert_eq!(gateway.send("HEAD", "/a/b", &["Host: eu.shop.example"], b"").status(), 200, "GET includes HEAD");
    let trace = gateway.send("TRACE", "/c", &[], b"");
    assert_eq!(
        (trace.status(), trace.field("allow")),
        (405, Some("DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")),
        "any that can be passed on"
    );
    let line = gateway.log_of(7).remove(1);
    assert_eq!((&line["api"], &line["operation"]), (&json!("shop.example"), &json!("/a/{id} GET")), "{line}");
}

#[test]
fn a_host_of_no_route_gets_421() {
    let upstream = Upstream::start();
    let gateway = Gateway::routing(json!({ "routes": [{ "hosts": ["shop.example"], "upstream": upstream.url() }] }));
    let answer = ask(&gateway, "other.example", "/");
    assert_eq!((answer.status(), upstream.count()), (421, 0));
    assert!(answer.text().contains("route.host"), "{}", answer.text());
    assert_eq!(ask(&gateway, "shop.example", "/").status(), 200);
}

#[test]
fn routes_serve_beside_the_apis_of_an_artifact() {
    let (api, rest) = (Upstream::named("api"), Upstream::named("rest"));
    let folder = Folder::new();
    let mut definition = open_api("/v1", &api.url(), json!({ "/pets": { "get": operation() } }));
    definition["x-tollgate-hosts"] = json!(["api.example", "*.api.example"]);
    let artifact = artifact(&folder, &definition);
    let settings = Settings::of(
        json!({ "routes": [{ "upstream": rest.url() }, { "hosts": ["api.example"], "path": "/docs/*", "upstream": rest.url() }] }),
    );
    let gateway = Gateway::start_in(folder, &artifact, settings);
    texts(
        &gateway,
        &[
            ("api.example", "/v1/pets", "api"),
            ("eu.api.example", "/v1/pets", "api"),
            ("api.example", "/docs/x", "rest"),
            ("api.example", "/other", "rest"),
            ("other.example", "/v1/pets", "rest"),
        ],
    );
    assert_eq!(ask(&gateway, "api.example", "/v1/cats").status(), 404, "what is below a base path is that API's alone");
}

#[test]
fn a_route_has_filters_a_body_limit_and_a_timeout_of_its_own() {
    let upstream = Upstream::answering(|request| match request.target() {
        "/slow" => Reply::raw("").then(Duration::from_secs(30), ""),
        _ => Reply::new(200, request.text()),
    });
    let gateway = Gateway::routing(json!({ "limits": { "body_bytes": "10B" }, "routes": [
        { "path": "/large", "body_bytes": "1MiB", "upstream": upstream.url() },
        { "path": "/small", "upstream": upstream.url(), "filters": { "headers": { "request": { "set": { "x-route": "small" } } } } },
        { "name": "slow", "path": "/slow", "read_timeout": "300ms", "upstream": upstream.url() },
        { "path": "/gone", "filters": { "respond": { "status": 410, "body": "gone" } } },
    ] }));
    let large = vec![b'x'; 100_000];
    assert_eq!(gateway.send("POST", "/large", &[], &large).body, large);
    assert_eq!(gateway.send("POST", "/small", &[], &large).status(), 413);
    upstream.forget();
    assert_eq!(gateway.send("POST", "/small", &[], b"0123456789").text(), "0123456789");
    assert_eq!(upstream.only().field("x-route"), Some("small"));
    let mut client = gateway.connect();
    client.write("POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n").unwrap();
    assert_eq!(client.answer("POST").unwrap().status(), 413);
    let began = Instant::now();
    assert_eq!(gateway.get("/slow").status(), 504);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let gone = gateway.get("/gone");
    assert_eq!((gone.status(), gone.text().as_str()), (410, "gone"));
}

#[test]
fn a_route_says_who_may_call_it_where_the_chain_checks_credentials() {
    let (folder, upstream, issuer) = (Folder::new(), Upstream::start(), Issuer::new("https://issuer.example"));
    let chain = json!([{ "jwt": { "issuers": [issuer.config(&issuer.write(&folder, "issuer.pem"))] } }, "authorize"]);
    let routes = json!([
        { "path": "/open", "security": "open", "upstream": upstream.url() },
        { "path": "/known", "security": ["jwt"], "upstream": upstream.url() },
        { "path": "/scoped", "security": [{ "jwt": ["write"] }], "upstream": upstream.url() },
    ]);
    let mut config = json!({ "chain": chain, "routes": routes });
    let gateway = Gateway::routing_with(Folder::new(), Settings::of(config.clone()));
    let token = format!("Authorization: Bearer {}", issuer.token(json!({ "scope": "read" })));
    let statuses = |fields: &[&str]| ["/open", "/known", "/scoped"].map(|path| gateway.send("GET", path, fields, b"").status());
    assert_eq!((statuses(&[]), statuses(&[&token])), ([200, 401, 401], [200, 200, 403]));

    config["routes"][1].as_object_mut().unwrap().remove("security");
    let said = refused(&config);
    assert!(said.contains("does not say who may call it") && said.contains("security: [jwt]"), "{said}");
}

/// What a gateway says that does not start with this configuration.
fn refused(config: &Value) -> String {
    let folder = Folder::new();
    let mut config = config.clone();
    config["listeners"] = json!([{ "address": "127.0.0.1:0" }]);
    let file = folder.write("gateway.yaml", serde_json::to_string_pretty(&config).unwrap());
    let ran = run(Command::new(binary()).args(["run", "--test", "--config"]).arg(file));
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    ran.stderr
}

#[test]
fn what_a_route_cannot_do_is_an_error_with_its_place_and_a_way_out() {
    let url = "http://127.0.0.1:1";
    for (route, place, said) in [
        (json!({ "upstream": "nobody" }), "/routes/0/upstream", "no entry of `endpoints`"),
        (json!({ "upstream": "ftp://x" }), "/routes/0/upstream", "ftp://x"),
        (json!({ "path": "/a" }), "/routes/0/upstream", "nothing answers"),
        (json!({ "path": "a", "upstream": url }), "/routes/0/path", "does not begin with"),
        (json!({ "path": "~ (", "upstream": url }), "/routes/0", "not a regular expression"),
        (json!({ "methods": ["get"], "upstream": url }), "/routes/0/methods/0", "capital letters"),
        (json!({ "hosts": ["A.example"], "upstream": url }), "/routes/0", "not a host"),
        (json!({ "headers": { "x y": "1" }, "upstream": url }), "/routes/0", "not the name of a header"),
        (json!({ "filters": { "no_such": {} }, "upstream": url }), "/routes/0/filters/no_such", "no_such"),
        (json!({ "filters": { "headers": { "reqest": {} } }, "upstream": url }), "/routes/0/filters/headers", "reqest"),
        (json!({ "upstrem": url }), "/routes/0", "upstrem"),
    ] {
        let text = refused(&json!({ "routes": [route] }));
        assert!(text.contains(place) && text.contains(said), "{route}: {text}");
    }
    let twice = refused(&json!({ "routes": [{ "path": "/{a}", "upstream": url }, { "path": "/{b}", "upstream": url }] }));
    assert!(twice.contains("/routes/1") && twice.contains("matches the same requests"), "{twice}");
    let none = refused(&json!({}));
    assert!(none.contains("routes") && none.contains("artifact"), "{none}");
}

#[test]
fn plan_shows_routes_and_a_shadowed_one_is_told_with_a_request_that_shows_it() {
    let folder = Folder::new();
    let routes = json!([
        { "hosts": ["a.example"], "path": "~ /x/.*", "upstream": "http://127.0.0.1:1" },
        { "hosts": ["a.example"], "path": "/x/*", "upstream": "http://127.0.0.1:2" },
    ]);
    let config = json!({ "listeners": [{ "address": "127.0.0.1:0" }], "routes": routes });
    let file = folder.write("gateway.yaml", config.to_string());
    let plan = run(Command::new(binary()).arg("plan").arg(&file)).ok();
    assert!(plan.stdout.contains("a.example~ /x/.*") && plan.stdout.contains("http://127.0.0.1:2"), "{}", plan.stdout);
    let upstream = Upstream::start();
    let mut served = config;
    served["routes"][0]["upstream"] = upstream.url().into();
    let gateway = Gateway::routing(json!({ "routes": served["routes"] }));
    let said = gateway.stderr();
    assert!(said.contains("no request reaches this route: `GET http://a.example/x/x` goes to"), "{said}");
}

#[test]
fn routes_of_a_project_are_sealed_into_its_artifact() {
    let upstream = Upstream::named("sealed");
    let sealing = |route: Value| Project::new().file("tollgate.yaml", json!({ "routes": [route] }).to_string());
    let (ran, _) = sealing(json!({ "path": "/s/*", "upstream": upstream.url() })).try_build(&[]);
    assert!(ran.code == 1 && ran.stderr.contains("does not say who may call it"), "{}", ran.stderr);
    let project = sealing(json!({ "path": "/s/*", "upstream": upstream.url(), "security": "open" }));
    let gateway = Gateway::start(&project.build(&[]), Settings::default());
    assert_eq!(gateway.get("/s/x").text(), "sealed");
    assert_eq!(gateway.get("/x").status(), 404);
}

#[test]
fn a_reload_changes_routes_and_a_bad_one_changes_nothing() {
    let (one, two) = (Upstream::named("one"), Upstream::named("two"));
    let gateway = Gateway::routing(json!({ "routes": [{ "path": "/a", "upstream": one.url() }] }));
    assert_eq!(gateway.get("/a").text(), "one");
    let file = gateway.folder.join("gateway.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("/a", "no path")).unwrap();
    assert_ne!(gateway.reload().status(), 200);
    assert_eq!(gateway.get("/a").text(), "one");
    fs::write(&file, text.replace(&one.url(), &two.url())).unwrap();
    assert_eq!(gateway.reload().status(), 200);
    assert_eq!(gateway.get("/a").text(), "two");
}

#[test]
fn proxy_serves_in_one_line_and_prints_what_does_the_same() {
    let (upstream, folder, port) = (Upstream::named("mine"), Folder::new(), free_port());
    let output = fs::File::create(folder.join("out")).unwrap();
    let arguments = ["proxy".to_owned(), upstream.url(), "--listen".to_owned(), format!("127.0.0.1:{port}")];
    let mut child = Command::new(binary()).args(arguments).current_dir(folder.path()).stdin(Stdio::null()).stdout(output).spawn().unwrap();
    let answer = until("the proxy to answer", || {
        let mut client = tollgate_tests::Client::try_connect(port).ok()?;
        client.ask("GET", "/a?b=c", &["Host: my.example"], b"").ok()
    });
    assert_eq!(answer.text(), "mine");
    let seen = upstream.only();
    assert_eq!((seen.target(), seen.field("host")), ("/a?b=c", Some("my.example")));
    child.kill().unwrap();
    child.wait().unwrap();
    let printed = fs::read_to_string(folder.join("out")).unwrap();
    let yaml = printed.split_once("listeners:").map(|(_, rest)| format!("listeners:{rest}")).unwrap();
    let yaml: String = yaml.lines().filter(|line| !line.starts_with('{')).map(|line| format!("{line}\n")).collect();
    let file = folder.write("gateway.yaml", yaml);
    let gateway = Gateway::configured(Folder::new(), std::path::Path::new(""), &|_, ports| {
        let text = fs::read_to_string(&file).unwrap();
        let admin = text.lines().find(|line| line.starts_with("admin:")).unwrap().to_owned();
        let admin_now = format!("admin: {{ address: \"127.0.0.1:{}\" }}", ports.admin);
        text.replace(&format!("127.0.0.1:{port}"), &format!("127.0.0.1:{}", ports.plain)).replace(&admin, &admin_now)
    });
    assert_eq!(get(gateway.ports.plain, "/").text(), "mine");
}
