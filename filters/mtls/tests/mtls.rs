//! The `mtls` filter from outside.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use filter_mtls::{KIND, Mtls};
use openssl::{sha::sha256, x509::X509};
use serde_json::json;
use tollgate_filter_api::{Certificate, Peer, Principal};
use tollgate_filter_testkit::{Conformance, Harness};
use tollgate_testkit::forms::Form;

fn certificate(name: &str) -> X509 {
    Form::plain(name).self_signed().certificate
}

fn peer(certificate: &X509) -> Peer {
    let der = certificate.to_der().unwrap();
    Peer::Certified(Arc::new(Certificate { sha256: sha256(&der), der, subject: "CN=any".to_owned(), ..Certificate::default() }))
}

fn named(subject: &str, change: impl FnOnce(&mut Certificate)) -> Peer {
    let mut certificate = Certificate { subject: subject.to_owned(), issuer: "CN=root".to_owned(), ..Certificate::default() };
    certificate.sha256 = sha256(subject.as_bytes());
    change(&mut certificate);
    Peer::Certified(Arc::new(certificate))
}

#[test]
fn it_conforms() {
    Conformance::<Mtls>::new(&KIND).document("certs/bank.pem", certificate("bank").to_pem().unwrap()).run();
}

#[test]
fn a_pinned_certificate_is_told_from_another_of_the_same_name() {
    let (ours, theirs) = (certificate("same"), certificate("same"));
    let setup = Harness::<Mtls>::setup().document("bank.pem", ours.to_pem().unwrap());
    let h = setup.yaml("{allow: {certificates: [bank.pem]}}");
    h.request("GET", "/").given(peer(&ours)).run().next();
    h.request("GET", "/").given(peer(&theirs)).run().assert_denied(401, "mtls.not_allowed");
}

#[test]
fn fingerprints_and_files_are_one_rule_of_which_one_entry_must_fit() {
    let (one, two, three) = (certificate("one"), certificate("two"), certificate("three"));
    let digest: String = sha256(&two.to_der().unwrap()).iter().map(|byte| format!("{byte:02X}")).collect();
    let setup = Harness::<Mtls>::setup().document("one.pem", one.to_pem().unwrap());
    let h = setup.yaml(&format!("{{allow: {{certificates: [one.pem], fingerprints: ['{digest}']}}}}"));
    h.request("GET", "/").given(peer(&one)).run().next();
    h.request("GET", "/").given(peer(&two)).run().next();
    h.request("GET", "/").given(peer(&three)).run().assert_denied(401, "mtls.not_allowed");
}

