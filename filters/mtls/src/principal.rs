//! Who a certificate speaks of.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use serde_json::{Map, Value, json};
use tollgate_filter_api::{Certificate, Principal, PrincipalParts};

/// Who says so.
pub(crate) const ID: &str = "mtls";

/// One for each value of a digest's first byte.
const SLOTS: usize = 256;

/// Principals that were made before, each in the one place that its certificate's digest names.
pub(crate) struct Principals(Box<[ArcSwapOption<Made>]>);

struct Made {
    sha256: [u8; 32],
    forwarded: bool,
    principal: Principal,
}

impl Principals {
    pub(crate) fn new() -> Self {
        Self((0..SLOTS).map(|_| ArcSwapOption::empty()).collect())
    }

    pub(crate) fn of(&self, certificate: &Certificate) -> Principal {
        let slot = &self.0[usize::from(certificate.sha256[0])];
        if let Some(made) = &*slot.load()
            && made.sha256 == certificate.sha256
            && made.forwarded == certificate.forwarded
        {
            return made.principal.clone();
        }
        let principal = Principal::new(parts(certificate));
        let made = Made { sha256: certificate.sha256, forwarded: certificate.forwarded, principal: principal.clone() };
        slot.store(Some(Arc::new(made)));
        principal
    }
}

fn parts(certificate: &Certificate) -> PrincipalParts {
    let fingerprint = hex::encode(certificate.sha256);
    let named = certificate.dns_names.first().or(certificate.uri_names.first());
    let client = named.cloned().unwrap_or_else(|| fingerprint.clone());
    let subject = if certificate.subject.is_empty() { &client } else { &certificate.subject };
    PrincipalParts {
        filter: ID,
        subject: Some(subject.clone()),
        issuer: Some(certificate.issuer.clone()),
        client: Some(client),
        claims: claims(certificate, &fingerprint),
        ..PrincipalParts::default()
    }
}

fn claims(certificate: &Certificate, fingerprint: &str) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    put("subject", json!(certificate.subject));
    put("issuer", json!(certificate.issuer));
    put("sha256", json!(fingerprint));
    put("forwarded", json!(certificate.forwarded));
    for (name, values) in [("dns", &certificate.dns_names), ("uri", &certificate.uri_names), ("email", &certificate.email_names)] {
        if !values.is_empty() {
            put(name, json!(values));
        }
    }
    if !certificate.ip_names.is_empty() {
        put("ip", json!(certificate.ip_names.iter().map(ToString::to_string).collect::<Vec<_>>()));
    }
    claims
}
