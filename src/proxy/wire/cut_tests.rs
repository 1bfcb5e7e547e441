//! Whatever is sent, what the engine reads of it does not depend on how the bytes are cut, and the engine ends every message where
//! the stream does.

use std::{net::IpAddr, sync::Arc, time::Duration};

use pingora::protocols::http::v1::server::HttpSession;
use tokio::io::{AsyncWriteExt, duplex};
use tollgate_filter_api::{NoCertificate, Peer};

use crate::judge::framing::{Framing, Malformed};
use crate::{
    proxy::client::{
        connection::{Connection, Phase, digest_of},
        paced::{Deadlines, PacedStream, boxed},
    },
    telemetry::Telemetry,
};

/// What becomes of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Served {
        head: String,
        body: Vec<u8>,
    },
    /// The engine takes its head for none, or its end is in doubt, or the head breaks off.
    Refused,
    /// The body breaks the grammar.
    Body(Malformed),
    /// The client closes before the end of the body.
    BrokenOff,
}

fn settings() -> Deadlines {
    Deadlines {
        header: Duration::from_secs(10),
        body_pace: 100,
        idle: Duration::from_secs(60),
        write: Duration::from_secs(30),
        pressure: Arc::new(crate::proxy::server::pressure::Pressure::default()),
        control_frames: 100,
        counters: Arc::new(Telemetry::new([]).limits),
    }
}

/// All that becomes of some bytes that come in pieces and are the last.
async fn read(bytes: &[u8], cut: impl FnMut() -> usize) -> Vec<Outcome> {
    let (client, server) = duplex(4096);
    let connection = Connection::new(IpAddr::from([192, 0, 2, 1]), false, Peer::Anonymous(NoCertificate::Plain), None, false);
    let connection = Arc::new(connection);
    let digest = digest_of(&connection).unwrap();
    let mut stream = boxed(PacedStream::new(boxed(server), connection.clone(), digest, settings()));
    let sending = tokio::spawn(send(client, bytes.to_vec(), pieces(bytes.len(), cut)));
    let mut outcomes = Vec::new();
    loop {
        let mut session = HttpSession::new(stream);
        match session.read_request().await {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(_) => {
                outcomes.push(Outcome::Refused);
                break;
            }
        }
        let outcome = serve(&mut session, &connection).await;
        let goes_on = matches!(outcome, Outcome::Served { .. });
        outcomes.push(outcome);
        if !goes_on || !session.will_keepalive() {
            break;
        }
        // The engine keeps no connection of which it has read too much.
        stream = session.reuse().await.unwrap().expect("nothing was read of the next message").into_parts().0;
        connection.expect(Phase::Header);
    }
    sending.abort();
    outcomes
}

fn pieces(mut left: usize, mut cut: impl FnMut() -> usize) -> Vec<usize> {
    let mut pieces = Vec::new();
    while left > 0 {
        let piece = cut().clamp(1, left);
        pieces.push(piece);
        left -= piece;
    }
    pieces
}

async fn send(mut client: tokio::io::DuplexStream, bytes: Vec<u8>, pieces: Vec<usize>) {
    let mut rest = &bytes[..];
    for piece in pieces {
        let (now, later) = rest.split_at(piece);
        if client.write_all(now).await.is_err() {
            return;
        }
        // The other side reads this before it sees more.
        tokio::task::yield_now().await;
        rest = later;
    }
}

async fn serve(session: &mut HttpSession, connection: &Connection) -> Outcome {
    let req = session.req_header();
    let head = format!("{} {} {:?}", req.method, String::from_utf8_lossy(req.raw_path()), req.headers.len());
    let length = req.headers.get("content-length").map(|value| value.to_str().ok().and_then(|text| text.parse().ok()));
    let engine = match (req.headers.contains_key("transfer-encoding"), length) {
        (true, _) => Some(Framing::Chunked),
        (false, None) => Some(Framing::Length(0)),
        (false, Some(length)) => length.map(Framing::Length),
    };
    connection.expect(Phase::Free);
    if engine != Some(connection.framing()) || connection.head_bytes() != session.get_headers_raw_bytes().len() {
        return Outcome::Refused;
    }
    let mut body = Vec::new();
    loop {
        match session.read_body_bytes().await {
            Ok(Some(piece)) => body.extend_from_slice(&piece),
            Ok(None) => return Outcome::Served { head, body },
            Err(error) => match connection.framing() {
                Framing::Malformed(why) => return Outcome::Body(why),
                _ if *error.etype() == pingora::ErrorType::ConnectionClosed => return Outcome::BrokenOff,
                framing => panic!("the stream has found no fault ({framing:?}), the engine has: {error}"),
            },
        }
    }
}

