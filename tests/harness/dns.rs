//! A DNS server that says what each test tells it, over UDP.

use std::{
    net::{Ipv4Addr, UdpSocket},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// What is asked for: A, AAAA, SRV.
pub const A: u16 = 1;
pub const AAAA: u16 = 28;
pub const SRV: u16 = 33;

/// What comes back for a question.
#[derive(Clone, Debug)]
pub enum Said {
    /// Addresses, for so many seconds.
    Addresses(Vec<Ipv4Addr>, u32),
    /// Priority, weight, port and target of services, for so many seconds.
    Services(Vec<(u16, u16, u16, &'static str)>, u32),
    /// The name is there, without such records.
    Empty,
    /// There is no such name.
    NoName,
    /// The server cannot say.
    Fails,
    /// Bytes that are no answer.
    Garbage,
    /// Nothing at all.
    Silence,
}

type Answers = dyn Fn(&str, u16) -> Said + Send + Sync;

/// A name server on the loopback; it ends with the value.
pub struct DnsServer {
    pub port: u16,
    answers: Arc<Mutex<Arc<Answers>>>,
    asked: Arc<Mutex<Vec<(String, u16)>>>,
    over: Arc<Mutex<bool>>,
}

impl DnsServer {
    pub fn start(answers: impl Fn(&str, u16) -> Said + Send + Sync + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let port = socket.local_addr().unwrap().port();
        let answers: Arc<Mutex<Arc<Answers>>> = Arc::new(Mutex::new(Arc::new(answers)));
        let server = Self { port, answers: answers.clone(), asked: Arc::default(), over: Arc::default() };
        let (asked, over) = (server.asked.clone(), server.over.clone());
        thread::spawn(move || {
            let mut packet = [0; 1500];
            while !*over.lock().unwrap() {
                let Ok((length, client)) = socket.recv_from(&mut packet) else { continue };
                let Some((name, kind)) = question(&packet[..length]) else { continue };
                asked.lock().unwrap().push((name.clone(), kind));
                let answers = answers.lock().unwrap().clone();
                if let Some(answer) = answer(&packet[..length], &answers(&name, kind)) {
                    let _ = socket.send_to(&answer, client);
                }
            }
        });
        server
    }

    /// From now on, says this.
    pub fn says(&self, answers: impl Fn(&str, u16) -> Said + Send + Sync + 'static) {
        *self.answers.lock().unwrap() = Arc::new(answers);
    }

    /// How often a name was asked for.
    pub fn asked(&self, name: &str, kind: u16) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| **asked == (name.to_owned(), kind)).count()
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        *self.over.lock().unwrap() = true;
    }
}

/// The name that is asked for, and the kind of its records.
fn question(packet: &[u8]) -> Option<(String, u16)> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(packet.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes(packet.get(at..at + 2)?.try_into().ok()?);
    Some((labels.join("."), kind))
}

/// Where the question ends.
fn end_of_question(packet: &[u8]) -> usize {
    let mut at = 12;
    while packet[at] != 0 {
        at += usize::from(packet[at]) + 1;
    }
    at + 5
}

fn answer(packet: &[u8], said: &Said) -> Option<Vec<u8>> {
    let (code, records): (u8, Vec<Vec<u8>>) = match said {
        Said::Silence => return None,
        Said::Garbage => return Some([&packet[..2], &[0xff; 40]].concat()),
        Said::Addresses(addresses, ttl) => (0, addresses.iter().map(|address| record(A, *ttl, &address.octets())).collect()),
        Said::Services(services, ttl) => (0, services.iter().map(|service| record(SRV, *ttl, &srv(*service))).collect()),
        Said::Empty => (0, Vec::new()),
        Said::NoName => (3, Vec::new()),
        Said::Fails => (2, Vec::new()),
    };
    let count = u16::try_from(records.len()).unwrap().to_be_bytes();
    // An answer of a server that recurses, to one question.
    let mut bytes = [&packet[..2], &[0x81, 0x80 | code, 0, 1], &count, &[0, 0, 0, 0]].concat();
    bytes.extend_from_slice(&packet[12..end_of_question(packet)]);
    records.iter().for_each(|record| bytes.extend_from_slice(record));
    Some(bytes)
}

/// A record of the name in the question.
fn record(kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    [&[0xc0, 12][..], &kind.to_be_bytes(), &[0, 1], &ttl.to_be_bytes(), &length.to_be_bytes(), data].concat()
}

fn srv((priority, weight, port, target): (u16, u16, u16, &str)) -> Vec<u8> {
    let mut data = [priority.to_be_bytes(), weight.to_be_bytes(), port.to_be_bytes()].concat();
    for label in target.split('.').filter(|label| !label.is_empty()) {
        data.push(u8::try_from(label.len()).unwrap());
        data.extend_from_slice(label.as_bytes());
    }
    data.push(0);
    data
}
