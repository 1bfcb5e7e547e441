//! What a filter may reach beside the request: clock, documents, servers, shared state, series, readiness.

pub mod env;
pub mod outside;
pub mod readiness;
