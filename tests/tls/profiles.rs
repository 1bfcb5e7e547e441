//! Versions, suites and groups, found out by asking the running gateway for every number that there is.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tollgate_tests::{
    Folder, Gateway, Settings, Upstream,
    certificates::Authority,
    hello::{Offer, Reply, SSL3, TLS1_0, TLS1_1, TLS1_2, TLS1_3, groups, suites},
    ports::free_port,
    shared_cases,
};

/// Suites by their registered names.
const NAMES: [(&str, u16); 9] = [
    ("TLS_AES_128_GCM_SHA256", 0x1301),
    ("TLS_AES_256_GCM_SHA384", 0x1302),
    ("TLS_CHACHA20_POLY1305_SHA256", 0x1303),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xc02b),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 0xc02c),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xc02f),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 0xc030),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca8),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xcca9),
];

/// Groups by the names that Mozilla's profiles have for them.
const GROUPS: [(&str, u16); 4] = [("X25519MLKEM768", 0x11ec), ("X25519", 29), ("prime256v1", 23), ("secp384r1", 24)];

/// What FAPI 1.0 Part 2 §8.5 permits in TLS 1.2.
const FAPI: [u16; 4] = [0x9e, 0x9f, 0xc02f, 0xc030];

const OLD: [u16; 3] = [SSL3, TLS1_0, TLS1_1];

/// What one profile takes, with an EC certificate on one listener and an RSA certificate on the other.
struct Scan {
    ports: [u16; 2],
    tls12: BTreeSet<u16>,
    tls13: BTreeSet<u16>,
}

struct World {
    gateway: Gateway,
    _upstream: Upstream,
    _folder: Folder,
    ports: Vec<[u16; 2]>,
}

/// A gateway with two listeners for each profile.
fn world(profiles: &[Value]) -> World {
    let (folder, authority, upstream) = (Folder::new(), Authority::new("root"), Upstream::start());
    let ec = authority.issue("gateway", 2, &["localhost"]).write(&folder, "ec");
    let rsa = authority.issue_rsa("gateway", 3, &["localhost"]).write(&folder, "rsa");
    let ports: Vec<[u16; 2]> = profiles.iter().map(|_| [free_port(), free_port()]).collect();
    let listener = |port: u16, (certificate, key): &(_, _), more: &Value| {
        let mut tls = json!({ "certificate": certificate, "key": key });
        tls.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "address": format!("127.0.0.1:{port}"), "tls": tls })
    };
    let listeners: Vec<Value> =
        profiles.iter().zip(&ports).flat_map(|(more, [one, two])| [listener(*one, &ec, more), listener(*two, &rsa, more)]).collect();
    let gateway = Gateway::over(&upstream.url(), Settings::of(json!({ "listeners": listeners })));
    World { gateway, _upstream: upstream, _folder: folder, ports }
}

fn scan(ports: [u16; 2]) -> Scan {
    let both = |version: u16| ports.iter().flat_map(|port| suites(*port, version)).collect();
    Scan { ports, tls12: both(TLS1_2), tls13: both(TLS1_3) }
}

impl Scan {
    fn groups(&self, version: u16, suites: &BTreeSet<u16>) -> BTreeSet<u16> {
        let suites: Vec<u16> = suites.iter().copied().collect();
        self.ports.iter().flat_map(|port| groups(*port, version, &suites)).collect()
    }

    /// Whether older versions are refused, whatever suite is offered: with `protocol_version`.
    fn refuses(&self, versions: &[u16]) {
        for (port, version) in self.ports.iter().flat_map(|port| versions.iter().map(move |version| (*port, *version))) {
            assert_eq!(suites(port, version), [0; 0], "{version:#x}");
            let refused = Offer::new(version, &[0x2f, 0xc013]).send(port);
            // What does not know of SSL 3 cannot tell its client so.
            assert!(version == SSL3 || refused == Reply::Refused(70), "{version:#x}: {refused:?}");
        }
    }