#[test]
fn one_list_of_pins_is_a_rule_without_the_other() {
    let (one, two, other) = (certificate("one"), certificate("two"), certificate("other"));
    let digest = |of: &X509| sha256(&of.to_der().unwrap()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let setup = Harness::<Mtls>::setup().document("one.pem", one.to_pem().unwrap()).document("two.pem", two.to_pem().unwrap());
    for settings in
        ["{allow: {certificates: [one.pem, two.pem]}}", &format!("{{allow: {{fingerprints: ['{}', '{}']}}}}", digest(&one), digest(&two))]
    {
        let h = setup.yaml(settings);
        h.request("GET", "/").given(peer(&one)).run().next();
        h.request("GET", "/").given(peer(&two)).run().next();
        h.request("GET", "/").given(peer(&other)).run().assert_denied(401, "mtls.not_allowed");
    }
}

#[test]
fn a_changed_file_counts_at_once_and_a_broken_one_changes_nothing() {
    let (old, new) = (certificate("old"), certificate("new"));
    let setup = Harness::<Mtls>::setup().document("bank.pem", old.to_pem().unwrap());
    let h = setup.yaml("{allow: {certificates: [bank.pem]}}");
    h.document("bank.pem").set(new.to_pem().unwrap());
    h.request("GET", "/").given(peer(&old)).run().assert_denied(401, "mtls.not_allowed");
    h.request("GET", "/").given(peer(&new)).run().next();
    h.document("bank.pem").set("nothing");
    h.request("GET", "/").given(peer(&new)).run().next();
    h.request("GET", "/").given(peer(&old)).run().assert_denied(401, "mtls.not_allowed");
}

#[test]
fn an_api_that_is_listed_accepts_its_own_certificates_and_no_others() {
    let h = Harness::<Mtls>::yaml(
        "{allow: {subjects: [CN=general]}, apis: [{name: Test, version: 1.0.0, allow: {subjects: [CN=one]}}, {name: Test, allow: {subjects: [CN=every]}}, \
          {name: Test, allow: {subjects: [CN=last]}}, {name: Test, version: 2.0.0, allow: {subjects: [CN=later]}}]}",
    );
    for (subject, accepted) in [("CN=one", true), ("CN=every", true), ("CN=last", true), ("CN=later", false), ("CN=general", false)] {
        let run = h.request("GET", "/").given(named(subject, |_| ())).run();
        if accepted { drop(run.next()) } else { drop(run.assert_denied(401, "mtls.not_allowed")) }
    }
}

#[test]
fn one_name_of_any_kind_is_enough() {
    let h = Harness::<Mtls>::yaml("{allow: {names: {dns: ['*.example'], uri: ['spiffe://a/b'], email: [a@example], ip: ['2001:db8::1']}}}");
    let accepted = |change: fn(&mut Certificate)| h.request("GET", "/").given(named("CN=x", change)).run().next();
    accepted(|c| c.dns_names = vec!["other".into(), "a.example".into()]);
    accepted(|c| c.uri_names = vec!["spiffe://a/b".into()]);
    accepted(|c| c.email_names = vec!["a@example".into()]);
    accepted(|c| c.ip_names = vec!["2001:db8::1".parse().unwrap()]);
    let refused =
        |change: fn(&mut Certificate)| h.request("GET", "/").given(named("CN=x", change)).run().assert_denied(401, "mtls.not_allowed");
    refused(|_| ());
    refused(|c| c.dns_names = vec!["spiffe://a/b".into(), "a@example".into()]);
    refused(|c| c.uri_names = vec!["spiffe://a/b/".into(), "a.example".into()]);
    refused(|c| c.email_names = vec!["b@example".into(), "A@example".into()]);
    refused(|c| c.ip_names = vec!["2001:db8::2".parse().unwrap()]);
}

#[test]
fn each_rule_alone_says_enough_of_an_api() {
    let digest = "00".repeat(32);
    for (rule, fits) in [
        ("subjects: [CN=other, CN=x]".to_owned(), true),
        ("issuers: [CN=other, CN=root]".to_owned(), true),
        ("names: {dns: [other.example, a.example]}".to_owned(), true),
        ("subjects: [CN=other]".to_owned(), false),
        ("issuers: [CN=other]".to_owned(), false),
        ("names: {dns: [other.example]}".to_owned(), false),
        (format!("fingerprints: ['{digest}']"), false),
    ] {
        let h = Harness::<Mtls>::yaml(&format!("{{apis: [{{name: Test, allow: {{{rule}}}}}]}}"));
        let run = h.request("GET", "/").given(named("CN=x", |c| c.dns_names = vec!["a.example".into()])).run();
        if fits { drop(run.next()) } else { drop(run.assert_denied(401, "mtls.not_allowed")) }
    }
}

#[test]
fn the_principal_is_named_by_the_first_name_and_else_by_the_digest() {
    let h = Harness::<Mtls>::yaml("{}");
    let client = |change: fn(&mut Certificate)| {
        let run = h.request("GET", "/").given(named("CN=x", change)).run().next();
        run.fact::<Principal>().client.clone().unwrap()
    };
    let digest: String = sha256(b"y").iter().map(|byte| format!("{byte:02x}")).collect();
    // Each with a digest of its own: who was seen before is not looked at again.
    assert_eq!(client(|c| (c.sha256, c.dns_names) = (sha256(b"a"), vec!["one.example".into(), "two.example".into()])), "one.example");
    assert_eq!(client(|c| (c.sha256, c.uri_names) = (sha256(b"b"), vec!["spiffe://a/b".into(), "spiffe://c/d".into()])), "spiffe://a/b");
    assert_eq!(client(|c| c.sha256 = sha256(b"y")), digest);
}

#[test]
fn the_claims_tell_all_that_the_certificate_says_and_whether_a_header_brought_it() {
    let h = Harness::<Mtls>::yaml("{}");
    let digest: String = sha256(b"CN=x").iter().map(|byte| format!("{byte:02x}")).collect();
    for forwarded in [false, true, true, false] {
        let peer = named("CN=x", |c| (c.forwarded, c.ip_names) = (forwarded, vec!["192.0.2.1".parse().unwrap()]));
        let run = h.request("GET", "/").given(peer).run().next();
        let claims = json!({ "subject": "CN=x", "issuer": "CN=root", "sha256": digest, "forwarded": forwarded, "ip": ["192.0.2.1"] });
        assert_eq!(json!(run.fact::<Principal>().claims), claims);
    }
    let run = h.request("GET", "/").given(named("CN=y", |c| c.email_names = vec!["a@example".into()])).run().next();
    let claims = &run.fact::<Principal>().claims;
    assert_eq!((&claims["email"], claims.get("dns"), claims.get("ip")), (&json!(["a@example"]), None, None));
}

#[test]
fn t11_a_subject_with_control_characters_is_compared_exactly_and_escaped_in_the_log() {
    let h = Harness::<Mtls>::yaml("{allow: {subjects: ['CN=admin']}}");
    for subject in ["CN=admin\0", "CN=admin\r\nX: y", "CN=admin ", "CN=ADMIN", "CN=admin\\00", "CN=аdmin"] {
        let run = h.request("GET", "/").given(named(subject, |_| ())).run().assert_denied(401, "mtls.not_allowed");
        let log = run.answer().cause().unwrap().to_string();
        assert!(!log.chars().any(char::is_control), "{log:?}");
    }
}

#[test]
fn what_cannot_be_enforced_is_refused_at_load() {
    for (settings, pointer) in [
        ("{allow: {fingerprints: [abc]}}", "/allow/fingerprints/0"),
        ("{allow: {names: {dns: ['a.*.example']}}}", "/allow/names/dns/0"),
        ("{apis: [{name: A, allow: {}}]}", "/apis/0/allow"),
        ("{apis: [{name: A, allow: {subjects: [CN=a]}}, {name: B, allow: {names: {dns: ['*.']}}}]}", "/apis/1/allow/names/dns/0"),
        ("{realm: 'a\"b'}", "/realm"),
        ("{realm: 'a\\b'}", "/realm"),
        ("{realm: é}", "/realm"),
    ] {
        assert_eq!(Harness::<Mtls>::problem(settings).pointer, pointer, "{settings}");
    }
    let empty = Harness::<Mtls>::setup().document("empty.pem", "");
    assert_eq!(empty.problem("{allow: {certificates: [empty.pem]}}").pointer, "/allow/certificates/0");
    let half = [certificate("bank").to_pem().unwrap(), b"-----BEGIN CERTIFICATE-----\nAAAA\n".to_vec()].concat();
    let problem = Harness::<Mtls>::setup().document("half.pem", half).problem("{allow: {certificates: [half.pem]}}");
    assert!(problem.message.starts_with("half.pem is cut off: block 2 (line "), "{problem}");
}
