//! What TLS can do and the gateway does not: compression, renegotiation, data before the handshake is over.

use std::{
    io::Write,
    net::TcpStream,
    sync::{Arc, Mutex},
};

use openssl::{
    hash::MessageDigest,
    pkey::PKey,
    sign::Signer,
    ssl::{NameType, SslConnector, SslMethod, SslVerifyMode, SslVersion},
    symm::{Cipher, decrypt_aead, encrypt_aead},
};
use serde_json::{Value, json};
use tollgate_tests::{
    Call, Client, Folder, Gateway, PATIENCE, Resuming, Settings, Upstream,
    certificates::{Authority, connector},
    hello::{ALERT, HANDSHAKE, Offer, Reply, TLS1_2, client_hello, read_record, record},
};

use super::world::{World, world};

const SUITE: u16 = 0xc02b;
const NO_RENEGOTIATION: u8 = 100;

fn asking() -> World {
    world("optional", json!({}), json!({}))
}

#[test]
fn t15_nothing_is_compressed_whatever_a_client_offers() {
    let world = asking();
    let offer = |compressions: &[u8]| Offer { compressions: compressions.to_vec(), ..Offer::new(TLS1_2, &[SUITE]) };
    let Reply::Chosen(choice) = offer(&[1, 64, 0]).send(world.gateway.ports.tls) else { panic!("it is an offer to take") };
    assert_eq!(choice.compression, 0);
    assert!(!matches!(offer(&[1]).send(world.gateway.ports.tls), Reply::Chosen(_)), "deflate alone");
}

/// A gateway with a TLS listener, with settings of it.
fn plain(more: Value) -> (Gateway, Upstream, Authority) {
    let (folder, upstream, authority) = (Folder::new(), Upstream::start(), Authority::new("root"));
    let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let mut tls = json!({ "certificate": certificate, "key": key });
    tls.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let gateway = Gateway::over(&upstream.url(), Settings { tls: Some(tls), ..Settings::default() });
    (gateway, upstream, authority)
}

#[test]
fn t15_no_session_may_send_data_before_its_handshake_is_over() {
    let (open, _upstream, authority) = plain(json!({}));
    let asking = asking();
    let client = authority.issue("client", 9, &[]);
    for port in [open.ports.tls, asking.gateway.ports.tls] {
        let resuming = Resuming::new(&client, SslVersion::TLS1_3);
        let call = Call { port, ..asking.call() };
        let (first, second) = (resuming.call(call), resuming.call(call));
        assert_eq!((first.resumed, second.resumed), (false, true));
        assert_eq!(resuming.early_data(), Some(0));
    }
}

/// Keys of a connection, as both sides derive them (RFC 5246 §6.3), of a suite with AES-128-GCM.
struct Keys {
    client: ([u8; 16], [u8; 4]),
    server: ([u8; 16], [u8; 4]),
}

impl Keys {
    fn derive(master: &[u8], client_random: &[u8], server_random: &[u8]) -> Self {
        let bytes = expand(master, &[b"key expansion", server_random, client_random].concat(), 40);
        let (keys, salts) = bytes.split_at(32);
        Self {
            client: (keys[..16].try_into().unwrap(), salts[..4].try_into().unwrap()),
            server: (keys[16..].try_into().unwrap(), salts[4..].try_into().unwrap()),
        }
    }
}

/// `P_SHA256` (RFC 5246 §5).
fn expand(secret: &[u8], seed: &[u8], length: usize) -> Vec<u8> {
    let hmac = |data: &[u8]| {
        let key = PKey::hmac(secret).unwrap();
        Signer::new(MessageDigest::sha256(), &key).unwrap().sign_oneshot_to_vec(data).unwrap()
    };
    let (mut a, mut bytes) = (hmac(seed), Vec::new());
    while bytes.len() < length {
        bytes.extend(hmac(&[&a[..], seed].concat()));
        a = hmac(&a);
    }
    bytes.truncate(length);
    bytes
}

