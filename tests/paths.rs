//! Paths over the wire: no spelling of a path walks round the rule of another.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Settings, Upstream,
    project::{open_api, operation},
    shared_cases,
    token::Issuer,
};

struct World {
    upstream: Upstream,
    gateway: Gateway,
    _keys: Folder,
}

/// `/admin/*` demands a token, `/public/*` does not, and the upstream would serve both.
fn world(paths: Value) -> World {
    world_with(paths, &["/public/*"])
}

/// The same with neighbours of `/admin/*` that take whatever it does not match.
fn crowded(paths: Value) -> World {
    world_with(paths, &["/public/*", "/public", "/{page}", "/*"])
}

fn world_with(paths: Value, open: &[&str]) -> World {
    let (upstream, keys, issuer) = (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"));
    let key = issuer.write(&keys, "issuer.pem");
    let mut closed = operation();
    closed["x-wso2-disable-security"] = false.into();
    let mut templates = json!({ "/admin/*": { "get": closed } });
    open.iter().for_each(|template| templates[*template] = json!({ "get": operation() }));
    let definition = open_api("/", &upstream.url(), templates);
    let config = json!({ "paths": paths, "chain": [{ "jwt": { "issuers": [issuer.config(&key)] } }] });
    World { gateway: Gateway::serving(&definition, Settings::of(config)), upstream, _keys: keys }
}

impl World {
    /// The status of a raw target, or 0 when the connection just closed.
    fn ask(&self, target: &str) -> u16 {
        self.gateway.connect().ask("GET", target, &[], b"").map_or(0, |answer| answer.status())
    }

    /// Demands that no upstream request is one for `/admin` to any reader that decodes and removes dots.
    fn nothing_reached_admin(&self) {
        for received in self.upstream.requests() {
            let target = received.message.target().to_owned();
            let text = decoded(target.split('?').next().unwrap());
            for read in [eager(&text), eager(text.split(['?', '#']).next().unwrap())] {
                assert!(read != "/admin" && !read.starts_with("/admin/"), "{target} is {read} to an eager reader");
            }
        }
    }
}

/// A path decoded once, whatever it holds, and with slashes that all lean the same way.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = |i: usize| tail.get(i).and_then(|b| char::from(*b).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).replace('\\', "/")
}

