//! What is known of a client's connection, shared by its requests.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use futures_util::task::AtomicWaker;
use http::HeaderValue;
use pingora::protocols::raw_connect::ProxyDigest;
use tokio::sync::Notify;
use tollgate_filter_api::Peer;

use super::presence::Presence;
use crate::{
    proxy::{client::tls::client_certificate::ClientCertificate, wire::Framing},
    routes::host::LastHost,
};

/// What the client is expected to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// A request header.
    Header,
    /// A request body.
    Body,
    /// Nothing, or what nobody measures.
    Free,
}

/// Marks a connection whose phase is not followed.
const MULTIPLEXED: u32 = u32::MAX;

/// What is expected, and how often that changed: the phase in the lowest two bits. Two headers in a row, with an answer of the
/// gateway's own between them, are two turns.
pub(in crate::proxy) type Turn = u32;

/// A client's connection, shared by its requests.
#[derive(Debug)]
pub struct Connection {
    /// Address of the other end.
    pub address: IpAddr,
    /// Encrypted.
    pub secure: bool,
    /// Who is there, as far as TLS knows.
    pub peer: Peer,
    /// Server name the client asked for.
    pub server_name: Option<String>,
    /// The server name must be the request's host: the listener asks for client certificates.
    pub strict_host: bool,
    /// The certificate it presented, to be judged again when the rules change.
    pub certificate: Option<ClientCertificate>,
    /// Whether it may be asked to leave.
    pub presence: Arc<Presence>,
    /// Which listener it came to, in the order of the configuration.
    pub listener: usize,
    /// The address as the value of a field.
    pub forwarded_for: HeaderValue,
    /// The host that was asked for here last.
    pub last_host: LastHost,
    turn: AtomicU32,
    /// How the message at hand ends, as the stream has read it.
    framing: AtomicU64,
    /// Bytes of its head.
    head: AtomicUsize,
    /// It carries another protocol now.
    tunnel: AtomicBool,
    /// Requests that may still come, where many share the connection.
    left: AtomicU32,
    spent: Notify,
    /// It holds too much for a client who takes nothing.
    cut: AtomicBool,
    reader: AtomicWaker,
}

impl Connection {
    /// A connection that awaits its first header.
    pub fn new(address: IpAddr, secure: bool, peer: Peer, server_name: Option<String>, strict_host: bool) -> Self {
        let forwarded_for = HeaderValue::try_from(address.to_string()).expect("an address is plain ASCII");
        let turn = AtomicU32::new(Phase::Header as u32);
        Self {
            address,
            secure,
            peer,
            server_name,
            strict_host,
            certificate: None,
            presence: Arc::default(),
            listener: 0,
            forwarded_for,
            last_host: LastHost::default(),
            turn,
            framing: AtomicU64::new(Framing::Length(0).to_bits()),
            head: AtomicUsize::new(0),
            tunnel: AtomicBool::new(false),
            left: AtomicU32::new(u32::MAX),
            spent: Notify::new(),
            cut: AtomicBool::new(false),
            reader: AtomicWaker::new(),
        }
    }

    /// Says what comes next.
    pub fn expect(&self, phase: Phase) {
        let turn = self.turn.load(Ordering::Relaxed);
        if turn != MULTIPLEXED {
            self.turn.store((turn & !3).wrapping_add(4) | phase as u32, Ordering::Relaxed);
        }
    }

    /// Says how the message at hand ends.
    pub fn framed(&self, framing: Framing) {
        self.framing.store(framing.to_bits(), Ordering::Relaxed);
    }

    /// Says how many bytes of head were handed over.
    pub fn head(&self, bytes: usize) {
        self.head.store(bytes, Ordering::Relaxed);
    }

    /// How many bytes the head of the message at hand has. Means nothing over HTTP/2.
    pub fn head_bytes(&self) -> usize {
        self.head.load(Ordering::Relaxed)
    }

    /// How the message at hand ends, once its head was read. Means nothing over HTTP/2.
    pub fn framing(&self) -> Framing {
        Framing::from_bits(self.framing.load(Ordering::Relaxed))
    }

    /// Says that no further message follows: the answer was 101.
    pub fn tunnel(&self) {
        self.tunnel.store(true, Ordering::Relaxed);
    }

    /// Whether [`Connection::tunnel`] was said.
    pub(in crate::proxy) fn is_tunnel(&self) -> bool {
        self.tunnel.load(Ordering::Relaxed)
    }

    /// So many requests share the connection; none of them sets its pace.
    pub fn multiplexed(&self, requests: u32) {
        self.left.store(requests, Ordering::Relaxed);
        self.turn.store(MULTIPLEXED, Ordering::Relaxed);
    }

    /// Counts a request that has begun.
    pub fn request_begins(&self) {
        self.presence.request_begins();
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.spent.notify_one();
        }
    }

    /// Waits until as many have come as may.
    pub async fn spent(&self) {
        self.spent.notified().await;
    }

    /// Ends the connection: its client takes nothing, and what waits for it is needed for others.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
        self.reader.wake();
    }

    /// Whether [`Connection::cut`] was said; if not, the task is woken when it is.
    pub(in crate::proxy) fn is_cut(&self, cx: &std::task::Context<'_>) -> bool {
        self.reader.register(cx.waker());
        self.cut.load(Ordering::Relaxed)
    }

    /// Whether [`Connection::multiplexed`] was said.
    pub(in crate::proxy) fn is_multiplexed(&self) -> bool {
        self.turn() == MULTIPLEXED
    }

    /// What comes next.
    pub(in crate::proxy) fn turn(&self) -> Turn {
        self.turn.load(Ordering::Relaxed)
    }
}

/// The phase of a turn.
pub(in crate::proxy) fn phase_of(turn: Turn) -> Phase {
    match turn & 3 {
        0 => Phase::Header,
        1 => Phase::Body,
        _ => Phase::Free,
    }
}

/// The connection a digest carries.
pub fn connection_of(digest: Option<&pingora::protocols::Digest>) -> Option<&Arc<Connection>> {
    let digest = digest?.proxy_digest.as_ref()?;
    digest.user_data.as_ref()?.downcast_ref::<Arc<Connection>>()
}

/// The digest that carries a connection to its requests.
///
/// # Errors
/// Never in practice: 200 is a legal status.
pub fn digest_of(connection: &Arc<Connection>) -> pingora::Result<Arc<ProxyDigest>> {
    let response = Box::new(pingora::http::ResponseHeader::build(200, Some(0))?);
    Ok(Arc::new(ProxyDigest::new(response, Some(Box::new(connection.clone())))))
}
