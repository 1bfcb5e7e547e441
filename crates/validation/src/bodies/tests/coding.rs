use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use flate2::{
    Compress, Compression, FlushCompress, FlushDecompress, Status,
    write::{GzEncoder, ZlibEncoder},
};
use serde_json::json;

use super::*;

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn judge() -> Judge {
    Judge::one("application/json", json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}))
}

/// Rules alone.
#[track_caller]
fn told(judge: &Judge, encoding: &str, bytes: &[u8]) -> Vec<String> {
    judge.findings("application/json", Some(encoding), bytes).iter().map(|finding| finding.rule.to_string()).collect()
}

#[test]
fn the_verdict_is_the_same_in_every_coding() {
    for (body, verdict) in
        [("{\"id\": 1}", vec![]), ("{\"id\": \"secret\"}", vec!["type"]), ("{\"id\": 1, \"id\": 2}", vec!["duplicate-name"])]
    {
        let body = body.as_bytes();
        let two_members = [gzip(&body[..5]), gzip(&body[5..])].concat();
        for (encoding, bytes) in [
            ("identity", body.to_vec()),
            ("", body.to_vec()),
            ("gzip", gzip(body)),
            ("X-GZip", gzip(body)),
            ("gzip", two_members),
            ("deflate", zlib(body)),
            ("deflate, gzip", gzip(&zlib(body))),
            ("gzip,identity,  deflate ", zlib(&gzip(body))),
            ("gzip, gzip", gzip(&gzip(body))),
        ] {
            assert_eq!(told(&judge(), encoding, &bytes), verdict, "{encoding}");
        }
    }
}

#[test]
fn an_unknown_coding_and_a_third_one_are_refused() {
    let body = gzip(&gzip(&gzip(b"{\"id\": 1}")));
    for encoding in ["br", "zstd", "compress", "gzip;q=1", "gzip, br", "chunked", "gzip, gzip, gzip", "\"gzip\""] {
        assert_eq!(told(&judge(), encoding, &body), ["content-encoding"], "{encoding}");
    }
}

#[test]
fn what_is_cut_changed_or_followed_by_something_is_refused() {
    let body = b"{\"id\": 1}";
    let followed = |mut bytes: Vec<u8>, tail: &[u8]| {
        bytes.extend_from_slice(tail);
        bytes
    };
    for tail in [&b"\0"[..], b"{}", b"\x1f", b"\x1f\x8b\x08", b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"] {
        assert_eq!(told(&judge(), "gzip", &followed(gzip(body), tail)), ["encoding"], "{tail:?}");
        assert_eq!(told(&judge(), "deflate", &followed(zlib(body), tail)), ["encoding"], "{tail:?}");
    }
    for (encoding, whole) in [("gzip", gzip(body)), ("deflate", zlib(body))] {
        for end in 0..whole.len() {
            assert_eq!(told(&judge(), encoding, &whole[..end]), ["encoding"], "{encoding} {end}");
        }
        let mut changed = whole.clone();
        let at = changed.len() - 3;
        changed[at] ^= 1;
        assert_eq!(told(&judge(), encoding, &changed), ["encoding"], "{encoding}");
    }
    assert_eq!(told(&judge(), "gzip", body), ["encoding"]);
    assert_eq!(told(&judge(), "deflate", &gzip(body)), ["encoding"]);
    assert_eq!(told(&judge(), "gzip", &zlib(body)), ["encoding"]);
}

/// A mebibyte of spaces in one member, a thousand times.
#[test]
fn a_bomb_stops_at_the_budget() {
    let mut judge = judge();
    judge.limits = BodyLimits { decoded: 4 << 20, ratio: usize::MAX, ..BodyLimits::default() };
    let members = gzip(&vec![b' '; 1 << 20]).repeat(1024);
    let stream = endless(1024);
    for (encoding, bomb) in [("gzip", members), ("deflate", stream)] {
        assert!(bomb.len() < 2 << 20, "{}", bomb.len());
        let best = (0..3).map(|_| {
            let begun = Instant::now();
            assert_eq!(told(&judge, encoding, &bomb), ["size"]);
            begun.elapsed()
        });
        let best = best.min().unwrap();
        assert!(best < Duration::from_millis(100), "{encoding} {best:?}");
    }
}

/// One zlib stream of so many mebibytes: the block of the second is repeated. It has no end, which nobody may come to see.
fn endless(mebibytes: usize) -> Vec<u8> {
    let spaces = vec![b' '; 1 << 20];
    let mut compress = Compress::new(Compression::best(), true);
    let mut block = || {
        let mut out = Vec::with_capacity(1 << 16);
        assert_eq!(compress.compress_vec(&spaces, &mut out, FlushCompress::Full).unwrap(), Status::Ok);
        out
    };
    let (first, second) = (block(), block());
    let stream = [first, second.repeat(mebibytes - 1)].concat();
    let mut out = Vec::with_capacity(3 << 20);
    flate2::Decompress::new(true).decompress_vec(&stream, &mut out, FlushDecompress::None).unwrap();
    assert_eq!(out.len(), 3 << 20);
    stream
}

#[test]
fn a_body_may_grow_by_the_ratio_and_not_beyond() {
    let mut judge = judge();
    judge.limits.ratio = 100;
    let body = |spaces: usize| format!("{}{{\"id\": 1}}", " ".repeat(spaces));
    let (small, large) = (body(60 << 10), body(70 << 10));
    let ratio = large.len() / gzip(large.as_bytes()).len();
    assert!(ratio > 100, "{ratio}");
    assert!(told(&judge, "gzip", &gzip(small.as_bytes())).is_empty());
    assert_eq!(told(&judge, "gzip", &gzip(large.as_bytes())), ["size"]);
    judge.limits.ratio = ratio + 1;
    assert!(told(&judge, "gzip", &gzip(large.as_bytes())).is_empty());
}

#[test]
fn the_budget_holds_at_its_last_byte() {
    let mut judge = judge();
    let body = b"{\"id\": 1}";
    judge.limits.decoded = body.len();
    assert!(told(&judge, "gzip", &gzip(body)).is_empty());
    judge.limits.decoded = body.len() - 1;
    for (encoding, bytes) in [("gzip", gzip(body)), ("deflate", zlib(body))] {
        assert_eq!(told(&judge, encoding, &bytes), ["size"]);
    }
}
