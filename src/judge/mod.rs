//! What becomes of a request: from its head to its endpoint group, or to an answer. Without the engine.
//!
//! A [`Judge`] is made of the Plan, `gateway.yaml` and the filters; it needs no certificate, no socket and no issuer that can be reached.
//! What wire and connection say beside a head comes in as [`Facts`], a body comes in when it was asked for. Nothing is counted or logged
//! here: whoever asks sees to what the [`Refusal`] says. The gateway brings requests here; tests and commands bring others, to the same
//! judge.
//!
//! Nothing here knows a session or TLS. It does not judge answers.

pub mod admit;
mod case;
mod credential_fields;
mod facts;
pub mod fields;
pub mod framing;
mod head;
mod operations;
mod refusal;

use std::sync::Arc;

pub use case::{Admitted, Case, Place, Routing, Step};
pub use facts::{Facts, Http1};
pub use operations::Served;
pub use refusal::{Refusal, internal};
use tollgate_filter_api::{Env, Kind, Problem, Problems};
use tollgate_plan::Plan;

use crate::{
    chain::{self, Waived},
    config::Config,
    routes::{self, Router},
};
use admit::Rules;
use fields::{families::Families, request_id::Ids, reserved::ReservedFields, via::Via};

/// What every request of a configuration is judged by.
pub struct Judge {
    /// Request to operation.
    pub router: Router,
    /// Operations under the router's numbers.
    pub operations: Vec<Served>,
    /// Fields that filters own, and the one of ids when it is not the usual one.
    pub reserved: ReservedFields,
    /// Fields that only a proxy can know the value of.
    pub families: Families,
    /// What requests say of their way.
    pub via: Via,
    /// What requests are called.
    pub ids: Ids,
    /// The environment.
    pub config: Arc<Config>,
    /// Routes that no request seems to reach.
    pub shadowed: Vec<Problem>,
    /// What is not enforced, by the project's word or the environment's.
    pub waived: Vec<Waived>,
}

impl Judge {
    /// Builds the whole, or nothing.
    ///
    /// # Errors
    /// Everything in Plan, settings and declarations that keeps it from being enforced; places in `gateway.yaml` have no line yet.
    pub fn build(plan: &Plan, config: Arc<Config>, kinds: &[Kind], env: &Env) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let mut gather = |found: Problems| problems.0.extend(found.0);
        let gateway = &config.gateway;
        let (spec, requirements, waivers) = (&config.chain, gateway.security.requirements, gateway.waivers());
        let inputs = chain::Inputs { plan, spec, kinds, env, requirements, waivers };
        let chains = chain::build(&inputs).map_err(&mut gather).ok();
        let router = Router::build(plan).map_err(&mut gather).ok();
        let ids = Ids::new(&gateway.request_id).map_err(|problem| gather(problem.into())).ok();
        let via = Via::new(&gateway.forwarding).map_err(|problem| gather(problem.into())).ok();
        let passing = gateway.forwarding.passing().map_err(|wrong| wrong.into_iter().for_each(|(_, problem)| gather(problem.into()))).ok();
        let (Some(chains), Some(router), Some(ids), Some(via), Some(passing)) = (chains, router, ids, via, passing) else {
            return Err(problems);
        };
        let families = Families::new(passing, gateway.certificate_headers());
        credential_fields::check(plan, chains.iter().map(AsRef::as_ref), &families, !config.proxies.is_empty())?;
        let waived = chain::waived(plan, waivers);
        let reserved = chains.iter().flat_map(|chain| chain.owned_headers()).chain(ids.own_field()).collect();
        let operations = operations::served(plan, chains);
        let shadowed = routes::shadowed(plan, &router);
        Ok(Self { shadowed, router, operations, reserved, families, via, ids, waived, config })
    }

    /// Most bytes of a request's body.
    pub fn body_limit(&self, operation: Option<u32>) -> u64 {
        let own = operation.and_then(|index| self.operations.get(index as usize)?.body_bytes);
        own.unwrap_or(self.config.gateway.limits.body_bytes.0)
    }

    /// What a head is judged by.
    fn rules(&self) -> Rules<'_> {
        Rules { limits: &self.config.gateway.limits, reserved: &self.reserved, families: &self.families, via: &self.via }
    }
}
