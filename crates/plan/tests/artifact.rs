//! What a reader of an artifact may rely on.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, fs};

use openssl::pkey::PKey;
use serde_json::json;
use tollgate_plan::{
    Api, Artifact, ArtifactError, Declaration, Demand, Document, EndpointGroup, EndpointUrl, Environment, Operation, Plan, Security,
    SigningKey, Source, Strategy, Target, Transports, VerifyingKey,
};
use tollgate_testkit::Folder;

fn plan() -> Plan {
    let source = Source { document: 0, line: 3, pointer: "/paths/~1pets/get".into() };
    let operation = Operation {
        id: "listPets".into(),
        method: "GET".into(),
        template: "/pets".into(),
        target: Target::Endpoints { production: Some(0), sandbox: None },
        security: Security { alternatives: vec![], waived: vec![], source: source.clone() },
        conditions: Vec::new(),
        body_bytes: None,
        demands: vec![Demand { filter: "cors".into(), settings: json!({"b": 1, "a": {"d": 2, "c": 3}}), source: source.clone() }],
        declarations: vec![Declaration {
            filter: "media_types".into(),
            content: json!({"consumes": ["application/json"]}),
            demanded: false,
            source: source.clone(),
        }],
        source: source.clone(),
    };
    Plan {
        name: "pets".into(),
        documents: vec![Document { path: "api_definitions/pets.yaml".into(), sha256: "00".into() }],
        apis: vec![Api {
            title: "Pets".into(),
            version: "1.0.0".into(),
            base_path: "/pets/1.0.0".into(),
            transports: Transports { http: true, https: true },
            auth_header: None,
            hosts: Vec::new(),
            routes: false,
            whole_path: false,
            owner: None,
            operations: vec![operation],
            source: source.clone(),
        }],
        endpoints: vec![EndpointGroup {
            name: "pets".into(),
            environment: Environment::Production,
            strategy: Strategy::Single,
            urls: vec![EndpointUrl { url: "http://localhost:8080".into(), etcd_key: None, source: source.clone() }],
            basic: None,
            http2: false,
            guards: None,
            source,
        }],
        declared: BTreeMap::from([("throttle".to_owned(), json!({"resource": {}}))]),
        waived: vec![],
    }
}

fn documents() -> Vec<(String, Vec<u8>)> {
    vec![("api_definitions/pets.yaml".into(), b"openapi: 3.0.0\n".to_vec())]
}

fn artifact() -> Artifact {
    Artifact::new(plan(), documents()).unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_pem(&PKey::generate_ed25519().unwrap().private_key_to_pem_pkcs8().unwrap()).unwrap()
}

fn signed() -> Vec<u8> {
    let mut artifact = artifact();
    artifact.sign(&key()).unwrap();
    artifact.sign(&key()).unwrap();
    artifact.to_bytes().unwrap()
}

fn read(bytes: &[u8]) -> Result<Artifact, ArtifactError> {
    Artifact::read_from(bytes, bytes.len() as u64, false)
}

#[test]
fn what_was_written_is_what_is_read() {
    let bytes = signed();
    let read = Artifact::read_from(&bytes[..], bytes.len() as u64, true).unwrap();
    assert_eq!(*read.plan(), plan());
    assert_eq!(read.documents().unwrap(), documents());
    assert_eq!(read.to_bytes().unwrap(), bytes);
    assert_eq!(read.signers().len(), 2);
    assert_eq!(read.digest(), artifact().digest());
}

#[test]
fn the_same_plan_gives_the_same_bytes_whatever_the_order_of_map_keys() {
    let mut other = plan();
    other.apis[0].operations[0].demands[0].settings = json!({"a": {"c": 3, "d": 2}, "b": 1});
    let other = Artifact::new(other, documents()).unwrap();
    assert_eq!(other.to_bytes().unwrap(), artifact().to_bytes().unwrap());
}

#[test]
fn another_plan_or_document_gives_another_digest() {
    let mut other = plan();
    other.waived.push("cors".into());
    assert_ne!(Artifact::new(other, documents()).unwrap().digest(), artifact().digest());
    let mut changed = documents();
    changed[0].1.push(b'\n');
    assert_ne!(Artifact::new(plan(), changed).unwrap().digest(), artifact().digest());
}

#[test]
fn every_single_changed_byte_is_noticed() {
    let bytes = signed();
    for at in 0..bytes.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut copy = bytes.clone();
            copy[at] ^= change;
            assert!(read(&copy).is_err(), "byte {at} ^ {change:#x} went unnoticed");
        }
    }
}

#[test]
fn every_truncation_is_noticed() {
    let bytes = signed();
    for length in 0..bytes.len() {
        match read(&bytes[..length]).unwrap_err() {
            ArtifactError::NotAnArtifact if length < 8 => {}
            ArtifactError::Truncated { .. } if length >= 8 => {}
            other => panic!("cut to {length}: {other}"),
        }
    }
}

#[test]
fn a_file_that_ends_before_its_promised_size_is_truncated() {
    let bytes = signed();
    let short = Artifact::read_from(&bytes[..bytes.len() - 1], bytes.len() as u64, false);
    assert!(matches!(short, Err(ArtifactError::Truncated { .. })));
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut bytes = signed();
    bytes.push(0);
    assert!(matches!(read(&bytes), Err(ArtifactError::Malformed { .. })));
}

#[test]
fn a_length_beyond_the_file_is_refused_before_memory_is_taken() {
    let mut bytes = b"TOLLGATE\0\0\0\x04".to_vec();
    bytes.extend_from_slice(&u64::MAX.to_be_bytes());
    assert!(matches!(read(&bytes), Err(ArtifactError::Truncated { .. })));
}

