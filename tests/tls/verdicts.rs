//! Public suites of certificate chains, each chain shown in real handshakes to listeners that trust its roots.
//!
//! A case goes to a listener with `mode: required`, which judges in the handshake, and to one with `mode: optional`, which judges
//! after it; over TLS 1.2 and 1.3; with a full handshake, then once more with the session of the first. What counts is whether a request
//! reaches the upstream. The gateway's clock is the machine's.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use openssl::{
    pkcs12::Pkcs12,
    pkey::{PKey, Private},
    ssl::SslVersion,
    x509::X509,
};
use serde_json::{Value, json};
use tollgate_tests::{Call, Folder, Gateway, Resuming, Settings, Upstream, certificates::Authority, ports::free_port, shared_cases};

use super::world::definition;

const VERSIONS: [(SslVersion, &str); 2] = [(SslVersion::TLS1_2, "1.2"), (SslVersion::TLS1_3, "1.3")];

/// Chains of PKITS that must be accepted and are not, with the reason.
const PKITS_REFUSED: &[(&str, &str)] = &[
    ("ValidpathLenConstraintTest8EE expect", AN_AUTHORITY),
    ("ValidpathLenConstraintTest8EE without_crl", AN_AUTHORITY),
    ("ValidpathLenConstraintTest14EE expect", AN_AUTHORITY),
    ("ValidpathLenConstraintTest14EE without_crl", AN_AUTHORITY),
];

/// Chains that PKITS calls invalid for their policies. Their recorded verdicts are of a verifier that passes over policies.
fn is_against_policies(id: &str) -> bool {
    id.starts_with("Invalid") && (id.contains("Policy") || id.contains("Mapping"))
}

const AN_AUTHORITY: &str = "what the client shows is an authority's certificate, which is nobody's here unless it is trusted itself";

/// The same of limbo.
const LIMBO_REFUSED: &[(&str, &str)] = &[];

/// Cases of limbo whose leaf has no key here, so that nobody can show it: they are judged without a handshake, in `trust_tests.rs`.
const LIMBO_KEYLESS: &[&str] = &["rfc5280::serial::negative"];

/// Cases of limbo that are about a moment which is over: today they are refused because they have expired, which proves nothing. Those
/// that are about a certificate that has expired prove it today as well, and are not here.
const LIMBO_OVER: &[&str] = &["rfc5280::validity::notbefore-fractional", "rfc5280::validity::not-yet-valid-1-second"];

/// Time for a handshake and a request with a chain that is made to take long.
const LONGEST: Duration = Duration::from_secs(1);

/// What one chain must come to at a pair of listeners.
struct Case {
    name: String,
    accept: bool,
    leaf: X509,
    chain: Vec<X509>,
    key: PKey<Private>,
    /// Which trust of the gateway.
    trust: usize,
}

/// `ca` and `crl`.
type Trust = (PathBuf, Vec<PathBuf>);

struct World {
    gateway: Gateway,
    upstream: Upstream,
    /// Of the listener that requires, and of the one that does not.
    ports: Vec<[u16; 2]>,
}

fn world(folder: &Folder, trusts: &[Trust]) -> World {
    let (upstream, authority) = (Upstream::start(), Authority::new("root"));
    let (certificate, key) = authority.issue("gateway", 2, &["localhost"]).write(folder, "gateway");
    let ports: Vec<[u16; 2]> = trusts.iter().map(|_| [free_port(), free_port()]).collect();
    let listener = |port: u16, mode: &str, (ca, crl): &Trust| {
        let tls = json!({ "certificate": certificate, "key": key, "client_auth": { "mode": mode, "ca": ca, "crl": crl } });
        json!({ "address": format!("127.0.0.1:{port}"), "tls": tls })
    };
    let pair = |([required, optional], trust): (&[u16; 2], &Trust)| {
        [listener(*required, "required", trust), listener(*optional, "optional", trust)]
    };
    let listeners: Vec<Value> = ports.iter().zip(trusts).flat_map(pair).collect();
    let settings = Settings::of(json!({ "chain": [{ "mtls": {} }], "listeners": listeners }));
    World { gateway: Gateway::serving(&definition(&upstream.url(), "mandatory"), settings), upstream, ports }
}

