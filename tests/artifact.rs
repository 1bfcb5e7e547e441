//! Which artifacts are served.

use std::{fs, path::PathBuf};

use openssl::pkey::PKey;
use serde_json::json;
use tollgate_tests::{
    Folder, Gateway, Project, Ran, Settings, Upstream,
    project::{open_api, operation},
    tollgate,
};

struct World {
    folder: Folder,
    project: Project,
}

impl World {
    fn new(endpoint: &str) -> Self {
        let definition = open_api("/a", endpoint, json!({ "/x": { "get": operation() } }));
        Self { folder: Folder::new(), project: Project::new().definition("a.json", definition.to_string()) }
    }

    /// A key pair as two files, private and public.
    fn key(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = PKey::generate_ed25519().unwrap();
        let private = self.folder.write(format!("{name}.key"), key.private_key_to_pem_pkcs8().unwrap());
        (private, self.folder.write(format!("{name}.pub"), key.public_key_to_pem().unwrap()))
    }

    /// Whether the gateway would serve an artifact while it trusts these keys.
    fn judge(&self, artifact: &std::path::Path, trusted: &[&PathBuf]) -> Ran {
        let config = json!({ "listeners": [{ "address": "127.0.0.1:0" }], "artifact": { "trusted_keys": trusted } });
        let config = self.folder.write("gateway.yaml", config.to_string());
        tollgate(["run".as_ref(), artifact.as_os_str(), "--config".as_ref(), config.as_os_str(), "--test".as_ref()])
    }
}

#[test]
fn only_artifacts_signed_by_a_trusted_key_are_served_when_there_is_one() {
    let world = World::new("http://127.0.0.1:1");
    let ((mine, mine_public), (other, other_public)) = (world.key("mine"), world.key("other"));
    let unsigned = world.project.build(&[]);
    world.judge(&unsigned, &[]).ok();
    let refused = world.judge(&unsigned, &[&mine_public]);
    assert!(refused.code != 0 && refused.stderr.contains("not signed"), "{refused:?}");
    let signed = world.project.build(&["--sign", other.to_str().unwrap()]);
    let refused = world.judge(&signed, &[&mine_public]);
    assert!(refused.code != 0 && refused.stderr.contains("no trusted key"), "{refused:?}");
    let signed = world.project.build(&["--sign", mine.to_str().unwrap()]);
    world.judge(&signed, &[&mine_public, &other_public]).ok();
}

#[test]
fn a_changed_artifact_is_refused_at_start_and_at_reload() {
    let upstream = Upstream::start();
    let world = World::new(&upstream.url());
    let artifact = world.project.build(&[]);
    let good = fs::read(&artifact).unwrap();
    let gateway = Gateway::start(&artifact, Settings::default());
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    let answer = gateway.reload_with(&bad);
    assert_eq!(answer.status(), 409, "{}", answer.text());
    assert!(answer.text().contains("changed after it was built"), "{}", answer.text());
    assert_eq!(gateway.get("/a/x").status(), 200);
    gateway.metric_reaches("tollgate_reloads_total{result=\"failed\"}", 1.0);
    let refused = world.judge(&artifact, &[]);
    assert!(refused.code != 0 && refused.stderr.contains("changed after it was built"), "{refused:?}");
    assert_eq!(gateway.reload_with(&good).status(), 200);
}

#[test]
fn a_trusted_key_that_is_missing_or_no_key_stops_the_start() {
    let world = World::new("http://127.0.0.1:1");
    let artifact = world.project.build(&[]);
    let (missing, empty) = (world.folder.join("none.pub"), world.folder.write("empty.pub", ""));
    for key in [&missing, &empty] {
        assert_ne!(world.judge(&artifact, &[key]).code, 0, "{}", key.display());
    }
}
