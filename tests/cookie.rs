//! Sessions of pages, end to end: the browser keeps a sealed cookie, the upstream sees a token, and nobody else's page gets anywhere.

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Response, Settings, Upstream,
    client::Client,
    h2::{H2, Outcome},
    project::{open_api, operation},
    token::{Issuer, now},
    until,
};

const SESSION: &str = "__Host-session";

struct World {
    upstream: Upstream,
    gateway: Gateway,
    issuer: Issuer,
    folder: Folder,
}

/// An API, and a session that begins and ends without an upstream.
fn definition(endpoint: &str) -> Value {
    let session = |does: &str| {
        let mut operation = operation();
        operation["x-tollgate-cookie"] = json!({ does: true });
        operation["x-tollgate-respond"] = json!({ "status": 204 });
        operation
    };
    let mut change = operation();
    change["security"] = json!([{ "oauth": ["write"] }]);
    let paths = json!({
        "/x": { "get": operation(), "post": operation(), "delete": change },
        "/session": { "post": session("issue"), "delete": session("clear") },
    });
    let mut definition = open_api("/a", endpoint, paths);
    definition["x-wso2-disable-security"] = false.into();
    definition["components"] = json!({ "securitySchemes": { "oauth": { "type": "oauth2", "flows": { "clientCredentials": { "tokenUrl": "https://issuer.example/token", "scopes": { "write": "w" } } } } } });
    definition["security"] = json!([{ "oauth": [] }]);
    definition
}

