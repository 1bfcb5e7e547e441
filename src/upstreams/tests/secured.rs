//! Trust stores, identities and names: what is wrong with one of them keeps the gateway from starting.

use serde_json::{Value, json};
use tollgate_filter_api::Problem;
use tollgate_plan::Strategy;

use tollgate_testkit::Folder;

use super::world::{Upstreams, build, certificate, first, group, pair, problem};

fn pets(url: &str, entry: Value) -> Result<Upstreams, tollgate_filter_api::Problems> {
    build(group("pets", Strategy::Single, &[url]), json!({ "endpoints": { "pets": entry } }))
}

fn refused(entry: Value) -> Problem {
    problem(group("pets", Strategy::Single, &["https://a.example"]), json!({ "endpoints": { "pets": entry } }))
}

#[test]
fn t16_the_urls_host_is_the_name_that_is_verified() {
    let upstreams = pets("https://A.example:8443/", json!({})).unwrap();
    let endpoint = first(&upstreams);
    let upstream = &endpoint.upstream;
    assert!(upstream.tls);
    assert_eq!((upstream.server_name.as_str(), upstream.host_header.to_str().unwrap()), ("a.example", "a.example:8443"));
}

#[test]
fn empty_sni_an_encrypted_upstream_by_address_is_refused_without_a_name() {
    for url in ["https://192.0.2.1/", "https://[2001:db8::1]:8443/"] {
        let problem = problem(group("pets", Strategy::Single, &[url]), json!({}));
        assert_eq!((problem.code, problem.line), ("upstream.server_name", 7));
        assert!(problem.hint.contains("/endpoints/pets/server_name"), "{problem}");
    }
}

#[test]
fn an_address_with_a_name_to_verify_is_accepted() {
    let upstreams = pets("https://192.0.2.1/", json!({ "server_name": "a.example" })).unwrap();
    let endpoint = first(&upstreams);
    let upstream = &endpoint.upstream;
    assert_eq!((upstream.server_name.as_str(), upstream.host.as_str()), ("a.example", "192.0.2.1"));
}

#[test]
fn a_name_to_verify_that_is_none_is_refused() {
    for name in ["", "192.0.2.1", "::1", "a..example", "a example", "a.example\0"] {
        let problem = refused(json!({ "server_name": name }));
        assert_eq!((problem.code, problem.pointer.as_str()), ("upstream.server_name", "/endpoints/pets/server_name"), "{name:?}");
    }
}

#[test]
fn an_address_without_encryption_needs_no_name() {
    assert!(pets("http://192.0.2.1/", json!({})).is_ok());
}

#[test]
fn t13_a_trust_store_that_is_missing_empty_or_damaged_is_refused() {
    let folder = Folder::new();
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let stores = [
        folder.path().join("missing.pem"),
        folder.path().to_owned(),
        folder.write("empty.pem", b""),
        folder.write("text.pem", b"no certificate here\n"),
        folder.write("damaged.pem", damaged.as_bytes()),
        folder.write("key.pem", certificate("x").key_pem()),
    ];
    for store in stores {
        let problem = refused(json!({ "ca": store }));
        assert_eq!((problem.code, problem.pointer.as_str()), ("upstream.ca", "/endpoints/pets/ca"));
        assert!(problem.message.contains(&*store.to_string_lossy()), "{problem}");
    }
}

#[test]
fn t13_a_damaged_certificate_behind_a_good_one_is_not_passed_over() {
    let folder = Folder::new();
    let mut pem = certificate("good").pem();
    pem.extend_from_slice(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let problem = refused(json!({ "ca": folder.write("half.pem", &pem) }));
    assert_eq!(problem.code, "upstream.ca");
}

#[test]
fn a_trust_store_is_read_whole() {
    let folder = Folder::new();
    let mut pem = certificate("one").pem();
    pem.extend_from_slice(&certificate("two").pem());
    let upstreams = pets("https://a.example/", json!({ "ca": folder.write("both.pem", &pem) })).unwrap();
    assert_eq!(first(&upstreams).upstream.ca.as_ref().unwrap().certificates.len(), 2);
}

#[test]
fn t14_a_key_of_another_certificate_is_refused() {
    let folder = Folder::new();
    let (one, two) = (pair(&folder, "one"), pair(&folder, "two"));
    let problem = refused(json!({ "client_certificate": { "certificate": one["certificate"], "key": two["key"] } }));
    assert_eq!((problem.code, problem.pointer.as_str()), ("upstream.client_certificate", "/endpoints/pets/client_certificate"));
    assert!(problem.message.contains("is not the key of the first certificate"), "{problem}");
}

#[test]
fn t14_an_encrypted_key_is_refused_rather_than_asked_for() {
    let folder = Folder::new();
    let pair = pair(&folder, "one");
    let key = certificate("one").key;
    let pem = key.private_key_to_pem_pkcs8_passphrase(openssl::symm::Cipher::aes_128_cbc(), b"x").unwrap();
    let problem = refused(json!({ "client_certificate": { "certificate": pair["certificate"], "key": folder.write("locked.key", &pem) } }));
    assert!(problem.message.contains("a passphrase protects"), "{problem}");
}

#[test]
fn a_certificate_with_its_key_is_accepted() {
    let folder = Folder::new();
    let upstreams = pets("https://a.example/", json!({ "client_certificate": pair(&folder, "one") })).unwrap();
    assert_eq!(first(&upstreams).upstream.identity.as_ref().unwrap().chain.len(), 1);
}

#[test]
fn what_is_set_for_all_upstreams_is_blamed_on_its_own_setting() {
    let problem = problem(group("pets", Strategy::Single, &["https://a.example"]), json!({ "upstream": { "ca": "/nowhere/ca.pem" } }));
    assert_eq!(problem.pointer, "/upstream/ca");
}
