//! A client's certificate that a load balancer forwards in a header, because the client's TLS ends there.
//!
//! The header is read only on a connection with one of the balancers' own certificates, which must be trusted like any other. It never
//! reaches a filter or the upstream, in any spelling and whoever sent it. The certificate is judged by the same rules as one of a
//! handshake. Does **not** protect against a balancer that forwards a certificate without checking that its owner has the key.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use openssl::{sha::sha256, x509::X509};
use tollgate_filter_api::{Certificate, NoCertificate, Peer, Problem, percent_decoded};
use tollgate_pem::{certificate_from_der, certificates};
use tollgate_recent::Recent;

use super::{
    certificate::{describe, thumbprint},
    trust::ClientTrust,
    verdict::Validity,
};
use crate::config::ForwardedCertificate;

/// Certificates whose verdict is remembered.
const REMEMBERED: usize = 10_000;

/// Names that mean something else to the gateway.
const TAKEN: [&str; 6] = ["host", "authorization", "cookie", "content-length", "transfer-encoding", "connection"];

/// Who may forward certificates, and where.
pub struct Forwarded {
    header: HeaderName,
    balancers: Vec<[u8; 32]>,
    judged: Recent<[u8; 32], Judged>,
}

#[derive(Clone)]
struct Judged {
    by: u64,
    validity: Validity,
    peer: Peer,
}

impl Forwarded {
    /// Takes the settings.
    ///
    /// # Errors
    /// A name that no header has, or that means something else; no balancer; what is no digest.
    pub fn new(settings: &ForwardedCertificate) -> Result<Self, Problem> {
        let wrong = |message: String| Problem::error("tls.forwarded", message);
        let header = HeaderName::from_bytes(settings.header.as_bytes());
        let header = header.map_err(|_| wrong(format!("expected the name of a header, found {:?}", settings.header)))?;
        if TAKEN.contains(&header.as_str()) || header.as_str().starts_with("x-forwarded-") {
            return Err(wrong(format!("expected a header that means nothing else, found `{header}`")));
        }
        let balancers: Option<Vec<_>> = settings.balancers.iter().map(|text| digest(text)).collect();
        match balancers {
            Some(balancers) if !balancers.is_empty() => Ok(Self { header, balancers, judged: Recent::new(REMEMBERED) }),
            Some(_) => Err(wrong("expected at least one balancer, found none".to_owned())),
            None => Err(wrong("expected SHA-256 digests of 64 hexadecimal digits, with or without colons".to_owned())
                .hint("`openssl x509 -noout -fingerprint -sha256 -in balancer.pem` prints it")),
        }
    }

    /// The header, which only a balancer may write.
    pub fn header(&self) -> HeaderName {
        self.header.clone()
    }

    /// Whether the other end of a connection is one of the balancers.
    pub fn is_balancer(&self, peer: &Peer) -> bool {
        matches!(peer, Peer::Certified(certificate) if self.balancers.contains(&certificate.sha256))
    }

    /// Who sends a request: on a balancer's connection the client behind it, on any other the peer itself.
    pub fn peer(&self, peer: Peer, headers: &HeaderMap, trust: &ClientTrust) -> Peer {
        if !self.is_balancer(&peer) {
            return peer;
        }
        let mut values = headers.get_all(&self.header).iter();
        match (values.next(), values.next()) {
            (None, _) => Peer::Anonymous(NoCertificate::NotSent),
            (Some(value), None) => self.judge(value, trust),
            (Some(_), Some(_)) => Peer::Anonymous(NoCertificate::NotTrusted { sha256: None }),
        }
    }

    fn judge(&self, value: &HeaderValue, trust: &ClientTrust) -> Peer {
        let key = sha256(value.as_bytes());
        let good = |judged: &Judged| (judged.by == trust.id() && judged.validity.is_current()).then(|| judged.peer.clone());
        if let Some(peer) = self.judged.find(&key, good) {
            return peer;
        }
        let (validity, peer) = judge(value.as_bytes(), trust);
        self.judged.put(key, Judged { by: trust.id(), validity, peer: peer.clone() });
        peer
    }
}

