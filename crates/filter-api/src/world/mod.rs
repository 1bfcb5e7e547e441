//! What a filter may reach beside the request: clock, documents, servers, views, shared state, series, readiness, lines in the log.

pub mod env;
pub mod log_limiter;
pub mod outside;
pub mod readiness;
pub mod views;
