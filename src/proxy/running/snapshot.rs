//! One configuration, whole and checked: what a request sees from its first byte to its last.

use std::sync::Arc;

use tollgate_filter_api::{Env, Kind, Metrics, OperationInfo, Peer, Problems};
use tollgate_plan::{Operation, Target as PlanTarget};

use super::{client_certificates, credential_fields, faults::Faults};
use crate::{
    chain::{self, Chain, Waived},
    config::{Config, Limits},
    proxy::{
        client::{
            connection::Connection,
            tls::listener::{Lapsed, ListenerTls},
        },
        decision::admit::Rules,
        fields::{families::Families, request_id::Ids, reserved::ReservedFields, via::Via},
        server::pressure::Pressure,
        transport::{
            Budget, Pools,
            upstream_connections::UpstreamConnections,
            upstream_peer::{PeerSettings, UpstreamPeer},
        },
    },
    routes::{self, Router},
    source::Loaded,
    stores,
    telemetry::{Operations, Telemetry},
    upstreams::{self, Upstreams},
};

/// What every configuration of a process shares.
pub struct Kernel {
    /// What filters are given.
    pub env: Env,
    /// The catalogue.
    pub kinds: &'static [Kind],
    /// Series.
    pub telemetry: Arc<Telemetry>,
    /// Names.
    pub resolver: Arc<stores::Resolver>,
    /// Connections to upstreams.
    pub upstream_connections: Arc<UpstreamConnections>,
    /// Idle connections to upstreams.
    pub pools: Arc<Pools>,
    /// How short memory and files are.
    pub pressure: Arc<Pressure>,
    /// Bytes of answers that may wait for their clients.
    pub buffers: Arc<Budget>,
}

/// One operation as a request meets it.
pub struct Served {
    /// What filters and logs know of it.
    pub info: Arc<OperationInfo>,
    /// What happens after the chain.
    pub target: PlanTarget,
    /// The chain.
    pub chain: Arc<Chain>,
    /// Value of `Allow`, for a synthetic OPTIONS.
    pub allow: Option<http::HeaderValue>,
    /// Header that carries the credential, for error texts.
    pub auth_header: String,
    /// What was said about its faults.
    pub faults: Faults,
}

/// A configuration in force.
pub struct Snapshot {
    /// Counts configurations.
    pub generation: u64,
    /// Request to operation.
    pub router: Router,
    /// Operations under the router's numbers.
    pub operations: Vec<Served>,
    /// Endpoint groups.
    pub upstreams: Upstreams<UpstreamPeer>,
    /// Fields that filters own, and the one of ids when it is not the usual one.
    pub reserved: ReservedFields,
    /// Fields that only a proxy can know the value of.
    pub families: Families,
    /// What requests say of their way.
    pub via: Via,
    /// What requests are called.
    pub ids: Ids,
    /// Series of the operations.
    pub metrics: Operations,
    /// TLS of each listener; `None` for one without.
    pub listener_tls: Vec<Option<ListenerTls>>,
    /// The environment.
    pub config: Config,
    /// The Plan and its origin.
    pub loaded: Loaded,
    /// What is not enforced, by the project's word or the environment's.
    pub waived: Vec<Waived>,
}

impl Snapshot {
    /// Builds the whole, or nothing.
    ///
    /// # Errors
    /// Everything that keeps it from being served.
    pub fn build(kernel: &Kernel, loaded: Loaded, config: Config, generation: u64) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut gather = |found: Problems| problems.0.extend(found.0);
        let plan = &loaded.plan;
        let inputs = chain::Inputs {
            plan,
            spec: &config.chain,
            kinds: kernel.kinds,
            env: &kernel.env,
            requirements: config.gateway.security.requirements,
            waivers: config.gateway.waivers(),
        };
        let chains = chain::build(&inputs).map_err(&mut gather).ok();
        let router = Router::build(plan).map_err(&mut gather).ok();
        let variables = |name: &str| std::env::var(name).ok();
        let inputs = upstreams::Inputs { plan, gateway: &config.gateway, file: config.file(), variables: &variables };
        let factory = Arc::new(peer_settings(kernel, &config.gateway.limits).factory(kernel.resolver.clone()));
        let upstreams = Upstreams::build(&inputs, &factory).map_err(&mut gather).ok();
        let listener_tls = listener_tls(&config, &kernel.env.metrics).map_err(&mut gather).ok();
        let asked = client_certificates::check(plan, &config.gateway, kernel.kinds).map_err(&mut gather).ok();
        let ids = Ids::new(&config.gateway.request_id).map_err(|problem| gather(problem.into())).ok();
        let forwarding = &config.gateway.forwarding;
        let via = Via::new(forwarding).map_err(|problem| gather(problem.into())).ok();
        let passing = forwarding.passing().map_err(|wrong| wrong.into_iter().for_each(|(_, problem)| gather(problem.into()))).ok();
        let (Some(chains), Some(router), Some(upstreams), Some(listener_tls), Some(()), Some(ids), Some(via), Some(passing)) =
            (chains, router, upstreams, listener_tls, asked, ids, via, passing)
        else {
            config.locate(&mut problems);
            return Err(problems.sorted());
        };
        let families = Families::new(passing, listener_tls.iter().flatten().filter_map(ListenerTls::forwarded_header));
        credential_fields::check(plan, chains.iter().map(AsRef::as_ref), &families, !config.proxies.is_empty())?;
        let metrics = kernel.telemetry.operations(plan);
        let waived = chain::waived(plan, config.gateway.waivers());
        let reserved = chains.iter().flat_map(|chain| chain.owned_headers()).chain(ids.own_field()).collect();
        let operations = operations(&loaded, chains);
        Ok(Self { generation, router, operations, upstreams, reserved, families, via, ids, metrics, listener_tls, config, loaded, waived })
    }
}

