//! What a group's list of endpoints consists of: URLs that somebody wrote, and places where others may be found while the gateway runs.

use tollgate_filter_api::Problem;

use super::{
    build::Inputs,
    said::{Origin, Said, Settings},
};
use crate::{config::Source, upstreams::Target};

/// One piece of a group's list of endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What serves while nothing is found.
    pub default: Vec<Target>,
    /// Who wrote that, in a word: `definition`, `gateway.yaml` or `variable`.
    pub by: &'static str,
    /// Where others may be found.
    pub source: Option<Source>,
}

/// The parts of a group, in order.
///
/// # Errors
/// Each place that can be none.
pub fn parts(inputs: &Inputs<'_>, settings: &Settings<'_>, urls: &[Said<'_, Target>]) -> Result<Vec<Part>, Vec<Problem>> {
    if let Some(said) = settings.discovery() {
        // What is wrong with it was said when the configuration was read.
        let source = said.value.source().map_err(|problem| vec![said.by.blame(inputs, problem)])?;
        let default = urls.iter().map(|url| url.value.clone()).collect();
        let by = urls.first().map_or("gateway.yaml", |url| word(&url.by));
        return Ok(vec![Part { default, by, source: Some(source) }]);
    }
    let (mut parts, mut problems) = (Vec::new(), Vec::new());
    let mut keys = settings.keys().into_iter();
    for url in urls {
        let source = keys.next().flatten().map(|key| Source::of_key(&key.value).map_err(|problem| key.by.blame(inputs, problem)));
        let source = source.transpose().unwrap_or_else(|problem| {
            problems.push(problem);
            None
        });
        parts.push(Part { default: vec![url.value.clone()], by: word(&url.by), source });
    }
    if problems.is_empty() { Ok(parts) } else { Err(problems) }
}

fn word(by: &Origin<'_>) -> &'static str {
    match by {
        Origin::Definition(_) => "definition",
        Origin::Setting(_) => "gateway.yaml",
        Origin::Variable(_) => "variable",
    }
}
