//! One configuration, whole and checked: what a request sees from its first byte to its last.

use std::sync::Arc;

use pingora::connectors::http::Connector;
use tollgate_filter_api::{Env, Kind, Metrics, Peer, Problems};

use super::{client_certificates, discovered::Discovered, faults::Faults};
use crate::{
    chain::Waived,
    config::{Config, ConfigurationId, Limits, Variables},
    judge::{Judge, Place},
    proxy::{
        budget::Budget,
        client::{
            connection::Connection,
            tls::listener::{Lapsed, ListenerTls},
        },
        server::pressure::Pressure,
        transport::{
            Pools,
            upstream_connections::UpstreamConnections,
            upstream_peer::{PeerSettings, UpstreamPeer},
        },
    },
    source::Loaded,
    stores::{
        self,
        discovery::{Consumer, Discovery},
    },
    telemetry::{Operations, Telemetry},
    upstreams::{self, Group, Upstreams},
};

/// What every configuration of a process shares.
pub struct Kernel {
    /// What filters are given.
    pub env: Env,
    /// The catalogue.
    pub kinds: &'static [Kind],
    /// What is set beside the configuration.
    pub variables: Variables,
    /// Series.
    pub telemetry: Arc<Telemetry>,
    /// Names.
    pub resolver: Arc<stores::Resolver>,
    /// Where endpoints are.
    pub discovery: Arc<Discovery>,
    /// Connections to upstreams.
    pub upstream_connections: Arc<UpstreamConnections>,
    /// Idle connections to upstreams.
    pub pools: Arc<Pools>,
    /// Connections to upstreams for what goes beside requests: checks and copies.
    pub beside: Arc<Connector>,
    /// How short memory and files are.
    pub pressure: Arc<Pressure>,
    /// Bytes of answers that may wait for their clients.
    pub buffers: Arc<Budget>,
    /// Bytes that answers may have which filters read whole.
    pub whole_answers: Arc<Budget>,
}

/// A configuration in force.
pub struct Snapshot {
    /// Counts configurations.
    pub generation: u64,
    /// What it is called on every machine.
    pub id: ConfigurationId,
    /// What requests are judged by.
    pub judge: Judge,
    /// What was said about the faults of each operation.
    pub faults: Vec<Faults>,
    /// Endpoint groups.
    pub upstreams: Upstreams<UpstreamPeer>,
    /// The groups among them whose endpoints are looked up.
    pub discovered: Vec<Arc<Discovered>>,
    /// Series of the operations.
    pub metrics: Operations,
    /// TLS of each listener; `None` for one without.
    pub listener_tls: Vec<Option<ListenerTls>>,
    /// The Plan and its origin.
    pub loaded: Loaded,
}

impl Snapshot {
    /// Builds the whole, or nothing.
    ///
    /// # Errors
    /// Everything that keeps it from being served.
    pub fn build(kernel: &Kernel, mut loaded: Loaded, config: Config, generation: u64) -> Result<Self, Problems> {
        config.add_routes(&mut loaded.plan, kernel.kinds)?;
        let mut problems = Problems::default();
        let mut gather = |found: Problems| problems.0.extend(found.0);
        let code = std::mem::take(&mut loaded.code);
        #[cfg(not(feature = "wasm"))]
        drop(code);
        let plan = &loaded.plan;
        let config = Arc::new(config);
        // Filters ask for it while they are built.
        #[cfg(feature = "wasm")]
        let _code = offer(kernel, code);
        let judge = Judge::build(plan, config.clone(), kernel.kinds, &kernel.env).map_err(&mut gather).ok();
        let variables = |name: &str| kernel.variables.get(name);
        let inputs = upstreams::Inputs { plan, gateway: &config.gateway, file: config.file(), variables: &variables };
        let factory = Arc::new(peer_settings(kernel, &config.gateway.limits).factory(kernel.resolver.clone(), kernel.env.metrics.clone()));
        let upstreams = Upstreams::build(&inputs, &factory).map_err(&mut gather).ok();
        let listener_tls = listener_tls(&config, &kernel.env.metrics).map_err(&mut gather).ok();
        // What groups that could not be built would have asked for is not known.
        let upstreams = upstreams.and_then(|upstreams| kernel.variables.check().map_err(&mut gather).ok().map(|()| upstreams));
        let checked = client_certificates::check(plan, &config.gateway, kernel.kinds).map_err(&mut gather).ok();
        let (Some(judge), Some(upstreams), Some(listener_tls), Some(())) = (judge, upstreams, listener_tls, checked) else {
            config.locate(&mut problems);
            return Err(problems.sorted());
        };
        let discovered = Discovered::all(&upstreams);
        for group in &discovered {
            group.supply(&kernel.discovery.directory);
        }
        let metrics = kernel.telemetry.operations(plan);
        let faults = judge.operations.iter().map(|_| Faults::default()).collect();
        let id = ConfigurationId::new(&loaded.digest, &config, kernel.kinds);
        Ok(Self { generation, id, judge, faults, upstreams, discovered, metrics, listener_tls, loaded })
    }
}

