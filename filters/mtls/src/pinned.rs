//! Certificates that are accepted themselves, out of files that may change.

use std::sync::Arc;

use arc_swap::ArcSwap;
use openssl::sha::sha256;
use tollgate_filter_api::{Document, DocumentPolicy, Env, Interval, Location, Problem};
use tollgate_pem::{Kind, Unusable, certificates};

const MAX_BYTES: usize = 1 << 20;

/// The certificates of one file.
pub(crate) struct Pinned {
    location: Location,
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
        let wrong = |why: &Unusable| Problem::error("mtls.certificates", format!("{location} {why}"));
        let version = source.version().ok_or_else(|| wrong(&Unusable::Nothing(Kind::Certificate)))?;
        let read = Read { number: version.number, digests: digests(&version.bytes).map_err(|why| wrong(&why))? };
        Ok(Self { location, source, read: ArcSwap::from_pointee(read) })
    }

    /// Whether a certificate is in the file. A new version that cannot be read leaves the old one in force.
    pub(crate) fn contains(&self, sha256: &[u8; 32]) -> bool {
        let read = self.read.load();
        if read.number == self.source.number() {
            return read.digests.contains(sha256);
        }
        if let Some(version) = self.source.version() {
            let digests = digests(&version.bytes).unwrap_or_else(|why| {
                log::warn!("{} {why}; the certificates that it held stay in force", self.location);
                read.digests.clone()
            });
            self.read.store(Arc::new(Read { number: version.number, digests }));
        }
        self.read.load().digests.contains(sha256)
    }
}

fn digests(pem: &[u8]) -> Result<Vec<[u8; 32]>, Unusable> {
    let digest = |der: Vec<u8>| sha256(&der);
    certificates(pem)?.iter().map(|certificate| certificate.to_der().map(digest).map_err(|_| Unusable::Der(Kind::Certificate))).collect()
}
