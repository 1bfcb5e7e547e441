//! The certificate that a client showed in its handshake, and what is thought of it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use openssl::{ssl::SslRef, x509::X509};
use tollgate_filter_api::{NoCertificate, Peer};

use super::{
    certificate::{describe, thumbprint},
    trust::Trust,
    verdict::Holds,
};

/// Who the client is, and the certificate it presented, to be judged again when the rules change. The engine's own verdict is not
/// asked: it is also good when no certificate was sent, and it is as old as the session.
pub fn peer(ssl: &SslRef, trust: Option<&Trust>) -> (Peer, Option<Presented>) {
    let Some(trust) = trust else { return (Peer::Anonymous(NoCertificate::NotAsked), None) };
    let Some(leaf) = ssl.peer_certificate() else { return (Peer::Anonymous(NoCertificate::NotSent), None) };
    let chain = ssl.peer_cert_chain().map(|chain| chain.iter().map(ToOwned::to_owned).collect()).unwrap_or_default();
    let presented = Presented::new(leaf, chain, trust);
    (presented.judge(trust), Some(presented))
}

/// The certificate of a connection, and what is thought of it.
pub struct Presented {
    leaf: X509,
    chain: Vec<X509>,
    judged: ArcSwap<Judged>,
}

struct Judged {
    by: u64,
    holds: Holds,
    peer: Peer,
}

impl Presented {
    /// Judges it for the first time.
    pub fn new(leaf: X509, chain: Vec<X509>, trust: &Trust) -> Self {
        let judged = ArcSwap::from_pointee(judge(&leaf, &chain, trust));
        Self { leaf, chain, judged }
    }

    /// The verdict; the one that was found before as long as neither rules nor times changed.
    pub fn judge(&self, trust: &Trust) -> Peer {
        let judged = self.judged.load();
        if judged.by == trust.id() && judged.holds.is_so() {
            return judged.peer.clone();
        }
        let judged = judge(&self.leaf, &self.chain, trust);
        let peer = judged.peer.clone();
        self.judged.store(Arc::new(judged));
        peer
    }
}

impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Presented")
    }
}

fn judge(leaf: &X509, chain: &[X509], trust: &Trust) -> Judged {
    let untrusted = || (Holds::doubted(), Peer::Anonymous(NoCertificate::NotTrusted { sha256: thumbprint(leaf) }));
    let (holds, peer) = match trust.judge(leaf, chain) {
        Ok(until) => describe(leaf).map_or_else(untrusted, |certificate| (Holds::Until(until), Peer::Certified(Arc::new(certificate)))),
        Err(why) => {
            log::debug!("a client certificate is not trusted: {why}");
            untrusted()
        }
    };
    Judged { by: trust.id(), holds, peer }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{
        super::trust::{now, tests},
        *,
    };

    #[test]
    fn a_verdict_counts_under_its_own_rules_and_in_its_time_only() {
        let (root, stranger) = (tests::pair("root", None, true, 9), tests::pair("client", None, false, 9));
        let trust = tests::trusting(&[&root.0], |_| ()).unwrap();
        let remembered = |by: u64, holds: Holds| {
            let peer = Peer::Certified(Arc::default());
            let judged = ArcSwap::from_pointee(Judged { by, holds, peer });
            let presented = Presented { leaf: stranger.0.clone(), chain: Vec::new(), judged };
            // Again it would not be found good.
            matches!(presented.judge(&trust), Peer::Certified(_))
        };
        let soon = Instant::now() + Duration::from_secs(1000);
        for holds in [Holds::Until(now() + 1000), Holds::For(soon)] {
            assert!(remembered(trust.id(), holds));
            assert!(!remembered(trust.id() ^ 1, holds));
        }
        for over in [Holds::Until(now() - 1), Holds::For(Instant::now())] {
            assert!(!remembered(trust.id(), over));
        }
    }
}
