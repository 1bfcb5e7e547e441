//! Asks an external service whether a request may pass: Envoy's external authorization, over HTTP or gRPC.
//!
//! It fails closed: a service that is away, slow, too long-winded or not understood lets nobody in, unless `failure: allow` says so. What the
//! service says to the upstream is limited to listed fields, which no client can send. What it does not protect against: a service that is
//! wrong.

mod config;
mod filter;
mod grpc;
mod lists;
mod proto;
mod query;
mod rest;
mod verdict;

pub use config::Config;
pub use filter::ExtAuthz;
use tollgate_filter_api::Kind;

/// The catalogue's entry.
pub const KIND: Kind = Kind::of::<ExtAuthz>(
    include_str!("../README.md"),
    &[("http.yaml", include_str!("../cases/http.yaml")), ("hostile.yaml", include_str!("../cases/hostile.yaml"))],
);
