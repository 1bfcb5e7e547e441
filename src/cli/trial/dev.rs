//! `tollgate dev`: compile in memory, serve, and swap on save.
//!
//! Changes are seen by looking at times and sizes a few times a second: that works on every file system, and projects are
//! small. A save is taken in when nothing changed any more between two looks, so a half-written file is seldom compiled.

use std::{
    collections::BTreeMap,
    fs::Metadata,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::json;
use tollgate_filters::FILTERS;

use super::{
    demo::{free, listen_address},
    issuer::{self, Addresses, Issuer, KeyFile},
};
use crate::{
    cli::{
        Format,
        project::{BuildOptions, ProjectDir},
        report::{Failure, print, print_json},
        run::{self, set::Overrides},
    },
    config,
    proxy::{ConfigSource, Gateway},
    telemetry::ProcessLog,
};

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// How long the printed token is good.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Serve a project while you work on it.
///
/// Compiles in memory and watches the files: what is saved is served, what is
/// wrong is printed, and then the version before it stays. Without --config,
/// a key is made on the spot and a token for it is printed; a project with
/// .proto files gets an address for gRPC clients besides.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The project folder.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The environment: gateway.yaml.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address without --config [default: 127.0.0.1:9090, or a free port].
    #[arg(long, value_name = "ADDR", conflicts_with = "config")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    options: BuildOptions,
    #[command(flatten)]
    overrides: Overrides,
}

pub(in crate::cli) fn run(args: &Args, format: Format) -> Result<(), Failure> {
    ProcessLog::install();
    let (config, key) = match &args.config {
        Some(path) => (ConfigSource::File(path.clone()), None),
        None => {
            let (config, key) = own_config(args, format)?;
            (config, Some(key))
        }
    };
    let mut watched = Watched { folder: args.folder.clone(), config: args.config.clone(), written: Vec::new() };
    // Looked at before loading: what is saved in between is then seen as a change.
    let mut seen = watched.look();
    let source = ProjectDir { folder: args.folder.clone(), options: args.options.clone() };
    let gateway = Gateway::load_with(Arc::new(source), config, FILTERS, args.overrides.variables())?;
    watched.written = written(&gateway.current().config().gateway);
    seen.retain(|path, _| !watched.is_written(path));
    let reloading = gateway.clone();
    std::thread::spawn(move || watched.follow(seen, || drop(reloading.reload())));
    let ended = run::start(&gateway, false);
    drop(key);
    ended
}

fn own_config(args: &Args, format: Format) -> Result<(ConfigSource, KeyFile), Failure> {
    let listen = listen_address(args.listen)?;
    let admin = free(listen.ip())?;
    let grpc = if has_services(&args.folder) { Some(free(listen.ip())?) } else { None };
    let issuer = Issuer::new()?;
    let key = issuer.key_file()?;
    let token = issuer.token(LIFETIME)?;
    match format {
        Format::Text => {
            let grpc = grpc.map(|grpc| format!("grpc    {grpc}\n")).unwrap_or_default();
            print(&format!("gateway http://{listen}\n{grpc}admin   http://{admin}\ntoken   {token}"))?;
        }
        Format::Json => {
            let addresses =
                json!({ "gateway": format!("http://{listen}"), "grpc": grpc, "admin": format!("http://{admin}"), "token": token });
            print_json(&addresses)?;
        }
    }
    let text = issuer::config(Addresses { listen, grpc, admin }, &key.path(), "stdout");
    Ok((ConfigSource::Text { name: "dev".to_owned(), text, base: args.folder.clone() }, key))
}

/// Whether a project has definitions of gRPC, whose clients speak HTTP/2.
fn has_services(folder: &Path) -> bool {
    tollgate_compiler::Project::open(folder).is_ok_and(|project| project.definitions.iter().any(|name| name.ends_with(".proto")))
}

/// What a file looks like from outside.
type Look = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

struct Watched {
    folder: PathBuf,
    config: Option<PathBuf>,
    /// What the gateway itself writes, and begins with these: its every request would look like a save.
    written: Vec<PathBuf>,
}

/// The access log, the journal of revocations and what is kept for the next start, as far as they are files.
fn written(config: &config::Gateway) -> Vec<PathBuf> {
    let stores = &config.stores;
    let journal = stores.revocations.journal.iter().filter_map(|path| path.canonicalize().ok());
    let log = PathBuf::from(&config.access_log.to).canonicalize().ok();
    // They are there only after a while, and are written beside first, with more behind their names.
    let kept = stores.counters.file.iter().chain(stores.discovery.iter().filter_map(|discovery| discovery.file.as_ref()));
    let kept = kept.filter_map(|path| Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?)));
    // The journal is written anew under the other name.
    journal.flat_map(|path| [path.with_extension("next"), path]).chain(log).chain(kept).collect()
}

impl Watched {
    fn is_written(&self, path: &Path) -> bool {
        let beside = |path: &Path, own: &PathBuf| path.as_os_str().as_encoded_bytes().starts_with(own.as_os_str().as_encoded_bytes());
        !self.written.is_empty() && path.canonicalize().is_ok_and(|path| self.written.iter().any(|own| beside(&path, own)))
    }

    /// Every file of the project, but not what `build` and the gateway write, and the configuration.
    fn look(&self) -> Look {
        let mut look = Look::new();
        walk(&self.folder, &mut look);
        look.retain(|path, _| !self.is_written(path));
        if let Some(config) = &self.config
            && let Ok(meta) = config.metadata()
        {
            look.insert(config.clone(), stamp(&meta));
        }
        look
    }

    /// Calls back after every change, for ever.
    fn follow(&self, mut served: Look, mut changed: impl FnMut()) {
        let mut last = served.clone();
        loop {
            std::thread::sleep(PAUSE);
            let now = self.look();
            if now == last && now != served {
                served = now.clone();
                changed();
            }
            last = now;
        }
    }
}

fn stamp(meta: &Metadata) -> (u64, Option<SystemTime>) {
    (meta.len(), meta.modified().ok())
}

fn walk(folder: &Path, look: &mut Look) {
    let Ok(entries) = folder.read_dir() else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        // What builds write and fetch is not what is served.
        if name == "target" || name == "node_modules" || name.to_string_lossy().starts_with('.') {
            continue;
        }
        let path = entry.path();
        let Ok(meta) = path.metadata() else { continue };
        let link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        if meta.is_dir() && !link {
            walk(&path, look);
        } else if meta.is_file() {
            look.insert(path, stamp(&meta));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_counts_but_not_what_build_writes() {
        let folder = tollgate_testkit::Folder::new();
        for part in ["api_definitions/deep", "target", ".git"] {
            std::fs::create_dir_all(folder.join(part)).unwrap();
        }
        let mut watched = Watched { folder: folder.path().to_owned(), config: None, written: Vec::new() };
        let empty = watched.look();
        for ignored in ["target/x.toll", ".git/index"] {
            folder.write(ignored, "x");
        }
        assert_eq!(watched.look(), empty);
        folder.write("api_definitions/deep/a.yaml", "x");
        let one = watched.look();
        assert_ne!(one, empty);
        folder.write("api_definitions/deep/a.yaml", "xy");
        let two = watched.look();
        assert_ne!(two, one);
        for own in ["access.log", "journal", "journal.known"] {
            folder.write(own, "x");
        }
        watched.written = ["access.log", "journal"].map(|own| folder.join(own).canonicalize().unwrap()).into();
        assert_eq!(watched.look(), two);
    }
}
