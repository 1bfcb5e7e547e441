//! Subjects that try to be somebody else, to the rules, to the log, and to an upstream.

use openssl::x509::X509Name;
use serde_json::{Value, json};
use tollgate_tests::{
    Client, Gateway,
    certificates::{Identity, connector},
    forms::{DNS, Form, alternative_names, name},
};

use super::world::{World, world};

/// Names that are not `CN=bank`, though some reader may take them for it.
fn hostile() -> Vec<X509Name> {
    let common = |value: &str| name(&[("CN", value)]);
    vec![
        common("bank "),
        common(" bank"),
        common("Bank"),
        common("bank,CN=bank"),
        common("b\u{430}nk"),
        common("ban\u{212a}"),
        common("\u{202e}knab"),
        common("ba\u{301}nk"),
        name(&[("CN", "bank"), ("OU", "evil")]),
        name(&[("OU", "evil"), ("CN", "bank")]),
        name(&[("CN", "bank"), ("CN", "bank")]),
        name(&[("O", "bank")]),
        name(&(0..80).map(|_| ("OU", LONG)).chain([("CN", "bank")]).collect::<Vec<_>>()),
    ]
}

/// The same with a control character, at which some reader may stop: nobody's certificate.
fn with_control() -> Vec<X509Name> {
    let values = ["bank\0", "bank\0.evil", "bank\r\nX-Admin: yes", "bank\n", "bank\"}\n{\"status\":200}", "bank\u{1b}[2J", "bank\u{7f}"];
    values.iter().map(|value| name(&[("CN", value)])).collect()
}

const LONG: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

fn shown(world: &World, subject: X509Name) -> Identity {
    Form::client("x").subject(subject).signed_by(&world.authority.0)
}

/// One request, and its line of the log.
fn ask(world: &World, identity: &Identity) -> Value {
    let path = world.path();
    let connector = connector(&world.authority, Some(identity), b"", None);
    let mut client = Client::tls(world.gateway.ports.tls, "localhost", &connector).unwrap();
    client.ask("GET", &path, &["X-Subject: CN=bank"], b"").unwrap();
    world.logged(&path)
}

/// Each line of the log is one line of JSON, whatever was in it.
fn is_one_line_each(gateway: &Gateway, requests: usize) {
    let text = std::fs::read_to_string(gateway.folder.join("access.log")).unwrap();
    assert_eq!(text.lines().count(), requests);
    let control = |c: char| c.is_control() && c != '\n';
    assert!(!text.contains(control), "{text}");
}

#[test]
fn t11_a_subject_is_compared_to_its_last_character_and_escaped_in_the_log() {
    let world = world("mandatory", json!({}), json!({ "allow": { "subjects": ["CN=bank"] } }));
    assert_eq!(ask(&world, &shown(&world, name(&[("CN", "bank")])))["status"], 200);
    let mut count = 1;
    for (subjects, reason) in [(hostile(), "mtls.not_allowed"), (with_control(), "mtls.untrusted")] {
        for subject in subjects {
            let line = ask(&world, &shown(&world, subject));
            assert_eq!((&line["status"], &line["reason"]), (&401.into(), &reason.into()), "{line}");
            count += 1;
        }
    }
    assert_eq!(world.upstream.count(), 1);
    is_one_line_each(&world.gateway, count);
}

#[test]
fn t11_a_name_with_a_nul_matches_no_wildcard() {
    let world = world("mandatory", json!({}), json!({ "allow": { "names": { "dns": ["*.shop.example"] } } }));
    let shown = |dns: &[u8]| Form::client("x").with(alternative_names(false, &[(DNS, dns)])).signed_by(&world.authority.0);
    assert_eq!(ask(&world, &shown(b"a.shop.example"))["status"], 200);
    for dns in [&b"a\0.shop.example"[..], b"evil.test\0.shop.example", b"\0.shop.example", b"a.shop.example\0", b"a\n.shop.example"] {
        let line = ask(&world, &shown(dns));
        assert_eq!((&line["status"], &line["reason"]), (&401.into(), &"mtls.untrusted".into()), "{}: {line}", dns.escape_ascii());
    }
    assert_eq!(ask(&world, &shown(b"a b.shop.example"))["reason"], "mtls.not_allowed");
    assert_eq!(world.upstream.count(), 1);
}

#[test]
fn t11_a_subject_in_a_header_stays_one_value_and_stands_for_nobody_else() {
    let world = world_with_header();
    let plain = ask(&world, &shown(&world, name(&[("CN", "bank")])));
    assert_eq!(plain["status"], 200);
    let (mut passed, mut too_long) = (1, 0);
    for subject in hostile() {
        match ask(&world, &shown(&world, subject))["status"].as_u64() {
            Some(200) => passed += 1,
            Some(431) => too_long += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((passed, too_long), (hostile().len(), 1));
    let arrived = world.upstream.requests();
    let subject = |index: usize| arrived[index].message.all("x-subject");
    assert_eq!(subject(0), ["CN=bank"]);
    for (index, request) in arrived.iter().enumerate().skip(1) {
        let [value] = &subject(index)[..] else { panic!("{:?}", request.message) };
        assert_ne!(*value, "CN=bank", "{:?}", request.message);
        assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && value.len() <= 4096, "{value}");
        assert_eq!(request.message.field("x-admin"), None);
    }
    assert_eq!(world.upstream.broken(), Vec::<String>::new());
    is_one_line_each(&world.gateway, hostile().len() + 1);
}

/// A world whose upstream is told the subject.
fn world_with_header() -> World {
    let header = json!({ "headers": { "request": { "set": { "X-Subject": "${principal.subject}" } } } });
    super::world::world_with(json!([{ "mtls": {} }, header]))
}
