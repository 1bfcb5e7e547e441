//! Which client certificates are trusted: authorities, revocation lists, limits of a chain.
//!
//! The same rules judge a chain in the handshake, when a session is resumed, and when the rules change under an open connection.
//! Revocation lists come from files. Nothing is fetched, and OCSP is not supported.

use std::path::PathBuf;

use openssl::{
    asn1::{Asn1Time, Asn1TimeRef},
    error::ErrorStack,
    sha::{Sha256, sha256},
    ssl::SslFiletype,
    stack::{Stack, StackRef},
    x509::{
        X509, X509PurposeId, X509Ref, X509StoreContext, X509VerifyResult,
        store::{X509Lookup, X509Store, X509StoreBuilder},
        verify::{X509VerifyFlags, X509VerifyParam},
    },
};
use tollgate_filter_api::Problem;
use tollgate_pem::{File, is_pem};

use super::{
    certificate::has_plain_names,
    der, policy,
    problems::{internal, problem, unusable},
};
use crate::config::{ClientAuth, CrlStale};

/// `X509_V_ERR_CRL_HAS_EXPIRED`.
const CRL_EXPIRED: i32 = 12;

/// Keys and digests of 112 bits of security, as in the handshake itself.
const LEVEL: i32 = 2;

/// Which client certificates a listener trusts.
pub struct ClientTrust {
    store: X509Store,
    /// The same store without checks of time, for lists that are stale and still count.
    timeless: Option<X509Store>,
    /// Certificates that a chain may end in.
    pub anchors: Vec<X509>,
    /// Identifies the rules and the content of their files.
    pub digest: [u8; 32],
    /// When each list ends, in seconds since 1970.
    ends: Vec<i64>,
}

impl ClientTrust {
    /// Reads the files.
    ///
    /// # Errors
    /// A file that is missing, empty or broken.
    pub fn read(settings: &ClientAuth) -> Result<Self, Problem> {
        let anchors = File::read(&settings.ca).and_then(|file| file.certificates()).map_err(|error| unusable(&error))?;
        if !anchors.iter().any(is_root) {
            let complaint = problem(&settings.ca, "holds no root: without a certificate that is its own issuer, no chain ends there");
            return Err(complaint.hint("add the root; the filter `mtls` bounds clients to one authority below it by `allow.issuers`"));
        }
        let mut digest = Sha256::new();
        digest.update(&[settings.mode as u8, settings.crl_stale as u8, settings.depth]);
        for anchor in &anchors {
            digest.update(&sha256(&anchor.to_der().map_err(|error| internal(&error))?));
        }
        let mut ends = Vec::new();
        for path in &settings.crl {
            let file = File::read(path).map_err(|error| unusable(&error))?;
            digest.update(&sha256(file.content()));
            let lists = file.revocation_lists().map_err(|error| unusable(&error))?;
            ends.extend(lists.iter().filter_map(|list| seconds(list.next_update()?)));
        }
        let store = store(settings, &anchors, false)?;
        let open = settings.crl_stale == CrlStale::Open && !settings.crl.is_empty();
        let timeless = open.then(|| self::store(settings, &anchors, true)).transpose()?;
        Ok(Self { store, timeless, anchors, digest: digest.finish(), ends })
    }

