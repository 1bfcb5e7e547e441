use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
};

use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};
use tollgate_filter_api::{Interval, NoCertificate, Peer};
use tollgate_testkit::{
    Folder,
    certificates::{Authority, Identity},
    forms::Form,
};

use super::state;
use crate::{
    config::{ClientAuth, ClientAuthMode, CrlStale, Tls, TlsProfile},
    proxy::client::tls::client_certificate::peer,
};

fn signed(name: &str, authority: &Authority) -> Identity {
    Form::plain(name).signed_by(&authority.0)
}

fn ask(mode: ClientAuthMode, ca: PathBuf) -> ClientAuth {
    ClientAuth { mode, ca, crl: Vec::new(), crl_stale: CrlStale::Closed, depth: 8, forwarded: None }
}

struct World {
    folder: Folder,
    root: Authority,
    tls: Tls,
}

fn world(mode: Option<ClientAuthMode>) -> World {
    let folder = Folder::new();
    let root = Authority::new("root");
    let ca = root.write(&folder, "ca.pem");
    let (certificate, key) = Form::plain("server").self_signed().write(&folder, "server");
    let tls = Tls {
        certificate,
        key,
        certificates: Vec::new(),
        profile: TlsProfile::Intermediate,
        http2: true,
        refresh: Interval::seconds(10),
        client_auth: mode.map(|mode| ask(mode, ca)),
    };
    World { folder, root, tls }
}

/// Two handshakes of one client, the second resumed where TLS allows; what the server made of each, and whether the second
/// was resumed. A handshake that failed is `None`.
fn shake(tls: &Tls, identity: Option<&Identity>) -> (Vec<Option<Peer>>, bool) {
    let state = state(tls).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let accept = || {
            let mut stream = state.acceptor.accept(listener.accept().unwrap().0).ok()?;
            // A session whose connection ends without a goodbye is forgotten.
            let _ = stream.shutdown();
            Some(peer(stream.ssl(), state.trust.as_ref()).0)
        };
        vec![accept(), accept()]
    });
    let mut builder = SslConnector::builder(SslMethod::tls()).unwrap();
    builder.set_verify(SslVerifyMode::NONE);
    builder.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
    if let Some(identity) = identity {
        builder.set_certificate(&identity.certificate).unwrap();
        builder.set_private_key(&identity.key).unwrap();
    }
    let connector = builder.build();
    let first = connector.connect("localhost", TcpStream::connect(address).unwrap());
    let session = first.as_ref().ok().and_then(|stream| stream.ssl().session().map(ToOwned::to_owned));
    let mut again = connector.configure().unwrap().into_ssl("localhost").unwrap();
    if let Some(session) = &session {
        resume(&mut again, session);
    }
    let second = again.connect(TcpStream::connect(address).unwrap());
    let resumed = second.is_ok_and(|stream| stream.ssl().session_reused());
    (server.join().unwrap(), resumed)
}

#[allow(unsafe_code)]
fn resume(ssl: &mut openssl::ssl::SslRef, session: &openssl::ssl::SslSession) {
    // SAFETY: the session was made by the context that this connection belongs to.
    unsafe { ssl.set_session(session).unwrap() }
}

fn anonymous(peer: Option<&Peer>) -> Option<NoCertificate> {
    match peer {
        Some(Peer::Anonymous(why)) => Some(*why),
        _ => None,
    }
}

fn refusal(tls: &Tls) -> String {
    state(tls).err().expect("it must be refused").message
}

#[test]
fn t06_a_trusted_certificate_is_an_identity_and_stays_one_when_the_session_is_resumed() {
    let world = world(Some(ClientAuthMode::Required));
    let (peers, resumed) = shake(&world.tls, Some(&signed("alice", &world.root)));
    assert!(resumed);
    for peer in peers {
        let Some(Peer::Certified(certificate)) = peer else { panic!("{peer:?}") };
        assert_eq!((certificate.subject.as_str(), certificate.issuer.as_str()), ("CN=alice", "CN=root"));
    }
}

#[test]
fn t04_required_ends_the_handshake_without_a_certificate_that_verifies() {
    let world = world(Some(ClientAuthMode::Required));
    for identity in [None, Some(signed("mallory", &Authority::new("root")))] {
        assert!(shake(&world.tls, identity.as_ref()).0.iter().all(Option::is_none));
    }
}

#[test]
fn t05_optional_never_takes_a_certificate_that_does_not_verify_for_an_identity() {
    let world = world(Some(ClientAuthMode::Optional));
    let (peers, resumed) = shake(&world.tls, Some(&signed("mallory", &Authority::new("root"))));
    assert!(resumed);
    for peer in &peers {
        assert!(matches!(anonymous(peer.as_ref()), Some(NoCertificate::NotTrusted { sha256: Some(_) })));
    }
    let (peers, _) = shake(&world.tls, None);
    assert_eq!(anonymous(peers[0].as_ref()), Some(NoCertificate::NotSent));
    let (peers, _) = shake(&world.tls, Some(&signed("alice", &world.root)));
    assert!(matches!(peers[0], Some(Peer::Certified(_))), "{peers:?}");
}

#[test]
fn t04_who_is_not_asked_is_nobody() {
    let (peers, _) = shake(&world(None).tls, Some(&Form::plain("alice").self_signed()));
    assert_eq!(anonymous(peers[0].as_ref()), Some(NoCertificate::NotAsked));
}

#[test]
fn t13_a_trust_store_that_is_missing_empty_broken_or_trusts_nobody_is_refused() {
    let mut world = world(Some(ClientAuthMode::Optional));
    let between = signed("between", &world.root);
    let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let stores = [
        (PathBuf::from("/nonexistent/ca.pem"), "cannot be read"),
        (world.folder.write("empty.pem", b""), "holds no certificate"),
        (world.folder.write("broken.pem", broken), "holds a damaged certificate: block 1 (CERTIFICATE, line 1) cannot be read"),
        (world.folder.write("between.pem", between.pem()), "holds no root"),
    ];
    for (ca, complaint) in stores {
        world.tls.client_auth = Some(ask(ClientAuthMode::Optional, ca));
        let message = refusal(&world.tls);
        assert!(message.contains(complaint), "{message}");
    }
}

#[test]
fn t14_a_key_must_be_readable_without_a_password_and_belong_to_the_certificate() {
    let mut world = world(None);
    let other = Form::plain("other").self_signed();
    let sealed = other.key.private_key_to_pem_pkcs8_passphrase(openssl::symm::Cipher::aes_256_cbc(), b"secret").unwrap();
    let keys = [
        (world.folder.write("other.key", other.key_pem()), "is not the key of the first certificate in"),
        (world.folder.write("sealed.key", &sealed), "holds a private key that a passphrase protects"),
        (PathBuf::from("/nonexistent/server.key"), "cannot be read"),
    ];
    for (key, complaint) in keys {
        world.tls.key = key;
        let message = refusal(&world.tls);
        assert!(message.contains(complaint), "{message}");
    }
    world.tls.certificate = Path::new("/nonexistent/server.pem").to_owned();
    assert!(refusal(&world.tls).contains("/nonexistent/server.pem"));
}
