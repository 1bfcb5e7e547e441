//! The first flight of a TLS client, by hand: offers that no library makes, and what a server takes of them.
//!
//! Nobody computes a key here. A server chooses before it could know, so its choice is seen all the same.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use crate::PATIENCE;

pub const SSL3: u16 = 0x300;
pub const TLS1_0: u16 = 0x301;
pub const TLS1_1: u16 = 0x302;
pub const TLS1_2: u16 = 0x303;
pub const TLS1_3: u16 = 0x304;

/// Groups with an elliptic curve, and the one with ML-KEM beside it.
pub const USUAL_GROUPS: [u16; 5] = [0x11ec, 29, 23, 24, 25];

/// Records of the handshake.
pub const HANDSHAKE: u8 = 22;
pub const ALERT: u8 = 21;

/// Signals that look like suites: a server answers them otherwise (RFC 5746, RFC 7507).
const SIGNALS: [u16; 2] = [0x00ff, 0x5600];

const SIGNATURES: [u16; 14] = [0x403, 0x503, 0x603, 0x807, 0x808, 0x804, 0x805, 0x806, 0x809, 0x401, 0x501, 0x601, 0x203, 0x201];

/// What a client can do.
#[derive(Clone, Debug)]
pub struct Offer {
    pub version: u16,
    pub suites: Vec<u16>,
    pub groups: Vec<u16>,
    pub compressions: Vec<u8>,
}

/// What a server makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Chosen(Choice),
    /// With this alert.
    Refused(u8),
    /// Without a word.
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub version: u16,
    pub suite: u16,
    pub group: Option<u16>,
    pub compression: u8,
}

impl Offer {
    pub fn new(version: u16, suites: &[u16]) -> Self {
        Self { version, suites: suites.to_vec(), groups: USUAL_GROUPS.to_vec(), compressions: vec![0] }
    }

    /// Sends it on a connection of its own.
    pub fn send(&self, port: u16) -> Reply {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let hello = client_hello(self, &[]);
        let mut records = Vec::new();
        for piece in hello.chunks(1 << 14) {
            records.extend(record(HANDSHAKE, self.version.min(TLS1_0), piece));
        }
        stream.write_all(&records).unwrap();
        reply(&mut stream, self.version).unwrap_or(Reply::Closed)
    }

    fn chosen(&self, port: u16) -> Option<Choice> {
        match self.send(port) {
            Reply::Chosen(choice) => Some(choice),
            Reply::Refused(_) | Reply::Closed => None,
        }
    }
}

/// Every suite that a server takes in a version: all numbers there are, offered until none is taken any more.
pub fn suites(port: u16, version: u16) -> Vec<u16> {
    let all: Vec<u16> = (0..=u16::MAX).filter(|suite| !SIGNALS.contains(suite)).collect();
    all.chunks(1 << 12).flat_map(|piece| taken(piece, |left| Some(Offer::new(version, left).chosen(port)?.suite))).collect()
}

/// Every group that a server takes in a version with one of these suites.
pub fn groups(port: u16, version: u16, suites: &[u16]) -> Vec<u16> {
    let all: Vec<u16> = (0..=u16::MAX).collect();
    let choose = |left: &[u16]| Offer { groups: left.to_vec(), ..Offer::new(version, suites) }.chosen(port)?.group;
    all.chunks(1 << 12).flat_map(|piece| taken(piece, choose)).collect()
}

fn taken(offered: &[u16], choose: impl Fn(&[u16]) -> Option<u16>) -> Vec<u16> {
    let (mut left, mut taken) = (offered.to_vec(), Vec::new());
    while let Some(choice) = choose(&left) {
        let before = left.len();
        left.retain(|other| *other != choice);
        assert_eq!(left.len() + 1, before, "{choice:#x} was chosen and not offered");
        taken.push(choice);
    }
    taken
}

/// A record.
pub fn record(kind: u8, version: u16, content: &[u8]) -> Vec<u8> {
    [&[kind][..], &version.to_be_bytes(), &short(content)].concat()
}

/// The handshake message, with what its client proved of an earlier handshake on the same connection (RFC 5746).
pub fn client_hello(offer: &Offer, proof: &[u8]) -> Vec<u8> {
    let list = |numbers: &[u16]| short(&numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<u8>>());
    let mut extensions = Vec::new();
    let mut extension = |kind: u16, content: &[u8]| extensions.extend([&kind.to_be_bytes()[..], &short(content)].concat());
    extension(0, &short(&[&[0][..], &short(b"localhost")].concat()));
    extension(10, &list(&offer.groups));
    extension(11, &[1, 0]);
    extension(13, &list(&SIGNATURES));
    extension(0xff01, &byte(proof));
    if offer.version >= TLS1_3 {
        extension(43, &byte(&offer.version.to_be_bytes()));
        extension(45, &[1, 1]);
        // No share: the server must say which it wants (RFC 8446 §4.1.4).
        extension(51, &[0, 0]);
    }
    let body = [
        &offer.version.min(TLS1_2).to_be_bytes()[..],
        &[7; 32],
        &[0],
        &list(&offer.suites),
        &byte(&offer.compressions),
        &short(&extensions),
    ]
    .concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[1][..], &length[1..], &body].concat()
}

fn byte(content: &[u8]) -> Vec<u8> {
    [&[u8::try_from(content.len()).unwrap()], content].concat()
}

fn short(content: &[u8]) -> Vec<u8> {
    [&u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}

/// Reads one record.
///
/// # Errors
/// When the peer hangs up.
pub fn read_record(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let mut content = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut content)?;
    Ok((head[0], content))
}

/// Reads until the choice is complete; up to TLS 1.2 the group is in a later message than the suite.
fn reply(stream: &mut TcpStream, version: u16) -> io::Result<Reply> {
    let (mut bytes, mut choice) = (Vec::new(), None);
    loop {
        let (kind, content) = read_record(stream)?;
        match kind {
            HANDSHAKE => bytes.extend(content),
            ALERT => return Ok(Reply::Refused(content[1])),
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        while let Some((kind, body)) = message(&mut bytes) {
            let choice = choice.get_or_insert_with(|| server_hello(&body));
            match kind {
                // ServerKeyExchange: 3 is a named curve.
                12 if body[0] == 3 => choice.group = Some(u16::from_be_bytes([body[1], body[2]])),
                _ => {}
            }
            // ServerHello, or after it ServerHelloDone.
            if (kind == 2 && version >= TLS1_3) || kind == 14 {
                return Ok(Reply::Chosen(choice.clone()));
            }
        }
    }
}

/// Takes a whole message from the front.
fn message(bytes: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let length = u32::from_be_bytes([0, *bytes.get(1)?, *bytes.get(2)?, *bytes.get(3)?]) as usize;
    if bytes.len() < 4 + length {
        return None;
    }
    let rest = bytes.split_off(4 + length);
    let message = std::mem::replace(bytes, rest);
    Some((message[0], message[4..].to_vec()))
}

fn server_hello(body: &[u8]) -> Choice {
    let number = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
    let at = 35 + usize::from(body[34]);
    let mut choice = Choice { version: number(0), suite: number(at), group: None, compression: body[at + 2] };
    let mut at = at + 5;
    while at < body.len() {
        match number(at) {
            43 => choice.version = number(at + 4),
            51 => choice.group = Some(number(at + 4)),
            _ => {}
        }
        at += 4 + usize::from(number(at + 2));
    }
    choice
}
