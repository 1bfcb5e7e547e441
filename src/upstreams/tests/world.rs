//! What the tests build from.

use std::{collections::BTreeMap, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Instant};

use serde_json::{Value, json};
use tollgate_filter_api::{Metrics, Problem, Problems};
use tollgate_plan::{Document, EndpointGroup, EndpointUrl, Environment, Plan, Source, Strategy, UpstreamBasic};
use tollgate_testkit::{Folder, certificates::Identity, forms::Form};

use crate::{
    config::Gateway,
    upstreams::{self, Addresses, Choice, Endpoint, Factory, Inputs, LookUp, Resolver, Snapshot},
};

/// Nothing is connected to here.
pub type Upstreams = upstreams::Upstreams<()>;
pub type Group = upstreams::Group<()>;
pub type Selection = upstreams::Selection<()>;

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
        http2: false,
        guards: None,
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
    let factory = Arc::new(Factory { resolver: Arc::new(resolver), connection: Box::new(|_| ()), metrics: Metrics::default() });
    Upstreams::build(&Inputs { plan, gateway, file: "gateway.yaml", variables: &variables }, &factory)
}

/// Builds one group in an environment.
pub fn build(group: EndpointGroup, more: Value) -> Result<Upstreams, Problems> {
    build_with(&plan(vec![group]), &gateway(more), &BTreeMap::new())
}

/// The first endpoint of the first group.
pub fn first(upstreams: &Upstreams) -> Arc<Endpoint<()>> {
    upstreams.group(0).endpoints().endpoints()[0].clone()
}

/// A request to a group.
pub fn select(group: &Group, now: Instant) -> Selection {
    group.select(Choice::at(now))
}

/// The host of the next endpoint, if there is one.
pub fn next_host(selection: &mut Selection, now: Instant) -> Option<String> {
    selection.next(0, now).ok()?;
    selection.endpoint().map(|endpoint| endpoint.upstream.host.clone())
}

/// The places that a request tries, in order.
pub fn places(mut selection: Selection) -> Vec<usize> {
    let now = Instant::now();
    std::iter::from_fn(|| selection.next(0, now).ok().and(selection.current)).collect()
}

/// The only problem of one group in an environment.
pub fn problem(group: EndpointGroup, more: Value) -> Problem {
    let problems = build(group, more).unwrap_err();
    assert_eq!(problems.0.len(), 1, "{problems}");
    problems.0.into_iter().next().unwrap()
}

/// A self-signed certificate. All of them have the same serial number: nothing may depend on it.
pub fn certificate(name: &str) -> Identity {
    Form::plain(name).serial(1).self_signed()
}

/// Writes a certificate and its key, and says where they are.
pub fn pair(folder: &Folder, name: &str) -> Value {
    let (certificate, key) = certificate(name).write(folder, name);
    json!({ "certificate": certificate, "key": key })
}

/// Writes a certificate that may serve as a trust store, and says where it is.
pub fn ca(folder: &Folder, name: &str) -> PathBuf {
    folder.write(format!("{name}.ca.pem"), certificate(name).pem())
}
