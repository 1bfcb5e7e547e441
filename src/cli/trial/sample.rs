//! The sample API of `demo` and `init`.

use std::{collections::BTreeMap, net::SocketAddr};

use tollgate_compiler::{Project, compile};
use tollgate_filter_api::Problems;
use tollgate_plan::Artifact;

use crate::source::{Loaded, PlanSource};

/// Name of the definition's file.
pub(in crate::cli) const FILE: &str = "tollroad.yaml";
/// Where the definition expects its backends.
pub(in crate::cli) const PARCELS: &str = "127.0.0.1:9081";
/// The second one.
pub(in crate::cli) const RATES: &str = "127.0.0.1:9082";
/// The definition.
pub(in crate::cli) const DEFINITION: &str = include_str!("../templates/tollroad.yaml");

/// The sample, with its backends elsewhere.
pub(in crate::cli) struct Sample {
    definition: String,
}

impl Sample {
    pub(in crate::cli) fn new(parcels: SocketAddr, rates: SocketAddr) -> Self {
        Self { definition: DEFINITION.replace(PARCELS, &parcels.to_string()).replace(RATES, &rates.to_string()) }
    }
}

impl PlanSource for Sample {
    fn load(&self) -> Result<Loaded, Problems> {
        load(FILE, &self.definition)
    }
}

/// Compiles one definition by itself.
pub(in crate::cli) fn load(file: &str, definition: &str) -> Result<Loaded, Problems> {
    let files: BTreeMap<String, Vec<u8>> = [(file.to_owned(), definition.as_bytes().to_vec())].into();
    let definitions = vec![file.to_owned()];
    let project =
        Project { name: "demo".to_owned(), definitions, policies: None, settings: None, interceptors: None, files: Box::new(files) };
    let options = crate::cli::project::catalogue();
    let outcome = compile(&project, &options);
    let Some(plan) = outcome.plan else { return Err(outcome.problems) };
    let documents = plan.documents.iter().map(|document| document.path.clone()).zip(outcome.texts).collect();
    let artifact = Artifact::new(plan, documents).map_err(|error| crate::cli::project::refused(file.as_ref(), &error))?;
    let digest = artifact.digest();
    Ok(Loaded { plan: artifact.into_plan(), digest, signers: Vec::new(), code: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_compiles_without_a_warning() {
        let files: BTreeMap<String, Vec<u8>> = [(FILE.to_owned(), DEFINITION.as_bytes().to_vec())].into();
        let definitions = vec![FILE.to_owned()];
        let project =
            Project { name: "x".to_owned(), definitions, policies: None, settings: None, interceptors: None, files: Box::new(files) };
        let options = crate::cli::project::catalogue();
        assert_eq!(compile(&project, &options).problems.to_string(), "");
    }

    #[test]
    fn the_backends_can_be_moved() {
        let moved = Sample::new("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        let plan = moved.load().unwrap().plan;
        let urls: Vec<&str> = plan.endpoints.iter().flat_map(|group| &group.urls).map(|url| url.url.as_str()).collect();
        assert_eq!(urls, ["http://127.0.0.1:1", "http://127.0.0.1:2"]);
    }
}
