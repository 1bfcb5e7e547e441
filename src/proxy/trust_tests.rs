use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use openssl::x509::X509;
use serde_json::Value;

use tollgate_testkit::Folder;

use super::Trust;
use crate::config::{ClientAuth, ClientAuthMode, CrlStale};

fn cases() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cases/07-tls");
    if path.is_dir() {
        return Some(path);
    }
    println!("../shared/cases/07-tls is absent: what depends on it was not tried");
    None
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn trust(ca: PathBuf, crl: Vec<PathBuf>) -> Trust {
    let mode = ClientAuthMode::Required;
    Trust::read(&ClientAuth { mode, ca, crl, crl_stale: CrlStale::Closed, depth: 8, forwarded: None }).unwrap()
}

/// Handshakes with the same chains are in the black-box tests.
#[test]
fn t03_no_chain_of_pkits_is_accepted_that_must_be_refused() {
    let Some(cases) = cases() else { return };
    let folder = cases.join("pkits");
    let certificate = |name: &str| X509::from_der(&fs::read(folder.join(format!("certs/{name}.crt"))).unwrap()).unwrap();
    let root = X509::from_der(&fs::read(folder.join("certs/TrustAnchorRootCertificate.crt")).unwrap()).unwrap();
    let made = Folder::new();
    let ca = made.write("ca.pem", root.to_pem().unwrap());
    let crl = fs::read_dir(folder.join("crls")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let with = trust(ca.clone(), crl);
    let without = trust(ca, Vec::new());
    let (mut scored, mut agree, mut differ) = (0, 0, BTreeMap::new());
    for case in lines(&cases.join("pkits-cases.jsonl")) {
        let id = case["id"].as_str().unwrap();
        let chain: Vec<X509> = case["send_chain"].as_array().unwrap().iter().map(|name| certificate(name.as_str().unwrap())).collect();
        for (trust, verdict) in [(&with, "expect"), (&without, "without_crl")] {
            let expected = case[verdict].as_str().unwrap();
            if expected == "disputed" {
                continue;
            }
            scored += 1;
            let found = trust.judge(&certificate(id), &chain);
            if found.is_ok() == (expected == "accept") {
                agree += 1;
            } else {
                differ.insert(format!("{id} {verdict}"), found);
            }
        }
    }
    println!("PKITS: {scored} scored, {agree} agree; {differ:#?}");
    assert!(scored > 50);
    assert!(differ.values().all(Result::is_err), "accepted and must be refused: {differ:#?}");
}

/// All cases, those too that cannot be shown in a handshake because nobody has the leaf's key. All are judged as of now: the few that
/// name another time are about certificates that have expired since.
#[test]
fn t03_no_chain_of_limbo_is_accepted_that_must_be_refused_and_none_takes_a_second() {
    let Some(cases) = cases() else { return };
    let pem = |value: &Value| value.as_str().unwrap().to_owned();
    let (mut scored, mut agree, mut differ) = (0, 0, BTreeMap::new());
    for case in lines(&cases.join("limbo-client.jsonl")) {
        let id = case["id"].as_str().unwrap();
        let folder = Folder::new();
        let ca = folder.write("ca.pem", case["roots"].as_array().unwrap().iter().map(pem).collect::<String>());
        let crl: Vec<PathBuf> =
            case["crls"].as_array().unwrap().iter().map(pem).enumerate().map(|(i, text)| folder.write(format!("{i}.crl"), text)).collect();
        let trust =
            Trust::read(&ClientAuth { mode: ClientAuthMode::Required, ca, crl, crl_stale: CrlStale::Closed, depth: 8, forwarded: None });
        let leaf = X509::from_pem(pem(&case["leaf"]).as_bytes());
        let chain: Result<Vec<X509>, _> =
            case["intermediates"].as_array().unwrap().iter().map(|c| X509::from_pem(pem(c).as_bytes())).collect();
        let begun = Instant::now();
        let found = match (trust, leaf, chain) {
            (Ok(trust), Ok(leaf), Ok(chain)) => trust.judge(&leaf, &chain),
            _ => Err("it cannot be read".to_owned()),
        };
        assert!(begun.elapsed() < Duration::from_secs(1), "{id} took {:?}", begun.elapsed());
        let expected = case["expect"].as_str().unwrap();
        if expected == "disputed" {
            continue;
        }
        scored += 1;
        if found.is_ok() == (expected == "accept") {
            agree += 1;
        } else {
            differ.insert(id.to_owned(), found);
        }
    }
    println!("limbo: {scored} scored, {agree} agree; {differ:#?}");
    assert!(scored > 20);
    assert!(differ.values().all(Result::is_err), "accepted and must be refused: {differ:#?}");
}
