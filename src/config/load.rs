//! From the file to a checked configuration.

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use tollgate_document::{Document, Limits as DocumentLimits, pointer};
use tollgate_filter_api::{Kind, Problem, Problems};

use super::{ChainSpec, Gateway, Limits, Listener, TrustedProxies, Upstream};

/// A configuration that is complete in itself.
#[derive(Clone, Debug)]
pub struct Config {
    /// What was written, with defaults; paths are absolute or relative to the working directory.
    pub gateway: Gateway,
    /// The operator's list of filters, or the catalogue's order.
    pub chain: ChainSpec,
    /// Who may say for whom it speaks.
    pub proxies: TrustedProxies,
    /// Folder of the file; relative paths in filter settings start here.
    pub base: PathBuf,
    document: Arc<Document>,
}

impl Config {
    /// Name of the file, as problems call it.
    pub fn file(&self) -> &str {
        self.document.name()
    }

    /// The file's content, with references in place of secrets.
    pub fn written(&self) -> serde_json::Value {
        self.document.value()
    }

    /// Gives problems that blame this file, and know only a pointer, their line.
    pub fn locate(&self, problems: &mut Problems) {
        for problem in problems.0.iter_mut().filter(|problem| problem.line == 0 && problem.file == self.file()) {
            problem.line = self.document.line(&problem.pointer);
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn load(path: &Path, kinds: &[Kind]) -> Result<Self, Problems> {
        let name = path.display().to_string();
        // One byte more than allowed lets the parser see, and say, that it is too long.
        let most = DocumentLimits::default().bytes as u64 + 1;
        let mut bytes = Vec::new();
        std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(|error| {
            Problem::error("config.unreadable", format!("cannot read the configuration: {error}")).at(name.as_str(), 0, "")
        })?;
        Self::parse(&name, &bytes, path.parent().unwrap_or(Path::new("")), kinds)
    }

    /// Reads text; relative paths start at `base`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(name: &str, bytes: &[u8], base: &Path, kinds: &[Kind]) -> Result<Self, Problems> {
        let document = Document::parse(name, bytes, &DocumentLimits::default())?;
        let mut problems = Problems::default();
        let chain = ChainSpec::read(&document, kinds).unwrap_or_else(|found| {
            problems.0.extend(found.0);
            None
        });
        let gateway = document.decode::<Gateway>("").map_err(|problem| problems.push(problem)).ok();
        let Some(mut gateway) = gateway else { return Err(problems.sorted()) };
        resolve(&mut gateway, base);
        let proxies = TrustedProxies::parse(&gateway.trusted_proxies).unwrap_or_else(|wrong| {
            for index in wrong {
                let problem = Problem::error("config.trusted_proxies", "not an address or an address with a prefix")
                    .hint("write 10.0.0.0/8 or 192.0.2.7");
                problems.push(document.locate(problem, &format!("/trusted_proxies/{index}")));
            }
            TrustedProxies::default()
        });
        check(&gateway, &document, &mut problems);
        if problems.has_errors() {
            return Err(problems.sorted());
        }
        let chain = chain.unwrap_or_else(|| ChainSpec::default_of(kinds, name));
        Ok(Self { gateway, chain, proxies, base: base.to_owned(), document: Arc::new(document) })
    }
}

fn check(gateway: &Gateway, document: &Document, problems: &mut Problems) {
    let mut refuse = |pointer: String, problem: Problem| problems.push(document.locate(problem, &pointer));
    if gateway.listeners.is_empty() {
        refuse("/listeners".into(), Problem::error("config.listeners", "there must be at least one listener"));
    }
    if !gateway.admin.public && !gateway.admin.address.ip().is_loopback() {
        let problem = Problem::error("config.admin", "the admin port has no authentication and its address is not loopback");
        refuse("/admin/address".into(), problem.hint("use 127.0.0.1, or say `public: true` when something else protects it"));
    }
    for (index, listener) in gateway.listeners.iter().enumerate() {
        if listener.h2c && listener.tls.is_some() {
            let problem = Problem::error("config.listener", "`h2c` is HTTP/2 without TLS; this listener has `tls`");
            refuse(format!("/listeners/{index}"), problem.hint("with TLS, HTTP/2 is negotiated; leave `h2c` out"));
        }
        if listener.connections == Some(0) {
            let problem = Problem::error("config.limits", "`connections` is 0, so that nobody could connect");
            refuse(format!("/listeners/{index}/connections"), problem.hint("leave it out, or leave the listener out"));
        }
        let twice = |other: &Listener| other.address == listener.address && listener.address.port() != 0;
        if gateway.listeners[..index].iter().any(twice) || gateway.admin.address == listener.address {
            let message = format!("the address {} is used twice", listener.address);
            refuse(format!("/listeners/{index}/address"), Problem::error("config.listener", message));
        }
    }
    if let Err(problem) = gateway.request_id.field() {
        refuse("/request_id/header".into(), problem);
    }
    for (index, problem) in gateway.forwarding.passing().err().into_iter().flatten() {
        refuse(format!("/forwarding/pass/{index}"), problem);
    }
    if let Some(problem) = gateway.forwarding.judge_pseudonym() {
        refuse("/forwarding/pseudonym".into(), problem);
    }
    let upstream = never(&gateway.upstream).map(|name| format!("/upstream/{name}"));
    let limits = zeros(&gateway.limits).map(|name| format!("/limits/{name}"));
    let overridden = gateway.endpoints.iter().filter(|(_, endpoint)| endpoint.read_timeout.is_some_and(|time| time.0.is_zero()));
    let overridden = overridden.map(|(name, _)| pointer::join(&pointer::join("/endpoints", name), "read_timeout"));
    for place in limits.chain(upstream).chain(overridden) {
        let name = place.rsplit('/').next().unwrap_or_default();
        let problem = Problem::error("config.limits", format!("`{name}` is 0, so that no request could be served"));
        refuse(place, problem.hint("leave it out for the default"));
    }
    if gateway.process.threads > MOST_THREADS {
        let message = format!("expected at most {MOST_THREADS} threads, found {}", gateway.process.threads);
        refuse("/process/threads".into(), Problem::error("config.threads", message).hint("0 takes one for each core"));
    }
}

/// More than the largest machines have cores; the engine starts all of them and ends the process when it gets no more.
const MOST_THREADS: usize = 1024;

/// Times that would be over before anything could come, and a pause that would be none. An `idle_timeout` of 0 keeps nothing.
fn never(upstream: &Upstream) -> impl Iterator<Item = &'static str> {
    let times = [
        ("connect_timeout", upstream.connect_timeout),
        ("read_timeout", upstream.read_timeout),
        ("write_timeout", upstream.write_timeout),
        ("dns_refresh", upstream.dns_refresh),
    ];
    times.into_iter().filter_map(|(name, time)| time.0.is_zero().then_some(name))
}

