//! The gateway's side of TLS: acceptors from files, and who the client proved to be.
//!
//! A trust store that is missing, empty or unreadable, or a key that does not belong to its certificate, stops the load. With
//! `optional`, a certificate that does not verify counts as none. Whose certificates count is [`trust`](super::trust)'s part.

use std::{net::IpAddr, path::Path};

use openssl::{
    error::ErrorStack,
    nid::Nid,
    pkey::{Id, PKey},
    sha::sha256,
    ssl::{
        AlpnError, SslAcceptor, SslAcceptorBuilder, SslMethod, SslOptions, SslRef, SslSessionCacheMode, SslVerifyMode, SslVersion,
        select_next_proto,
    },
    x509::{GeneralNameRef, X509, X509NameRef, X509Ref, store::X509StoreBuilder},
};
use tollgate_filter_api::{Certificate, NoCertificate, Peer, Problem};

use super::{
    der,
    endpoint::{Presented, State},
    trust::{self, Trust},
};
use crate::config::{ClientAuth, ClientAuthMode, CrlStale, Tls, TlsProfile};

/// Suites of TLS 1.2 in Mozilla's intermediate profile, version 6: no key exchange without elliptic curves.
const INTERMEDIATE: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
    ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/// Suites of TLS 1.2 that FAPI 1.0 Part 2 §8.5 permits and BCP 195 (RFC 9325) recommends. The two others that the former permits
/// make a server compute more than its client (CVE-2002-20001), and the latter advises against them.
const FAPI: &str = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384";

/// Groups of Mozilla's profiles.
const GROUPS: &str = "X25519MLKEM768:X25519:P-256:P-384";

/// Sessions that a listener with `client_auth` keeps, some KiB each.
const SESSIONS: i32 = 4096;

/// Reads the files of a listener.
///
/// # Errors
/// Files that cannot be read or do not fit together.
pub fn state(tls: &Tls) -> Result<State, Problem> {
    let trust = tls.client_auth.as_ref().map(Trust::read).transpose()?;
    Ok(State { acceptor: acceptor(tls, trust.as_ref())?, trust })
}

fn acceptor(tls: &Tls, trust: Option<&Trust>) -> Result<SslAcceptor, Problem> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).map_err(|error| internal(&error))?;
    // The stream below is not buffered: without this, each record costs a read for its head and one for the rest.
    builder.set_read_ahead(true);
    spoken(&mut builder, tls.profile).map_err(|error| internal(&error))?;
    builder.set_options(SslOptions::NO_RENEGOTIATION | SslOptions::NO_COMPRESSION);
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
    if tls.profile == TlsProfile::Fapi && key.id() != Id::RSA {
        log::warn!("{} is no RSA certificate, so that the profile `fapi` speaks TLS 1.3 alone", tls.certificate.display());
    }
    builder.set_certificate(leaf).and_then(|()| builder.set_private_key(&key)).map_err(|error| internal(&error))?;
    for certificate in rest {
        builder.add_extra_chain_cert(certificate.clone()).map_err(|error| internal(&error))?;
    }
    // RFC 7301 §3.2: who speaks something else only is told so, and is not taken for a client of HTTP (ALPACA).
    let protocols: &'static [u8] = if tls.http2 { b"\x02h2\x08http/1.1" } else { b"\x08http/1.1" };
    builder.set_alpn_select_callback(move |_, offered| select_next_proto(protocols, offered).ok_or(AlpnError::ALERT_FATAL));
    if let (Some(client_auth), Some(trust)) = (&tls.client_auth, trust) {
        ask_for_certificates(&mut builder, client_auth, trust)?;
    }
    Ok(builder.build())
}

/// Versions, suites and groups.
fn spoken(builder: &mut SslAcceptorBuilder, profile: TlsProfile) -> Result<(), ErrorStack> {
    let (oldest, suites) = match profile {
        TlsProfile::Intermediate => (SslVersion::TLS1_2, INTERMEDIATE),
        TlsProfile::Modern => (SslVersion::TLS1_3, INTERMEDIATE),
        TlsProfile::Fapi => (SslVersion::TLS1_2, FAPI),
    };
    builder.set_min_proto_version(Some(oldest))?;
    builder.set_cipher_list(suites)?;
    builder.set_groups_list(GROUPS)
}

