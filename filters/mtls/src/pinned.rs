//! Certificates that are accepted themselves, out of files that may change.

use std::sync::Arc;

use arc_swap::ArcSwap;
use openssl::{sha::sha256, x509::X509};
use tollgate_filter_api::{Document, DocumentPolicy, Env, Interval, Location, Problem};

const MAX_BYTES: usize = 1 << 20;

/// The certificates of one file.
pub(crate) struct Pinned {
    source: Arc<dyn Document>,
    read: ArcSwap<Read>,
}

struct Read {
    number: u64,
    digests: Vec<[u8; 32]>,
}

impl Pinned {
    pub(crate) fn new(location: Location, env: &Env) -> Result<Self, Problem> {
        let policy = DocumentPolicy {
            refresh: Interval::seconds(10).0,
            least_gap: Interval::seconds(1).0,
            timeout: Interval::seconds(5).0,
            max_bytes: MAX_BYTES,
        };
        let source = env.world.document(&location, policy)?;
        let version = source.version();
        let read = version.and_then(|version| Some(Read { number: version.number, digests: digests(&version.bytes)? }));
        let Some(read) = read else {
            return Err(Problem::error("mtls.certificates", format!("{location} holds no certificate in PEM, or a broken one")));
        };
        Ok(Self { source, read: ArcSwap::from_pointee(read) })
    }

    /// Whether a certificate is in the file. A new version that cannot be read leaves the old one in force.
    pub(crate) fn contains(&self, sha256: &[u8; 32]) -> bool {
        let read = self.read.load();
        if read.number == self.source.number() {
            return read.digests.contains(sha256);
        }
        if let Some(version) = self.source.version() {
            let digests = digests(&version.bytes).unwrap_or_else(|| read.digests.clone());
            self.read.store(Arc::new(Read { number: version.number, digests }));
        }
        self.read.load().digests.contains(sha256)
    }
}

/// `None` for a file without a certificate.
fn digests(pem: &[u8]) -> Option<Vec<[u8; 32]>> {
    let certificates = X509::stack_from_pem(pem).ok().filter(|all| !all.is_empty())?;
    certificates.iter().map(|certificate| certificate.to_der().ok().map(|der| sha256(&der))).collect()
}
