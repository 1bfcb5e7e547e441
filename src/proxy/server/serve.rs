//! The process around the gateway: threads, sockets, and what goes on beside requests. [`signals`](super::signals) says how it ends.

use std::{
    io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use pingora::{
    apps::HttpServerOptions,
    protocols::http::v2::server::default_h2_options,
    proxy::http_proxy,
    server::{
        ListenFds, RunArgs, Server, ShutdownWatch,
        configuration::{Opt, ServerConf},
    },
    services::Service,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tollgate_filter_api::LogLimiter;

use super::{
    connections::Connections,
    descriptors::{self, most_connections},
    edge::Edge,
    pressure,
    signals::Signals,
    sockets::Sockets,
};
use crate::{
    admin,
    config::Gateway as GatewayConfig,
    proxy::{checks, client::tls::listener::ListenerTls, exchange::phases::Phases, running::gateway::Gateway},
    stores::inputs,
};

/// Rounds of upstream choice; each endpoint of a group is tried once, and a stale pooled connection costs one more.
const ROUNDS: usize = 64;

/// Bytes that wait in the library for the window of an HTTP/2 stream; unless told, it takes 400 KiB.
const H2_SEND_BUFFER: usize = 16 << 10;

/// How often idle connections to upstreams are looked through.
const SWEEP: Duration = Duration::from_secs(1);

/// How often memory and open files are looked at.
const MEASURE: Duration = Duration::from_millis(100);

/// How often the configuration is looked at for listeners with TLS when there is none.
const LOOK: Duration = Duration::from_secs(60);

/// Serves until a signal ends it. With `upgrade`, takes the sockets of the running process.
///
/// # Errors
/// When an address cannot be had. Nothing was started by then.
pub fn serve(gateway: &Arc<Gateway>, upgrade: bool) -> io::Result<()> {
    let snapshot = gateway.current();
    let config = &snapshot.config().gateway;
    let addresses = config.listeners.iter().map(|listener| listener.address).chain([config.admin.address]);
    let sockets = Arc::new(if upgrade { Sockets::default() } else { Sockets::open(addresses)? });
    gateway.kernel.telemetry.count_panics();
    let (handed_over, _) = watch::channel(false);
    inputs::start(gateway.revocations.clone(), gateway.stores.subscribe(), handed_over.subscribe())?;
    gateway.kernel.discovery.start()?;
    gateway.quotas.start()?;
    if let Some(traffic) = &gateway.traffic {
        traffic.start(gateway.stores.subscribe(), gateway.documents.clone())?;
    }
    if upgrade {
        await_first_view(|| gateway.revocations.missing().is_empty() && gateway.kernel.discovery.missing().is_none());
    }
    let opt = Opt { upgrade, daemon: false, nocapture: false, test: false, conf: None };
    let mut server = Server::new_with_opt_and_conf(opt, conf(config));
    server.bootstrap();
    let connections = Arc::new(Connections::new(most_connections(config.limits.connections), config.listeners.len()));
    let (stop, _) = watch::channel(false);
    let mut proxy = http_proxy(&server.configuration, Phases(gateway.clone()));
    let mut options = HttpServerOptions::default();
    options.h2c = true;
    options.h2_idle_timeout = Some(config.limits.idle_time.0);
    proxy.server_options = Some(options);
    let mut h2 = default_h2_options();
    h2.max_concurrent_streams(config.limits.h2_streams);
    h2.max_header_list_size(u32::try_from(config.limits.header_bytes.0).unwrap_or(u32::MAX));
    h2.initial_window_size(64 << 10);
    h2.initial_connection_window_size(1 << 20);
    h2.max_send_buffer_size(H2_SEND_BUFFER);
    proxy.h2_options = Some(h2);
    let proxy = Arc::new(proxy);
    server.add_service(Edge {
        gateway: gateway.clone(),
        proxy,
        stop: stop.clone(),
        connections: connections.clone(),
        sockets: sockets.clone(),
    });
    server.add_service(Attendant { gateway: gateway.clone(), sockets: sockets.clone(), handed_over: handed_over.subscribe() });
    let process = config.process.clone();
    let signals = Signals { gateway: gateway.clone(), connections, stop, handed_over, sockets, process };
    drop(snapshot);
    server.run(RunArgs { shutdown_signal: Box::new(signals) });
    gateway.quotas.close();
    gateway.traffic.iter().for_each(|traffic| traffic.close());
    gateway.access_log.flush(Duration::from_secs(5));
    Ok(())
}

/// How long a process that takes over waits for what was revoked, and for endpoints, before it asks for the sockets.
const FIRST_VIEW: Duration = Duration::from_secs(10);

/// Waits until what is looked up is there: the process that hands over goes on meanwhile, and after the time is over it is as it would
/// be at any start.
fn await_first_view(is_there: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !is_there() && begun.elapsed() < FIRST_VIEW {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn conf(config: &GatewayConfig) -> ServerConf {
    let threads = match config.process.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    };
    let socket = config.process.upgrade_socket.as_deref().map(Path::to_string_lossy);
    ServerConf {
        threads,
        max_retries: ROUNDS,
        upgrade_sock: socket.map(String::from).unwrap_or_default(),
        // A bundle of its own for all upstreams saves the engine reading the machine's, most of its start.
        ca_file: config.upstream.ca.as_ref().map(|path| path.display().to_string()),
        ..ServerConf::default()
    }
}

/// Everything beside requests: the operator's port, documents, names, HUP.
struct Attendant {
    gateway: Arc<Gateway>,
    sockets: Arc<Sockets>,
    handed_over: watch::Receiver<bool>,
}

#[async_trait]
impl Service for Attendant {
    async fn start_service(&mut self, fds: Option<ListenFds>, mut shutdown: ShutdownWatch, _: usize) {
        let address = self.gateway.current().config().gateway.admin.address;
        let listener = self.sockets.take(address, fds.as_ref()).unwrap_or_else(|error| {
            log::error!("{error}");
            std::process::exit(2);
        });
        let ended = |mut shutdown: ShutdownWatch| async move {
            let _ = shutdown.wait_for(|stop| *stop).await;
        };
        let documents = tokio::spawn(self.gateway.documents.clone().run(ended(shutdown.clone())));
        let names = tokio::spawn(self.gateway.kernel.resolver.clone().run(ended(shutdown.clone())));
        // Who asks after a hand-over means the new process.
        let admin = tokio::spawn(admin::serve(listener, Arc::new(self.gateway.clone()), ended(self.handed_over.clone())));
        let revocations = tokio::spawn(attend_revocations(self.gateway.clone()));
        let quotas = tokio::spawn(self.gateway.quotas.clone().attend(self.handed_over.clone()));
        let hup = tokio::spawn(reload_on_hup(self.gateway.clone()));
        let tls = tokio::spawn(keep_files_fresh(self.gateway.clone()));
        let connections = tokio::spawn(self.gateway.kernel.upstream_connections.clone().run());
        let idle = tokio::spawn(close_idle(self.gateway.clone()));
        let pressure = tokio::spawn(watch_resources(self.gateway.clone()));
        let checks = tokio::spawn(checks::run(self.gateway.clone()));
        let _ = shutdown.wait_for(|stop| *stop).await;
        for task in [
            documents.abort_handle(),
            names.abort_handle(),
            admin.abort_handle(),
            revocations.abort_handle(),
            quotas.abort_handle(),
            hup.abort_handle(),
            tls.abort_handle(),
            connections.abort_handle(),
            idle.abort_handle(),
            pressure.abort_handle(),
            checks.abort_handle(),
        ] {
            task.abort();
        }
    }

    fn name(&self) -> &str {
        "attendant"
    }

    fn threads(&self) -> Option<usize> {
        Some(1)
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        Some(vec![self.gateway.current().config().gateway.admin.address.to_string()])
    }
}

/// How often a journal that another process writes is looked at: what that one acknowledged is in force here by then.
const READ_ALONG: Duration = Duration::from_millis(100);

/// Reads along in the journal until it is this process's own, and keeps the list tidy.
async fn attend_revocations(gateway: Arc<Gateway>) {
    let (mut turn, unreadable) = (0_u32, LogLimiter::default());
    loop {
        let book = gateway.revocations.clone();
        let tidy = turn.is_multiple_of(10);
        let done = tokio::task::spawn_blocking(move || {
            if tidy {
                book.tick();
            }
            book.follow()
        });
        match done.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                if unreadable.allow(Instant::now()).is_some() {
                    log::error!("the revocation journal: {error}");
                }
            }
            Err(error) => log::error!("the revocation list was not attended to: {error}"),
        }
        turn = turn.wrapping_add(1);
        tokio::time::sleep(READ_ALONG).await;
    }
}

async fn reload_on_hup(gateway: Arc<Gateway>) {
    let Ok(mut hup) = signal(SignalKind::hangup()) else { return };
    while hup.recv().await.is_some() {
        let gateway = gateway.clone();
        gateway.access_log.reopen();
        // Problems are logged by the reload itself.
        let _ = tokio::task::spawn_blocking(move || gateway.reload().is_ok()).await;
    }
}

/// Closes connections to upstreams that nobody needs, for ever.
async fn close_idle(gateway: Arc<Gateway>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        gateway.kernel.pools.sweep();
    }
}

/// Looks at memory and open files, for ever.
async fn watch_resources(gateway: Arc<Gateway>) {
    let (container, files) = (pressure::of_container(), descriptors::limit());
    loop {
        let memory = gateway.current().config().gateway.limits.memory.map_or(container, |bytes| bytes.0);
        gateway.kernel.pressure.look(memory, files);
        tokio::time::sleep(MEASURE).await;
    }
}

/// Looks at the TLS files of every listener from time to time, for ever.
async fn keep_files_fresh(gateway: Arc<Gateway>) {
    loop {
        let snapshot = gateway.current();
        let tls = snapshot.config().gateway.listeners.iter().filter_map(|listener| listener.tls.as_ref());
        let pause = tls.map(|tls| tls.refresh.0).min().unwrap_or(LOOK);
        drop(snapshot);
        tokio::time::sleep(pause.max(Duration::from_millis(50))).await;
        let snapshot = gateway.current();
        let looked = tokio::task::spawn_blocking(move || snapshot.listener_tls.iter().flatten().for_each(ListenerTls::refresh));
        if let Err(error) = looked.await {
            log::error!("the TLS files could not be looked at: {error}");
        }
    }
}
