//! What tests serve: the operations of one API below `/b`, each with a filter, before an upstream on this machine.

use std::{
    collections::BTreeSet,
    io::Read,
    net::{SocketAddr, TcpListener},
    sync::Mutex,
};

use serde_json::Value;
use tollgate_plan::{
    Api, Demand, EndpointGroup, EndpointUrl, Environment, Operation, Plan, Security, Source, Strategy, Target, Transports,
};

/// An address of this machine on which nobody listens. The system may name a port again once it is let go, so each is given to one caller only.
pub fn free_address() -> SocketAddr {
    static GIVEN: Mutex<BTreeSet<SocketAddr>> = Mutex::new(BTreeSet::new());
    loop {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
        if GIVEN.lock().unwrap().insert(address) {
            return address;
        }
    }
}

/// An operation that is open to everybody, and the settings of its filter.
pub fn operation(method: &str, template: &str, filter: &str, settings: Value) -> Operation {
    let source = Source::default();
    Operation {
        id: format!("{method} {template}"),
        method: method.into(),
        template: template.into(),
        target: Target::Endpoints { production: Some(0), sandbox: None },
        security: Security { alternatives: Vec::new(), waived: Vec::new(), source: source.clone() },
        conditions: Vec::new(),
        body_bytes: None,
        demands: vec![Demand { filter: filter.into(), settings, source: source.clone() }],
        declarations: Vec::new(),
        source,
    }
}

/// The operations before endpoints at these URLs; of several, the next one is tried when one fails.
pub fn plan(operations: Vec<Operation>, urls: &[String]) -> Plan {
    let source = Source::default();
    let api = Api {
        title: "t".into(),
        version: "1".into(),
        base_path: "/b".into(),
        transports: Transports { http: true, https: true },
        auth_header: None,
        hosts: Vec::new(),
        routes: false,
        whole_path: false,
        owner: None,
        operations,
        source: source.clone(),
    };
    let group = EndpointGroup {
        name: "g".into(),
        environment: Environment::Production,
        strategy: if urls.len() > 1 { Strategy::Failover } else { Strategy::Single },
        urls: urls.iter().map(|url| EndpointUrl { url: url.clone(), etcd_key: None, source: source.clone() }).collect(),
        basic: None,
        http2: false,
        guards: None,
        source,
    };
    Plan { apis: vec![api], endpoints: vec![group], ..Plan::default() }
}

/// Reads a head, in lower case, up to its empty line.
pub fn head(stream: &mut impl Read) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    Some(String::from_utf8(bytes).ok()?.to_ascii_lowercase())
}
