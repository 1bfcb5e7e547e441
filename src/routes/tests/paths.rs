//! Normal forms of paths.

use std::{borrow::Cow, fs};

use super::Random;
use crate::{
    config::{Keep, Paths},
    routes::normal::{CHARACTER, CLIMBS, DOTS, ENCODED_SLASH, ENCODING, FORM, Normal, SEMICOLON, normalize, query},
};

const STRICT: Paths = Paths { encoded_slash: Keep::Refuse, semicolon: Keep::Refuse };
const LENIENT: Paths = Paths { encoded_slash: Keep::Keep, semicolon: Keep::Keep };

fn normal(path: &str) -> String {
    normalize(path.as_bytes(), &STRICT).unwrap_or_else(|rejection| panic!("{path}: {}", rejection.reason.id)).path.into_owned()
}

fn refusal(path: &[u8]) -> &'static str {
    let form = normalize(path, &STRICT);
    form.map_or_else(|rejection| rejection.reason.id, |normal| panic!("{} became {}", String::from_utf8_lossy(path), normal.path))
}

#[test]
fn a_normal_path_is_borrowed() {
    for path in ["/", "/pets", "/pets/", "/pets/1.0.0/a-b_c~d", "/.well-known/x", "/a/...", "/a/..b", "/x!$&'()*+,=:@"] {
        let form = normalize(path.as_bytes(), &STRICT).unwrap();
        assert!(matches!(form, Normal { path: Cow::Borrowed(same), reading: None } if same == path), "{path}");
    }
}

