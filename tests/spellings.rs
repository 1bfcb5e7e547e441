//! Spellings over the wire: whoever decodes a target once reads in it what the gateway judged.

use serde_json::{Value, json};
use tollgate_tests::{
    Client, Folder, Gateway, Project, Settings, Upstream,
    h2::{H2, Outcome},
    project::{open_api, operation},
    token::Issuer,
};

struct World {
    upstream: Upstream,
    gateway: Gateway,
    _keys: Folder,
}

/// `closed` templates demand a token, `open` ones do not.
fn world(paths: Value, base: &str, open: &[&str], closed: &[&str]) -> World {
    let (upstream, keys, issuer) = (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"));
    let key = issuer.write(&keys, "issuer.pem");
    let mut secured = operation();
    secured["x-wso2-disable-security"] = false.into();
    let open = open.iter().map(|template| ((*template).to_owned(), json!({ "get": operation() })));
    let closed = closed.iter().map(|template| ((*template).to_owned(), json!({ "get": secured })));
    let definition = open_api(base, &format!("{}/base", upstream.url()), open.chain(closed).collect::<serde_json::Map<_, _>>().into());
    let config = json!({ "paths": paths, "chain": [{ "jwt": { "issuers": [issuer.config(&key)] } }] });
    World { gateway: Gateway::serving(&definition, Settings { h2c: true, config, tls: None }), upstream, _keys: keys }
}

impl World {
    /// The status of a raw target.
    fn ask(&self, target: &str) -> u16 {
        self.gateway.connect().ask("GET", target, &[], b"").unwrap_or_else(|error| panic!("{target}: {error}")).status()
    }
}

#[test]
fn a_secured_literal_is_secured_in_every_spelling() {
    let reserved = ":$@,+(=!'&)*";
    for literal in reserved.chars() {
        let (raw, escaped) = (format!("/items/{{id}}{literal}purge"), format!("%{:02x}", u32::from(literal)));
        let world = world(json!({}), "/a", &["/items/{id}"], &[&raw]);
        for spelling in [literal.to_string(), escaped.clone(), escaped.to_uppercase()] {
            assert_eq!(world.ask(&format!("/a/items/7{spelling}purge")), 401, "{spelling}");
        }
        // A percent sign and two digits are no `:` to anybody who decodes once.
        assert_eq!(world.ask(&format!("/a/items/7%25{}purge", &escaped[1..])), 200, "{literal}");
        assert_eq!(world.upstream.count(), 1);
    }
}

#[test]
fn a_literal_is_found_in_every_spelling_and_the_upstream_gets_the_clients() {
    let world = world(json!({}), "/shop:eu", &["/odata/$metadata"], &[]);
    for (target, sent) in [
        ("/shop:eu/odata/$metadata", "/base/odata/$metadata"),
        ("/shop:eu/odata/%24metadata", "/base/odata/%24metadata"),
        ("/shop%3aeu/odata/%24metadata", "/base/odata/%24metadata"),
    ] {
        world.upstream.forget();
        assert_eq!(world.ask(target), 200, "{target}");
        assert_eq!(world.upstream.only().target(), sent, "{target}");
    }
}

#[test]
fn over_http_2_a_path_is_read_the_same() {
    let world = world(json!({ "encoded_slash": "keep" }), "/a", &["/items/{id}", "/odata/$metadata"], &["/items/{id}:purge"]);
    let mut client = H2::start(Client::connect(world.gateway.ports.h2c)).unwrap();
    // 401 is not in the static table, and the harness reads no other.
    let unauthorized = 0;
    for (stream, path, status) in [
        (1, "/a/items/7:purge", unauthorized),
        (3, "/a/items/7%3Apurge", unauthorized),
        (5, "/a/items/7%3apurge", unauthorized),
        (7, "/a/odata/%24metadata", 200),
        (9, "/a/items/7%2F..%2F8", 400),
        (11, "/a/items/%2e%2e%2F8", 400),
        (13, "/a/items/7%2F8", 200),
    ] {
        client.get(stream, path, &[]).unwrap();
        assert_eq!(client.outcome(stream), Outcome::Answered(status), "{path}");
    }
    assert_eq!(world.upstream.count(), 2);
    let log = world.gateway.log_of(7);
    assert_eq!(log.iter().filter(|line| line["status"] == 401).count(), 3, "{log:?}");
}

#[test]
fn two_operations_that_differ_only_in_spelling_do_not_build_and_both_are_named() {
    let paths = json!({ "/items/{id}:purge": { "get": operation() }, "/items/{key}%3Apurge": { "get": operation() } });
    let definition = serde_json::to_string_pretty(&open_api("/a", "http://127.0.0.1:1", paths)).unwrap();
    let lines = |text: &str| definition.lines().position(|line| line.contains(text)).unwrap() + 1;
    let (ran, _) = Project::new().definition("api.json", &definition).try_build(&[]);
    assert_ne!(ran.code, 0);
    for named in
        ["template.ambiguous", "/items/{key}%3Apurge", &format!("api.json:{}", lines("%3Apurge")), "api_definitions/api.json on line"]
    {
        assert!(ran.stderr.contains(named), "nothing says `{named}`:\n{}", ran.stderr);
    }
    assert!(ran.stderr.contains("~1items~1{id}:purge/get"), "{}", ran.stderr);
}

#[test]
fn no_encoded_slash_or_semicolon_that_is_kept_hides_a_dot_segment() {
    for paths in [json!({ "encoded_slash": "keep" }), json!({ "encoded_slash": "keep", "semicolon": "keep" })] {
        let world = world(paths, "/a", &["/open/*", "/{page}"], &["/admin"]);
        for target in [
            "/a/open/..%2Fadmin",
            "/a/open/%2e%2e%2Fadmin",
            "/a/%3B%2F../admin",
            "/a/open/x%2F..%2Fadmin",
            "/a/open/x%2F..%2F..%2Fadmin",
            "/a/open/..%3Bx%2Fadmin",
            "/a/open%2F..%2fadmin",
            "/a/open/.%2e%2Fadmin",
            "/a/open/%2e.%2Fadmin",
            "/a/open/x%2f%2F%2e%2E%2fadmin",
            "/%3B%2F../admin",
        ] {
            assert_eq!(world.ask(target), 400, "{target}");
        }
        assert_eq!(world.upstream.count(), 0);
        assert_eq!(world.ask("/a/open/x%2Fy"), 200);
        assert_eq!(world.upstream.only().target(), "/base/open/x%2Fy");
    }
}

#[test]
fn a_target_that_decodes_to_another_operation_is_refused_unless_the_rules_are_the_same() {
    let keep = json!({ "encoded_slash": "keep", "semicolon": "keep" });
    let world = world(keep, "/a", &["/{page}", "/files/{name}", "/files/{name}/raw"], &["/admin", "/files/{name}/acl"]);
    for target in [
        "/a/admin;x",
        "/a/admin%3Bx",
        "/a/%2Fadmin",
        "/a/admin%2F",
        "/a/;x%2Fadmin",
        "/a/admin%3Fx",
        "/a/files/x%2Facl",
        "/a/files/x%2Facl;y",
    ] {
        let refused = world.gateway.get(target);
        assert_eq!((refused.status(), refused.text().contains("path.ambiguous")), (400, true), "{target}: {}", refused.text());
    }
    assert_eq!(world.upstream.count(), 0);
    for target in ["/a/news;v=1", "/a/files/x%2Fy", "/a/files/x%2Fraw", "/a/files/x%2Fy;z%2Fw"] {
        assert_eq!(world.ask(target), 200, "{target}");
    }
}

const PARTS: [&str; 40] = [
    "/",
    "/",
    "//",
    "admin",
    "%61dmin",
    "ADMIN",
    "public",
    "x",
    "%2F",
    "%2f",
    "%252F",
    "%25%32%66",
    "%5C",
    "%5c",
    "\\",
    ";",
    "%3B",
    "%3b",
    ";x=%2F",
    "..;",
    ".",
    "..",
    "%2e",
    "%2E.",
    ".%2e",
    "%252e%252e",
    "%c0%ae",
    "%e0%80%ae",
    "%c0%af",
    "%u002e",
    "%u2215",
    "%00",
    "..%00/",
    "%3F",
    "%23",
    "%0d%0a",
    "%20",
    "%EF%BC%8E",
    "%EF%BC%8F",
    "%",
];

/// Every reading of a path by somebody who decodes it once: split before or after, cut or not, as far as a query or not.
fn readings(path: &str) -> Vec<Vec<String>> {
    let cut = |text: &str| text.split(';').next().unwrap_or_default().to_owned();
    let mut all = Vec::new();
    for cut_first in [false, true] {
        let text = if cut_first { path.split('/').map(cut).collect::<Vec<_>>().join("/") } else { path.to_owned() };
        let text = decoded(&text).replace('\\', "/");
        for text in [text.as_str(), text.split(['?', '#']).next().unwrap_or_default()] {
            all.push(text.split('/').map(str::to_owned).collect());
            all.push(text.split('/').map(cut).collect());
        }
    }
    all
}

fn decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        bytes.extend(piece[2..].bytes());
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn no_hostile_spelling_reaches_what_is_secured_whatever_is_kept() {
    let keep = "keep";
    let all =
        [json!({}), json!({ "encoded_slash": keep }), json!({ "semicolon": keep }), json!({ "encoded_slash": keep, "semicolon": keep })];
    for paths in all {
        let world = world(paths.clone(), "/a", &["/public/*", "/{page}", "/x/{y}"], &["/admin", "/admin/{x}"]);
        let mut state = 41_u32;
        let mut random = |bound: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as usize % bound
        };
        for _ in 0..1_500 {
            let tail: String = (0..1 + random(7)).map(|_| PARTS[random(PARTS.len())]).collect();
            let target = format!("/a{}{tail}", ["/", "/public/", "/x/"][random(3)]);
            let status = world.ask(&target);
            assert!(matches!(status, 200 | 400 | 401 | 404), "{target}: {status}");
        }
        let requests = world.upstream.requests();
        assert!(requests.len() > 100, "only {} requests went upstream: {paths}", requests.len());
        for received in requests {
            let path = received.message.target().strip_prefix("/base").unwrap().to_owned();
            for segments in readings(&path) {
                assert!(!segments.iter().any(|one| matches!(one.trim_end(), "." | "..")), "{path} has dots: {paths}");
                let first = segments.iter().find(|one| !one.is_empty()).map_or("", String::as_str);
                assert_ne!(first, "admin", "{path} is read as {segments:?}: {paths}");
            }
        }
    }
}