/// Limits that would refuse everything. A `body_pace` of 0 asks for none, a `body_bytes` of 0 allows requests without a body.
fn zeros(limits: &Limits) -> impl Iterator<Item = &'static str> {
    let never = [
        ("connections", limits.connections == 0),
        ("connections_per_client", limits.connections_per_client == 0),
        ("handshake_time", limits.handshake_time.0.is_zero()),
        ("header_time", limits.header_time.0.is_zero()),
        ("header_bytes", limits.header_bytes.0 == 0),
        ("header_fields", limits.header_fields == 0),
        ("target_bytes", limits.target_bytes.0 == 0),
        ("idle_time", limits.idle_time.0.is_zero()),
        ("write_time", limits.write_time.0.is_zero()),
        ("requests_per_connection", limits.requests_per_connection == 0),
        ("h2_streams", limits.h2_streams == 0),
        ("h2_control_frames", limits.h2_control_frames == 0),
    ];
    never.into_iter().filter_map(|(name, zero)| zero.then_some(name))
}

/// Relative paths start at the configuration's folder.
fn resolve(gateway: &mut Gateway, base: &Path) {
    let join = |path: &mut PathBuf| *path = base.join(&*path);
    for tls in gateway.listeners.iter_mut().filter_map(|listener| listener.tls.as_mut()) {
        join(&mut tls.certificate);
        join(&mut tls.key);
        if let Some(client_auth) = &mut tls.client_auth {
            join(&mut client_auth.ca);
            client_auth.crl.iter_mut().for_each(join);
        }
    }
    let pairs = gateway.endpoints.values_mut().filter_map(|endpoint| endpoint.client_certificate.as_mut());
    for pair in pairs.chain(&mut gateway.upstream.client_certificate) {
        join(&mut pair.certificate);
        join(&mut pair.key);
    }
    gateway.endpoints.values_mut().filter_map(|endpoint| endpoint.ca.as_mut()).chain(&mut gateway.upstream.ca).for_each(join);
    gateway.artifact.trusted_keys.iter_mut().for_each(join);
    gateway.trust.ca.iter_mut().for_each(join);
    gateway.process.upgrade_socket.iter_mut().for_each(join);
    gateway.stores.resolve(base);
    if !matches!(gateway.access_log.to.as_str(), "stdout" | "off") {
        gateway.access_log.to = base.join(&gateway.access_log.to).display().to_string();
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
