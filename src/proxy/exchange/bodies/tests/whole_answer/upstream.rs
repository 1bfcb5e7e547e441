//! Answers of the upstream, by the first word of the query.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Barrier,
};

use super::world::{LIMIT, body};

/// When `awaited` may go on.
pub static GO: Barrier = Barrier::new(2);

const JSON: &str = "Content-Type: application/json\r\nX-Upstream: yes\r\nETag: \"e\"\r\n";
const TEXT: &str = "Content-Type: text/plain\r\n";

/// Answers a request; `None` when the connection is to end.
pub fn answer(head: &str, stream: &mut TcpStream) -> Option<()> {
    let target = head.split(' ').nth(1)?;
    let name = target.split_once('?')?.1.replace("%20", " ");
    let is_head = head.starts_with("head ");
    let said = |stream: &mut TcpStream, text: String| stream.write_all(text.as_bytes()).ok();
    let with = |stream: &mut TcpStream, status: &str, fields: &str, text: &str| {
        let text = if is_head { (text.len(), "") } else { (text.len(), text) };
        said(stream, format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n{}", text.0, text.1))
    };
    let chunked = |stream: &mut TcpStream, fields: &str, chunks: &[&str]| {
        let chunks: String = chunks.iter().map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len())).collect();
        said(stream, format!("HTTP/1.1 200 OK\r\n{fields}Transfer-Encoding: chunked\r\n\r\n{chunks}"))
    };
    let end = |stream: &mut TcpStream| said(stream, "0\r\n\r\n".into());
    match name.split('-').next()? {
        "good" => with(stream, "201 Created", JSON, "{\"a\":1}"),
        "failing" if target.starts_with("/spare/") => with(stream, "200 OK", JSON, "{\"a\":1}"),
        "failing" => with(stream, "503 Service Unavailable", JSON, "bad"),
        "missing" => with(stream, "404 Not Found", JSON, "{\"a\":1}"),
        "empty" => with(stream, "200 OK", JSON, ""),
        "untyped" => with(stream, "200 OK", "", "{\"a\":1}"),
        "two" => with(stream, "200 OK", &format!("{TEXT}{JSON}"), "bad"),
        "text" => with(stream, "200 OK", TEXT, "bad"),
        "count" => {
            if head.contains("expect: 100-continue") {
                said(stream, "HTTP/1.1 100 Continue\r\n\r\n".into())?;
            }
            let length = body(stream, head)?.len().to_string();
            with(stream, "200 OK", JSON, &length)
        }
        "back" => {
            let text = String::from_utf8(body(stream, head)?).ok()?;
            with(stream, "200 OK", JSON, &text)
        }
        "chunked" => chunked(stream, JSON, &["{\"a\":1,", "\"b\":23}"]).and_then(|()| end(stream)),
        "trailers" => {
            chunked(stream, &format!("{JSON}Trailer: X-T\r\n"), &["{\"a\":1}"])?;
            said(stream, "0\r\nX-T: 1\r\n\r\n".into())
        }
        "bad" if name.starts_with("bad-large") => with(stream, "200 OK", JSON, &format!("{}bad", " ".repeat(300_000))),
        "bad" if name.starts_with("bad-chunked") => chunked(stream, JSON, &["{\"a\":\"b", "ad\"}"]).and_then(|()| end(stream)),
        "bad" => with(stream, "200 OK", JSON, "{\"a\":\"bad\"}"),
        "cut" if name.starts_with("cut-chunked") => chunked(stream, JSON, &["{\"a\":1,"]).and(None),
        "cut" if name.starts_with("cut-at") => said(stream, format!("HTTP/1.1 200 OK\r\n{JSON}Content-Length: 70000\r\n\r\n")).and(None),
        "cut" => said(stream, format!("HTTP/1.1 200 OK\r\n{JSON}Content-Length: 70000\r\n\r\n{}", "x".repeat(60_000))).and(None),
        "limit" if name.starts_with("limit-chunked") => {
            chunked(stream, JSON, &["x"; 16].map(|x| x.repeat(LIMIT / 16)).each_ref().map(String::as_str))?;
            end(stream)
        }
        "limit" => with(stream, "200 OK", JSON, &"x".repeat(LIMIT)),
        "large" if name.starts_with("large-chunked") => {
            // Until the gateway has had enough.
            said(stream, format!("HTTP/1.1 200 OK\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n"))?;
            let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
            (0..160).try_for_each(|_| said(stream, chunk.clone()))
        }
        "large" => {
            said(stream, format!("HTTP/1.1 200 OK\r\n{JSON}Content-Length: {}\r\n\r\n", 10 * LIMIT))?;
            said(stream, "x".repeat(10 * LIMIT))
        }
        "gzip" if name.starts_with("gzip-text") => with(stream, "200 OK", &format!("{TEXT}Content-Encoding: gzip\r\n"), "bad"),
        "gzip" => with(stream, "200 OK", &format!("{JSON}Content-Encoding: gzip\r\n"), "bad"),
        "partial" if name.starts_with("partial-text") => {
            with(stream, "206 Partial Content", &format!("{TEXT}Content-Range: bytes 0-2/9\r\n"), "bad")
        }
        "partial" => with(stream, "206 Partial Content", &format!("{JSON}Content-Range: bytes 0-2/9\r\n"), "bad"),
        "events" => with(stream, "200 OK", "Content-Type: text/event-stream\r\n", "data: bad\n\n"),
        "grpc" => with(stream, "200 OK", "Content-Type: application/grpc+proto\r\n", "bad"),
        "nothing" => said(stream, "HTTP/1.1 204 No Content\r\n\r\n".into()),
        "unchanged" => said(stream, format!("HTTP/1.1 304 Not Modified\r\n{JSON}\r\n")),
        "early" => {
            said(stream, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".into())?;
            with(stream, "200 OK", JSON, "{\"a\":1}")
        }
        "upgrade" => {
            said(stream, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".into())?;
            let mut four = [0; 4];
            stream.read_exact(&mut four).ok()?;
            stream.write_all(&four).ok()
        }
        "awaited" => {
            said(stream, format!("HTTP/1.1 200 OK\r\n{JSON}Content-Length: 2\r\n\r\n{{"))?;
            GO.wait();
            said(stream, "}".into())
        }
        "stalled" => {
            said(stream, format!("HTTP/1.1 200 OK\r\n{JSON}Content-Length: 70000\r\n\r\nx"))?;
            // Until the gateway ends it.
            let _ = stream.read(&mut [0]);
            None
        }
        order => with(
            stream,
            "200 OK",
            &format!("{JSON}Content-MD5: x\r\nDigest: x\r\nContent-Digest: x\r\nRepr-Digest: x\r\nAccept-Ranges: bytes\r\n"),
            order,
        ),
    }
}
