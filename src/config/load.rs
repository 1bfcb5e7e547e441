//! From the file to a checked configuration.

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use tollgate_document::{Document, Limits as DocumentLimits};
use tollgate_filter_api::{Kind, Problem, Problems};

use super::{
    AccessLog, ArtifactTrust, ChainSpec, ClientAuth, EndpointOverride, Gateway, KeyPair, Listener, OutgoingTrust, Process, Tls,
    TrustedProxies, Upstream, check::check,
};

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
    /// SHA-256 of the file, in hex.
    sha256: String,
}

impl Config {
    /// Name of the file, as problems call it.
    pub fn file(&self) -> &str {
        self.document.name()
    }

    /// The file, and the SHA-256 of its bytes in hex.
    pub(super) fn document(&self) -> (&Document, &str) {
        (&self.document, &self.sha256)
    }

    /// The file's content, with references in place of secrets.
    pub fn written(&self) -> serde_json::Value {
        self.document.value()
    }

    /// `file:line` of the value at a pointer; `None` when nobody wrote one.
    pub fn place(&self, pointer: &str) -> Option<String> {
        self.document.at(pointer).map(|node| format!("{}:{}", self.file(), node.line()))
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
        let sha256 = hex::encode(openssl::sha::sha256(bytes));
        Ok(Self { gateway, chain, proxies, base: base.to_owned(), document: Arc::new(document), sha256 })
    }
}

/// Relative paths start at the configuration's folder. Every setting is named here, so that a new one does not compile before somebody
/// has said whether it is a path.
fn resolve(gateway: &mut Gateway, base: &Path) {
    let Gateway {
        listeners,
        upstream,
        endpoints,
        access_log,
        artifact: ArtifactTrust { trusted_keys },
        trust: OutgoingTrust { ca },
        stores,
        process: Process { upgrade_socket, threads: _, grace: _, ready_after: _ },
        admin: _,
        // Paths in settings of filters start there too, when the filter's document is asked for.
        chain: _,
        routes: _,
        limits: _,
        paths: _,
        trusted_proxies: _,
        forwarding: _,
        errors: _,
        request_id: _,
        security: _,
        waive: _,
        waive_to_open: _,
    } = gateway;
    for Listener { tls, address: _, h2c: _, proxy_protocol: _, connections: _ } in listeners {
        tls.iter_mut().for_each(|tls| resolve_tls(tls, base));
    }
    resolve_upstream(upstream, base);
    endpoints.values_mut().for_each(|endpoint| resolve_endpoint(endpoint, base));
    let AccessLog { to } = access_log;
    if !matches!(to.as_str(), "stdout" | "off") {
        *to = base.join(&*to).display().to_string();
    }
    start_at(base, trusted_keys.iter_mut().chain(ca).chain(upgrade_socket));
    stores.resolve(base);
}

/// Relative ones start at `base`.
pub(super) fn start_at<'p>(base: &Path, paths: impl IntoIterator<Item = &'p mut PathBuf>) {
    paths.into_iter().for_each(|path| *path = base.join(&*path));
}

/// The files of a key pair, if there is one.
pub(super) fn files(pair: &mut Option<KeyPair>) -> impl Iterator<Item = &mut PathBuf> {
    pair.iter_mut().flat_map(|KeyPair { certificate, key }| [certificate, key])
}

fn resolve_tls(tls: &mut Tls, base: &Path) {
    let Tls { certificate, key, certificates, client_auth, profile: _, refresh: _, http2: _ } = tls;
    start_at(base, [certificate, key]);
    start_at(base, certificates.iter_mut().flat_map(|KeyPair { certificate, key }| [certificate, key]));
    if let Some(ClientAuth { ca, crl, mode: _, crl_stale: _, depth: _, forwarded: _ }) = client_auth {
        start_at(base, crl.iter_mut().chain([ca]));
    }
}

fn resolve_upstream(upstream: &mut Upstream, base: &Path) {
    let Upstream {
        ca,
        client_certificate,
        http: _,
        preserve_host: _,
        connect_timeout: _,
        read_timeout: _,
        write_timeout: _,
        response_header_timeout: _,
        request_timeout: _,
        idle_timeout: _,
        dns_refresh: _,
        zone: _,
    } = upstream;
    start_at(base, files(client_certificate).chain(ca));
}

fn resolve_endpoint(endpoint: &mut EndpointOverride, base: &Path) {
    let EndpointOverride {
        ca,
        client_certificate,
        production: _,
        sandbox: _,
        discovery: _,
        basic: _,
        http: _,
        server_name: _,
        preserve_host: _,
        read_timeout: _,
        response_header_timeout: _,
        request_timeout: _,
        connect_timeout: _,
        write_timeout: _,
        idle_timeout: _,
        balance: _,
        eject: _,
        check: _,
        retry: _,
        circuit_breaker: _,
        capacity: _,
        canary: _,
        mirror: _,
    } = endpoint;
    start_at(base, files(client_certificate).chain(ca));
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
