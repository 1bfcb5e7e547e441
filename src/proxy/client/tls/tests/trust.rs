use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use openssl::{
    pkey::{PKey, Private},
    x509::{X509, X509Extension, extension::BasicConstraints},
};
use serde_json::Value;

use tollgate_testkit::{
    Folder,
    certificates::Identity,
    forms::{DAY, DNS, EMAIL, Form, IP, URI, alternative_names, der, extension},
};

use super::ClientTrust;
use crate::config::{ClientAuth, ClientAuthMode, CrlStale};

fn cases() -> Option<PathBuf> {
    tollgate_testkit::shared_case("07-tls")
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn trust(ca: PathBuf, crl: Vec<PathBuf>) -> ClientTrust {
    let mode = ClientAuthMode::Required;
    ClientTrust::read(&ClientAuth { mode, ca, crl, crl_stale: CrlStale::Closed, depth: 8, forwarded: None }).unwrap()
}

/// Chains that PKITS calls invalid for their policies. Their recorded verdicts are of a verifier that passes over policies.
fn is_against_policies(id: &str) -> bool {
    id.starts_with("Invalid") && (id.contains("Policy") || id.contains("Mapping"))
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
            let expected = if is_against_policies(id) { "reject" } else { case[verdict].as_str().unwrap() };
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
    let against_policies = |verdict: &Result<i64, String>| verdict.as_ref().is_err_and(|why| why.contains("policy"));
    assert!(!differ.values().any(against_policies), "refused and must be accepted: {differ:#?}");
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
        let trust = ClientTrust::read(&ClientAuth {
            mode: ClientAuthMode::Required,
            ca,
            crl,
            crl_stale: CrlStale::Closed,
            depth: 8,
            forwarded: None,
        });
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

pub type Pair = (X509, PKey<Private>);

/// A certificate that ends in so many days, of an authority or of somebody else.
pub fn pair(name: &str, issuer: Option<&Pair>, authority: bool, days: u32) -> Pair {
    signed(Form::plain(name), issuer, authority, days)
}

fn signed(form: Form, issuer: Option<&Pair>, authority: bool, days: u32) -> Pair {
    let form = form.serial(1).valid(-3600, DAY * i64::from(days));
    let form = if authority { form.with(BasicConstraints::new().critical().ca().build().unwrap()) } else { form };
    let issuer = issuer.map(|(certificate, key)| Identity { certificate: certificate.clone(), key: key.clone() });
    let made = match &issuer {
        Some(issuer) => form.signed_by(issuer),
        None => form.self_signed(),
    };
    (made.certificate, made.key)
}

/// What trusts these certificates.
pub fn trusting(anchors: &[&X509], change: impl FnOnce(&mut ClientAuth)) -> Result<ClientTrust, tollgate_filter_api::Problem> {
    let folder = Folder::new();
    let ca = folder.write("ca.pem", anchors.iter().flat_map(|anchor| anchor.to_pem().unwrap()).collect::<Vec<u8>>());
    let (mode, crl_stale) = (ClientAuthMode::Required, CrlStale::Closed);
    let mut settings = ClientAuth { mode, ca, crl: Vec::new(), crl_stale, depth: 8, forwarded: None };
    change(&mut settings);
    ClientTrust::read(&settings)
}

#[test]
fn an_authority_below_a_root_is_no_client_and_an_anchor_speaks_for_itself() {
    let root = pair("root", None, true, 9);
    let below = pair("below", Some(&root), true, 9);
    let client = pair("client", Some(&below), false, 9);
    let trust = trusting(&[&root.0], |_| ()).unwrap();
    let chain = [below.0.clone()];
    assert!(trust.judge(&client.0, &chain).is_ok() && trust.judge(&root.0, &[]).is_ok());
    assert!(trust.judge(&below.0, &[]).is_err());
    assert!(trust.judge(&pair("client", None, false, 9).0, &chain).is_err());
}

#[test]
fn a_chain_is_no_longer_and_no_weaker_than_it_may_be() {
    let root = pair("root", None, true, 9);
    let below = pair("below", Some(&root), true, 9);
    let of = |issuer: &Pair| pair("client", Some(issuer), false, 9).0;
    let with_depth = |depth: u8| trusting(&[&root.0], |settings| settings.depth = depth).unwrap();
    assert!(with_depth(1).judge(&of(&below), std::slice::from_ref(&below.0)).is_ok());
    assert!(with_depth(0).judge(&of(&below), std::slice::from_ref(&below.0)).is_err());
    assert!(with_depth(0).judge(&of(&root), &[]).is_ok());
    let small = PKey::from_rsa(openssl::rsa::Rsa::generate(1024).unwrap()).unwrap();
    assert!(with_depth(8).judge(&signed(Form::plain("client").key(small), Some(&root), false, 9).0, &[]).is_err());
}

#[test]
fn a_verdict_holds_no_longer_than_the_first_certificate_of_the_chain() {
    let day = 86_400;
    for (root, below, client) in [(9, 9, 2), (9, 2, 9), (2, 9, 9)] {
        let root = pair("root", None, true, root);
        let below = pair("below", Some(&root), true, below);
        let client = pair("client", Some(&below), false, client);
        let until = trusting(&[&root.0], |_| ()).unwrap().judge(&client.0, &[below.0]).unwrap();
        assert!((super::now() + 2 * day - 60..=super::now() + 2 * day).contains(&until), "{until}");
    }
}

/// What was judged, or resumed, under one digest counts under it only.
#[test]
fn rules_that_differ_in_anything_have_another_name() {
    let (root, other) = (pair("root", None, true, 9), pair("root", None, true, 9));
    let id = |anchors: &[&X509], change: fn(&mut ClientAuth)| trusting(anchors, change).unwrap().id();
    let ids = [
        id(&[&root.0], |_| ()),
        id(&[&other.0], |_| ()),
        id(&[&root.0, &other.0], |_| ()),
        id(&[&root.0], |settings| settings.mode = ClientAuthMode::Optional),
        id(&[&root.0], |settings| settings.crl_stale = CrlStale::Open),
        id(&[&root.0], |settings| settings.depth = 7),
    ];
    assert!((0..ids.len()).all(|at| !ids[..at].contains(&ids[at])), "{ids:?}");
    assert_eq!(ids[0], id(&[&root.0], |_| ()));
}

#[test]
fn a_trust_store_may_hold_more_than_roots_and_must_hold_one() {
    let root = pair("root", None, true, 9);
    let below = pair("below", Some(&root), true, 9);
    let client = pair("client", Some(&below), false, 9);
    assert!(trusting(&[&below.0, &root.0], |_| ()).unwrap().judge(&client.0, &[]).is_ok());
    assert!(trusting(&[&below.0], |_| ()).is_err());
}

/// `certificatePolicies` with these identifiers, each with the identifier of a qualifier or none.
fn policies(critical: bool, policies: &[(&[u8], &[u8])]) -> X509Extension {
    let qualifiers =
        |id: &[u8]| if id.is_empty() { Vec::new() } else { der(0x30, &[&der(0x30, &[&der(6, &[id]), &der(0x16, &[b"https://x"])])]) };
    let all: Vec<u8> = policies.iter().flat_map(|(policy, id)| der(0x30, &[&der(6, &[policy]), &qualifiers(id)])).collect();
    extension("2.5.29.32", critical, &der(0x30, &[&all]))
}

/// `policyConstraints`: from so many certificates on, each must have a policy that is good.
fn require_policy(after: u8) -> X509Extension {
    extension("2.5.29.36", true, &der(0x30, &[&der(0x80, &[&[after]])]))
}

#[test]
fn a_chain_that_asks_for_policies_is_good_only_with_them() {
    const ANY: &[u8] = &[0x55, 0x1d, 0x20, 0];
    const A: &[u8] = &[0x2a, 3, 1];
    const B: &[u8] = &[0x2a, 3, 2];
    let of = |id: &[u8]| policies(true, &[(id, &[])]);
    let mapping = || extension("2.5.29.33", true, &der(0x30, &[&der(0x30, &[&der(6, &[A]), &der(6, &[B])])]));
    let inhibit_any = || extension("2.5.29.54", true, &[2, 1, 0]);
    let root = pair("root", None, true, 9);
    let trust = trusting(&[&root.0], |_| ()).unwrap();
    let judged = |authority: Vec<X509Extension>, client: Vec<X509Extension>| {
        let with = |name: &str, extensions: Vec<X509Extension>| extensions.into_iter().fold(Form::plain(name), Form::with);
        let below = signed(with("below", authority), Some(&root), true, 9);
        trust.judge(&signed(with("client", client), Some(&below), false, 9).0, &[below.0])
    };
    let verdicts = [
        ("nothing is asked for", judged(vec![], vec![]), true),
        ("a policy is had and none asked for", judged(vec![of(A)], vec![]), true),
        ("none is had", judged(vec![require_policy(0), of(A)], vec![]), false),
        ("neither has one", judged(vec![require_policy(0)], vec![]), false),
        ("the same is had", judged(vec![require_policy(0), of(A)], vec![of(A)]), true),
        ("another is had", judged(vec![require_policy(0), of(A)], vec![of(B)]), false),
        ("any is had", judged(vec![require_policy(0), of(A)], vec![of(ANY)]), true),
        ("any is had and counts no more", judged(vec![require_policy(0), of(A), inhibit_any()], vec![of(ANY)]), false),
        ("the one that it is mapped to is had", judged(vec![require_policy(0), of(A), mapping()], vec![of(B)]), true),
        ("the one that was mapped is had", judged(vec![require_policy(0), of(A), mapping()], vec![of(A)]), false),
        ("it begins below", judged(vec![require_policy(1)], vec![]), false),
        ("it begins further below", judged(vec![require_policy(2)], vec![]), true),
        ("the client's cannot be read", judged(vec![], vec![extension("2.5.29.32", true, &[1, 2, 3])]), false),
        ("the authority's cannot be read", judged(vec![extension("2.5.29.36", true, &[0x30, 3, 1])], vec![]), false),
    ];
    for (case, verdict, good) in verdicts {
        assert_eq!(verdict.is_ok(), good, "{case}: {verdict:?}");
    }
}

#[test]
fn a_critical_policy_with_a_qualifier_that_nobody_understands_is_not_passed_over() {
    let practice: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 2, 1];
    let root = pair("root", None, true, 9);
    let trust = trusting(&[&root.0], |_| ()).unwrap();
    for (critical, qualifier, good) in
        [(true, &[0x2a, 3, 9][..], false), (false, &[0x2a, 3, 9][..], true), (true, practice, true), (true, &[][..], true)]
    {
        let client = Form::plain("client").with(policies(critical, &[(&[0x2a, 3, 1], qualifier)]));
        let verdict = trust.judge(&signed(client, Some(&root), false, 9).0, &[]);
        assert_eq!(verdict.is_ok(), good, "{critical} {qualifier:?}: {verdict:?}");
    }
}

#[test]
fn a_name_with_a_control_character_is_nobody() {
    let root = pair("root", None, true, 9);
    let trust = trusting(&[&root.0], |_| ()).unwrap();
    let judged = |form: Form| trust.judge(&signed(form, Some(&root), false, 9).0, &[]);
    let named =
        |kind: u8, name: &[u8]| judged(Form::plain("client").with(alternative_names(false, &[(DNS, b"good.example"), (kind, name)])));
    for (kind, name) in [
        (DNS, &b"shop\0.example"[..]),
        (DNS, b"bank.example\0.evil.test"),
        (DNS, b"\0"),
        (DNS, b"shop\n.example"),
        (DNS, b"shop\x7f.example"),
        (DNS, b"sh\xf6p.example"),
        (URI, b"spiffe://example/a\0b"),
        (EMAIL, b"a@example\0.evil.test"),
        (DNS | 0x20, b"\x16\x04shop\x16\x05\0.com"),
        (DNS | 0x20, b"\x16\x08shop.com"),
    ] {
        assert!(named(kind, name).is_err(), "{}", name.escape_ascii());
    }
    for (kind, name) in [(DNS, &b"*.shop.example"[..]), (URI, b"spiffe://example/a"), (EMAIL, b"\"a b\"@example"), (IP, &[127, 0, 0, 1])] {
        assert!(named(kind, name).is_ok(), "{}", name.escape_ascii());
    }
    for common in ["shop\0", "shop\0.example", "shop\r\n", "shop\u{85}"] {
        assert!(judged(Form::plain(common)).is_err(), "{common:?}");
    }
    assert!(judged(Form::plain("Größe & Söhne")).is_ok());
    let odd = pair("ro\0ot", None, true, 9);
    let client = signed(Form::plain("client"), Some(&odd), false, 9).0;
    assert!(trusting(&[&odd.0], |_| ()).unwrap().judge(&client, &[]).is_err());
}
