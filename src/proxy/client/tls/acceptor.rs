//! Makes a TLS acceptor from a listener's files.
//!
//! A trust store that is missing, empty or unreadable, or a key that does not belong to its certificate, stops the load. With
//! `optional`, a certificate that does not verify counts as none. [`trust`] says which certificates are trusted.

use openssl::{
    error::ErrorStack,
    pkey::Id,
    ssl::{
        AlpnError, NameType, SniError, SslAcceptor, SslAcceptorBuilder, SslMethod, SslOptions, SslSessionCacheMode, SslVerifyMode,
        SslVersion, select_next_proto,
    },
    x509::store::X509StoreBuilder,
};
use tollgate_filter_api::Problem;
use tollgate_pem::KeyPair;

use super::{
    named::Named,
    problems::{internal, unusable},
    sessions,
    trust::{self, ClientTrust},
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

/// What a listener's files hold.
pub struct State {
    /// For the next handshake.
    pub acceptor: SslAcceptor,
    /// Which client certificates are trusted, when the listener asks for them.
    pub trust: Option<ClientTrust>,
}

/// Reads the files of a listener.
///
/// # Errors
/// Files that cannot be read or do not fit together.
pub fn state(tls: &Tls) -> Result<State, Problem> {
    let trust = tls.client_auth.as_ref().map(ClientTrust::read).transpose()?;
    Ok(State { acceptor: acceptor(tls, trust.as_ref())?, trust })
}

fn acceptor(tls: &Tls, trust: Option<&ClientTrust>) -> Result<SslAcceptor, Problem> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).map_err(|error| internal(&error))?;
    // The stream below is not buffered: without this, each record costs a read for its head and one for the rest.
    builder.set_read_ahead(true);
    spoken(&mut builder, tls.profile).map_err(|error| internal(&error))?;
    builder.set_options(SslOptions::NO_RENEGOTIATION | SslOptions::NO_COMPRESSION);
    let KeyPair { leaf, intermediates, key } = KeyPair::read(&tls.certificate, &tls.key).map_err(|error| unusable(&error))?;
    if tls.profile == TlsProfile::Fapi && key.id() != Id::RSA {
        log::warn!("{} is no RSA certificate, so that the profile `fapi` speaks TLS 1.3 alone", tls.certificate.display());
    }
    builder.set_certificate(&leaf).and_then(|()| builder.set_private_key(&key)).map_err(|error| internal(&error))?;
    // Also without further certificates: a name that nobody takes note of is not in the session, and a resumed TLS 1.2 connection would have
    // none.
    let named = Named::read(intermediates, &tls.certificates)?;
    builder.set_servername_callback(move |ssl, _| {
        let name = ssl.servername(NameType::HOST_NAME).map(str::to_owned);
        named.show(ssl, name.as_deref()).map_err(|_| SniError::ALERT_FATAL)
    });
    // RFC 7301 §3.2: who speaks something else only is told so, and is not taken for a client of HTTP (ALPACA).
    let protocols: &'static [u8] = if tls.http2 { b"\x02h2\x08http/1.1" } else { b"\x08http/1.1" };
    builder.set_alpn_select_callback(move |_, offered| select_next_proto(protocols, offered).ok_or(AlpnError::ALERT_FATAL));
    // One context for each policy and each content of its files: a session never carries an identity to another.
    sessions::bind(&mut builder, trust.map(|trust| trust.digest).unwrap_or_default());
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

fn ask_for_certificates(builder: &mut SslAcceptorBuilder, client_auth: &ClientAuth, trust: &ClientTrust) -> Result<(), Problem> {
    for anchor in &trust.anchors {
        builder.add_client_ca(anchor).map_err(|error| internal(&error))?;
    }
    // A ticket holds the leaf alone; kept here, the whole chain can be judged again when the session is resumed.
    builder.set_options(SslOptions::NO_TICKET);
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

#[cfg(test)]
#[path = "tests/acceptor.rs"]
mod tests;
