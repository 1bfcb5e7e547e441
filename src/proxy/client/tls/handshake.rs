//! The handshake with a client, and what an operator is told of one that failed.

use std::net::IpAddr;

use openssl::ssl::{Error, SslAcceptor, SslRef};
use pingora::protocols::{
    l4::stream::Stream,
    tls::{SslStream, server::prepare_tls_stream},
};

use super::certificate::thumbprint;

use crate::telemetry::CLIENTS;

/// An encrypted stream; nothing when the handshake fails.
pub async fn handshake(acceptor: &SslAcceptor, stream: Stream, client: IpAddr) -> Option<SslStream<Stream>> {
    let prepared = prepare_tls_stream(acceptor, stream);
    let mut stream = prepared.inspect_err(|error| log::debug!("handshake with {client}: {error}")).ok()?;
    match stream.accept().await {
        Ok(()) => Some(stream),
        Err(error) => {
            tell(stream.ssl(), client, &error);
            None
        }
    }
}

/// Names the certificate that was shown. It may be shown by somebody else than its owner: the handshake that would tell has failed.
fn tell(ssl: &SslRef, client: IpAddr, error: &Error) {
    // The chain that OpenSSL judged, whatever came of it, is all that it keeps of a certificate that it does not believe.
    let leaf = ssl.verified_chain().and_then(|chain| chain.get(0));
    let Some(digest) = leaf.and_then(thumbprint) else { return log::debug!("handshake with {client}: {error}") };
    let verdict = ssl.verify_result();
    log::warn!(target: CLIENTS, "the handshake with {client} failed, who showed the certificate {}: {verdict}: {error}", hex::encode(digest));
}
