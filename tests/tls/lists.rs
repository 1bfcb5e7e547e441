//! Revocation lists that are stale, and chains that are made to lead astray whoever looks for a list's signer.

use openssl::{ssl::SslVersion, x509::X509};
use serde_json::json;
use tollgate_tests::{
    Call, Folder, Gateway, Resuming, Settings, Upstream,
    certificates::{Authority, Identity},
    forms::{DAY, Form, extension, list},
    ports::free_port,
    until,
};

use super::world::{definition, world};

const VERSIONS: [SslVersion; 2] = [SslVersion::TLS1_2, SslVersion::TLS1_3];

/// As for listeners that judge after the handshake, with the difference that nobody else gets an answer.
#[test]
fn t06_where_certificates_are_required_a_stale_list_lets_in_whom_the_operator_says() {
    const PAST: i64 = -DAY;
    for (stale, good) in [("closed", None), ("open", Some(200))] {
        let world = world("mandatory", json!({ "mode": "required", "crl": [], "crl_stale": stale }), json!({}));
        let (shop, bank) = (world.authority.issue("shop", 9, &[]), world.authority.issue("bank", 8, &[]));
        let old = Form::client("old").valid(-DAY, -60).signed_by(&world.authority.0);
        world.replace("list.crl", world.authority.revoke(&[9], PAST));
        for version in VERSIONS {
            let ask = |identity: &Identity| Resuming::new(identity, version).call(world.call()).status;
            until("the stale list to count", || (ask(&shop) != Some(200)).then_some(()));
            let before = world.upstream.count();
            assert_eq!(ask(&bank), good, "{stale} {version:?}");
            assert!(
                ![ask(&shop), ask(&old), ask(&Authority::new("root").issue("bank", 8, &[]))].contains(&Some(200)),
                "{stale} {version:?}"
            );
            assert_eq!(world.upstream.count() - before, usize::from(good.is_some()));
        }
    }
}

/// A list is signed by the authority that it names, but another of the same name is in the client's path, and the true one beside it: its
/// path is looked for on its own, before any signature was checked. So anybody can bring this about.
#[test]
fn t06_a_forged_authority_beside_the_true_one_is_refused_and_harms_nobody() {
    let (folder, upstream) = (Folder::new(), Upstream::start());
    let key_id = |id: u8| extension("2.5.29.14", false, &[4, 4, id, id, id, id]);
    let root = Form::authority("root", None).with(key_id(1)).self_signed();
    let between = Form::authority("between", None).with(key_id(2)).signed_by(&root);
    let forged_root = Form::authority("root", None).self_signed();
    let forged = Form::authority("between", None).with(key_id(3)).signed_by(&forged_root);
    let lists = [folder.write("root.crl", list(&root, &[], DAY)), folder.write("between.crl", list(&between, &[], DAY))];
    let ca = folder.write("ca.pem", root.certificate.to_pem().unwrap());
    let (certificate, key) = Authority::new("server").issue("gateway", 2, &["localhost"]).write(&folder, "gateway");
    let ways = [("required", "closed"), ("required", "open"), ("optional", "closed"), ("optional", "open")];
    let ports = ways.map(|_| free_port());
    let listener = |(port, (mode, stale)): (&u16, &(&str, &str))| {
        let asked = json!({ "mode": mode, "ca": ca, "crl": lists, "crl_stale": stale });
        json!({ "address": format!("127.0.0.1:{port}"), "tls": { "certificate": certificate, "key": key, "client_auth": asked } })
    };
    let listeners: Vec<_> = ports.iter().zip(&ways).map(listener).collect();
    let settings = Settings::of(json!({ "chain": [{ "mtls": {} }], "listeners": listeners }));
    let mut gateway = Gateway::serving(&definition(&upstream.url(), "mandatory"), settings);
    let (true_client, forged_client) = (Form::client("x").signed_by(&between), Form::client("x").signed_by(&forged));
    for (port, way) in ports.into_iter().zip(ways) {
        for version in VERSIONS {
            let ask = |leaf: &Identity, chain: &[&X509]| {
                let chain: Vec<X509> = chain.iter().map(|certificate| (*certificate).clone()).collect();
                let call = Call { port, name: Some("localhost"), host: "localhost", path: "/a/x" };
                Resuming::showing(&leaf.certificate, &chain, &leaf.key, version).call(call).status
            };
            let refused = ask(&forged_client, &[&forged.certificate, &between.certificate]);
            assert!(matches!(refused, None | Some(401)), "{way:?} {version:?}: {refused:?}");
            assert!(gateway.child.try_wait().unwrap().is_none(), "{way:?} {version:?}: it ended");
            assert_eq!(ask(&true_client, &[&between.certificate]), Some(200), "{way:?} {version:?}");
        }
    }
    assert_eq!(upstream.count(), 8);
}
