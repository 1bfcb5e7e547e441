//! `routes:`: what is proxied without an OpenAPI definition.

use std::collections::BTreeSet;

use tollgate_filter_api::{Kind, Problems};
use tollgate_plan::Plan;
use tollgate_routes::Place;

use super::{Config, EndpointOverride, gives_principal};

impl Config {
    /// Adds the routes to what an artifact has.
    ///
    /// # Errors
    /// Every route that could not do what it says.
    pub fn add_routes(&self, plan: &mut Plan, kinds: &[Kind]) -> Result<(), Problems> {
        let groups = self.gateway.endpoints.iter().filter(|(_, entry)| has_endpoints(entry)).map(|(name, _)| name.clone());
        let groups: BTreeSet<String> = groups.collect();
        let answering: Vec<&str> = kinds.iter().filter(|kind| kind.answers).map(|kind| kind.id).collect();
        let (document, sha256) = self.document();
        let secured = self.checks_credentials(kinds).map(|filter| format!("the chain has `{filter}`"));
        let place = Place {
            document,
            known: Err(sha256),
            pointer: "/routes",
            groups: Some(&groups),
            answering: &answering,
            secured: secured.as_deref(),
        };
        tollgate_routes::add(plan, &self.gateway.routes, place)
    }

    /// A filter that checks credentials, in a chain that somebody wrote.
    fn checks_credentials(&self, kinds: &[Kind]) -> Option<&'static str> {
        self.gateway.chain.as_ref()?;
        self.chain.filters().find_map(|filter| {
            let kind = kinds.iter().find(|kind| kind.id == filter.id)?;
            gives_principal(kind).then_some(kind.id)
        })
    }
}

fn has_endpoints(entry: &EndpointOverride) -> bool {
    entry.production.is_some() || entry.discovery.as_ref().is_some_and(|discovered| discovered.production.is_some())
}
