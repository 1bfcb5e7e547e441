//! What a running process cannot change.

use tollgate_filter_api::{Problem, Problems};

use crate::config::{Config, Gateway, Limits, Listener, Stores, Upstream};

/// Judges whether a running process can go on with the next configuration. Every setting is named here, so that a new one does not compile
/// before somebody has said whether it can change.
///
/// # Errors
/// Each setting that needs a new process.
pub(super) fn fixed(running: &Config, next: &Config) -> Result<(), Problems> {
    let old = &running.gateway;
    let Gateway {
        listeners,
        admin,
        process,
        access_log,
        trust,
        limits,
        upstream,
        stores,
        // Each snapshot is built from these anew.
        chain: _,
        routes: _,
        endpoints: _,
        paths: _,
        trusted_proxies: _,
        forwarding: _,
        errors: _,
        request_id: _,
        security: _,
        waive: _,
        waive_to_open: _,
        artifact: _,
    } = &next.gateway;
    let changes = [
        ("/listeners", !listeners.iter().map(shape).eq(old.listeners.iter().map(shape))),
        ("/admin", *admin != old.admin),
        ("/process", *process != old.process),
        ("/access_log", *access_log != old.access_log),
        ("/trust", *trust != old.trust),
    ];
    let changes = changes.into_iter().chain(stores_changes(&old.stores, stores)).chain(limits_changes(&old.limits, limits));
    let mut problems = Problems::default();
    for (pointer, _) in changes.chain(upstream_changes(&old.upstream, upstream)).filter(|(_, changed)| *changed) {
        let problem = Problem::error("reload.needs_restart", format!("`{}` cannot be changed while the gateway runs", &pointer[1..]));
        problems.push(problem.at(next.file(), 0, pointer).hint("start a new process with `--upgrade` and send QUIT to this one"));
    }
    next.locate(&mut problems);
    if problems.has_errors() { Err(problems) } else { Ok(()) }
}

/// A place, and whether it has changed.
type Change = (&'static str, bool);

/// What of a listener is there for good. Its TLS can change, but not begin or end.
fn shape(listener: &Listener) -> (std::net::SocketAddr, bool, bool) {
    let Listener { address, h2c, tls, proxy_protocol: _, connections: _ } = listener;
    (*address, *h2c, tls.is_some())
}

/// A source takes new settings, but none can begin or end.
fn stores_changes(old: &Stores, next: &Stores) -> [Change; 8] {
    let Stores {
        revocations,
        broker,
        etcd,
        // It can begin, change and end.
        discovery: _,
        redis,
        counters,
        blocks,
        traffic_manager,
    } = next;
    let queue = |stores: &Stores| stores.traffic_manager.as_ref().map(|traffic_manager| traffic_manager.queue);
    [
        ("/stores/revocations", *revocations != old.revocations),
        ("/stores/broker", broker.is_some() != old.broker.is_some()),
        ("/stores/etcd", etcd.is_some() != old.etcd.is_some()),
        ("/stores/redis", *redis != old.redis),
        ("/stores/counters", *counters != old.counters),
        ("/stores/blocks", *blocks != old.blocks),
        ("/stores/traffic_manager", traffic_manager.is_some() != old.traffic_manager.is_some()),
        ("/stores/traffic_manager/queue", queue(next) != queue(old) && traffic_manager.is_some() == old.traffic_manager.is_some()),
    ]
}

/// The engine takes its HTTP/2 settings once, and budgets are of the process.
fn limits_changes(old: &Limits, next: &Limits) -> [Change; 5] {
    let Limits {
        h2_streams,
        header_bytes,
        idle_time,
        answer_buffers,
        whole_answers,
        connections: _,
        connections_per_client: _,
        handshake_time: _,
        header_time: _,
        header_fields: _,
        target_bytes: _,
        body_bytes: _,
        body_pace: _,
        write_time: _,
        requests_per_connection: _,
        h2_control_frames: _,
        answer_buffer: _,
        memory: _,
    } = next;
    [
        ("/limits/h2_streams", *h2_streams != old.h2_streams),
        ("/limits/header_bytes", *header_bytes != old.header_bytes),
        ("/limits/idle_time", *idle_time != old.idle_time),
        ("/limits/answer_buffers", *answer_buffers != old.answer_buffers),
        ("/limits/whole_answers", *whole_answers != old.whole_answers),
    ]
}

/// The names' refresh is taken once, as is the bundle that stands for the system's.
fn upstream_changes(old: &Upstream, next: &Upstream) -> [Change; 2] {
    let Upstream {
        dns_refresh,
        ca,
        http: _,
        client_certificate: _,
        preserve_host: _,
        connect_timeout: _,
        read_timeout: _,
        write_timeout: _,
        response_header_timeout: _,
        request_timeout: _,
        idle_timeout: _,
        zone: _,
    } = next;
    [("/upstream/dns_refresh", *dns_refresh != old.dns_refresh), ("/upstream/ca", ca.is_some() != old.ca.is_some())]
}
