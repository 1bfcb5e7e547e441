//! Sessions from login to logout, and everything that is none.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{path::PathBuf, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use tollgate_filter_api::{HeaderName, ResponseHead, Secret};
use tollgate_filter_testkit::{Conformance, Harness, START};

use crate::{
    Cookie, KIND,
    session::{Seal, Session},
};

#[path = "settings_tests.rs"]
mod settings;

const NAME: &str = "__Host-session";

/// Key files in a folder that goes with the test.
struct Keys(PathBuf);

impl Keys {
    fn new() -> Self {
        let mut name = [0; 12];
        openssl::rand::rand_bytes(&mut name).unwrap();
        let folder = std::env::temp_dir().join(format!("tollgate-cookie-{}", URL_SAFE_NO_PAD.encode(name)));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// The reference to a key of that name, made when it is first asked for.
    fn key(&self, name: &str) -> String {
        let path = self.0.join(name);
        if !path.exists() {
            let mut key = [0; 32];
            openssl::rand::rand_bytes(&mut key).unwrap();
            std::fs::write(&path, URL_SAFE_NO_PAD.encode(key)).unwrap();
        }
        format!("${{file:{}}}", path.display())
    }

    fn secret(&self, name: &str) -> Secret {
        serde_json::from_value(self.key(name).into()).unwrap()
    }

    fn filter(&self, keys: &[&str], more: &str) -> Harness<Cookie> {
        let keys: Vec<String> = keys.iter().map(|name| self.key(name)).collect();
        Harness::yaml(&format!("{{ keys: {}{more} }}", json!(keys)))
    }

    /// A session of our own making.
    fn session(&self, key: &str, token: &str, ends: u64) -> (String, String) {
        let session = Session::new(token, ends).unwrap();
        (Seal::new(&[self.secret(key)], NAME).unwrap().seal(&session).unwrap().unwrap(), session.csrf_text())
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn token(claims: &serde_json::Value) -> String {
    let [head, payload] = [json!({ "alg": "ES256" }), claims.clone()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{head}.{payload}.AA")
}

fn cookies(resp: &ResponseHead) -> Vec<String> {
    resp.get_all(&HeaderName::from_static("set-cookie")).map(|value| value.to_str().unwrap().to_owned()).collect()
}

fn field<'a>(resp: &'a ResponseHead, name: &'static str) -> Option<&'a str> {
    resp.get(&HeaderName::from_static(name)).map(|value| value.to_str().unwrap())
}

/// What the browser keeps of an answer: session and CSRF token.
fn kept(resp: &ResponseHead) -> [String; 2] {
    let value = |cookie: &String| cookie.split_once('=').unwrap().1.split(';').next().unwrap().to_owned();
    let cookies = cookies(resp);
    assert_eq!(cookies.len(), 2, "{cookies:?}");
    [value(&cookies[0]), value(&cookies[1])]
}

fn log_in(filter: &Harness<Cookie>, token: &str) -> [String; 2] {
    let mut run = filter.request("POST", "/session").header("authorization", format!("Bearer {token}")).run().next();
    kept(&run.response(204))
}

#[test]
fn it_conforms() {
    Conformance::<Cookie>::new(&KIND).value("long", "x".repeat(3100)).run();
}

#[test]
fn a_login_sets_cookies_that_no_script_and_no_other_host_can_touch() {
    let keys = Keys::new();
    let filter = keys.filter(&["a"], ", issue: true, max_age: 1h");
    let token = token(&json!({ "exp": START + 600 }));
    let mut run = filter.request("POST", "/session").header("authorization", format!("bearer  {token}")).run().next();
    assert_eq!(run.header("authorization"), Some(format!("bearer  {token}").as_str()), "the next filter verifies it");
    let resp = run.response(204);
    let cookies = cookies(&resp);
    assert!(cookies[0].starts_with("__Host-session=") && !cookies[0].contains(&token), "{cookies:?}");
    assert!(cookies[0].ends_with("; Max-Age=600; Path=/; Secure; SameSite=Strict; HttpOnly"), "{cookies:?}");
    assert!(
        cookies[1].starts_with("__Host-csrf=") && cookies[1].ends_with("; Max-Age=600; Path=/; Secure; SameSite=Strict"),
        "{cookies:?}"
    );
    assert_eq!(field(&resp, "cache-control"), Some("no-store"));
    assert_eq!(field(&resp, "x-csrf-token"), Some(kept(&resp)[1].as_str()));
}

#[test]
fn nothing_is_issued_unless_the_chain_says_yes() {
    let keys = Keys::new();
    let filter = keys.filter(&["a"], ", issue: true");
    for credential in ["Bearer", "Bearer ", "Basic YTpi", "abc"] {
        let mut run = filter.request("POST", "/session").header("authorization", credential).run().next();
        assert!(cookies(&run.response(200)).is_empty(), "{credential:?}");
    }
    let two = filter.request("POST", "/session").header("authorization", "Bearer abc").header("authorization", "Bearer def");
    assert!(cookies(&two.run().next().response(200)).is_empty(), "two credentials");
    for status in [101, 302, 400, 401, 403, 500, 503] {
        let mut run = filter.request("POST", "/session").header("authorization", "Bearer abc").run().next();
        assert!(cookies(&run.response(status)).is_empty(), "{status}");
    }
    let plain = keys.filter(&["a"], "");
    let mut run = plain.request("POST", "/session").header("authorization", "Bearer abc").run().next();
    assert!(cookies(&run.response(200)).is_empty(), "an operation that does not issue");
}

#[test]
fn a_session_ends_with_its_token_or_its_age_whichever_is_first() {
    let keys = Keys::new();
    let filter = keys.filter(&["a"], ", issue: true, max_age: 10m, same_site: lax");
    for (exp, age) in [
        (json!(START + 60), 60),
        (json!(START + 86_400), 600),
        (json!(START as f64 + 59.5), 59),
        (json!("soon"), 600),
        (json!(u64::MAX), 600),
    ] {
        let token = token(&json!({ "exp": exp }));
        let mut run = filter.request("POST", "/session").header("authorization", format!("Bearer {token}")).run().next();
        let cookies = cookies(&run.response(200));
        assert!(cookies[0].contains(&format!("; Max-Age={age}; Path=/; Secure; SameSite=Lax; HttpOnly")), "{exp}: {cookies:?}");
    }
    let over = format!("Bearer {}", token(&json!({ "exp": START })));
    filter.request("POST", "/session").header("authorization", over).run().assert_denied(401, "cookie.invalid");
    let [session, _] = log_in(&filter, "opaque");
    let get = || filter.request("GET", "/").header("cookie", format!("{NAME}={session}"));
    filter.advance(Duration::from_secs(599));
    get().run().next();
    filter.advance(Duration::from_secs(1));
    get().run().assert_denied(401, "cookie.invalid");
}

#[test]
fn a_session_becomes_its_token_again_and_stays_here() {
    let keys = Keys::new();
    let filter = keys.filter(&["a"], ", issue: true");
    let [session, csrf] = log_in(&filter, "abc.def");
    let cookie = format!("a=\"1\";  b=2; {NAME}={session}; __Host-csrf={csrf};c");
    let run = filter.request("GET", "/").header("cookie", cookie).header("cookie", "x=__Host-session=1").run().next();
    assert_eq!(run.header("authorization"), Some("Bearer abc.def"));
    let left: Vec<_> = run.request().get_all(&HeaderName::from_static("cookie")).map(|value| value.to_str().unwrap()).collect();
    assert_eq!(left, ["a=\"1\";  b=2;c", "x=__Host-session=1"]);
    let alone = filter.request("GET", "/").header("cookie", format!("{NAME}={session}")).run().next();
    assert_eq!(alone.header("cookie"), None);
    for (sent, left) in [("{};  b=2", "b=2"), ("a=1; {};  b=2", "a=1;  b=2"), (" a=1;{}", " a=1")] {
        let run = filter.request("GET", "/").header("cookie", sent.replace("{}", &format!("{NAME}={session}"))).run().next();
        assert_eq!(run.header("cookie"), Some(left), "{sent}");
    }
}

#[test]
fn what_a_session_holds_is_kept_out_of_header_tables_and_debugging() {
    let keys = Keys::new();
    let filter = keys.filter(&["a"], ", issue: true");
    let mut run = filter.request("POST", "/session").header("authorization", "Bearer abc").run().next();
    let resp = run.response(204);
    assert!(resp.get_all(&HeaderName::from_static("set-cookie")).all(|cookie| cookie.is_sensitive()));
    let run = filter.request("GET", "/").header("cookie", format!("{NAME}={}", kept(&resp)[0])).run().next();
    assert!(run.request().get(&HeaderName::from_static("authorization")).unwrap().is_sensitive());
}

#[test]
fn only_a_session_that_does_not_count_is_ended_by_a_refusal() {
    let keys = Keys::new();
    let filter = keys.filter(&["a"], "");
    let (session, _) = keys.session("a", "abc", START + 60);
    let refused = filter.request("POST", "/").header("cookie", format!("{NAME}={session}")).run().assert_denied(403, "cookie.csrf");
    // A foreign page must not log anybody out.
    assert_eq!(refused.answer_header("set-cookie"), None);
    let bad = filter.request("POST", "/").header("cookie", format!("{NAME}=x")).run().assert_denied(401, "cookie.invalid");
    assert!(bad.answer_header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")));
}

#[test]
fn whoever_changes_something_shows_the_sessions_own_csrf_token() {
    let keys = Keys::new();
    let filter = keys.filter(&["a"], ", issue: true");
    let ([session, csrf], [_, other]) = (log_in(&filter, "abc"), log_in(&filter, "abc"));
    for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "BREW"] {
        let cookie = format!("{NAME}={session}; __Host-csrf={other}");
        let ask = || filter.request(method, "/").header("cookie", &cookie);
        ask().run().assert_denied(403, "cookie.csrf");
        for wrong in ["", &csrf[1..], &other, &session, "null"] {
            ask().header("x-csrf-token", wrong).run().assert_denied(403, "cookie.csrf");
        }
        ask().header("x-csrf-token", &csrf).header("x-csrf-token", &csrf).run().assert_denied(403, "cookie.csrf");
        let run = ask().header("x-csrf-token", &csrf).run().next();
        assert_eq!((run.header("authorization"), run.header("x-csrf-token")), (Some("Bearer abc"), None), "{method}");
    }
    for method in ["GET", "HEAD", "OPTIONS"] {
        filter.request(method, "/").header("cookie", format!("{NAME}={session}")).run().next();
    }
}

#[test]
fn a_page_of_another_origin_gets_nowhere_with_a_session() {
    let keys = Keys::new();
    let filter = keys.filter(&["a"], ", issue: true, origins: ['https://App.example:443', 'http://localhost:3000']");
    let [session, csrf] = log_in(&filter, "abc");
    let post = || filter.request("POST", "/").header("cookie", format!("{NAME}={session}")).header("x-csrf-token", &csrf);
    let foreign = [
        "https://evil.example",
        "http://api.example.com",
        "https://api.example.com:8443",
        "https://api.example.com.evil.example",
        "https://api.example.com@evil.example",
        "https://evil.example@api.example.com",
        "https://evil.example@api.example.com:443",
        "https://api.example.com:",
        "https://:443",
        "https://sub.api.example.com",
        "http://app.example",
        "http://localhost",
        "null",
        "",
        "https://",
        "https://api.example.com/",
        "file://",
    ];
    for origin in foreign {
        post().header("origin", origin).run().assert_denied(403, "cookie.csrf");
        let upgrade = filter.request("GET", "/").header("cookie", format!("{NAME}={session}")).header("upgrade", "websocket");
        upgrade.header("origin", origin).run().assert_denied(403, "cookie.csrf");
    }
    post().header("origin", "https://api.example.com").header("origin", "https://evil.example").run().assert_denied(403, "cookie.csrf");
    // Only what changes something, or begins a conversation, is asked where it comes from.
    let read = filter.request("GET", "/").header("cookie", format!("{NAME}={session}"));
    read.header("origin", "https://evil.example").header("sec-fetch-site", "cross-site").run().next();
    for site in ["cross-site", "same-site", "Same-Origin", ""] {
        post().header("sec-fetch-site", site).run().assert_denied(403, "cookie.csrf");
    }
    for origin in ["https://api.example.com", "HTTPS://API.example.com:443", "https://app.example", "http://localhost:3000"] {
        post().header("origin", origin).header("sec-fetch-site", "cross-site").run().next();
    }
    post().header("sec-fetch-site", "same-origin").run().next();
    let behind = post().forwarded("https", "shop.example").secure(false);
    behind.header("origin", "https://shop.example").run().next();
    post().secure(false).header("origin", "http://api.example.com").run().next();
    post().secure(false).header("origin", "https://api.example.com").run().assert_denied(403, "cookie.csrf");
    // Where nobody knows the own origin, no page is of it.
    for origin in ["https://evil.example", "ftp://shop.example"] {
        post().forwarded("ftp", "shop.example").header("origin", origin).run().assert_denied(403, "cookie.csrf");
    }
}

#[test]
fn what_was_not_sealed_here_as_it_is_and_for_this_cookie_is_no_session() {
    let keys = Keys::new();
    let filter = keys.filter(&["a"], "");
    let (good, _) = keys.session("a", "abc", START + 60);
    let bytes = URL_SAFE_NO_PAD.decode(&good).unwrap();
    let mut bad: Vec<(String, String)> = Vec::new();
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1;
        bad.push((format!("byte {at} changed"), URL_SAFE_NO_PAD.encode(other)));
        bad.push((format!("cut to {at} bytes"), URL_SAFE_NO_PAD.encode(&bytes[..at])));
    }
    let renamed = Seal::new(&[keys.secret("a")], "__Host-other").unwrap();
    bad.push(("another key".into(), keys.session("b", "abc", START + 60).0));
    bad.push(("sealed for another cookie".into(), renamed.seal(&Session::new("abc", START + 60).unwrap()).unwrap().unwrap()));
    bad.push(("over".into(), keys.session("a", "abc", START).0));
    bad.push(("a line end in the token".into(), keys.session("a", "a\r\nX-Admin: 1", START + 60).0));
    bad.push(("padded".into(), format!("{good}=")));
    bad.push(("quoted".into(), format!("\"{good}\"")));
    bad.push(("the CSRF token in its place".into(), keys.session("a", "abc", START + 60).1));
    bad.push(("one more byte".into(), format!("{good}A")));
    bad.push(("nothing".into(), String::new()));
    for (what, value) in bad {
        let run = filter.request("GET", "/").header("cookie", format!("{NAME}={value}")).run();
        assert!(run.outcome().as_ref().is_ok_and(Option::is_some), "{what} passes");
        run.assert_denied(401, "cookie.invalid");
    }
    filter.request("GET", "/").header("cookie", format!("{NAME}={good}")).run().next();
}

#[test]
fn a_new_key_seals_and_the_old_one_still_opens_until_it_goes() {
    let keys = Keys::new();
    let old = log_in(&keys.filter(&["a"], ", issue: true"), "abc");
    let new = log_in(&keys.filter(&["b", "a"], ", issue: true"), "abc");
    let passes = |listed: &[&str], session: &str| {
        let filter = keys.filter(listed, "");
        let run = filter.request("GET", "/").header("cookie", format!("{NAME}={session}")).run();
        matches!(run.outcome(), Ok(None))
    };
    assert!(passes(&["b", "a"], &old[0]) && passes(&["b", "a"], &new[0]));
    assert!(passes(&["b"], &new[0]) && !passes(&["b"], &old[0]));
    assert!(!passes(&["a"], &new[0]), "the first key seals");
}

#[test]
fn two_sessions_of_one_token_have_nothing_in_common() {
    let keys = Keys::new();
    let filter = keys.filter(&["a"], ", issue: true");
    let ([first, one], [second, two]) = (log_in(&filter, "abc"), log_in(&filter, "abc"));
    let nonce = |session: &str| URL_SAFE_NO_PAD.decode(session).unwrap()[1..13].to_vec();
    assert!(first[2..] != second[2..] && one != two);
    assert!(nonce(&first) != nonce(&second), "under one key a nonce is used once");
}

#[test]
fn two_good_sessions_are_none() {
    let keys = Keys::new();
    let filter = keys.filter(&["a"], "");
    let [one, two] = ["abc", "def"].map(|token| format!("{NAME}={}", keys.session("a", token, START + 60).0));
    for request in [
        filter.request("GET", "/").header("cookie", format!("{one}; {two}")),
        filter.request("GET", "/").header("cookie", format!("{one}; {one}")),
        filter.request("GET", "/").header("cookie", &one).header("cookie", &two),
    ] {
        request.run().assert_denied(401, "cookie.invalid");
    }
}

#[test]
fn a_token_that_was_sent_itself_counts_alone() {
    let keys = Keys::new();
    let filter = keys.filter(&["a"], "");
    let (session, _) = keys.session("a", "abc", START + 60);
    for (name, value) in [("authorization", "Bearer other"), ("authorization", "")] {
        let request = filter.request("POST", "/").header("cookie", format!("{NAME}={session}")).header("origin", "https://evil.example");
        let run = request.header(name, value).run().next();
        assert_eq!((run.header("authorization"), run.header("cookie")), (Some(value), None));
    }
}

#[test]
fn an_end_clears_both_cookies_for_whoever_had_something_to_end() {
    let keys = Keys::new();
    let filter = keys.filter(&["a"], ", clear: true");
    let (session, csrf) = keys.session("a", "abc", START + 60);
    for status in [204, 401, 502] {
        let request = filter.request("DELETE", "/session").header("cookie", format!("{NAME}={session}"));
        let resp = request.header("x-csrf-token", &csrf).run().next().response(status);
        assert_eq!(kept(&resp), ["", ""], "{status}");
        assert!(cookies(&resp).iter().all(|cookie| cookie.contains("Max-Age=0; Path=/; Secure")), "{status}");
    }
    let program = filter.request("DELETE", "/session").header("authorization", "Bearer abc").run().next().response(204);
    assert_eq!(kept(&program), ["", ""]);
    // Nobody's page can end the session of a browser that does not send it.
    assert!(cookies(&filter.request("DELETE", "/session").run().next().response(401)).is_empty());
    filter.request("DELETE", "/session").header("cookie", format!("{NAME}={session}")).run().assert_denied(403, "cookie.csrf");
}

#[test]
fn a_shared_cache_keeps_no_answer_to_a_session() {
    let keys = Keys::new();
    let filter = keys.filter(&["a"], "");
    let (session, _) = keys.session("a", "abc", START + 60);
    let said = |headers: &[(&str, &str)]| {
        let mut run = filter.request("GET", "/").header("cookie", format!("{NAME}={session}")).run().next();
        let resp = run.response_with(200, headers);
        resp.get_all(&HeaderName::from_static("cache-control")).map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(said(&[]), ["private"]);
    assert_eq!(said(&[("cache-control", "max-age=60")]), ["max-age=60", "private"]);
    for own in ["no-store", "max-age=60, Public", "private=\"x\"", "s-maxage=1", "must-revalidate"] {
        assert_eq!(said(&[("cache-control", own)]), [own]);
    }
    assert_eq!(field(&filter.request("GET", "/").run().next().response(200), "cache-control"), None);
}

#[test]
fn the_reference_products_single_session_is_its_value_under_any_name() {
    let keys = Keys::new();
    let value = "0123456789abcdef0123456789abcdef.x";
    std::fs::write(keys.0.join("fixed"), value).unwrap();
    let filter = Harness::<Cookie>::yaml(&format!("{{ fixed_session: '{}' }}", keys.key("fixed")));
    let ask = |method: &str, cookie: String| filter.request(method, "/").header("cookie", cookie);
    let run = ask("POST", format!("a=1; whatever={value}")).run().next();
    assert_eq!((run.header("authorization"), run.header("cookie")), (Some(format!("Bearer {value}").as_str()), Some("a=1")));
    assert_eq!(ask("GET", format!("whatever={value}x")).run().next().header("authorization"), None);
    ask("POST", format!("a={value}")).header("origin", "https://evil.example").run().assert_denied(403, "cookie.csrf");
    ask("GET", format!("{NAME}=AAAA")).run().assert_denied(401, "cookie.invalid");
}