fn ask_for_certificates(builder: &mut SslAcceptorBuilder, client_auth: &ClientAuth, trust: &Trust) -> Result<(), Problem> {
    for anchor in &trust.anchors {
        builder.add_client_ca(anchor).map_err(|error| internal(&error))?;
    }
    // Without a context of its own, a client that resumes a session is refused; with one for each policy and each content of
    // its files, a session never carries an identity to another.
    builder.set_session_id_context(&trust.digest).map_err(|error| internal(&error))?;
    // A ticket holds the leaf alone; kept here, the whole chain can be judged again when the session is resumed.
    builder.set_options(SslOptions::NO_TICKET);
    // A name that nobody takes note of is not in the session either, and a resumed TLS 1.2 connection would have none.
    builder.set_servername_callback(|_, _| Ok(()));
    builder.set_num_tickets(1).map_err(|error| internal(&error))?;
    builder.set_session_cache_mode(SslSessionCacheMode::SERVER);
    builder.set_session_cache_size(SESSIONS);
    builder.set_verify_depth(u32::from(client_auth.depth));
    match client_auth.mode {
        ClientAuthMode::Required => {
            // Where a stale list counts, times are left to the verdict after the handshake. A callback that forgives the list would end
            // the process: OpenSSL also calls it for the path of a list's signer, and the bindings panic there.
            let timeless = client_auth.crl_stale == CrlStale::Open && !client_auth.crl.is_empty();
            let store = trust::store(client_auth, &trust.anchors, timeless)?;
            builder.set_verify_cert_store(store).map_err(|error| internal(&error))?;
            builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        }
        // The handshake goes on with whatever was sent, against a store without certificates and lists; the chain is judged afterwards.
        ClientAuthMode::Optional => {
            let store = X509StoreBuilder::new().map_err(|error| internal(&error))?.build();
            builder.set_verify_cert_store(store).map_err(|error| internal(&error))?;
            builder.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
        }
    }
    Ok(())
}

/// Who the client is, and the certificate it presented, to be judged again when the rules change. The engine's own verdict is not
/// asked: it is also good when no certificate was sent, and it is as old as the session.
pub fn peer(ssl: &SslRef, trust: Option<&Trust>) -> (Peer, Option<Presented>) {
    let Some(trust) = trust else { return (Peer::Anonymous(NoCertificate::NotAsked), None) };
    let Some(leaf) = ssl.peer_certificate() else { return (Peer::Anonymous(NoCertificate::NotSent), None) };
    let chain = ssl.peer_cert_chain().map(|chain| chain.iter().map(ToOwned::to_owned).collect()).unwrap_or_default();
    let presented = Presented::new(leaf, chain, trust);
    (presented.judge(trust), Some(presented))
}

/// SHA-256 of a certificate.
pub(super) fn thumbprint(certificate: &X509Ref) -> Option<[u8; 32]> {
    certificate.to_der().ok().map(|der| sha256(&der))
}

/// What a certificate says. `None` when its names are not text.
pub(super) fn describe(leaf: &X509) -> Option<Certificate> {
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

/// RFC 4514: the last component first, the attributes of one component joined by `+`, special characters escaped. An attribute
/// that is not UTF-8 makes the whole unusable.
fn distinguished_name(name: &X509NameRef) -> Option<String> {
    let mut attributes = Vec::new();
    for entry in name.entries() {
        let nid = entry.object().nid();
        let key = if nid == Nid::UNDEF { entry.object().to_string() } else { nid.short_name().ok()?.to_owned() };
        let value = entry.data().to_string().ok()?;
        attributes.push(format!("{key}={}", escape(&value)));
    }
    let mut components = Vec::new();
    let mut rest = &attributes[..];
    for size in der::component_sizes(&name.to_der().ok()?).ok()? {
        let (component, more) = rest.split_at_checked(size)?;
        components.push(component.join("+"));
        rest = more;
    }
    components.reverse();
    rest.is_empty().then(|| components.join(","))
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

pub(super) fn certificates(path: &Path) -> Result<Vec<X509>, Problem> {
    let pem = read(path)?;
    X509::stack_from_pem(&pem).map_err(|_| problem(path, "is not a list of certificates in PEM"))
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    std::fs::read(path).map_err(|error| problem(path, &format!("cannot be read: {error}")))
}

pub(super) fn problem(path: &Path, what: &str) -> Problem {
    Problem::error("tls.file", format!("{} {what}", path.display()))
}

pub(super) fn internal(error: &ErrorStack) -> Problem {
    Problem::error("tls.setup", format!("TLS cannot be set up: {error}"))
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
