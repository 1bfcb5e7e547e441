//! TLS towards a broker: whom it believes.

use std::{
    io::{Read, Write},
    thread,
};

use tollgate_broker::Settings;
use tollgate_tests::{Folder, certificates::Authority, ports};

use super::subscriber::{Subscriber, settings};

/// A STOMP broker for one subscriber, whose certificate is for these names.
fn broker(authority: &Authority, names: &[&str]) -> u16 {
    let acceptor = authority.issue("broker", 2, names).acceptor();
    let listener = ports::listener();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = acceptor.accept(stream.unwrap()) else { continue };
            for answer in ["CONNECTED\nversion:1.2\nheart-beat:1000,0\n\n\0", "RECEIPT\nreceipt-id:subscribed\n\n\0"] {
                let mut byte = [1];
                while byte != [0] && stream.read_exact(&mut byte).is_ok() {}
                let _ = stream.write_all(answer.as_bytes());
            }
            while stream.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
        }
    });
    port
}

fn over_tls(port: u16, authority: &Authority, folder: &Folder) -> Settings {
    let mut settings = settings(format!("stomp+tls://127.0.0.1:{port}"), "revoked");
    settings.ca = Some(authority.write(folder, "ca.pem"));
    settings
}

#[test]
fn a_certificate_of_the_configured_authority_for_the_urls_host_is_believed() {
    let (authority, folder) = (Authority::new("ours"), Folder::new());
    let port = broker(&authority, &["127.0.0.1"]);
    Subscriber::confirmed(over_tls(port, &authority, &folder));
}

#[test]
fn a_certificate_for_another_host_is_not_believed() {
    let (authority, folder) = (Authority::new("ours"), Folder::new());
    let port = broker(&authority, &["127.0.0.2"]);
    let cause = Subscriber::start(over_tls(port, &authority, &folder)).cause();
    assert!(cause.contains("certificate is not accepted: IP address mismatch"), "{cause}");
}

#[test]
fn a_certificate_of_another_authority_is_not_believed() {
    let (authority, folder) = (Authority::new("ours"), Folder::new());
    let port = broker(&Authority::new("theirs"), &["127.0.0.1"]);
    let cause = Subscriber::start(over_tls(port, &authority, &folder)).cause();
    assert!(cause.contains("certificate is not accepted"), "{cause}");
}
