//! What is known of a request beside its head.

use std::net::IpAddr;

use tollgate_filter_api::{Moment, NoCertificate, Peer};

use crate::{judge::framing::Framing, routes::host::LastHost};

/// What the wire and the client's connection say of a request.
pub struct Facts<'a> {
    /// When its head was read.
    pub moment: Moment,
    /// A number of its own, for its id.
    pub number: u128,
    /// The address at the other end of the connection.
    pub address: IpAddr,
    /// Whether the connection is encrypted.
    pub secure: bool,
    /// Who sends it, as far as the connection tells. Without a certificate, why the listener lets nobody in without one.
    pub peer: Result<Peer, NoCertificate>,
    /// The server name that the client asked for in its handshake.
    pub server_name: Option<&'a str>,
    /// Whether that must be the request's host.
    pub strict_host: bool,
    /// The host that was asked for on the connection before.
    pub last_host: Option<&'a LastHost>,
    /// Over HTTP/1, the message as it was sent.
    pub http1: Option<Http1<'a>>,
    /// Whether a body follows, be it an empty one whose end was not announced.
    pub has_body: bool,
}

/// A message of HTTP/1 as the stream has read it.
pub struct Http1<'a> {
    /// The head as the engine has it.
    pub head: &'a [u8],
    /// How many bytes of head the stream handed over.
    pub head_bytes: usize,
    /// How the message ends.
    pub framing: Framing,
}
