//! What the tests build from.

use std::{
    collections::BTreeMap,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use openssl::{
    asn1::Asn1Time,
    bn::BigNum,
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    x509::{X509, X509Name},
};
use serde_json::{Value, json};
use tollgate_filter_api::{Problem, Problems};
use tollgate_plan::{Document, EndpointGroup, EndpointUrl, Environment, Plan, Source, Strategy, UpstreamBasic};

use crate::{
    config::Gateway,
    upstreams::{Addresses, Inputs, LookUp, Resolver, Snapshot, Upstreams},
};

/// Knows one set of addresses for every name; what it is told later, it tells from then on.
#[derive(Clone, Default)]
pub struct Names(pub Vec<SocketAddr>);

struct Fixed {
    later: Vec<SocketAddr>,
    now: Option<Snapshot>,
}

impl Resolver for Names {
    fn watch(&self, host: &str, _: u16) -> Arc<dyn Addresses> {
        let known = !host.starts_with("unknown.");
        Arc::new(Fixed { later: self.0.clone(), now: known.then(|| Arc::from(self.0.as_slice())) })
    }
}

impl Addresses for Fixed {
    fn peek(&self) -> Option<Snapshot> {
        self.now.clone()
    }

    fn pick(&self, turn: usize) -> Option<SocketAddr> {
        let now = self.now.as_ref()?;
        now.get(turn.checked_rem(now.len())?).copied()
    }

    fn look_up(&self) -> LookUp<'_> {
        Box::pin(async { Ok::<_, io::Error>(Arc::from(self.later.as_slice())) })
    }
}

pub fn source(line: u32) -> Source {
    Source { document: 0, line, pointer: "/x-wso2-production-endpoints".into() }
}

pub fn group(name: &str, strategy: Strategy, urls: &[&str]) -> EndpointGroup {
    let urls = urls.iter().map(|url| EndpointUrl { url: (*url).into(), etcd_key: None, source: source(7) }).collect();
    EndpointGroup {
        name: name.into(),
        environment: Environment::Production,
        strategy,
        urls,
        basic: None,
        advanced: None,
        source: source(5),
    }
}

pub fn with_basic(mut group: EndpointGroup, username: &str) -> EndpointGroup {
    group.basic = Some(UpstreamBasic { username: username.into(), source: source(9) });
    group
}

pub fn plan(endpoints: Vec<EndpointGroup>) -> Plan {
    let documents = vec![Document { path: "api_definitions/pets.yaml".into(), sha256: String::new() }];
    Plan { name: "test".into(), documents, endpoints, ..Plan::default() }
}

pub fn gateway(more: Value) -> Gateway {
    let mut whole = json!({ "listeners": [{ "address": "127.0.0.1:0" }] });
    whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(whole).unwrap()
}

pub fn build_with(plan: &Plan, gateway: &Gateway, variables: &BTreeMap<&str, &str>) -> Result<Upstreams, Problems> {
    let resolver = Names(vec![([192, 0, 2, 1], 80).into(), ([192, 0, 2, 2], 80).into()]);
    let variables = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    Upstreams::build(&Inputs { plan, gateway, file: "gateway.yaml", resolver: &resolver, variables: &variables })
}

/// Builds one group in an environment.
pub fn build(group: EndpointGroup, more: Value) -> Result<Upstreams, Problems> {
    build_with(&plan(vec![group]), &gateway(more), &BTreeMap::new())
}

/// The only problem of one group in an environment.
pub fn problem(group: EndpointGroup, more: Value) -> Problem {
    let problems = build(group, more).unwrap_err();
    assert_eq!(problems.0.len(), 1, "{problems}");
    problems.0.into_iter().next().unwrap()
}

/// A folder that goes with the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("tollgate-upstreams-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a certificate and its key, and says where they are.
    pub fn pair(&self, name: &str) -> Value {
        let (certificate, key) = certificate(name);
        let certificate = self.write(&format!("{name}.pem"), &certificate.to_pem().unwrap());
        let key = self.write(&format!("{name}.key"), &key.private_key_to_pem_pkcs8().unwrap());
        json!({ "certificate": certificate, "key": key })
    }

    /// Writes a certificate that may serve as a trust store, and says where it is.
    pub fn ca(&self, name: &str) -> PathBuf {
        self.write(&format!("{name}.ca.pem"), &certificate(name).0.to_pem().unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A self-signed certificate. All of them have the same serial number: nothing may depend on it.
pub fn certificate(name: &str) -> (X509, PKey<Private>) {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap();
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (builder.build(), key)
}
