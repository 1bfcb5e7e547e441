//! `routes:`: what is proxied without an OpenAPI definition.

use std::collections::BTreeSet;

use tollgate_document::Document;
use tollgate_filter_api::{Kind, Problem, Problems};
use tollgate_plan::Plan;
use tollgate_routes::{Place, Route};

use super::{ChainSpec, Config, EndpointOverride, Gateway, gives_principal};

/// Pointer to the list.
const ROUTES: &str = "/routes";

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
        let place = Place { document, known: Err(sha256), pointer: ROUTES, groups: Some(&groups), answering: &answering };
        tollgate_routes::add(plan, &self.gateway.routes, place)
    }
}

fn has_endpoints(entry: &EndpointOverride) -> bool {
    entry.production.is_some() || entry.discovery.as_ref().is_some_and(|discovered| discovered.production.is_some())
}

/// Routes that do not say who may call them, where somebody wrote a chain that checks credentials: they could be meant to be open or not.
pub(super) fn unsaid(gateway: &Gateway, chain: Option<&ChainSpec>, kinds: &[Kind], document: &Document, problems: &mut Problems) {
    let mut checking = chain.into_iter().flat_map(ChainSpec::filters).filter_map(|filter| {
        let kind = kinds.iter().find(|kind| kind.id == filter.id)?;
        gives_principal(kind).then_some(kind.id)
    });
    let Some(filter) = checking.next() else { return };
    let silent = |(_, route): &(usize, &Route)| route.security.is_none();
    for (index, _) in gateway.routes.iter().enumerate().filter(silent) {
        let message = format!("the chain has `{filter}`, and this route does not say who may call it");
        let problem =
            Problem::error("route.security", message).hint(format!("write `security: [{filter}]`, or `security: open` for everybody"));
        problems.push(document.locate(problem, &format!("{ROUTES}/{index}")));
    }
}