fn peer_settings(kernel: &Kernel, limits: &Limits) -> PeerSettings {
    PeerSettings {
        pools: kernel.pools.clone(),
        connections: kernel.upstream_connections.clone(),
        pressure: kernel.pressure.clone(),
        budget: kernel.buffers.clone(),
        write: limits.write_time.0,
        buffer: usize::try_from(limits.answer_buffer.0).unwrap_or(usize::MAX),
    }
}

fn operations(loaded: &Loaded, chains: Vec<Arc<Chain>>) -> Vec<Served> {
    let mut chains = chains.into_iter();
    let mut served = Vec::new();
    for api in &loaded.plan.apis {
        let mut methods: std::collections::HashMap<String, Vec<String>> = std::collections::HashMap::new();
        for operation in api.operations.iter().filter(|operation| matches!(operation.target, PlanTarget::Endpoints { .. })) {
            methods.entry(routes::shape(&operation.template)).or_default().push(operation.method.clone());
        }
        for operation in &api.operations {
            let Some(chain) = chains.next() else { continue };
            let info = OperationInfo {
                api: api.title.clone(),
                version: api.version.clone(),
                base_path: api.base_path.clone(),
                id: operation.id.clone(),
                template: operation.template.clone(),
                method: operation.method.clone(),
                path_methods: methods.get(&routes::shape(&operation.template)).cloned().unwrap_or_default(),
            };
            let auth_header = api.auth_header.clone().unwrap_or_else(|| "Authorization".to_owned());
            served.push(Served {
                info: Arc::new(info),
                target: operation.target.clone(),
                chain,
                allow: allow(operation),
                auth_header,
                faults: Faults::default(),
            });
        }
    }
    served
}

fn allow(operation: &Operation) -> Option<http::HeaderValue> {
    match &operation.target {
        PlanTarget::Options { allow } => http::HeaderValue::from_str(&allow.join(", ")).ok(),
        PlanTarget::Endpoints { .. } => None,
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
    /// Says in the log what is served from now on, and what nobody enforces.
    pub fn announce(&self, kinds: &[Kind]) {
        let apis = &self.loaded.plan.apis;
        let listeners: Vec<String> = self.config.gateway.listeners.iter().map(|listener| listener.address.to_string()).collect();
        log::info!(
            "configuration {}: {} operations of {} APIs on {}; admin on {}; sha256 {}",
            self.generation,
            apis.iter().map(|api| api.operations.len()).sum::<usize>(),
            apis.len(),
            listeners.join(", "),
            self.config.gateway.admin.address,
            self.loaded.digest
        );
        for (filter, api) in client_certificates::unserved_apis(&self.loaded.plan, &self.config.chain, kinds) {
            log::warn!("`{filter}` has rules for the API `{api}`, which is not served here: they hold for nobody");
        }
        for Waived { filter, opened, named } in &self.waived {
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

    /// What the head of a request is judged by.
    pub fn rules(&self) -> Rules<'_> {
        Rules { limits: &self.config.gateway.limits, reserved: &self.reserved, families: &self.families, via: &self.via }
    }

    /// Most bytes of a request body.
    pub fn body_limit(&self) -> usize {
        usize::try_from(self.config.gateway.limits.body_bytes.0).unwrap_or(usize::MAX)
    }
}
