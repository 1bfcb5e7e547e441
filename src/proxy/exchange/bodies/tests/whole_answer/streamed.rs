//! Bodies that a filter changes while they stream. The filter doubles every piece and adds an end.

use super::{Got, WORLD, each, filter::ended, refused, world::LIMIT};

#[test]
fn the_head_says_nothing_of_the_body_that_came() {
    for (answer, status, text) in [("good", 201, "{\"a\":1}"), ("digests", 200, "digests"), ("missing", 404, "{\"a\":1}")] {
        each("GET", "twice", answer, |got, name| {
            assert_eq!(got.status, status, "{name}: {got:?}");
            assert_eq!(got.text(), format!("{text}{text}END"), "{name}");
            for gone in ["content-length", "etag", "digest", "content-digest", "repr-digest", "content-md5", "accept-ranges"] {
                assert_eq!(got.field(gone), None, "{name}: {gone}");
            }
        });
    }
    let sent = WORLD.sent("good-twice-get-1");
    assert!(sent.contains("accept-encoding: identity"), "{sent}");
}

#[test]
fn pieces_go_on_one_by_one() {
    each("GET", "twice", "chunked", |got, name| {
        // How the chunks come is the network's business, where they end is not.
        let text = got.text();
        assert!(text.ends_with("END") && text.len() == 2 * 14 + 3, "{name}: {text}");
    });
    each("GET", "twice", "limit", |got, name| assert_eq!(got.body.len(), 2 * LIMIT + 3, "{name}"));
    each("GET", "twice", "large", |got, name| assert_eq!(got.body.len(), 20 * LIMIT + 3, "{name}"));
}

#[test]
fn an_answer_without_a_body_stays_without_one() {
    for (method, answer, status) in [("GET", "empty", 200), ("GET", "nothing", 204), ("GET", "unchanged", 304), ("HEAD", "good", 201)] {
        each(method, "twice", answer, |got, name| assert_eq!((got.status, got.text().as_str()), (status, ""), "{name}"));
    }
}

#[test]
fn what_no_filter_could_read_is_refused() {
    refused("GET", "twice", "gzip", 502, "answer.coding");
    refused("GET", "twice", "partial", 502, "answer.partial");
}

#[test]
fn what_the_filter_does_not_change_keeps_its_length() {
    for got in WORLD.both("POST", "/b/twice?count-kept", &[], b"abc") {
        assert_eq!((got.field("content-length"), got.field("etag"), got.text().as_str()), (Some("1"), Some("\"e\""), "9"));
    }
}

#[test]
fn requests_are_changed_while_they_stream() {
    let fields = [("content-digest", "sha-256=:AA==:")];
    for (at, got) in WORLD.both("POST", "/b/twice?back-small", &fields, b"abc").iter().enumerate() {
        assert_eq!(got.text(), "abcabcEND", "{got:?}");
        let sent = WORLD.sent(&format!("back-small-{}", at + 1));
        assert!(sent.contains("transfer-encoding: chunked") && !sent.contains("digest"), "{sent}");
    }
    let large = vec![b'x'; 3 * LIMIT];
    for got in WORLD.both("POST", "/b/twice?back-large", &[], &large) {
        assert_eq!(got.body.len(), 6 * LIMIT + 3);
    }
    assert_eq!(ended("back-small-1").status, 200);
    let got: &Got = &WORLD.both("POST", "/b/twice?back-none", &[], b"")[0];
    assert_eq!(got.status, 200, "{got:?}");
}
