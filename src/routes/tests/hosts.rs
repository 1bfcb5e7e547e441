//! Hosts.

use crate::routes::host::{Host, normalize};

fn normal(value: &str) -> (String, Option<u16>) {
    let Host { name, port } = normalize(value.as_bytes()).unwrap();
    (name.into_owned(), port)
}

#[test]
fn a_host_has_one_spelling() {
    for (given, name, port) in [
        ("example.com", "example.com", None),
        ("EXAMPLE.com.", "example.com", None),
        ("example.com:8080", "example.com", Some(8080)),
        ("example.com.:", "example.com", None),
        ("127.0.0.1:1", "127.0.0.1", Some(1)),
        ("[::1]", "[::1]", None),
        ("[2001:DB8:0:0:0:0:0:1]:443", "[2001:db8::1]", Some(443)),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", None),
        ("my_service", "my_service", None),
    ] {
        assert_eq!(normal(given), (name.to_owned(), port), "{given}");
    }
}

#[test]
fn a_host_with_two_readings_is_refused() {
    for bad in [
        "",
        ".",
        "..",
        "a..b",
        "a.com..",
        "user@a.com",
        "a.com, b.com",
        "a com",
        " a.com",
        "a.com ",
        "a.com\t",
        "a/b",
        "a.com:x",
        "a.com:+1",
        "a.com:0",
        "a.com:65536",
        "a.com:000080",
        "a.com:1:2",
        "::1",
        "[::1",
        "[::1]x",
        "[::1%25eth0]",
        "[v1.a]",
        "%61.com",
        "a?b",
        "a#b",
        "bücher.example",
        "a\0b",
        "a\\b",
        "[]",
        ":80",
    ] {
        assert!(normalize(bad.as_bytes()).is_err(), "{bad:?}");
    }
    assert!(normalize(b"a\xff").is_err());
    assert!(normalize("a.".repeat(200).as_bytes()).is_err());
    assert!(normalize("a".repeat(64).as_bytes()).is_err());
}