fn world_with(cookie: Value, more: Value) -> World {
    let (upstream, folder, issuer) = (Upstream::start(), Folder::new(), Issuer::new("https://issuer.example"));
    let mut settings = json!({ "keys": [key(&folder, "a")] });
    settings.as_object_mut().unwrap().extend(cookie.as_object().unwrap().clone());
    let jwt = json!({ "issuers": [issuer.config(&issuer.write(&folder, "issuer.pem"))], "forward_token": true });
    let mut config = json!({
        "chain": [{ "cookie": settings }, { "jwt": jwt }, "revocation", "authorize", "respond"],
        "stores": { "revocations": { "journal": folder.join("revocations") } },
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let gateway = Gateway::serving(&definition(&upstream.url()), Settings { config, tls: None, h2c: true });
    World { upstream, gateway, issuer, folder }
}

fn world() -> World {
    world_with(json!({}), json!({}))
}

/// A reference to a key that is made here.
fn key(folder: &Folder, name: &str) -> String {
    let mut key = [0; 32];
    openssl::rand::rand_bytes(&mut key).unwrap();
    let text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("${{file:{}}}", folder.write(name, text).display())
}

/// What a browser keeps of an answer.
#[derive(Clone)]
struct Browser {
    session: String,
    csrf: String,
}

impl Browser {
    fn of(answer: &Response) -> Self {
        let cookies = answer.all("set-cookie");
        assert_eq!(cookies.len(), 2, "{answer:?}");
        let value = |name: &str| {
            let cookie = cookies.iter().find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('='));
            cookie.unwrap_or_else(|| panic!("no {name} in {cookies:?}")).split(';').next().unwrap().to_owned()
        };
        Self { session: value(SESSION), csrf: value("__Host-csrf") }
    }

    fn cookie(&self) -> String {
        format!("Cookie: {SESSION}={}; __Host-csrf={}", self.session, self.csrf)
    }

    fn shown(&self) -> String {
        format!("X-CSRF-Token: {}", self.csrf)
    }
}

impl World {
    fn log_in(&self, token: &str) -> Response {
        self.gateway.send("POST", "/a/session", &[&format!("Authorization: Bearer {token}")], b"")
    }

    fn browser(&self) -> Browser {
        let answer = self.log_in(&self.issuer.token(json!({})));
        assert_eq!(answer.status(), 204, "{}", answer.text());
        Browser::of(&answer)
    }

    /// Status of a GET with that session.
    fn with(&self, session: &str) -> Response {
        self.gateway.send("GET", "/a/x", &[&format!("Cookie: {SESSION}={session}")], b"")
    }

    /// Changes the filter's settings in the file, and has the gateway read it again.
    fn set(&self, keys: Value) {
        let path = self.gateway.folder.join("gateway.yaml");
        let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        config["chain"][0]["cookie"]["keys"] = keys;
        std::fs::write(&path, config.to_string()).unwrap();
        let answer = self.gateway.reload();
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }
}

#[test]
fn a_page_logs_in_with_its_token_and_its_browser_calls_with_a_session() {
    let world = world();
    let token = world.issuer.token(json!({}));
    let answer = world.log_in(&token);
    assert_eq!((answer.status(), world.upstream.count()), (204, 0), "{}", answer.text());
    for cookie in answer.all("set-cookie") {
        assert!(cookie.starts_with("__Host-") && cookie.contains("; Path=/; Secure; SameSite=Strict"), "{cookie}");
        assert_eq!(cookie.contains("HttpOnly"), cookie.starts_with(SESSION), "{cookie}");
        assert!(!cookie.to_ascii_lowercase().contains("domain=") && !cookie.contains(&token), "{cookie}");
    }
    let browser = Browser::of(&answer);
    let cookie = format!("Cookie: theme=dark;{SESSION}={}; __Host-csrf={}; lang=\"de\"", browser.session, browser.csrf);
    let answer = world.gateway.send("GET", "/a/x", &[&cookie], b"");
    assert_eq!((answer.status(), answer.field("cache-control")), (200, Some("private")), "{}", answer.text());
    let seen = world.upstream.only();
    assert_eq!(seen.field("authorization"), Some(format!("Bearer {token}").as_str()));
    assert_eq!(seen.field("cookie"), Some("theme=dark; lang=\"de\""));
    let log = std::fs::read_to_string(world.gateway.folder.join("access.log")).unwrap();
    assert!(![&token, &browser.session, &browser.csrf].iter().any(|secret| log.contains(*secret)), "{log}");
}

#[test]
fn nothing_changes_without_the_sessions_csrf_token_or_from_a_foreign_page() {
    let world = world();
    let (browser, other) = (world.browser(), world.browser());
    let (cookie, shown) = (browser.cookie(), browser.shown());
    let foreign = "Origin: https://evil.example";
    let refused: [&[&str]; 7] = [
        &[&cookie],
        &[&cookie, &other.shown()],
        &[&format!("Cookie: {SESSION}={}; __Host-csrf={}", browser.session, other.csrf), &other.shown()],
        &[&cookie, &shown, foreign],
        &[&cookie, &shown, "Origin: null"],
        &[&cookie, &shown, "Sec-Fetch-Site: cross-site"],
        &[&cookie, &shown, foreign, "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https"],
    ];
    for fields in refused {
        let answer = world.gateway.send("POST", "/a/x", fields, b"{}");
        assert_eq!(answer.status(), 403, "{fields:?}: {}", answer.text());
        assert!(answer.text().contains("cookie.csrf") && answer.all("set-cookie").is_empty(), "{}", answer.text());
    }
    assert_eq!(world.upstream.count(), 0);
    let answer = world.gateway.send("POST", "/a/x", &[&cookie, &shown, "Origin: http://localhost", "Sec-Fetch-Site: same-origin"], b"{}");
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let seen = world.upstream.only();
    assert!(seen.field("x-csrf-token").is_none() && seen.field("cookie").is_none() && seen.field("authorization").is_some(), "{seen:?}");
}

#[test]
fn a_session_opens_no_more_than_its_token() {
    let world = world();
    let browser = world.browser();
    let answer = world.gateway.send("DELETE", "/a/x", &[&browser.cookie(), &browser.shown()], b"");
    assert_eq!(answer.status(), 403, "{}", answer.text());
    assert!(answer.field("www-authenticate").unwrap().contains("insufficient_scope"), "{answer:?}");
    let writer = Browser::of(&world.log_in(&world.issuer.token(json!({ "scope": "write" }))));
    assert_eq!(world.gateway.send("DELETE", "/a/x", &[&writer.cookie(), &writer.shown()], b"").status(), 200);
    assert_eq!(world.upstream.count(), 1);
}

#[test]
fn no_session_begins_without_a_good_token() {
    let world = world();
    let stranger = Issuer::new(&world.issuer.name);
    let session = world.browser();
    let asks: [&[&str]; 4] =
        [&[], &[&format!("Authorization: Bearer {}", stranger.token(json!({})))], &["Authorization: Basic YTpi"], &["Cookie: a=b"]];
    for fields in asks {
        let answer = world.gateway.send("POST", "/a/session", fields, b"");
        assert_eq!((answer.status(), answer.all("set-cookie").len()), (401, 0), "{fields:?}: {}", answer.text());
    }
    let over = world.log_in(&world.issuer.token(json!({ "exp": now() - 1 })));
    assert_eq!(over.status(), 401, "{}", over.text());
    assert!(over.all("set-cookie").iter().all(|cookie| cookie.contains("Max-Age=0;")), "{over:?}");
    let long = world.log_in(&world.issuer.token(json!({ "long": "x".repeat(3000) })));
    assert_eq!((long.status(), long.all("set-cookie").len()), (431, 0), "{}", long.text());
    let again = world.gateway.send("POST", "/a/session", &[&session.cookie(), &session.shown()], b"");
    assert_eq!((again.status(), again.all("set-cookie").len()), (204, 0), "a session begins no other: {}", again.text());
}

#[test]
fn a_logout_clears_the_cookies_and_only_the_page_itself_can_do_it() {
    let world = world();
    let browser = world.browser();
    let refused = world.gateway.send("DELETE", "/a/session", &[&browser.cookie()], b"");
    assert_eq!((refused.status(), refused.all("set-cookie").len()), (403, 0), "{}", refused.text());
    let stranger = world.gateway.send("DELETE", "/a/session", &[], b"");
    assert_eq!((stranger.status(), stranger.all("set-cookie").len()), (401, 0), "{}", stranger.text());
    let answer = world.gateway.send("DELETE", "/a/session", &[&browser.cookie(), &browser.shown()], b"");
    assert_eq!(answer.status(), 204, "{}", answer.text());
    let cleared = Browser::of(&answer);
    assert_eq!((cleared.session.as_str(), cleared.csrf.as_str()), ("", ""));
    assert!(answer.all("set-cookie").iter().all(|cookie| cookie.contains("; Max-Age=0; Path=/; Secure")), "{answer:?}");
}

#[test]
fn whatever_was_not_sealed_here_is_refused_and_cleared() {
    let world = world();
    let elsewhere = world_with(json!({}), json!({}));
    let good = world.browser();
    let changed = |at: usize| {
        let mut bytes = good.session.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let length = good.session.len();
    let bad = [
        ("another gateway's key", elsewhere.browser().session),
        ("its first character changed", changed(0)),
        ("its nonce changed", changed(8)),
        ("its end changed", changed(20)),
        ("its token changed", changed(length / 2)),
        ("its tag changed", changed(length - 3)),
        ("cut in half", good.session[..length / 2].to_owned()),
        ("without its last character", good.session[..length - 1].to_owned()),
        ("longer", format!("{}AAAA", good.session)),
        ("padded", format!("{}=", good.session)),
        ("the CSRF token in its place", good.csrf.clone()),
        ("a bearer token in its place", world.issuer.token(json!({}))),
        ("twice", format!("{}; {SESSION}={}", good.session, good.session)),
        ("empty", String::new()),
    ];
    for (what, session) in bad {
        let answer = world.with(&session);
        assert_eq!(answer.status(), 401, "{what}: {}", answer.text());
        assert!(answer.text().contains("cookie.invalid") && answer.field("www-authenticate").is_some(), "{what}: {}", answer.text());
        assert!(answer.all("set-cookie").iter().all(|cookie| cookie.contains("=; Max-Age=0;")) && answer.all("set-cookie").len() == 2);
    }
    let lower = world.gateway.send("GET", "/a/x", &[&format!("Cookie: __host-session={}", good.session)], b"");
    assert_eq!(lower.status(), 401, "names of cookies have a case: {}", lower.text());
    assert_eq!(world.upstream.count(), 0);
    assert_eq!(world.with(&good.session).status(), 200);
    let log = world.gateway.log_of(1);
    assert!(log.iter().all(|line| !line.to_string().contains(&good.session)), "{log:?}");
}

#[test]
fn a_session_is_over_when_its_time_is_and_when_its_token_is_revoked() {
    let world = world_with(json!({ "max_age": "2s" }), json!({}));
    let short = world.browser();
    assert_eq!(world.with(&short.session).status(), 200);
    until("the session to end", || (world.with(&short.session).status() == 401).then_some(()));
    let long = self::world();
    let token = long.issuer.token(json!({ "jti": "r" }));
    let browser = Browser::of(&long.log_in(&token));
    assert_eq!(long.with(&browser.session).status(), 200);
    let receipt =
        tollgate_tests::send(long.gateway.ports.admin, "POST", "/revocations", &[], json!({ "token": token }).to_string().as_bytes());
    assert_eq!(receipt.status(), 200, "{}", receipt.text());
    let answer = long.with(&browser.session);
    assert_eq!(answer.status(), 401, "{}", answer.text());
    assert!(answer.text().contains("revocation.revoked"), "{}", answer.text());
}

#[test]
fn keys_rotate_without_a_logout_and_an_old_key_ends_its_sessions() {
    let world = world();
    let old = world.browser();
    let (a, b) = (json!(format!("${{file:{}}}", world.folder.join("a").display())), key(&world.folder, "b"));
    world.set(json!([b, a]));
    assert_eq!(world.with(&old.session).status(), 200);
    let new = world.browser();
    world.set(json!([b]));
    assert_eq!(world.with(&new.session).status(), 200, "the first key seals");
    assert_eq!(world.with(&old.session).status(), 401);
    world.set(json!([a]));
    assert_eq!(world.with(&new.session).status(), 401);
    assert_eq!(world.with(&old.session).status(), 200);
}

#[test]
fn over_http2_each_cookie_may_be_a_field_of_its_own() {
    let world = world();
    let browser = world.browser();
    let mut client = H2::start(Client::connect(world.gateway.ports.h2c)).unwrap();
    let (session, csrf) = (format!("{SESSION}={}", browser.session), format!("__Host-csrf={}", browser.csrf));
    client.get(1, "/a/x", &[("cookie", "a=1"), ("cookie", &session), ("cookie", &csrf), ("cookie", "b=2")]).unwrap();
    assert_eq!(client.outcome(1), Outcome::Answered(200));
    let seen = world.upstream.only();
    assert!(seen.field("authorization").is_some_and(|value| value.starts_with("Bearer ")), "{seen:?}");
    let left: Vec<&str> = seen.all("cookie").iter().flat_map(|value| value.split("; ")).collect();
    assert_eq!(left, ["a=1", "b=2"]);
    client.get(3, "/a/x", &[("cookie", &session), ("cookie", "b=2"), ("cookie", &session)]).unwrap();
    // The harness reads the commonest statuses only.
    assert_ne!(client.outcome(3), Outcome::Answered(200));
    assert_eq!(world.upstream.count(), 1);
}

#[test]
fn behind_a_load_balancer_the_page_is_of_the_host_that_it_says() {
    let world = world_with(json!({}), json!({ "trusted_proxies": ["127.0.0.1"] }));
    let browser = world.browser();
    let forwarded = ["X-Forwarded-Host: shop.example", "X-Forwarded-Proto: https"];
    let post = |origin: &str| {
        let (cookie, shown, origin) = (browser.cookie(), browser.shown(), format!("Origin: {origin}"));
        world.gateway.send("POST", "/a/x", &[&cookie, &shown, &origin, forwarded[0], forwarded[1]], b"{}").status()
    };
    assert_eq!(post("https://shop.example"), 200);
    assert_eq!((post("http://shop.example"), post("http://localhost")), (403, 403));
}

#[test]
fn a_session_that_nobody_could_seal_does_not_start() {
    let (upstream, folder) = (Upstream::start(), Folder::new());
    let artifact = tollgate_tests::project::artifact(&folder, &definition(&upstream.url()));
    let issuer = Issuer::new("https://issuer.example");
    let jwt = json!({ "jwt": { "issuers": [issuer.config(&issuer.write(&folder, "issuer.pem"))] } });
    let short = folder.write("short", "0123456789");
    for (cookie, said) in [(json!({}), "no key to seal"), (json!({ "keys": [format!("${{file:{}}}", short.display())] }), "fewer than 32")]
    {
        let config = json!({ "listeners": [{ "address": "127.0.0.1:0" }], "chain": [{ "cookie": cookie }, jwt, "authorize", "respond"] });
        let config = folder.write("gateway.yaml", config.to_string());
        let ran = tollgate_tests::tollgate(["run".as_ref(), artifact.as_os_str(), "--config".as_ref(), config.as_os_str()]);
        assert!(ran.code != 0 && ran.stderr.contains(said) && !ran.stderr.contains("0123456789"), "{ran:?}");
    }
}
