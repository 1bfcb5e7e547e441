//! Copies of requests, for the mirror of a group. A request pays for its copy with the memory of head and body, and never waits for it.
//!
//! A copy has what goes upstream, framed anew; tunnels and bodies beyond the limit have none. It does not protect the mirror from requests that
//! change something twice, here and there.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http::header;
use pingora::{
    connectors::http::Connector,
    http::RequestHeader,
    protocols::{http::client::HttpSession, l4::socket::SocketAddr as EngineAddr},
    upstreams::peer::HttpPeer,
};
use tokio::time::timeout;

use super::{server_name, upstream_peer::UpstreamPeer};
use crate::upstreams::{Choice, Copy, Endpoint, Mirror, outgoing};

/// A copy that is being made.
pub struct Copying {
    copy: Copy<UpstreamPeer>,
    endpoint: Arc<Endpoint<UpstreamPeer>>,
    head: Box<RequestHeader>,
    body: Vec<u8>,
    turn: usize,
}

impl Copying {
    /// Begins with the head that goes upstream; the client asked for that target, of which so many bytes are the base path. `None` when there
    /// can be no copy.
    pub fn begin(
        mirror: &Arc<Mirror<UpstreamPeer>>,
        head: &RequestHeader,
        target: &http::Uri,
        base_len: usize,
        turn: usize,
    ) -> Option<Box<Self>> {
        if head.headers.contains_key(header::UPGRADE) {
            return None;
        }
        let now = Instant::now();
        let mut selection = mirror.group.select(Choice::at(now));
        selection.next(turn, now).ok()?;
        let endpoint = selection.endpoint()?.clone();
        let copy = mirror.begin()?;
        let mut head = Box::new(head.clone());
        let upstream = &endpoint.upstream;
        head.set_uri(http::Uri::try_from(outgoing(upstream, base_len, target.path(), target.query())).ok()?);
        if !upstream.preserve_host {
            head.insert_header(header::HOST, upstream.host_header.clone()).ok()?;
        }
        for framing in [header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::EXPECT, header::CONNECTION] {
            head.remove_header(&framing);
        }
        Some(Box::new(Self { copy, endpoint, head, body: Vec::new(), turn }))
    }

    /// The body begins anew, with another attempt.
    pub fn begin_body(&mut self) {
        self.body.clear();
    }

    /// A piece of the body; false when it has become too long.
    pub fn piece(&mut self, piece: &Bytes) -> bool {
        let mirror = self.copy.mirror();
        if self.body.len() + piece.len() > mirror.body {
            mirror.too_long();
            return false;
        }
        self.body.extend_from_slice(piece);
        true
    }

    /// Sends it, beside everything else.
    pub fn send(self: Box<Self>, connector: Arc<Connector>) {
        tokio::spawn(async move {
            let limit = self.copy.mirror().timeout;
            let answered = match timeout(limit, self.exchange(&connector)).await {
                Ok(Ok(())) => true,
                Ok(Err(error)) => {
                    log::debug!("a copy was not answered: {error}");
                    false
                }
                Err(_) => false,
            };
            self.copy.ended(answered);
        });
    }

    async fn exchange(&self, connector: &Connector) -> pingora::Result<()> {
        let address = self.endpoint.upstream.look_up(self.turn).await;
        let address = address.map_err(|error| pingora::Error::because(pingora::ErrorType::ConnectError, "no address", error))?;
        let mut peer: HttpPeer = self.endpoint.connection.http.clone();
        peer._address = EngineAddr::Inet(address);
        peer.options.read_timeout = Some(self.endpoint.upstream.timeouts.read);
        let (mut session, _) = connector.get_http_session(&peer).await?;
        server_name::check(session.digest())?;
        let mut head = self.head.clone();
        if !self.body.is_empty() {
            head.insert_header(header::CONTENT_LENGTH, self.body.len().to_string())?;
        }
        head.set_version(if matches!(session, HttpSession::H2(_)) { http::Version::HTTP_2 } else { http::Version::HTTP_11 });
        session.write_request_header(head).await?;
        if !self.body.is_empty() {
            session.write_request_body(Bytes::from(self.body.clone()), true).await?;
        }
        session.finish_request_body().await?;
        session.read_response_header().await?;
        while session.read_response_body().await?.is_some() {}
        connector.release_http_session(session, &peer, Some(self.endpoint.upstream.timeouts.idle)).await;
        Ok(())
    }
}
