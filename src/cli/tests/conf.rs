//! Each example under `conf/` is loaded as `run` would load it, with the files it names made here.

use std::{
    fs,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use openssl::{
    bn::BigNum,
    ec::EcKey,
    pkey::{PKey, Private},
};
use pingora_http::RequestHeader;
use tollgate_filter_api::{
    Clock, Document, DocumentPolicy, Env, Location, Moment, NoCertificate, Peer, Principal, Problem, Revocations, RevokedBy, Shared,
    Standing, Version, View, Views, World,
};
use tollgate_filters::FILTERS;
use tollgate_plan::{Artifact, Plan, SigningKey, Target};
use tollgate_testkit::{Folder, forms::Form};
use tollgate_traffic_manager::{Outbox, TrafficManager};

use super::{
    project::ArtifactFile,
    trial::sample::{self, Sample},
};
use crate::{
    config::Config,
    judge::{Case, Facts, Judge, Step},
    proxy::{ConfigSource, Gateway},
    source::PlanSource,
    stores::SystemClock,
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
    for name in ["server.pem", "clients.pem", "upstreams.pem", "token-issuer.pem", "key-issuer.pem", "traffic-manager.pem"] {
        write(name, &identity.pem());
    }
    write("server.key", &identity.key_pem());
    write("admin.hash", b"@sha256:{8c6976e5b5410415bde908bd4dee15dfb167a9c873fc4bb8a81f6f2ab448a918}");
    write("traffic-manager.password", b"secret");
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
        let source = source(&folder, &config);
        if let Err(problems) = Gateway::load(source, ConfigSource::File(config), FILTERS) {
            wrong.push(problems.to_string());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(examples.len() >= 4);
}

/// What an example serves.
fn source(folder: &Folder, config: &Path) -> Arc<dyn PlanSource> {
    match config.file_name().and_then(|name| name.to_str()) {
        Some("proxy.yaml") => Arc::new(Definition(OPEN)),
        Some("openbanking.yaml") => Arc::new(Definition(include_str!("../../../conf/definitions/openbanking.yaml"))),
        _ => Arc::new(ArtifactFile { path: folder.join("sample.toll"), config: config.to_owned() }),
    }
}

/// A judge by an example of `conf/`: with the files that it names, and no network.
fn judge(folder: &Folder, config: &Path) -> (Judge, Plan) {
    let plan = source(folder, config).load().unwrap().plan;
    let config = Config::load(config, FILTERS).unwrap();
    let world = Arc::new(Paper(config.base.clone()));
    let clock = Arc::new(SystemClock);
    let (shared, metrics, readiness, declared): (Shared, _, _, _) = Default::default();
    let manager = Arc::new(TrafficManager::new(Nowhere));
    if config.gateway.stores.traffic_manager.is_some() {
        shared.offer(tollgate_traffic_manager::NAME, &manager);
    }
    let env = Env { clock, world, shared, metrics, readiness, declared };
    match Judge::build(&plan, Arc::new(config), FILTERS, &env) {
        Ok(judge) => (judge, plan),
        Err(problems) => panic!("{problems}"),
    }
}

/// Nobody is told of requests.
struct Nowhere;

impl Outbox for Nowhere {
    fn put(&self, _: Vec<u8>) {}
}

/// What becomes of a request without a credential: the reason that ends it, or the index of its endpoint group.
fn judged(judge: &Judge, method: &str, target: &str) -> Result<u32, &'static str> {
    let mut head = RequestHeader::build(method, target.as_bytes(), None).unwrap();
    head.insert_header("host", "api.example").unwrap();
    let facts = Facts {
        moment: SystemClock.moment(),
        number: 7,
        address: [192, 0, 2, 1].into(),
        secure: true,
        peer: Ok(Peer::Anonymous(NoCertificate::NotSent)),
        server_name: Some("api.example"),
        strict_host: true,
        last_host: None,
        http1: None,
        has_body: false,
    };
    let mut case = Case::new(judge, facts, Views::serving());
    match case.judge(&mut head, None).now_or_never().expect("it waits for nobody") {
        Step::NeedBody(_) => panic!("no example reads the body of a GET"),
        Step::Done(Err(refusal)) => Err(refusal.answer.reason().id),
        Step::Done(Ok(group)) => Ok(group),
    }
}

#[test]
fn requests_are_judged_by_every_example_without_a_socket() {
    let folder = prepared();
    let (mut passed, mut refused) = (0, 0);
    for example in examples() {
        let (judge, plan) = judge(&folder, &folder.join(example.file_name().unwrap()));
        assert_eq!(judged(&judge, "GET", "/a/../../b"), Err("path.climbs"), "{example:?}");
        for api in &plan.apis {
            for operation in api.operations.iter().filter(|operation| matches!(operation.target, Target::Endpoints { .. })) {
                let path = api.path(operation).replace(['{', '}', '*'], "a");
                match judged(&judge, &operation.method, &path) {
                    Ok(group) => {
                        assert!(operation.security.alternatives.is_empty(), "{example:?}: {} {path} passes", operation.method);
                        assert!((group as usize) < plan.endpoints.len());
                        passed += 1;
                    }
                    Err(reason) => {
                        assert!(!operation.security.alternatives.is_empty(), "{example:?}: {} {path}: {reason}", operation.method);
                        refused += 1;
                    }
                }
            }
        }
    }
    assert!(passed > 0 && refused > 10, "{passed} passed, {refused} were refused");
}

/// A world of files. What is behind a URL was never fetched.
struct Paper(PathBuf);

struct Sheet(Option<Arc<Version>>);

impl World for Paper {
    fn document(&self, location: &Location, _: DocumentPolicy) -> Result<Arc<dyn Document>, Problem> {
        let bytes = match location {
            Location::Url(_) => return Ok(Arc::new(Sheet(None))),
            Location::File(path) => fs::read(self.0.join(path)),
        };
        let bytes = bytes.map_err(|error| Problem::error("test.file", format!("{location}: {error}")))?;
        Ok(Arc::new(Sheet(Some(Arc::new(Version { number: 1, bytes: bytes.into() })))))
    }

    fn revocations(&self) -> Result<View<Arc<dyn Revocations>>, Problem> {
        Ok(View::new("revocations", Arc::new(Nothing)))
    }
}

impl Document for Sheet {
    fn number(&self) -> u64 {
        self.0.as_ref().map_or(0, |version| version.number)
    }

    fn version(&self) -> Option<Arc<Version>> {
        self.0.clone()
    }

    fn confirmed(&self) -> Option<Instant> {
        self.0.as_ref().map(|_| Instant::now())
    }

    fn refresh(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }
}

/// Nothing was revoked, and everybody has said so.
struct Nothing;

impl Revocations for Nothing {
    fn find(&self, _: &Principal, _: Moment) -> Option<RevokedBy> {
        None
    }

    fn standing(&self, _: Moment) -> Standing {
        Standing { age: Some(Duration::ZERO), has_caught_up: true }
    }
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