/// One request, and what must come of it.
struct Attempt {
    case: String,
    /// How it was made.
    way: String,
    path: String,
    accept: bool,
    optional: bool,
    status: Option<u16>,
}

impl World {
    /// Shows the chain in every way.
    fn show(&self, case: &Case, attempts: &mut Vec<Attempt>) {
        for (port, optional) in self.ports[case.trust].iter().zip([false, true]) {
            for (version, name) in VERSIONS {
                let client = Resuming::showing(&case.leaf, &case.chain, &case.key, version);
                for resumed in [false, true] {
                    let path = format!("/a/n{}", attempts.len());
                    let call = Call { port: *port, name: Some("localhost"), host: "localhost", path: &path };
                    let begun = Instant::now();
                    let called = client.call(call);
                    let slow = case.name.starts_with("pathological::") && begun.elapsed() >= LONGEST;
                    assert!(!slow, "{} took {:?}", case.name, begun.elapsed());
                    let mode = if optional { "optional" } else { "required" };
                    let way = format!("{mode}, TLS {name}, {}", if resumed { "again" } else { "first" });
                    // Where the handshake itself refuses, there is no session to resume.
                    let expected = resumed && called.status.is_some();
                    assert_eq!(called.resumed, expected, "{}: {way}", case.name);
                    let status = called.status;
                    attempts.push(Attempt { case: case.name.clone(), way, path, accept: case.accept, optional, status });
                }
            }
        }
    }

    /// Compares what came of all of them with what should have. False refusals come back by case; a false acceptance fails.
    fn score(&self, attempts: &[Attempt]) -> BTreeSet<String> {
        let answered = attempts.iter().filter(|attempt| attempt.status.is_some()).count();
        let log: BTreeMap<String, Value> =
            self.gateway.log_of(answered).into_iter().map(|line| (line["path"].as_str().unwrap().to_owned(), line)).collect();
        let arrived: BTreeSet<String> = self.upstream.requests().iter().map(|request| format!("/a{}", request.message.target())).collect();
        let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
        for attempt in attempts {
            let through = arrived.contains(&attempt.path);
            let told = format!("{}: {}: {:?}, {:?}", attempt.case, attempt.way, attempt.status, log.get(&attempt.path));
            assert!(attempt.accept || !through, "accepted and must be refused: {told}");
            assert_eq!(through, attempt.status == Some(200), "{told}");
            if !through && attempt.optional {
                // It came, and was judged.
                assert_eq!(log[&attempt.path]["reason"], "mtls.untrusted", "{told}");
            }
            if attempt.accept && !through {
                *refused.entry(&attempt.case).or_default() += 1;
            }
        }
        for (case, count) in &refused {
            assert_eq!(*count, 8, "{case} is judged in different ways");
        }
        refused.into_keys().map(str::to_owned).collect()
    }
}

