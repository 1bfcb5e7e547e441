//! What all endpoints of a group have in common, and what is made of a URL with it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use http::HeaderValue;
use tollgate_filter_api::Problem;
use tollgate_url::UrlError;

use super::{
    said::pointer,
    timeouts::Timeouts,
    trust::{Identity, PoolIdentity, UpstreamTrust},
    url::{self, ParsedUrl},
};
use crate::{
    config::UpstreamHttp,
    upstreams::{Resolver, Upstream, upstream::Place},
};

/// The settings of a group. They hold for every endpoint it will ever have, whoever supplies it.
#[derive(Clone, Debug)]
pub struct Template {
    pub group: Arc<str>,
    pub http: UpstreamHttp,
    pub preserve_host: bool,
    pub server_name: Option<String>,
    pub ca: Option<Arc<UpstreamTrust>>,
    pub identity: Option<Arc<Identity>>,
    pub authorization: Option<HeaderValue>,
    pub timeouts: Timeouts,
    /// The head of an answer must come sooner than the longest silence ends.
    pub head_before_silence: bool,
}

/// Why a URL cannot be an endpoint of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The URL itself.
    Url(UrlError),
    /// There is no name that a certificate could be verified for.
    ServerName(String),
    /// Over HTTP/2 the time for the head of an answer would not be kept.
    HeadTimeout,
}

impl Unfit {
    /// The problem, without its place. The URL may hold a password, so it is not repeated.
    pub fn problem(&self, group: &str) -> Problem {
        match self {
            Self::Url(complaint) => Problem::error("upstream.url", format!("a URL of endpoint group `{group}` {complaint}")),
            Self::ServerName(name) => {
                let message =
                    format!("endpoint group `{group}` is encrypted, but `{name}` is no name that a certificate can be verified for");
                let hint = format!("write a DNS name in the URL, or set `{}`", pointer(group, "server_name"));
                Problem::error("upstream.server_name", message).hint(hint)
            }
            Self::HeadTimeout => {
                let message =
                    format!("endpoint group `{group}` may speak HTTP/2, where the head of an answer is awaited as long as `read_timeout`");
                let hint = "set `http: \"1\"` for the group, or make its `read_timeout` as short";
                Problem::error("upstream.response_header_timeout", message).hint(hint)
            }
        }
    }
}

impl Template {
    /// Takes a URL apart and judges whether it can be an endpoint of the group.
    ///
    /// # Errors
    /// The first reason why it cannot.
    pub fn judge(&self, url: &str) -> Result<ParsedUrl, Unfit> {
        let url = url::parse(url).map_err(Unfit::Url)?;
        let name = self.server_name_for(&url);
        if url.tls && !is_name(name) {
            return Err(Unfit::ServerName(name.to_owned()));
        }
        if self.head_before_silence && self.may_speak_h2(url.tls) {
            return Err(Unfit::HeadTimeout);
        }
        Ok(url)
    }

    /// The upstream at a URL that was judged. Starts to resolve its name.
    pub fn upstream(&self, url: ParsedUrl, resolver: &dyn Resolver) -> Upstream {
        let server_name = self.server_name_for(&url).to_owned();
        let pool = PoolIdentity {
            group: &self.group,
            host: &url.host,
            port: url.port,
            server_name: &server_name,
            verified: true,
            http: self.http,
            ca: self.ca.as_deref(),
            identity: self.identity.as_deref(),
        };
        let group_key = pool.key();
        let place = match url.host.parse::<IpAddr>() {
            Ok(address) => Place::Literal(SocketAddr::new(address, url.port)),
            Err(_) => Place::Name(resolver.watch(&url.host, url.port)),
        };
        Upstream {
            place,
            host: url.host,
            port: url.port,
            tls: url.tls,
            server_name,
            host_header: url.host_header,
            preserve_host: self.preserve_host,
            path: url.path,
            query: url.query,
            authorization: self.authorization.clone(),
            http: self.http,
            ca: self.ca.clone(),
            identity: self.identity.clone(),
            timeouts: self.timeouts,
            group_key,
        }
    }

    /// The name to verify. An address is none: sent as an empty name, it would switch verification off.
    fn server_name_for<'a>(&'a self, url: &'a ParsedUrl) -> &'a str {
        self.server_name.as_deref().unwrap_or(&url.host)
    }

    fn may_speak_h2(&self, tls: bool) -> bool {
        self.http == UpstreamHttp::Two || (self.http == UpstreamHttp::Auto && tls)
    }
}

/// Whether it is a DNS name rather than an address or nothing.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name.parse::<IpAddr>().is_err()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && !name.split('.').any(str::is_empty)
}
