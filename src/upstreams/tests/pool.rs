//! Pool identity: requests share a connection only when everything that was verified or presented on it is the same.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tollgate_plan::Strategy;

use tollgate_testkit::Folder;

use super::world::{build_with, ca, first, gateway, group, pair, plan};
use crate::{config::UpstreamHttp, upstreams::settings::trust::PoolIdentity};

fn key(name: &str, entry: Value) -> u64 {
    let plan = plan(vec![group(name, Strategy::Single, &["https://a.example"])]);
    let upstreams = build_with(&plan, &gateway(json!({ "endpoints": { "*": entry } })), &BTreeMap::new()).unwrap();
    first(&upstreams).upstream.group_key
}

#[test]
fn the_same_settings_share_connections_across_reloads() {
    let folder = Folder::new();
    let entry = json!({ "ca": ca(&folder, "ca"), "client_certificate": pair(&folder, "one") });
    assert_eq!(key("pets", entry.clone()), key("pets", entry));
}

#[test]
fn certificates_of_one_serial_number_do_not_share() {
    let folder = Folder::new();
    let keys = ["alice", "mallory"].map(|name| key("pets", json!({ "client_certificate": pair(&folder, name) })));
    assert_ne!(keys[0], keys[1]);
    assert_ne!(keys[0], key("pets", json!({})));
}

#[test]
fn trust_stores_do_not_share() {
    let folder = Folder::new();
    let keys = ["right", "wrong"].map(|name| key("pets", json!({ "ca": ca(&folder, name) })));
    assert_ne!(keys[0], keys[1]);
    assert_ne!(keys[0], key("pets", json!({})));
}

#[test]
fn http_versions_do_not_share() {
    let mut keys = ["auto", "1", "2"].map(|http| key("pets", json!({ "http": http }))).to_vec();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 3);
}

#[test]
fn server_names_do_not_share() {
    assert_ne!(key("pets", json!({ "server_name": "b.example" })), key("pets", json!({})));
}

#[test]
fn groups_do_not_share() {
    assert_ne!(key("pets", json!({})), key("owners", json!({})));
}

const PLAIN: PoolIdentity<'static> =
    PoolIdentity { group: "a", host: "b", port: 80, server_name: "b", verified: true, http: UpstreamHttp::One, ca: None, identity: None };

#[test]
fn verification_and_its_absence_do_not_share() {
    assert_ne!(PLAIN.key(), PoolIdentity { verified: false, ..PLAIN }.key());
}

#[test]
fn endpoints_at_different_places_do_not_share() {
    assert_ne!(PLAIN.key(), PoolIdentity { host: "c", ..PLAIN }.key());
    assert_ne!(PLAIN.key(), PoolIdentity { port: 81, ..PLAIN }.key());
}

#[test]
fn a_boundary_between_parts_cannot_be_moved() {
    let identity = |group, server_name| PoolIdentity { group, server_name, ..PLAIN };
    assert_ne!(identity("ab", "c").key(), identity("a", "bc").key());
}
