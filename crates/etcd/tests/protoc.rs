//! What stands in for protoc must not answer what it was not made for.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use tollgate_tests::Folder;

const DEFINITIONS: [&str; 5] = [
    "proto/etcd/api/authpb/auth.proto",
    "proto/etcd/api/etcdserverpb/rpc.proto",
    "proto/etcd/api/mvccpb/kv.proto",
    "proto/etcd/server/etcdserver/api/v3election/v3electionpb/v3election.proto",
    "proto/etcd/server/etcdserver/api/v3lock/v3lockpb/v3lock.proto",
];

/// Asks as prost-build does.
fn ask(folder: &Folder, definitions: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("protoc/protoc");
    let mut command = Command::new(script);
    command.args(["--include_imports", "--include_source_info", "-o", "out", "-I", "proto"]).args(definitions);
    command.current_dir(folder.join("")).output().unwrap()
}

#[test]
fn a_definition_that_the_stand_in_for_protoc_does_not_know_fails_the_build() {
    let folder = Folder::new();
    let asked = ask(&folder, &["proto/other.proto"]);
    let said = String::from_utf8(asked.stderr).unwrap();
    assert!(!asked.status.success() && said.contains("asked for proto/other.proto."), "{said}");
    assert!(!folder.join("out").exists());
}

#[test]
fn changed_definitions_of_etcd_client_fail_the_build() {
    let folder = Folder::new();
    for definition in DEFINITIONS {
        let path = folder.join(definition);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "syntax = \"proto3\";\n").unwrap();
    }
    let asked = ask(&folder, &DEFINITIONS);
    let said = String::from_utf8(asked.stderr).unwrap();
    assert!(!asked.status.success() && said.contains("write the descriptor set anew"), "{said}");
    assert!(!folder.join("out").exists());
}