#[test]
fn every_spelling_of_a_path_has_one_form() {
    for (given, form) in [
        ("/%61dmin/x", "/admin/x"),
        ("/%7euser", "/~user"),
        ("/a%2db", "/a-b"),
        ("/a%c3%a4", "/a%C3%A4"),
        ("/a%3fb", "/a%3Fb"),
        ("/%252e%252e/x", "/%252e%252e/x"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/.%2e/b", "/b"),
        ("/a/b/..", "/a/"),
        ("/a/.", "/a/"),
        ("/a/..", "/"),
        ("//a///b//", "/a/b/"),
        ("/a//../b", "/b"),
        ("/a{b}|c", "/a%7Bb%7D%7Cc"),
        ("/a%2Bb+c", "/a%2Bb+c"),
        ("/public/...//admin/x", "/public/.../admin/x"),
    ] {
        assert_eq!(normal(given), form, "{given}");
    }
}

#[test]
fn what_has_two_readings_is_refused_with_its_reason() {
    for (given, rejection) in [
        ("", &FORM),
        ("pets", &FORM),
        ("*", &FORM),
        ("/a?b", &FORM),
        ("/..", &CLIMBS),
        ("/a/../../b", &CLIMBS),
        ("/%2e%2e/", &CLIMBS),
        ("/a%2fb", &ENCODED_SLASH),
        ("/a%2Fb", &ENCODED_SLASH),
        ("/a;b=c", &SEMICOLON),
        ("/a\\b", &CHARACTER),
        ("/a%5cb", &CHARACTER),
        ("/a%00", &CHARACTER),
        ("/a%0a", &CHARACTER),
        ("/a%7f", &CHARACTER),
        ("/a%c2%85", &CHARACTER),
        ("/a b", &CHARACTER),
        ("/a\tb", &CHARACTER),
        ("/ä", &CHARACTER),
        ("/a#b", &CHARACTER),
        ("/a%", &ENCODING),
        ("/a%4", &ENCODING),
        ("/a%zz", &ENCODING),
        ("/a%+1", &ENCODING),
        ("/%c0%af", &ENCODING),
        ("/%c0%ae%c0%ae/", &ENCODING),
        ("/%e0%80%af", &ENCODING),
        ("/%ed%a0%80", &ENCODING),
        ("/%f5%80%80%80", &ENCODING),
        ("/%80", &ENCODING),
        ("/%c3", &ENCODING),
        ("/%c3x", &ENCODING),
        ("/%u002e", &ENCODING),
    ] {
        assert_eq!(refusal(given.as_bytes()), rejection.reason.id, "{given:?}");
    }
    assert_eq!(refusal(b"/a\xff"), CHARACTER.reason.id);
}

#[test]
fn what_an_operator_keeps_stays_as_it_is_but_never_hides_a_dot_segment() {
    let keep = |path: &str| normalize(path.as_bytes(), &LENIENT).map(|normal| normal.path.into_owned());
    assert_eq!(keep("/a%2fb"), Ok("/a%2Fb".into()));
    assert_eq!(keep("/a;b=c/d"), Ok("/a;b=c/d".into()));
    assert_eq!(keep("/a%2f...%2f.b;..x"), Ok("/a%2F...%2F.b;..x".into()));
    for hidden in [
        "/a/..;x/b",
        "/a/.;/b",
        "/a/%2e%2e;x/b",
        "/a/..%3bx/b",
        "/a/..;",
        "/..%2fa",
        "/open/..%2Fadmin",
        "/open/%2e%2e%2Fadmin",
        "/%3B%2F../admin",
        "/;%2f../admin",
        "/x%2F..%2Fy",
        "/x%2f.%2E",
        "/x/..%3Bx%2F",
        "/x%2F.;y%2Fz",
        "/x%2F%2F%2e",
    ] {
        assert_eq!(keep(hidden), Err(&DOTS), "{hidden}");
    }
    for hidden in ["/a/..%3Fx/b", "/a/.%23", "/a/..%20/b", "/a/%2e%2E%20%20", "/..%20%3fx"] {
        assert_eq!(normalize(hidden.as_bytes(), &STRICT), Err(&DOTS), "{hidden}");
    }
    assert_eq!(normalize(b"/a/..%3bx/b", &STRICT), Err(&SEMICOLON));
    for spelling in ["/admin;x", "/admin%3Bx", "/admin%3bx"] {
        assert_eq!(normalize(spelling.as_bytes(), &STRICT), Err(&SEMICOLON), "{spelling}");
    }
}

#[test]
fn a_query_is_checked_and_not_rewritten() {
    assert_eq!(query(b"a=%2e%2e&b={x}|;%zz"), Ok("a=%2e%2e&b={x}|;%zz"));
    for bad in [&b"a b"[..], b"a#b", b"a\r\nb", b"a\0", b"\x7f", b"\xff"] {
        assert_eq!(query(bad), Err(&CHARACTER), "{bad:?}");
    }
}

#[test]
fn whatever_comes_in_the_form_is_stable_and_holds_no_dot_segment() {
    let parts = [
        "/",
        "//",
        ".",
        "..",
        "%2e",
        "%2E",
        "%2f",
        "%5c",
        "%25",
        "%61",
        "%c3%a4",
        "%e2%82%ac",
        "%c0%ae",
        "%",
        "a",
        "B",
        ";",
        ";x=1",
        "{",
        "|",
        "~",
        "%7e",
        "%3b",
        "%00",
        "?",
        "#",
        " ",
        "...",
        "..;",
        "%252e",
        "*",
        ":",
        "@",
        "é",
    ];
    let mut random = Random::new(7);
    let mut accepted = 0;
    for _ in 0..200_000 {
        let length = random.below(10);
        let path: String = std::iter::once("/").chain((0..length).map(|_| random.pick(&parts))).collect();
        for rules in [&STRICT, &LENIENT] {
            let Ok(Normal { path: form, reading }) = normalize(path.as_bytes(), rules) else { continue };
            accepted += 1;
            let again = normalize(form.as_bytes(), rules).unwrap();
            assert_eq!((&again.path, &again.reading), (&form, &reading), "{path} is not stable");
            assert!(form.starts_with('/') && !form.contains("//") && form.is_ascii(), "{path} became {form}");
            assert!(!form.split('/').any(is_dot_segment), "{path} became {form}");
            assert!(!form.bytes().any(|b| b <= b' ' || matches!(b, b'\\' | b'#' | b'?' | 0x7f..)), "{path} became {form}");
        }
    }
    assert!(accepted > 20_000, "the generator makes too few paths that are accepted: {accepted}");
}

fn is_dot_segment(segment: &str) -> bool {
    matches!(segment.to_ascii_lowercase().replace("%2e", ".").replace("%3b", ";").split(';').next(), Some("." | ".."))
}

#[test]
fn no_target_of_the_shared_cases_walks_round_a_rule() {
    let Some(file) = tollgate_testkit::shared_case("06-url/paths-own.jsonl") else { return };
    let text = fs::read_to_string(&file).unwrap();
    for line in text.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let target = case["target"].as_str().unwrap();
        let path = target.split('?').next().unwrap();
        for rules in [&STRICT, &LENIENT] {
            let Ok(Normal { path: form, .. }) = normalize(path.as_bytes(), rules) else { continue };
            let under_admin = form.starts_with("/admin/");
            let decoded = form.replace("%2F", "/").replace(";a=b", "");
            match case["want"].as_str().unwrap() {
                // An upstream that decodes and removes dots itself must find nothing left to walk up with.
                "deny" => assert!(under_admin || !decoded.split('/').any(is_dot_segment), "{target} became {form}"),
                "route" => assert!(under_admin || form == "/admin%2Fx", "{target} became {form}"),
                other => panic!("unknown want: {other}"),
            }
        }
    }
}
