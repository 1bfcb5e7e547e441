//! Whether an upstream's certificate names it where a name counts (RFC 9525 §2).
//!
//! The engine has OpenSSL compare the name, and OpenSSL takes the subject's common name for one where a certificate has no DNS name of its
//! own. The engine has no setting against it, so the certificate is looked at once after the handshake, and the connection is refused
//! before a request is sent, the first and every further one.

use std::sync::Arc;

use openssl::{
    ssl::SslRef,
    x509::{GeneralNameRef, X509},
};
use pingora::{
    Error, ErrorType,
    protocols::{Digest, tls::HandshakeCompleteHook},
};

/// The mark of a connection to a server without a DNS name.
struct Nameless;

/// Marks connections; for those that are encrypted.
pub fn hook() -> HandshakeCompleteHook {
    Arc::new(|ssl: &SslRef| match ssl.peer_certificate() {
        Some(certificate) if has_name(&certificate) => None,
        _ => Some(Arc::new(Nameless)),
    })
}

fn has_name(certificate: &X509) -> bool {
    certificate.subject_alt_names().is_some_and(|names| names.iter().any(|name| GeneralNameRef::dnsname(name).is_some()))
}

/// Whether a request may go over this connection.
///
/// # Errors
/// When it is marked.
pub fn check(digest: Option<&Digest>) -> pingora::Result<()> {
    let tls = digest.and_then(|digest| digest.ssl_digest.as_ref());
    match tls.and_then(|tls| tls.extension.get::<Nameless>()) {
        None => Ok(()),
        Some(Nameless) => {
            let message = "the server's certificate names it in its subject only, if at all, and not in an alternative name";
            Err(Error::explain(ErrorType::InvalidCert, message).into_up())
        }
    }
}
