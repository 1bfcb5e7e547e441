//! `tollgate run`: the gateway.

mod promises;
pub(super) mod proxy;
pub(super) mod set;

use std::{path::PathBuf, sync::Arc};

use serde_json::{Value, json};
use tollgate_filters::FILTERS;

use super::{
    Format,
    project::{ArtifactFile, RoutesAlone},
    report::{Failure, print, print_json},
};
use crate::{
    proxy::{ConfigSource, Gateway, serve},
    source::PlanSource,
    telemetry::ProcessLog,
};
use set::Overrides;

/// Serve an artifact.
///
/// HUP reads artifact and configuration again and keeps the old ones when
/// something is wrong with the new ones. TERM stops, after requests under way.
/// QUIT hands the listeners to a process that was started with `--upgrade`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What `build` made. Absent: the routes of the configuration are all there is.
    #[arg(value_name = "ARTIFACT")]
    artifact: Option<PathBuf>,
    /// The environment: gateway.yaml.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Take the listeners over from the running process.
    #[arg(long)]
    upgrade: bool,
    /// Load and check everything, say what would be served, and end.
    #[arg(short, long)]
    test: bool,
    #[command(flatten)]
    overrides: Overrides,
}

pub(super) fn run(args: &Args, format: Format) -> Result<(), Failure> {
    ProcessLog::install();
    let source: Arc<dyn PlanSource> = match &args.artifact {
        Some(path) => Arc::new(ArtifactFile { path: path.clone(), config: args.config.clone() }),
        None => Arc::new(RoutesAlone(Some(args.config.clone()))),
    };
    let gateway = Gateway::load_with(source, ConfigSource::File(args.config.clone()), FILTERS, args.overrides.variables())?;
    if args.test {
        return tell(&gateway, format);
    }
    start(&gateway, args.upgrade)
}

/// Serves until a signal ends it.
pub(super) fn start(gateway: &Arc<Gateway>, upgrade: bool) -> Result<(), Failure> {
    serve(gateway, upgrade).map_err(|error| Failure::Cannot(error.to_string()))
}

fn tell(gateway: &Gateway, format: Format) -> Result<(), Failure> {
    let report = report(gateway);
    match format {
        Format::Json => print_json(&report),
        Format::Text => {
            let list = |key: &str| match report[key].as_array() {
                Some(items) if !items.is_empty() => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
                _ => "none".to_owned(),
            };
            print(&format!(
                "ready to serve {} operations of {} APIs\nsha256    {}\nsigned by {}\nwaived    {}\nopened    {}{}",
                report["operations"],
                report["apis"],
                report["sha256"].as_str().unwrap_or_default(),
                list("signers"),
                list("waived"),
                list("opened"),
                promises::text(&gateway.quotas.throttling.promises(), gateways(gateway)),
            ))
        }
    }
}

fn report(gateway: &Gateway) -> Value {
    let current = gateway.current();
    let plan = &current.loaded.plan;
    json!({
        "apis": plan.apis.len(),
        "operations": plan.apis.iter().map(|api| api.operations.len()).sum::<usize>(),
        "sha256": current.loaded.digest,
        "signers": current.loaded.signers,
        "waived": current.judge.waived.iter().map(|waived| &waived.filter).collect::<Vec<_>>(),
        "opened": current.judge.waived.iter().filter(|waived| waived.opened > 0).map(|waived| &waived.named).collect::<Vec<_>>(),
        "shared": promises::data(&gateway.quotas.throttling.promises(), gateways(gateway)),
    })
}

/// How many gateways share the store at least, as far as the settings say.
fn gateways(gateway: &Gateway) -> u32 {
    gateway.current().config().gateway.stores.redis.as_ref().map_or(0, |redis| redis.gateways)
}