#[test]
fn a_later_format_is_named_with_its_version() {
    let mut bytes = signed();
    bytes[11] = 9;
    let sentence = read(&bytes).unwrap_err().to_string();
    assert!(sentence.contains("format version 9") && sentence.contains("reads version 4"), "{sentence}");
}

/// What definitions say to filters stands elsewhere in it, so a filter would hear nothing and let everything pass.
#[test]
fn an_earlier_format_is_built_again() {
    let mut bytes = signed();
    bytes[11] = 1;
    let sentence = read(&bytes).unwrap_err().to_string();
    assert!(sentence.contains("format version 1") && sentence.contains("build it again"), "{sentence}");
}

#[test]
fn something_else_is_not_an_artifact() {
    for other in [&b""[..], b"openapi: 3.0.0", b"PK\x03\x04aaaaaaaaaaaaaaaaaaaa"] {
        assert!(matches!(read(other), Err(ArtifactError::NotAnArtifact)));
    }
}

#[test]
fn a_trusted_signature_names_its_signer() {
    let (mine, other) = (key(), key());
    let mut artifact = artifact();
    artifact.sign(&mine).unwrap();
    artifact.sign(&other).unwrap();
    let trusted = mine.verifying_key().unwrap();
    assert_eq!(artifact.verify(&[trusted]).unwrap(), [trusted.to_hex()]);
}

#[test]
fn an_unsigned_artifact_is_refused_when_a_signature_is_demanded() {
    assert!(matches!(artifact().verify(&[key().verifying_key().unwrap()]), Err(ArtifactError::Unsigned)));
}

#[test]
fn a_signature_by_an_unknown_key_is_refused_and_so_is_any_when_nobody_is_trusted() {
    let mut artifact = artifact();
    artifact.sign(&key()).unwrap();
    let trusted = key().verifying_key().unwrap();
    assert!(matches!(artifact.verify(&[trusted]), Err(ArtifactError::UnknownSigner { .. })));
    assert!(matches!(artifact.verify(&[]), Err(ArtifactError::UnknownSigner { .. })));
}

#[test]
fn a_signature_moved_from_another_artifact_is_refused() {
    let signing = key();
    let mut other = Artifact::new(plan(), vec![]).unwrap();
    other.sign(&signing).unwrap();
    let other = other.to_bytes().unwrap();
    let mut mine = artifact().to_bytes().unwrap();
    mine.truncate(mine.len() - 4);
    mine.extend_from_slice(&other[other.len() - 100..]);
    assert!(matches!(read(&mine), Err(ArtifactError::BadSignature { .. })));
}

#[test]
fn signing_twice_with_one_key_changes_nothing() {
    let signing = key();
    let mut artifact = artifact();
    artifact.sign(&signing).unwrap();
    let once = artifact.to_bytes().unwrap();
    artifact.sign(&signing).unwrap();
    assert_eq!(artifact.to_bytes().unwrap(), once);
}

#[test]
fn keys_round_trip_through_pem_and_keys_of_other_kinds_are_refused() {
    let pair = PKey::generate_ed25519().unwrap();
    let private = SigningKey::from_pem(&pair.private_key_to_pem_pkcs8().unwrap()).unwrap();
    let public = VerifyingKey::from_pem(&pair.public_key_to_pem().unwrap()).unwrap();
    assert_eq!(private.verifying_key().unwrap(), public);
    let x25519 = PKey::generate_x25519().unwrap();
    assert!(matches!(SigningKey::from_pem(&x25519.private_key_to_pem_pkcs8().unwrap()), Err(ArtifactError::NotAKey { .. })));
    assert!(matches!(VerifyingKey::from_pem(&x25519.public_key_to_pem().unwrap()), Err(ArtifactError::NotAKey { .. })));
    assert!(!format!("{private:?}").contains(&public.to_hex()));
}

#[test]
fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
    let folder = Folder::new();
    let path = folder.join("pets.toll");
    fs::write(&path, "old").unwrap();
    artifact().write(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), artifact().to_bytes().unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_read_without_documents_says_that_it_cannot_be_written_again() {
    let folder = Folder::new();
    let path = folder.join("pets.toll");
    artifact().write(&path).unwrap();
    let read = Artifact::read(&path).unwrap();
    assert!(read.documents().is_none());
    assert!(matches!(read.to_bytes(), Err(ArtifactError::DocumentsNotKept)));
    assert_eq!(Artifact::read_with_documents(&path).unwrap().documents().unwrap(), documents());
}

#[test]
fn a_missing_file_and_a_folder_are_told_apart() {
    let folder = Folder::new();
    assert!(matches!(Artifact::read(&folder.join("none.toll")), Err(ArtifactError::Io { .. })));
    assert!(matches!(Artifact::read(folder.path()), Err(ArtifactError::NotAnArtifact)));
}

#[test]
fn what_is_no_file_is_neither_replaced_nor_waited_for() {
    let folder = Folder::new();
    let pipe = folder.join("pets.toll");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(matches!(artifact().write(&pipe), Err(ArtifactError::Io { .. })));
    assert!(matches!(Artifact::read(&pipe), Err(ArtifactError::NotAnArtifact)));
    assert!(!fs::metadata(&pipe).unwrap().is_file());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_link_stays_a_link_and_what_a_killed_writer_left_is_in_nobodys_way() {
    let folder = Folder::new();
    let (path, link) = (folder.join("1.toll"), folder.join("current.toll"));
    fs::write(&path, "old").unwrap();
    fs::write(folder.join(format!(".1.toll.{}.tmp", std::process::id())), "half").unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    artifact().write(&link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&path).unwrap(), artifact().to_bytes().unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}