/// What is authenticated beside the content of the second record of a connection; the first was `Finished`.
fn beside(kind: u8, length: usize) -> Vec<u8> {
    let length = u16::try_from(length).unwrap().to_be_bytes();
    [&1_u64.to_be_bytes()[..], &[kind], &TLS1_2.to_be_bytes(), &length].concat()
}

fn seal((key, salt): ([u8; 16], [u8; 4]), kind: u8, content: &[u8]) -> Vec<u8> {
    let explicit = 1_u64.to_be_bytes();
    let nonce = [&salt[..], &explicit].concat();
    let mut tag = [0; 16];
    let sealed = encrypt_aead(Cipher::aes_128_gcm(), &key, Some(&nonce), &beside(kind, content.len()), content, &mut tag).unwrap();
    record(kind, TLS1_2, &[&explicit[..], &sealed, &tag].concat())
}

fn open((key, salt): ([u8; 16], [u8; 4]), kind: u8, content: &[u8]) -> Vec<u8> {
    let (explicit, sealed) = content.split_at(8);
    let (sealed, tag) = sealed.split_at(sealed.len() - 16);
    let nonce = [&salt[..], explicit].concat();
    decrypt_aead(Cipher::aes_128_gcm(), &key, Some(&nonce), &beside(kind, sealed.len()), sealed, tag).unwrap()
}

/// No library asks for it any more, so the second handshake is begun by hand, inside the first one's protection.
#[test]
fn t15_a_client_that_begins_a_second_handshake_on_a_connection_is_refused() {
    let world = asking();
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.set_verify(SslVerifyMode::NONE);
    builder.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
    builder.set_cipher_list("ECDHE-ECDSA-AES128-GCM-SHA256").unwrap();
    let line = Arc::new(Mutex::new(String::new()));
    let kept = line.clone();
    builder.set_keylog_callback(move |_, text| text.clone_into(&mut kept.lock().unwrap()));
    let tcp = TcpStream::connect(("127.0.0.1", world.gateway.ports.tls)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut raw = tcp.try_clone().unwrap();
    let stream = builder.build().connect("localhost", tcp).unwrap();
    let ssl = stream.ssl();
    assert_eq!(ssl.servername(NameType::HOST_NAME), Some("localhost"));
    let master = line.lock().unwrap().rsplit(' ').next().unwrap().to_owned();
    let master: Vec<u8> = master.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
    let (mut client, mut server, mut finished) = ([0; 32], [0; 32], [0; 12]);
    assert_eq!((ssl.client_random(&mut client), ssl.server_random(&mut server), ssl.finished(&mut finished)), (32, 32, 12));
    let keys = Keys::derive(&master, &client, &server);
    let hello = client_hello(&Offer::new(TLS1_2, &[SUITE]), &finished);
    raw.write_all(&seal(keys.client, HANDSHAKE, &hello)).unwrap();
    let (kind, content) = read_record(&mut raw).unwrap();
    assert_eq!(kind, ALERT);
    assert_eq!(open(keys.server, ALERT, &content)[1], NO_RENEGOTIATION);
}

#[test]
fn t15_a_client_that_offers_other_protocols_only_is_refused_and_one_that_offers_none_speaks_http_1() {
    let world = asking();
    let shake = |alpn: &[u8]| Client::tls(world.gateway.ports.tls, "localhost", &connector(&world.authority, None, alpn, None));
    for other in [&b"\x03ftp"[..], b"\x04smtp\x04imap", b"\x08http/1.0"] {
        assert!(shake(other).err().is_some_and(|error| error.contains("no application protocol")), "{other:?}");
    }
    for good in [&b""[..], b"\x08http/1.1", b"\x03ftp\x08http/1.1"] {
        assert_eq!(shake(good).unwrap().ask("GET", "/a/x", &[], b"").unwrap().status(), 200, "{good:?}");
    }
}
