//! Each example under `conf/` is loaded as `run` would load it, with the files it names made here.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use openssl::{
    bn::BigNum,
    ec::EcKey,
    pkey::{PKey, Private},
};
use tollgate_filters::FILTERS;
use tollgate_plan::{Artifact, SigningKey};
use tollgate_testkit::{Folder, forms::Form};

use super::{
    project::ArtifactFile,
    trial::sample::{self, Sample},
};
use crate::{
    proxy::{ConfigSource, Gateway},
    source::PlanSource,
};

/// A key set with the key of `ec`, as an issuer publishes it.
fn jwks(ec: &EcKey<Private>) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
    let mut context = openssl::bn::BigNumContext::new().unwrap();
    ec.public_key().affine_coordinates(ec.group(), &mut x, &mut y, &mut context).unwrap();
    let [x, y] = [x, y].map(|n| URL_SAFE_NO_PAD.encode(n.to_vec_padded(32).unwrap()));
    serde_json::json!({ "keys": [{ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "1", "x": x, "y": y }] }).to_string()
}

/// A folder with a copy of `conf/`, everything the examples name, and a signed artifact.
fn prepared() -> Folder {
    let folder = Folder::new();
    for example in examples() {
        // The only path in the examples that is not relative: secrets are where a container has them.
        let text = fs::read_to_string(&example).unwrap().replace("/run/secrets", folder.join("certs").to_str().unwrap());
        folder.write(example.file_name().unwrap(), text);
    }
    let write = |name: &str, content: &[u8]| folder.write(format!("certs/{name}"), content);
    let identity = Form::plain("example").self_signed();
    let ec = identity.key.ec_key().unwrap();
    for name in ["server.pem", "clients.pem", "upstreams.pem", "token-issuer.pem", "key-issuer.pem"] {
        write(name, &identity.pem());
    }
    write("server.key", &identity.key_pem());
    write("admin.hash", b"@sha256:{8c6976e5b5410415bde908bd4dee15dfb167a9c873fc4bb8a81f6f2ab448a918}");
    write("cookie.key", jwks(&ec).as_bytes());
    write("issuer.jwks.json", jwks(&ec).as_bytes());
    let release = PKey::generate_ed25519().unwrap();
    write("release.pem", &release.public_key_to_pem().unwrap());
    let plan = Sample::new("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap()).load().unwrap().plan;
    let mut artifact = Artifact::new(plan, Vec::new()).unwrap();
    artifact.sign(&SigningKey::from_pem(&release.private_key_to_pem_pkcs8().unwrap()).unwrap()).unwrap();
    artifact.write(&folder.join("sample.toll")).unwrap();
    folder
}

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files
}

#[test]
fn every_example_configuration_loads() {
    let folder = prepared();
    let mut wrong = Vec::new();
    let examples = examples();
    for example in &examples {
        let config = folder.join(example.file_name().unwrap());
        let source: Arc<dyn PlanSource> = match example.file_name().and_then(|name| name.to_str()) {
            Some("proxy.yaml") => Arc::new(Definition(OPEN)),
            Some("openbanking.yaml") => Arc::new(Definition(include_str!("../../../conf/definitions/openbanking.yaml"))),
            _ => Arc::new(ArtifactFile { path: folder.join("sample.toll"), config: config.clone() }),
        };
        if let Err(problems) = Gateway::load(source, ConfigSource::File(config), FILTERS) {
            wrong.push(problems.to_string());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(examples.len() >= 4);
}

/// An API that is open to everybody, as the example for plain proxying expects.
const OPEN: &str = "openapi: 3.0.3\ninfo: { title: Site, version: \"1\" }\nx-wso2-basePath: /\nx-wso2-disable-security: true\n\
                    x-wso2-production-endpoints: { urls: [\"http://127.0.0.1:1\"] }\n\
                    paths:\n  /*:\n    get: { responses: { \"200\": { description: anything } } }\n";

/// The text of one definition.
struct Definition(&'static str);

impl PlanSource for Definition {
    fn load(&self) -> Result<crate::source::Loaded, tollgate_filter_api::Problems> {
        sample::load("definition.yaml", self.0)
    }
}
