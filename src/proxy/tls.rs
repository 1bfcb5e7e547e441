//! The gateway's side of TLS: acceptors from files, and who the client proved to be.
//!
//! A trust store that is missing, empty or unreadable, or a key that does not belong to its certificate, stops the load. With
//! `optional`, a certificate that does not verify counts as none. It does not check revocation.

use std::{net::IpAddr, path::Path, sync::Arc};

use openssl::{
    hash::MessageDigest,
    nid::Nid,
    pkey::PKey,
    sha::sha256,
    ssl::{AlpnError, SslAcceptor, SslMethod, SslRef, SslVerifyMode, select_next_proto},
    x509::{GeneralNameRef, X509, X509NameRef, X509VerifyResult, store::X509StoreBuilder},
};
use tollgate_filter_api::{Certificate, NoCertificate, Peer, Problem};

use crate::config::{ClientAuth, ClientAuthMode, Tls};

/// Builds the acceptor of a listener.
///
/// # Errors
/// Files that cannot be read or do not fit together.
pub fn acceptor(tls: &Tls) -> Result<SslAcceptor, Problem> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).map_err(|error| internal(&error))?;
    // The stream below is not buffered: without this, each record costs a read for its head and one for the rest.
    builder.set_read_ahead(true);
    let chain = certificates(&tls.certificate)?;
    let key = read(&tls.key)?;
    // A prompt for the password would hang the start.
    let key = PKey::private_key_from_pem_callback(&key, |_| Ok(0))
        .map_err(|_| problem(&tls.key, "is not a private key in PEM, or is protected by a password"))?;
    let Some((leaf, rest)) = chain.split_first() else { return Err(problem(&tls.certificate, "holds no certificate")) };
    let matches = leaf.public_key().is_ok_and(|public| public.public_eq(&key));
    if !matches {
        return Err(
            problem(&tls.key, "is not the key of the certificate").hint(format!("the certificate is {}", tls.certificate.display()))
        );
    }
    builder.set_certificate(leaf).and_then(|()| builder.set_private_key(&key)).map_err(|error| internal(&error))?;
    for certificate in rest {
        builder.add_extra_chain_cert(certificate.clone()).map_err(|error| internal(&error))?;
    }
    let protocols: &'static [u8] = if tls.http2 { b"\x02h2\x08http/1.1" } else { b"\x08http/1.1" };
    builder.set_alpn_select_callback(move |_, offered| select_next_proto(protocols, offered).ok_or(AlpnError::NOACK));
    if let Some(client_auth) = &tls.client_auth {
        ask_for_certificates(&mut builder, client_auth)?;
    }
    Ok(builder.build())
}

fn ask_for_certificates(builder: &mut openssl::ssl::SslAcceptorBuilder, client_auth: &ClientAuth) -> Result<(), Problem> {
    let trusted = certificates(&client_auth.ca)?;
    if trusted.is_empty() {
        return Err(problem(&client_auth.ca, "holds no certificate; an empty trust store would trust nobody or everybody"));
    }
    let mut store = X509StoreBuilder::new().map_err(|error| internal(&error))?;
    let mut context = Vec::new();
    for certificate in trusted {
        let digest = certificate.digest(MessageDigest::sha256()).map_err(|error| internal(&error))?;
        context.extend_from_slice(&digest);
        builder.add_client_ca(&certificate).map_err(|error| internal(&error))?;
        store.add_cert(certificate).map_err(|error| internal(&error))?;
    }
    builder.set_verify_cert_store(store.build()).map_err(|error| internal(&error))?;
    context.push(client_auth.mode as u8);
    // Without a context of its own, a client that resumes a session is refused; with one for each policy, a session never
    // carries an identity to another.
    builder.set_session_id_context(&sha256(&context)).map_err(|error| internal(&error))?;
    match client_auth.mode {
        ClientAuthMode::Required => builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT),
        // The handshake goes on; the verdict is read from the connection afterwards.
        ClientAuthMode::Optional => builder.set_verify_callback(SslVerifyMode::PEER, |_, _| true),
    }
    Ok(())
}

/// Who the client is. The verdict alone is not enough: it is also good when no certificate was sent.
pub fn peer(ssl: &SslRef, client_auth: Option<&ClientAuth>) -> Peer {
    if client_auth.is_none() {
        return Peer::Anonymous(NoCertificate::NotAsked);
    }
    let Some(leaf) = ssl.peer_certificate() else { return Peer::Anonymous(NoCertificate::NotSent) };
    if ssl.verify_result() != X509VerifyResult::OK {
        return Peer::Anonymous(NoCertificate::NotTrusted);
    }
    match describe(&leaf) {
        Some(certificate) => Peer::Certified(Arc::new(certificate)),
        None => Peer::Anonymous(NoCertificate::NotTrusted),
    }
}

fn describe(leaf: &X509) -> Option<Certificate> {
    let der = leaf.to_der().ok()?;
    let names = leaf.subject_alt_names();
    let texts = |read: fn(&GeneralNameRef) -> Option<&str>| names.iter().flatten().filter_map(read).map(str::to_owned).collect();
    Some(Certificate {
        sha256: sha256(&der),
        subject: distinguished_name(leaf.subject_name())?,
        issuer: distinguished_name(leaf.issuer_name())?,
        dns_names: texts(GeneralNameRef::dnsname),
        uri_names: texts(GeneralNameRef::uri),
        email_names: texts(GeneralNameRef::email),
        ip_names: names.iter().flatten().filter_map(|name| address(name.ipaddress()?)).collect(),
        forwarded: false,
        der,
    })
}

/// An address as a certificate has it: 4 or 16 bytes.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// RFC 4514: the last component first, special characters escaped. A component that is not UTF-8 makes the whole unusable.
fn distinguished_name(name: &X509NameRef) -> Option<String> {
    let mut parts = Vec::new();
    for entry in name.entries() {
        let nid = entry.object().nid();
        let key = if nid == Nid::UNDEF { entry.object().to_string() } else { nid.short_name().ok()?.to_owned() };
        let value = entry.data().to_string().ok()?;
        parts.push(format!("{key}={}", escape(&value)));
    }
    parts.reverse();
    Some(parts.join(","))
}

fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (index, c) in value.chars().enumerate() {
        let at_edge = (index == 0 && matches!(c, ' ' | '#')) || (index == last && c == ' ');
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => escaped.extend(['\\', c]),
            _ if at_edge => escaped.extend(['\\', c]),
            c if c.is_control() => c.to_string().bytes().for_each(|byte| escaped.push_str(&format!("\\{byte:02X}"))),
            c => escaped.push(c),
        }
    }
    escaped
}

fn certificates(path: &Path) -> Result<Vec<X509>, Problem> {
    let pem = read(path)?;
    X509::stack_from_pem(&pem).map_err(|_| problem(path, "is not a list of certificates in PEM"))
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    std::fs::read(path).map_err(|error| problem(path, &format!("cannot be read: {error}")))
}

fn problem(path: &Path, what: &str) -> Problem {
    Problem::error("tls.file", format!("{} {what}", path.display()))
}

fn internal(error: &openssl::error::ErrorStack) -> Problem {
    Problem::error("tls.setup", format!("TLS cannot be set up: {error}"))
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
