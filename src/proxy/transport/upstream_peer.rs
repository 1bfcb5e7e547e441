//! What connecting to an upstream takes. It is made once for each endpoint, and lives as long.

use std::{sync::Arc, time::Duration};

use pingora::{protocols::ALPN, upstreams::peer::HttpPeer, utils::tls::CertKey};
use tollgate_filter_api::Metrics;

use super::{
    H2_WINDOW, Pool, PoolLimits, Pools, server_name,
    upstream_connections::{Connector, UpstreamConnections},
};
use crate::{
    config::UpstreamHttp,
    proxy::{budget::Budget, server::pressure::Pressure},
    stores,
    telemetry::IntCounter,
    upstreams::{self, Factory, Upstream},
};

/// The endpoints that a request of this gateway tries.
pub type Selection = upstreams::Selection<UpstreamPeer>;

/// Connection parameters of an endpoint.
pub struct UpstreamPeer {
    /// For the engine; the address is put in for each request.
    pub http: HttpPeer,
    /// Its connections, when the gateway keeps them itself.
    pub pool: Option<Arc<Pool>>,
}

/// What the connection parameters of all endpoints of a configuration share.
pub struct PeerSettings {
    /// Kept connections.
    pub pools: Arc<Pools>,
    /// Connections whose exchanges have deadlines.
    pub connections: Arc<UpstreamConnections>,
    /// Whether there is need to hurry.
    pub pressure: Arc<Pressure>,
    /// Bytes of answers that may wait for all clients.
    pub budget: Arc<Budget>,
    /// Counts answers that fill what one may have.
    pub filled: IntCounter,
    /// How long a client may take nothing.
    pub write: Duration,
    /// Most bytes of one answer that wait for its client.
    pub buffer: usize,
}

impl PeerSettings {
    /// What makes endpoints with these settings.
    pub fn factory(self, resolver: Arc<stores::Resolver>, metrics: Metrics) -> Factory<UpstreamPeer> {
        Factory { resolver: Arc::new(Names(resolver)), connection: Box::new(move |upstream| self.prepare(upstream)), metrics }
    }

    fn prepare(&self, upstream: &Upstream) -> UpstreamPeer {
        let endpoint = self.pools.of_engine(upstream.group_key);
        let mut http = peer(upstream, Connector { all: self.connections.clone(), endpoint });
        if upstream.tls || http.options.alpn != ALPN::H1 {
            return UpstreamPeer { http, pool: None };
        }
        let limits = PoolLimits {
            read: upstream.timeouts.read,
            write: self.write,
            pressure: self.pressure.clone(),
            idle: upstream.timeouts.idle,
            buffer: self.buffer,
            budget: self.budget.clone(),
            filled: self.filled.clone(),
            connections: self.connections.clone(),
        };
        // The connection keeps it, and the engine's clock would run while a client is waited for.
        http.options.read_timeout = None;
        UpstreamPeer { http, pool: Some(self.pools.of(upstream.group_key, limits)) }
    }
}

/// The pool is divided by our own key: the engine's mixes identities that share a serial number, and accepts connections that another
/// trust store verified.
fn peer(upstream: &Upstream, connector: Connector) -> HttpPeer {
    let address = std::net::SocketAddr::from(([0, 0, 0, 0], upstream.port));
    let mut peer = HttpPeer::new(address, upstream.tls, upstream.server_name.clone());
    peer.group_key = connector.endpoint.key(upstream.group_key);
    if let Some(identity) = &upstream.identity {
        peer.client_cert_key = Some(Arc::new(CertKey::new(identity.chain.clone(), identity.key.clone())));
    }
    let options = &mut peer.options;
    options.ca = upstream.ca.as_ref().map(|trust| trust.certificates.clone());
    options.alpn = match (upstream.http, upstream.tls) {
        (UpstreamHttp::Two, _) => ALPN::H2,
        (UpstreamHttp::Auto, true) => ALPN::H2H1,
        (UpstreamHttp::Auto, false) | (UpstreamHttp::One, _) => ALPN::H1,
    };
    options.upstream_tls_handshake_complete_hook = upstream.tls.then(server_name::hook);
    options.max_h2_streams = 100;
    options.h2_stream_window_size = Some(H2_WINDOW);
    options.connection_timeout = Some(upstream.timeouts.connect);
    options.total_connection_timeout = Some(upstream.timeouts.connect);
    options.read_timeout = Some(upstream.timeouts.read);
    options.write_timeout = Some(upstream.timeouts.write);
    options.idle_timeout = Some(upstream.timeouts.idle);
    options.custom_l4 = Some(Arc::new(connector));
    peer
}

/// The resolver as upstreams see it.
struct Names(Arc<stores::Resolver>);

impl upstreams::Resolver for Names {
    fn watch(&self, host: &str, port: u16) -> Arc<dyn upstreams::Addresses> {
        Arc::new(Name(self.0.name(host, port)))
    }
}

struct Name(Arc<stores::Name>);

impl upstreams::Addresses for Name {
    fn peek(&self) -> Option<upstreams::Snapshot> {
        self.0.peek()
    }

    fn pick(&self, turn: usize) -> Option<std::net::SocketAddr> {
        self.0.pick(turn)
    }

    fn look_up(&self) -> upstreams::LookUp<'_> {
        Box::pin(async { self.0.get().await.map_err(std::io::Error::other) })
    }
}
