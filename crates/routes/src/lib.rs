//! Routes: what is proxied without an OpenAPI definition.
//!
//! [`add`] turns a list of [`Route`]s, as `gateway.yaml` or a project's `tollgate.yaml` has it, into APIs and endpoint groups of a
//! [`Plan`](tollgate_plan::Plan): whatever reads a Plan treats both alike. Each host has one API, which holds every route that names it.
//!
//! What this protects against is a route that could not do what it says: a host, method or URL that is none, an upstream that nobody
//! describes. Whether two routes match the same requests is found out by the router, and what a route's filters are told is judged by
//! them.

mod hosts;
mod lower;
mod matches;
mod model;

pub use lower::{Place, add};
pub use matches::Match;
pub use model::{Requirement, Route, Security, Upstream};
