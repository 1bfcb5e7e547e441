//! The environment of a gateway: `gateway.yaml`, read, resolved and checked.
//!
//! Unknown keys, values without a unit and literal secrets are refused; every problem names file, line and pointer. Files
//! that the configuration names are read when it is put to use, not here.

mod chain;
mod check;
mod endpoints;
mod forwarding;
mod identity;
mod limits;
mod load;
mod model;
mod proxies;
mod request_id;
mod routes;
mod security;
mod stores;
mod waivers;

pub use chain::{ChainSpec, FilterSpec, StepSpec, gives_principal};
pub use endpoints::{
    Absence, Balance, BalanceKey, BalanceStrategy, Canary, CanaryHeader, Capacity, Check, CircuitBreaker, Discovered, Discovery, DnsName,
    Eject, EndpointTarget, GrpcCheck, HttpCheck, Mirror, Percent, Place, Probe, Records, Retry, Scheme, Source, StatusRange, StickyCookie,
    Variables,
};
pub use forwarding::Forwarding;
pub use identity::ConfigurationId;
pub use limits::Limits;
pub use load::Config;
pub use model::*;
pub use proxies::TrustedProxies;
pub use request_id::{IdAnswers, IdFormat, IdSource, RequestIds};
pub use security::{Requirements, Security};
pub use stores::{Broker, Counters, DiscoveryStore, Etcd, Missed, Redis, RevocationList, Sentinel, Stores, TrafficBroker, TrafficManager};
pub use waivers::Waivers;
