//! The certificate that a client sent in its handshake, and the verdict on it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use openssl::{ssl::SslRef, x509::X509};
use tollgate_filter_api::{NoCertificate, Peer};

use super::{
    certificate::{describe, thumbprint},
    trust::ClientTrust,
    verdict::Validity,
};

/// Who the client is, and its certificate, so that it can be judged again when the rules change. Does not use OpenSSL's own verdict,
/// which is also good when no certificate was sent, and as old as the session.
pub fn peer(ssl: &SslRef, trust: Option<&ClientTrust>) -> (Peer, Option<ClientCertificate>) {
    let Some(trust) = trust else { return (Peer::Anonymous(NoCertificate::NotAsked), None) };
    let Some(leaf) = ssl.peer_certificate() else { return (Peer::Anonymous(NoCertificate::NotSent), None) };
    let chain = ssl.peer_cert_chain().map(|chain| chain.iter().map(ToOwned::to_owned).collect()).unwrap_or_default();
    let certificate = ClientCertificate::new(leaf, chain, trust);
    (certificate.judge(trust), Some(certificate))
}

/// The certificate of a connection, with the latest verdict.
pub struct ClientCertificate {
    leaf: X509,
    chain: Vec<X509>,
    judged: ArcSwap<Judged>,
}

struct Judged {
    by: u64,
    validity: Validity,
    peer: Peer,
}

impl ClientCertificate {
    /// Judges it for the first time.
    pub fn new(leaf: X509, chain: Vec<X509>, trust: &ClientTrust) -> Self {
        let judged = ArcSwap::from_pointee(judge(&leaf, &chain, trust));
        Self { leaf, chain, judged }
    }

    /// The verdict. The previous one is used as long as the rules are the same and it is current.
    pub fn judge(&self, trust: &ClientTrust) -> Peer {
        let judged = self.judged.load();
        if judged.by == trust.id() && judged.validity.is_current() {
            return judged.peer.clone();
        }
        let judged = judge(&self.leaf, &self.chain, trust);
        let peer = judged.peer.clone();
        self.judged.store(Arc::new(judged));
        peer
    }
}

impl std::fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientCertificate")
    }
}

fn judge(leaf: &X509, chain: &[X509], trust: &ClientTrust) -> Judged {
    let untrusted = || (Validity::of_refusal(), Peer::Anonymous(NoCertificate::NotTrusted { sha256: thumbprint(leaf) }));
    let (validity, peer) = match trust.judge(leaf, chain) {
        Ok(until) => describe(leaf).map_or_else(untrusted, |certificate| (Validity::Until(until), Peer::Certified(Arc::new(certificate)))),
        Err(why) => {
            log::debug!("a client certificate is not trusted: {why}");
            untrusted()
        }
    };
    Judged { by: trust.id(), validity, peer }
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
        let remembered = |by: u64, validity: Validity| {
            let peer = Peer::Certified(Arc::default());
            let judged = ArcSwap::from_pointee(Judged { by, validity, peer });
            let certificate = ClientCertificate { leaf: stranger.0.clone(), chain: Vec::new(), judged };
            // Again it would not be found good.
            matches!(certificate.judge(&trust), Peer::Certified(_))
        };
        let soon = Instant::now() + Duration::from_secs(1000);
        for holds in [Validity::Until(now() + 1000), Validity::For(soon)] {
            assert!(remembered(trust.id(), holds));
            assert!(!remembered(trust.id() ^ 1, holds));
        }
        for over in [Validity::Until(now() - 1), Validity::For(Instant::now())] {
            assert!(!remembered(trust.id(), over));
        }
    }
}