/// Numbers without order, the same at each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most as u64) as usize
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

const STARTS: &[&str] = &["", "\r\n", "\r\n\r\n\r\n\r\n", "\r\n\r\n\r\n\r\n\r\n", "\n", "\r"];
const LINES: &[&str] =
    &["GET / HTTP/1.1\r\n", "POST /a?b HTTP/1.1\r\n", "PUT /a b HTTP/1.1\r\n", "POST / HTTP/1.0\r\n", "GET /\u{e9} HTTP/1.1\r\n"];
const FIELDS: &[&str] = &[
    "Host: a\r\n",
    "Content-Length: 5\r\n",
    "content-length:0\r\n",
    "Content-Length: 5, 5\r\n",
    "Content-Length: 0000000000000000000000000000000000000000000000005\r\n",
    "Transfer-Encoding: chunked\r\n",
    "TRANSFER-encoding: Chunked \r\n",
    "Transfer-Encoding: identity\r\n",
    "Connection: keep-alive\r\n",
    "Expect: 100-continue\r\n",
    "X: Content-Length: 9\r\n",
    "Cookie: 0123456789012345678901234567890123456789\r\n",
    "X: y\n",
    " folded\r\n",
    "X : y\r\n",
    ": y\r\n",
    "X: \r\r\n",
];
const BODIES: &[&str] = &[
    "",
    "",
    "hello",
    "5\r\nhello\r\n0\r\n\r\n",
    "5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
    "0\r\n\r\n",
    "\r\n0\r\n\r\n",
    "5\t\r\nhello\r\n0\r\n\r\n",
];

/// A few messages, some of them sound, and now and then a byte that is another.
fn messages(dice: &mut Dice) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..=dice.below(4) {
        let sound = dice.below(4) > 0;
        let start = if sound { "" } else { dice.one(STARTS) };
        bytes.extend_from_slice(start.as_bytes());
        bytes.extend_from_slice(dice.one(if sound { &LINES[..2] } else { LINES }).as_bytes());
        match dice.below(3) {
            0 => bytes.extend_from_slice(b"Host: a\r\nContent-Length: 5\r\n\r\nhello"),
            1 => bytes.extend_from_slice(b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n"),
            _ => {
                for _ in 0..dice.below(5) {
                    bytes.extend_from_slice(dice.one(if sound { &FIELDS[..1] } else { FIELDS }).as_bytes());
                }
                bytes.extend_from_slice(b"\r\n");
                bytes.extend_from_slice(if sound { b"" } else { dice.one(BODIES).as_bytes() });
            }
        }
    }
    if dice.below(4) == 0 {
        let at = dice.below(bytes.len());
        bytes[at] = b"\r\n\0 ;:5a\t\xff"[dice.below(10)];
    }
    if dice.below(8) == 0 {
        bytes.truncate(dice.below(bytes.len()));
    }
    bytes
}

#[tokio::test(start_paused = true)]
async fn what_is_read_does_not_depend_on_how_the_bytes_are_cut() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut served, mut refused) = (0, 0);
    for _ in 0..runs() {
        let bytes = messages(&mut dice);
        let whole = read(&bytes, || usize::MAX).await;
        let mut pieces = Dice(dice.0);
        for (cut, outcome) in [
            ("bytes", read(&bytes, || 1).await),
            ("pairs", read(&bytes, || 2).await),
            ("odd pieces", read(&bytes, || 1 + pieces.below(40)).await),
        ] {
            assert_eq!(outcome, whole, "{cut} of {:?}", String::from_utf8_lossy(&bytes));
        }
        served += whole.iter().filter(|outcome| matches!(outcome, Outcome::Served { .. })).count();
        refused += whole.iter().filter(|outcome| matches!(outcome, Outcome::Refused | Outcome::Body(_))).count();
    }
    assert!(served > runs() / 2 && refused > runs() / 20, "{served} served and {refused} refused say little");
}

/// How many streams of bytes are tried; `TOLLGATE_RUNS` asks for more.
fn runs() -> usize {
    std::env::var("TOLLGATE_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(500)
}
