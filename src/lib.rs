//! Tollgate: an OpenAPI-first API gateway on Pingora.
//!
//! `docs/ARCHITECTURE.md` is the map; each module below says what it does and what it does not protect against.

pub mod admin;
pub mod chain;
pub mod cli;
pub mod config;
pub mod fields;
pub mod judge;
pub mod proxy;
pub mod routes;
pub mod source;
pub mod stores;
pub mod telemetry;
pub mod upstreams;
