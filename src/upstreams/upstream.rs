//! One upstream server, ready to be connected to.

use std::{fmt, io, net::SocketAddr, sync::Arc};

use http::HeaderValue;

use super::{Addresses, Identity, Snapshot, Timeouts, UpstreamTrust};
use crate::config::UpstreamHttp;

/// One upstream server, as it was configured.
#[derive(Debug)]
pub struct Upstream {
    /// Name or literal address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether the connection is encrypted. The certificate is always verified then.
    pub tls: bool,
    /// Server name to send and to verify; never empty when `tls`.
    pub server_name: String,
    /// `Host` or `:authority` that the upstream gets, unless `preserve_host`.
    pub host_header: HeaderValue,
    /// Send the client's `Host` in its place.
    pub preserve_host: bool,
    /// Path of the endpoint, without a slash at its end: empty for none.
    pub path: String,
    /// Query of the endpoint, without `?`.
    pub query: Option<String>,
    /// The gateway's credentials as a value of `Authorization`; marked sensitive.
    pub authorization: Option<HeaderValue>,
    /// HTTP version.
    pub http: UpstreamHttp,
    /// Certificates the chain must end in; `None` stands for the system's.
    pub ca: Option<Arc<UpstreamTrust>>,
    /// The gateway's own certificate.
    pub identity: Option<Arc<Identity>>,
    /// Time limits.
    pub timeouts: Timeouts,
    /// Keeps pooled connections of different identities, trust, protocol or group apart.
    pub group_key: u64,
    pub(super) place: Place,
}

/// Where an upstream is.
pub(super) enum Place {
    /// An address was written.
    Literal(SocketAddr),
    /// A name was.
    Name(Arc<dyn Addresses>),
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(at) => write!(f, "Literal({at})"),
            Self::Name(_) => f.write_str("Name"),
        }
    }
}

impl Upstream {
    /// Its URL in one spelling, without what is secret: neither query nor credentials.
    pub fn name(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{scheme}://{host}:{}{}", self.port, self.path)
    }

    /// The address whose turn it is, when one is known now. Several addresses of a name take turns by `turn`, a number that
    /// the caller counts or draws: a counter here would be one that all cores write.
    pub fn address(&self, turn: usize) -> Option<SocketAddr> {
        match &self.place {
            Place::Literal(at) => Some(*at),
            Place::Name(name) => name.pick(turn),
        }
    }

    /// As [`Upstream::address`], but waits for a look-up when none is known yet.
    ///
    /// # Errors
    /// The look-up's, or `NotFound` when the name has no address.
    pub async fn look_up(&self, turn: usize) -> io::Result<SocketAddr> {
        if let Some(known) = self.address(turn) {
            return Ok(known);
        }
        let none = || io::Error::new(io::ErrorKind::NotFound, format!("{} has no address", self.host));
        match &self.place {
            Place::Literal(at) => Ok(*at),
            Place::Name(name) => {
                let all = name.look_up().await?;
                all.get(turn.checked_rem(all.len()).ok_or_else(none)?).copied().ok_or_else(none)
            }
        }
    }

    /// Every address that is known now.
    pub fn addresses(&self) -> Option<Snapshot> {
        match &self.place {
            Place::Literal(at) => Some(Arc::from([*at])),
            Place::Name(name) => name.peek(),
        }
    }
}