    /// The first bytes of the digest. A verdict by rules with another id is not used.
    pub fn id(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.digest;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// The earliest `nextUpdate` of the lists, in seconds since 1970.
    pub fn next_update(&self) -> Option<i64> {
        self.ends.iter().min().copied()
    }

    /// Judges a chain. Returns until when the verdict may be used, in seconds since 1970.
    ///
    /// # Errors
    /// Why the certificate is not trusted.
    pub fn judge(&self, leaf: &X509Ref, chain: &[X509]) -> Result<i64, String> {
        self.admits(leaf)?;
        let mut sent = Stack::new().map_err(|error| error.to_string())?;
        for certificate in chain {
            sent.push(certificate.clone()).map_err(|error| error.to_string())?;
        }
        let path = match verify(&self.store, leaf, &sent) {
            Err(verdict) if verdict.as_raw() == CRL_EXPIRED => {
                let store = self.timeless.as_ref().ok_or_else(|| verdict.error_string().to_owned())?;
                let path = verify(store, leaf, &sent).map_err(|verdict| verdict.error_string().to_owned())?;
                if !path.iter().all(is_valid_now) {
                    return Err("a certificate of the chain is outside its validity".to_owned());
                }
                path
            }
            judged => judged.map_err(|verdict| verdict.error_string().to_owned())?,
        };
        // RFC 5280 §4.2.1.4; what an anchor says is not part of the path (§6.1).
        if !path.iter().rev().skip(1).all(has_plain_policies) {
            return Err("a critical policy of the chain has a qualifier that is not understood".to_owned());
        }
        Ok(self.until(&path))
    }

    /// Checks of the client's own certificate that the store does not make.
    fn admits(&self, leaf: &X509Ref) -> Result<(), String> {
        let unreadable = |_| "it cannot be read".to_owned();
        let bytes = leaf.to_der().map_err(|error| error.to_string())?;
        let nameless = leaf.subject_name().entries().next().is_none();
        if nameless && !der::has_critical_names(&bytes).map_err(unreadable)? {
            // RFC 5280 §4.1.2.6
            return Err("the subject is empty, and its other names may be passed over".to_owned());
        }
        if !has_plain_names(leaf) {
            return Err("a name holds what is no plain text, a control character for instance".to_owned());
        }
        // An authority below a root has the root for its issuer, as the clients have that the root signed itself. One that is an anchor
        // speaks for itself: self-signed certificates of clients usually say that they are authorities.
        if der::is_authority(&bytes).map_err(unreadable)? && !self.anchors.iter().any(|anchor| **anchor == *leaf) {
            return Err("it is an authority's".to_owned());
        }
        Ok(())
    }

    fn until(&self, path: &[X509]) -> i64 {
        let now = now();
        let certificates = path.iter().filter_map(|certificate| seconds(certificate.not_after()));
        certificates.chain(self.ends.iter().copied().filter(|end| *end > now)).min().unwrap_or(now)
    }
}

/// A store with the settings' rules.
pub fn store(settings: &ClientAuth, anchors: &[X509], timeless: bool) -> Result<X509Store, Problem> {
    let refused = |error: ErrorStack| internal(&error);
    let mut builder = X509StoreBuilder::new().map_err(refused)?;
    for anchor in anchors {
        builder.add_cert(anchor.clone()).map_err(refused)?;
    }
    let mut flags = X509VerifyFlags::TRUSTED_FIRST;
    if !settings.crl.is_empty() {
        flags |= X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL;
        flags |= X509VerifyFlags::EXTENDED_CRL_SUPPORT | X509VerifyFlags::USE_DELTAS;
        add_lists(&mut builder, &settings.crl)?;
    }
    if timeless {
        flags |= X509VerifyFlags::NO_CHECK_TIME;
    }
    let mut param = X509VerifyParam::new().map_err(refused)?;
    param.set_flags(flags).map_err(refused)?;
    policy::process(&mut param).map_err(refused)?;
    param.set_depth(i32::from(settings.depth));
    param.set_auth_level(LEVEL);
    param.set_purpose(X509PurposeId::SSL_CLIENT).map_err(refused)?;
    builder.set_param(&param).map_err(refused)?;
    Ok(builder.build())
}

fn is_root(certificate: &X509) -> bool {
    certificate.subject_name().try_cmp(certificate.issuer_name()).is_ok_and(|order| order.is_eq())
}

fn add_lists(builder: &mut X509StoreBuilder, paths: &[PathBuf]) -> Result<(), Problem> {
    let lookup = builder.add_lookup(X509Lookup::file()).map_err(|error| internal(&error))?;
    for path in paths {
        let kind = if is_pem(File::read(path).map_err(|error| unusable(&error))?.content()) { SslFiletype::PEM } else { SslFiletype::ASN1 };
        if path.to_str().is_none_or(|text| text.contains('\0')) {
            return Err(problem(path, "has a name that is not UTF-8"));
        }
        lookup.load_crl_file(path, kind).map_err(|_| problem(path, "is not a certificate revocation list"))?;
    }
    Ok(())
}

/// The path that was found.
fn verify(store: &X509Store, leaf: &X509Ref, sent: &StackRef<X509>) -> Result<Vec<X509>, X509VerifyResult> {
    let mut context = X509StoreContext::new().map_err(|_| X509VerifyResult::APPLICATION_VERIFICATION)?;
    let judged = context.init(store, leaf, sent, |context| {
        let good = context.verify_cert()?;
        let path = context.chain().map(|path| path.iter().map(ToOwned::to_owned).collect()).unwrap_or_default();
        Ok(if good { Ok(path) } else { Err(context.error()) })
    });
    // What OpenSSL noted on the way belongs to this verdict, not to the connection whose turn is next on this thread.
    drop(ErrorStack::get());
    judged.unwrap_or(Err(X509VerifyResult::APPLICATION_VERIFICATION))
}

/// What cannot be read is not understood either.
fn has_plain_policies(certificate: &X509) -> bool {
    certificate.to_der().is_ok_and(|bytes| der::has_strange_policies(&bytes) == Ok(false))
}

fn is_valid_now(certificate: &X509) -> bool {
    let now = now();
    seconds(certificate.not_before()).is_some_and(|begin| begin <= now) && seconds(certificate.not_after()).is_some_and(|end| now <= end)
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
}

fn seconds(time: &Asn1TimeRef) -> Option<i64> {
    let diff = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    Some(i64::from(diff.days) * 86_400 + i64::from(diff.secs))
}

#[cfg(test)]
#[path = "tests/trust.rs"]
pub(super) mod tests;
