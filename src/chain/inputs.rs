//! What the chains of all operations come from.

use tollgate_filter_api::{Env, Kind};
use tollgate_plan::Plan;

use crate::config::{ChainSpec, Requirements, Waivers};

/// What chains are built from.
pub struct Inputs<'a> {
    /// The Plan.
    pub plan: &'a Plan,
    /// The operator's list.
    pub spec: &'a ChainSpec,
    /// The catalogue.
    pub kinds: &'a [Kind],
    /// What filters are given.
    pub env: &'a Env,
    /// What a list of security requirements means.
    pub requirements: Requirements,
    /// Demands that this environment does not enforce.
    pub waivers: Waivers<'a>,
}