/// Machine code for whoever builds modules, as long as this is kept.
#[cfg(feature = "wasm")]
fn offer(kernel: &Kernel, code: Vec<([u8; 32], Vec<u8>)>) -> Arc<tollgate_sandbox::CodeBook> {
    // `Loaded::code` is out of an artifact with a signature that was verified by a key of the configuration.
    let book = Arc::new(tollgate_sandbox::CodeBook::by_verified_signature(code));
    kernel.env.shared.offer("wasm.code", &book);
    book
}

fn peer_settings(kernel: &Kernel, limits: &Limits) -> PeerSettings {
    PeerSettings {
        pools: kernel.pools.clone(),
        connections: kernel.upstream_connections.clone(),
        pressure: kernel.pressure.clone(),
        budget: kernel.buffers.clone(),
        filled: kernel.telemetry.limits.answer_buffer.clone(),
        write: limits.write_time.0,
        buffer: usize::try_from(limits.answer_buffer.0).unwrap_or(usize::MAX),
    }
}

fn listener_tls(config: &Config, metrics: &Metrics) -> Result<Vec<Option<ListenerTls>>, Problems> {
    let mut problems = Problems::default();
    let mut all = Vec::new();
    for (index, listener) in config.gateway.listeners.iter().enumerate() {
        let tls = listener.tls.as_ref().map(|tls| ListenerTls::new(tls, listener.address.to_string(), metrics)).transpose();
        all.push(tls.unwrap_or_else(|problem| {
            problems.push(problem.at(config.file(), 0, format!("/listeners/{index}/tls")));
            None
        }));
    }
    if problems.has_errors() { Err(problems) } else { Ok(all) }
}

impl Snapshot {
    /// The environment.
    pub fn config(&self) -> &Config {
        &self.judge.config
    }

    /// Those whose endpoints are looked up.
    pub fn consumers(&self) -> Vec<Arc<dyn Consumer>> {
        self.discovered.iter().map(|group| group.clone() as Arc<dyn Consumer>).collect()
    }

    /// Who says what endpoints a group has now, in a word; `None` for a canary and a mirror, whose endpoints are always those of `gateway.yaml`.
    pub fn endpoints_by(&self, group: &Arc<Group<UpstreamPeer>>) -> Option<&'static str> {
        if let Some(discovered) = self.discovered.iter().find(|discovered| discovered.is_of(group)) {
            return discovered.by();
        }
        let place = self.upstreams.groups().iter().position(|one| Arc::ptr_eq(one, group))?;
        self.upstreams.parts()[place].first().map(|part| part.by)
    }

    /// Says in the log what is served from now on, and what nobody enforces.
    pub fn announce(&self, kinds: &[Kind]) {
        let apis = &self.loaded.plan.apis;
        let listeners: Vec<String> = self.config().gateway.listeners.iter().map(|listener| listener.address.to_string()).collect();
        log::info!(
            "configuration {} ({}): {} operations of {} APIs on {}; admin on {}; sha256 {}",
            self.generation,
            self.id,
            apis.iter().map(|api| api.operations.len()).sum::<usize>(),
            apis.len(),
            listeners.join(", "),
            self.config().gateway.admin.address,
            self.loaded.digest
        );
        for (filter, api) in client_certificates::unserved_apis(&self.loaded.plan, &self.config().chain, kinds) {
            log::warn!("`{filter}` has rules for the API `{api}`, which is not served here: they hold for nobody");
        }
        for problem in &self.judge.shadowed {
            log::warn!("{problem}");
        }
        for Waived { filter, opened, named } in &self.judge.waived {
            match opened {
                0 => log::warn!("`{filter}` is waived: nobody enforces it"),
                _ => log::warn!("`{filter}` is waived: nobody enforces it, and {opened} operations are open to everybody: {named}"),
            }
        }
    }

    /// Who sends a request over a connection, by the rules of now.
    ///
    /// # Errors
    /// When the listener lets nobody in without a certificate and the connection's is no longer good.
    pub fn peer(&self, connection: &Connection, headers: &http::HeaderMap) -> Result<Peer, Lapsed> {
        match &self.listener_tls[connection.listener] {
            None => Ok(connection.peer.clone()),
            Some(tls) => tls.peer(&connection.peer, connection.certificate.as_ref(), headers),
        }
    }

    /// Whether a connection brings the requests of others: its server name says nothing of their hosts.
    pub fn is_balancer(&self, connection: &Connection) -> bool {
        self.listener_tls[connection.listener].as_ref().is_some_and(|tls| tls.is_balancer(connection.certificate.as_ref()))
    }

    /// Most bytes of a request body.
    pub fn body_limit(&self, place: Place) -> u64 {
        self.judge.body_limit(if let Place::Operation(index) = place { Some(index) } else { None })
    }
}
