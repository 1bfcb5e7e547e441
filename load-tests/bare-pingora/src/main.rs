//! The least proxy that Pingora allows: one upstream, no modules, no routing, no log. The gateway's own cost is measured
//! against it, so it is built with the gateway's profile and allocator. It protects nothing: never put it before anything.
//!
//! `bare-pingora LISTEN UPSTREAM [CERTIFICATE KEY]`

use async_trait::async_trait;
use pingora::{
    Result,
    modules::http::HttpModules,
    proxy::{ProxyHttp, Session, http_proxy_service},
    server::{Server, configuration::ServerConf},
    upstreams::peer::HttpPeer,
};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

struct Bare {
    upstream: String,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    /// Pingora adds a compression module to every request unless it is told otherwise.
    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn upstream_peer(&self, _: &mut Session, _: &mut Self::CTX) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream.as_str(), false, String::new())))
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, upstream, identity @ ..] = arguments.as_slice() else {
        eprintln!("usage: bare-pingora LISTEN UPSTREAM [CERTIFICATE KEY]");
        std::process::exit(2);
    };
    let conf =
        ServerConf { threads: 1, grace_period_seconds: Some(0), graceful_shutdown_timeout_seconds: Some(1), ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Bare { upstream: upstream.clone() });
    match identity {
        [certificate, key] => service.add_tls(listen, certificate, key).expect("the certificate and its key can be read"),
        _ => service.add_tcp(listen),
    }
    server.add_service(service);
    server.run_forever();
}