    /// Of two suites that the server has, the one that the client names first.
    fn follows_the_client(&self, version: u16, port: u16, one: u16, two: u16) {
        for pair in [[one, two], [two, one]] {
            let Reply::Chosen(choice) = Offer::new(version, &pair).send(port) else { panic!("{pair:x?}") };
            assert_eq!((choice.version, choice.suite), (version, pair[0]));
        }
    }
}

fn numbers(names: &Value, known: &[(&str, u16)]) -> BTreeSet<u16> {
    let number = |name: &Value| known.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name} is not known here")).1;
    names.as_array().unwrap().iter().map(number).collect()
}

/// Suites of TLS 1.2, of TLS 1.3, and groups: as published, or as they were when this was written.
fn mozilla(profile: &str) -> [BTreeSet<u16>; 3] {
    let all = |known: &[(&str, u16)]| known.iter().map(|(_, number)| *number).collect::<BTreeSet<u16>>();
    let written = match profile {
        "intermediate" => [all(&NAMES[3..]), all(&NAMES[..3]), all(&GROUPS)],
        _ => [BTreeSet::new(), all(&NAMES[..3]), all(&GROUPS)],
    };
    let Some(folder) = shared_cases("07-tls/mozilla") else { return written };
    let published: Value = serde_json::from_slice(&std::fs::read(folder.join("guidelines-6.0.json")).unwrap()).unwrap();
    let published = &published["configurations"][profile];
    assert_eq!(published["server_preferred_order"], false);
    let read = [
        numbers(&published["ciphers"]["iana"], &NAMES),
        numbers(&published["ciphersuites"], &NAMES),
        numbers(&published["tls_curves"], &GROUPS),
    ];
    assert_eq!(read, written, "{profile}");
    read
}

#[test]
fn t01_a_listener_speaks_mozillas_intermediate_profile_and_nothing_else() {
    let world = world(&[json!({}), json!({ "profile": "intermediate" })]);
    let [tls12, tls13, groups] = mozilla("intermediate");
    for ports in &world.ports {
        let scan = scan(*ports);
        assert_eq!((&scan.tls12, &scan.tls13), (&tls12, &tls13));
        assert_eq!(scan.groups(TLS1_3, &tls13), groups);
        // ML-KEM is a group of TLS 1.3 only.
        assert_eq!(scan.groups(TLS1_2, &tls12), groups.iter().copied().filter(|group| *group < 0x100).collect());
        scan.refuses(&OLD);
        scan.follows_the_client(TLS1_2, ports[0], 0xc02b, 0xcca9);
        scan.follows_the_client(TLS1_2, ports[1], 0xc02f, 0xc030);
        scan.follows_the_client(TLS1_3, ports[0], 0x1301, 0x1303);
    }
    assert_eq!(world.gateway.get("/x").status(), 200);
}

#[test]
fn t01_the_modern_profile_is_tls_1_3_alone() {
    let world = world(&[json!({ "profile": "modern" })]);
    let scan = scan(world.ports[0]);
    let [tls12, tls13, groups] = mozilla("modern");
    assert_eq!((&scan.tls12, &scan.tls13), (&tls12, &tls13));
    assert_eq!(scan.groups(TLS1_3, &tls13), groups);
    scan.refuses(&[SSL3, TLS1_0, TLS1_1, TLS1_2]);
    scan.follows_the_client(TLS1_3, scan.ports[0], 0x1302, 0x1301);
}

#[test]
fn t01_the_fapi_profile_has_of_tls_1_2_only_what_fapi_permits() {
    let world = world(&[json!({ "profile": "fapi" })]);
    let scan = scan(world.ports[0]);
    assert_eq!(scan.tls12, BTreeSet::from([0xc02f, 0xc030]));
    assert!(scan.tls12.iter().all(|suite| FAPI.contains(suite)));
    assert_eq!(scan.tls13, mozilla("intermediate")[1]);
    assert_eq!(suites(scan.ports[0], TLS1_2), [0; 0], "no suite of FAPI is for an EC certificate");
    scan.refuses(&OLD);
    assert!(world.gateway.stderr().contains("is no RSA certificate"), "{}", world.gateway.stderr());
}