fn expected(refused: &[(&str, &str)]) -> BTreeSet<String> {
    refused.iter().map(|(name, _)| (*name).to_owned()).collect()
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn t03_chains_of_pkits_in_handshakes_full_and_resumed() {
    let Some(shared) = shared_cases("07-tls") else { return };
    let (folder, pkits) = (Folder::new(), shared.join("pkits"));
    let certificate = |name: &str| X509::from_der(&fs::read(pkits.join(format!("certs/{name}.crt"))).unwrap()).unwrap();
    let ca = folder.write("ca.pem", certificate("TrustAnchorRootCertificate").to_pem().unwrap());
    let lists: Vec<PathBuf> = fs::read_dir(pkits.join("crls")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(lists.len() > 100, "{}", lists.len());
    let world = world(&folder, &[(ca.clone(), lists), (ca, Vec::new())]);
    let mut attempts = Vec::new();
    let mut scored = [0, 0];
    for line in lines(&shared.join("pkits-cases.jsonl")) {
        let id = line["id"].as_str().unwrap();
        let stored = Pkcs12::from_der(&fs::read(pkits.join(format!("pkcs12/{id}.p12"))).unwrap()).unwrap();
        let key = stored.parse2("password").unwrap().pkey.unwrap();
        let chain: Vec<X509> = line["send_chain"].as_array().unwrap().iter().map(|name| certificate(name.as_str().unwrap())).collect();
        for (trust, verdict) in ["expect", "without_crl"].into_iter().enumerate() {
            let expected = if is_against_policies(id) { "reject" } else { line[verdict].as_str().unwrap() };
            if expected == "disputed" {
                continue;
            }
            let name = format!("{id} {verdict}");
            let case = Case { name, accept: expected == "accept", leaf: certificate(id), chain: chain.clone(), key: key.clone(), trust };
            scored[usize::from(case.accept)] += 1;
            world.show(&case, &mut attempts);
        }
    }
    let refused = world.score(&attempts);
    println!(
        "PKITS: {} to refuse, {} to accept, of which {} were refused, {} handshakes",
        scored[0],
        scored[1],
        refused.len(),
        attempts.len()
    );
    assert_eq!(scored, [57, 70]);
    assert_eq!(refused, expected(PKITS_REFUSED));
}

fn limbo(line: &Value, trust: usize) -> Case {
    let pem = |value: &Value| X509::from_pem(value.as_str().unwrap().as_bytes()).unwrap();
    Case {
        name: line["id"].as_str().unwrap().to_owned(),
        accept: line["expect"] == "accept",
        leaf: pem(&line["leaf"]),
        chain: line["intermediates"].as_array().unwrap().iter().map(pem).collect(),
        key: PKey::private_key_from_pem(line["leaf_key"].as_str().unwrap().as_bytes()).unwrap(),
        trust,
    }
}

/// The roots and lists of a case, as files.
fn trust(folder: &Folder, index: usize, line: &Value) -> Trust {
    let texts = |name: &str| line[name].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let ca = folder.write(format!("{index}.pem"), texts("roots").concat());
    let crl = texts("crls").iter().enumerate().map(|(i, text)| folder.write(format!("{index}-{i}.crl"), text)).collect();
    (ca, crl)
}

#[test]
fn t03_chains_of_limbo_in_handshakes_full_and_resumed() {
    let Some(shared) = shared_cases("07-tls") else { return };
    let folder = Folder::new();
    let lines: Vec<Value> = lines(&shared.join("limbo-client.jsonl"));
    let scored = |line: &&Value| line["expect"] != "disputed" || line["id"].as_str().unwrap().starts_with("pathological::");
    let id = |line: &Value| line["id"].as_str().unwrap().to_owned();
    let (over, lines): (Vec<&Value>, Vec<&Value>) = lines.iter().filter(scored).partition(|line| LIMBO_OVER.contains(&&*id(line)));
    let (lines, keyless): (Vec<&Value>, Vec<&Value>) = lines.into_iter().partition(|line| line["leaf_key"].is_string());
    assert_eq!(over.len(), LIMBO_OVER.len());
    assert_eq!(keyless.into_iter().map(id).collect::<Vec<_>>(), LIMBO_KEYLESS);
    let trusts: Vec<Trust> = lines.iter().enumerate().map(|(index, line)| trust(&folder, index, line)).collect();
    let world = world(&folder, &trusts);
    let (mut attempts, mut counts) = (Vec::new(), [0, 0]);
    for (index, line) in lines.iter().enumerate() {
        let case = limbo(line, index);
        counts[usize::from(case.accept)] += 1;
        world.show(&case, &mut attempts);
    }
    let refused = world.score(&attempts);
    println!(
        "limbo: {} to refuse, {} to accept, of which {} were refused, {} handshakes; {} without a key, {} over",
        counts[0],
        counts[1],
        refused.len(),
        attempts.len(),
        LIMBO_KEYLESS.len(),
        over.len()
    );
    assert_eq!(refused, expected(LIMBO_REFUSED));
}