/// A decoded path as an upstream reads it that cuts path parameters and then removes dots.
fn eager(text: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in text.split('/').map(|segment| segment.split(';').next().unwrap_or_default()) {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

/// Both settings, each alone and together.
fn all_settings() -> [Value; 4] {
    let keep = "keep";
    [json!({}), json!({ "encoded_slash": keep }), json!({ "semicolon": keep }), json!({ "encoded_slash": keep, "semicolon": keep })]
}

/// The payloads of a list, as they can stand in a request line.
fn payloads(folder: &Path, list: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join(list)).unwrap();
    text.lines().filter(|line| !line.is_empty() && !line.contains([' ', '\r'])).map(str::to_owned).collect()
}

#[test]
fn no_target_of_the_shared_cases_reaches_admin_without_a_token_whatever_is_kept() {
    let Some(folder) = shared_cases("06-url") else { return };
    let text = fs::read_to_string(folder.join("paths-own.jsonl")).unwrap();
    for paths in all_settings() {
        for world in [world(paths.clone()), crowded(paths)] {
            let mut sent = 0;
            for line in text.lines() {
                let case: Value = serde_json::from_str(line).unwrap();
                let target = case["target"].as_str().unwrap();
                let status = world.ask(target);
                if case["want"] == "route" {
                    assert!((400..500).contains(&status), "{target}: {status}");
                }
                sent += 1;
            }
            assert!(sent > 15, "only {sent} targets were sent");
            world.nothing_reached_admin();
        }
    }
}

#[test]
fn no_payload_that_walks_round_other_gateways_reaches_admin_whatever_is_kept() {
    let Some(folder) = shared_cases("06-url") else { return };
    let mut all = payloads(&folder, "nomore403/endpaths.txt");
    all.extend(payloads(&folder, "payloads/crlfinjection.txt"));
    for paths in all_settings() {
        for world in [world(paths.clone()), crowded(paths)] {
            let mut sent = 0;
            for payload in &all {
                for target in [
                    format!("/admin{payload}"),
                    format!("/admin/x{payload}"),
                    format!("/{payload}/admin/x"),
                    format!("/{payload}admin/x"),
                    format!("/public/{payload}/admin/x"),
                    format!("/public{payload}admin/x"),
                    format!("/public/..{payload}admin/x"),
                    format!("/public/x{payload}../admin/x"),
                ] {
                    world.ask(&target);
                    sent += 1;
                }
            }
            assert!(sent > 500, "only {sent} targets were sent");
            world.nothing_reached_admin();
        }
    }
}

#[test]
fn the_normal_form_is_what_goes_upstream_and_into_the_log() {
    let world = world(json!({}));
    assert_eq!(world.ask("/%70ublic/./a//b/../%7euser/%c3%a4?x=%2e%2e"), 200);
    assert_eq!(world.upstream.only().target(), "/public/a/~user/%C3%A4?x=%2e%2e");
    assert_eq!(world.gateway.log_of(1)[0]["path"], "/public/a/~user/%C3%A4");
}

#[test]
fn an_absolute_target_is_routed_by_its_path_and_must_agree_with_host() {
    let world = world(json!({}));
    let answer = world.gateway.connect().ask("GET", "http://localhost/public/a", &[], b"").unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(world.upstream.only().target(), "/public/a");
    assert_eq!(world.ask("http://other/public/a"), 400);
    assert_eq!(world.ask("http://user@localhost/public/a"), 400);
    assert_eq!(world.ask("http://localhost/admin/x"), 401);
    for other in
        ["ftp://localhost/public/a", "ws://localhost/public/a", "localhost:80", "localhost", "*", "public/a", "urn:public:a", "//localhost"]
    {
        assert!(matches!(world.ask(other), 400 | 404), "{other}");
    }
    assert_eq!(world.upstream.count(), 1);
}

#[test]
fn a_host_that_can_be_read_twice_is_refused() {
    let world = world(json!({}));
    for fields in
        [&["Host: a", "Host: a"][..], &["Host: a, b"], &["Host: user@a"], &["Host: a b"], &["Host:"], &["Host: a:x"], &["Host: a/b"]]
    {
        assert_eq!(world.gateway.send("GET", "/public/a", fields, b"").status(), 400, "{fields:?}");
    }
    let mut client = world.gateway.connect();
    client.write("GET /public/a HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(client.answer("GET").unwrap().status(), 400);
    assert_eq!(world.upstream.count(), 0);
}

#[test]
fn a_target_with_a_fragment_is_refused() {
    let world = world(json!({}));
    for target in ["/public/a#/admin/x", "/public/a?x=1#y", "http://localhost/public/a#"] {
        assert_eq!(world.ask(target), 400, "{target}");
    }
    assert_eq!(world.upstream.count(), 0);
}

#[test]
fn no_field_tells_the_upstream_another_method_or_target_than_was_judged() {
    let world = world(json!({}));
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "x_http_method_override"] {
        let refused = world.gateway.send("GET", "/public/a", &[&format!("{name}: DELETE")], b"");
        assert_eq!((refused.status(), refused.text().contains("request.override")), (400, true), "{name}");
    }
    assert_eq!(world.upstream.count(), 0);
    let fields = ["X-Original-URL: /admin/x", "X-Rewrite-URL: /admin/x", "X-HTTP-Method-Override: GET"];
    assert_eq!(world.gateway.send("GET", "/public/a", &fields, b"").status(), 200);
    let arrived = world.upstream.only();
    assert_eq!((arrived.field("x-original-url"), arrived.field("x-rewrite-url")), (None, None));
    assert_eq!(world.gateway.send("GET", "/public/a", &["X_Original_URL: /admin/x"], b"").status(), 400);
}

#[test]
fn no_path_parameter_makes_a_guarded_name_another_one() {
    let (upstream, keys, issuer) = (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"));
    let key = issuer.write(&keys, "issuer.pem");
    let mut closed = operation();
    closed["x-wso2-disable-security"] = false.into();
    let definition = open_api("/", &upstream.url(), json!({ "/admin": { "get": closed }, "/{page}": { "get": operation() } }));
    let config = json!({ "chain": [{ "jwt": { "issuers": [issuer.config(&key)] } }] });
    let world = World { gateway: Gateway::serving(&definition, Settings::of(config)), upstream, _keys: keys };
    for target in ["/admin;x", "/admin%3Bx", "/admin%3b", "/%61dmin%3bx"] {
        assert_eq!(world.ask(target), 400, "{target}");
    }
    assert_eq!((world.ask("/admin"), world.ask("/news")), (401, 200));
    world.nothing_reached_admin();
}