fn judge(value: &[u8], trust: &ClientTrust) -> (Validity, Peer) {
    let untrusted = |sha256| (Validity::of_refusal(), Peer::Anonymous(NoCertificate::NotTrusted { sha256 }));
    let mut chain = read(value).unwrap_or_default().into_iter();
    let Some(leaf) = chain.next() else { return untrusted(None) };
    let until =
        trust.judge(&leaf, &chain.collect::<Vec<_>>()).inspect_err(|why| log::debug!("a forwarded certificate is not trusted: {why}"));
    match until.ok().zip(describe(&leaf)) {
        Some((until, certificate)) => (Validity::Until(until), Peer::Certified(Arc::new(Certificate { forwarded: true, ..certificate }))),
        None => untrusted(thumbprint(&leaf)),
    }
}

/// The certificates of a value: PEM, percent-encoded; or one in base64, bare or between colons (RFC 9440 §2.1). A comma is in none of
/// them: it joins two fields into one on the way (RFC 9110 §5.3), and the first of them may be what the client wrote.
fn read(value: &[u8]) -> Option<Vec<X509>> {
    let text = std::str::from_utf8(value).ok()?.trim();
    if text.contains(',') {
        return None;
    }
    let bare = text.strip_prefix(':').and_then(|rest| rest.strip_suffix(':')).unwrap_or(text);
    if let Ok(der) = STANDARD.decode(bare) {
        return certificate_from_der(&der).ok().map(|leaf| vec![leaf]);
    }
    certificates(&percent_decoded(text)?).ok()
}

/// With or without colons.
fn digest(text: &str) -> Option<[u8; 32]> {
    hex::decode(text.replace(':', "")).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(header: &str, balancers: &[&str]) -> ForwardedCertificate {
        ForwardedCertificate { header: header.to_owned(), balancers: balancers.iter().map(|digest| (*digest).to_owned()).collect() }
    }

    #[test]
    fn settings_that_trust_nobody_or_take_another_meaning_are_refused() {
        let digest = "ab:".repeat(31) + "AB";
        assert!(Forwarded::new(&settings("X-Client-Cert", &[&digest])).is_ok());
        for (header, balancers) in [
            ("x client", vec![&digest[..]]),
            ("Cookie", vec![&digest]),
            ("X-Forwarded-For", vec![&digest]),
            ("a", vec![]),
            ("a", vec!["ab"]),
        ] {
            assert!(Forwarded::new(&settings(header, &balancers)).is_err(), "{header} {balancers:?}");
        }
    }

    #[test]
    fn a_verdict_counts_under_its_own_rules_and_in_its_time_only() {
        let root = super::super::trust::tests::pair("root", None, true, 9);
        let trust = super::super::trust::tests::trusting(&[&root.0], |_| ()).unwrap();
        let digest = "ab".repeat(32);
        // Again it would not be found good.
        let value = HeaderValue::from_static("AAAA");
        let remembered = |by: u64, validity: Validity| {
            let forwarded = Forwarded::new(&settings("x-client-cert", &[&digest])).unwrap();
            forwarded.judged.put(sha256(value.as_bytes()), Judged { by, validity, peer: Peer::Certified(Arc::default()) });
            matches!(forwarded.judge(&value, &trust), Peer::Certified(_))
        };
        let now = super::super::trust::now();
        assert!(remembered(trust.id(), Validity::Until(now + 1000)));
        assert!(!remembered(trust.id(), Validity::Until(now - 1)));
        assert!(!remembered(trust.id() ^ 1, Validity::Until(now + 1000)));
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        for value in ["", ":", "::", "%", "%zz", "%+1", "AAAA", "-----BEGIN CERTIFICATE-----", "%ff%fe", ":AAAA:"] {
            assert!(read(value.as_bytes()).is_none(), "{value}");
        }
    }
}
