//! What a configuration must not say, although it can be read.

use std::collections::BTreeMap;

use tollgate_document::{Document, pointer};
use tollgate_filter_api::{Problem, Problems};

use super::{Discovered, EndpointOverride, Gateway, Limits, Listener, Upstream};

/// Judges settings by themselves and against each other.
pub(super) fn check(gateway: &Gateway, document: &Document, problems: &mut Problems) {
    let mut refuse = |pointer: String, problem: Problem| problems.push(document.locate(problem, &pointer));
    if gateway.listeners.is_empty() {
        refuse("/listeners".into(), Problem::error("config.listeners", "there must be at least one listener"));
    }
    if !gateway.admin.public && !gateway.admin.address.ip().is_loopback() {
        let problem = Problem::error("config.admin", "the admin port has no authentication and its address is not loopback");
        refuse("/admin/address".into(), problem.hint("use 127.0.0.1, or say `public: true` when something else protects it"));
    }
    for (index, listener) in gateway.listeners.iter().enumerate() {
        if listener.h2c && listener.tls.is_some() {
            let problem = Problem::error("config.listener", "`h2c` is HTTP/2 without TLS; this listener has `tls`");
            refuse(format!("/listeners/{index}"), problem.hint("with TLS, HTTP/2 is negotiated; leave `h2c` out"));
        }
        if listener.proxy_protocol && gateway.trusted_proxies.is_empty() {
            let problem = Problem::error("config.listener", "`proxy_protocol` without `trusted_proxies`: nobody could connect");
            refuse(format!("/listeners/{index}/proxy_protocol"), problem.hint("list the addresses of the proxies under `trusted_proxies`"));
        }
        if listener.connections == Some(0) {
            let problem = Problem::error("config.limits", "`connections` is 0, so that nobody could connect");
            refuse(format!("/listeners/{index}/connections"), problem.hint("leave it out, or leave the listener out"));
        }
        let twice = |other: &Listener| other.address == listener.address && listener.address.port() != 0;
        if gateway.listeners[..index].iter().any(twice) || gateway.admin.address == listener.address {
            let message = format!("the address {} is used twice", listener.address);
            refuse(format!("/listeners/{index}/address"), Problem::error("config.listener", message));
        }
    }
    if let Err(problem) = gateway.request_id.field() {
        refuse("/request_id/header".into(), problem);
    }
    for (index, problem) in gateway.forwarding.passing().err().into_iter().flatten() {
        refuse(format!("/forwarding/pass/{index}"), problem);
    }
    if let Some(problem) = gateway.forwarding.judge_pseudonym() {
        refuse("/forwarding/pseudonym".into(), problem);
    }
    let places = zeros(&gateway.limits).into_iter().map(|name| format!("/limits/{name}"));
    let places = places.chain(never(&gateway.upstream).into_iter().map(|name| format!("/upstream/{name}")));
    let overridden = gateway.endpoints.iter().flat_map(|(name, endpoint)| {
        let place = pointer::join("/endpoints", name);
        never_overridden(endpoint).into_iter().map(move |name| pointer::join(&place, name))
    });
    for (place, problem) in discovery(&gateway.endpoints) {
        refuse(place, problem);
    }
    for place in places.chain(overridden) {
        let name = place.rsplit('/').next().unwrap_or_default();
        let problem = Problem::error("config.limits", format!("`{name}` is 0, so that no request could be served"));
        refuse(place, problem.hint("leave it out for the default"));
    }
    if gateway.process.threads > MOST_THREADS {
        let message = format!("expected at most {MOST_THREADS} threads, found {}", gateway.process.threads);
        refuse("/process/threads".into(), Problem::error("config.threads", message).hint("0 takes one for each core"));
    }
}

/// What is wrong with who says where endpoints are, and where.
fn discovery(endpoints: &BTreeMap<String, EndpointOverride>) -> Vec<(String, Problem)> {
    let mut wrong = Vec::new();
    for (name, entry) in endpoints {
        let Some(Discovered { production, sandbox }) = &entry.discovery else { continue };
        let place = format!("{}/discovery", pointer::join("/endpoints", name));
        if name == "*" {
            let problem = Problem::error("discovery.every", "`*` stands for every group, and they cannot all have the same endpoints");
            wrong.push((place, problem.hint("write `discovery` for each group by its name")));
            continue;
        }
        for (side, discovery) in [("production", production), ("sandbox", sandbox)] {
            let problem = discovery.as_ref().and_then(|discovery| discovery.source().err());
            wrong.extend(problem.map(|problem| (format!("{place}/{side}"), problem)));
        }
    }
    wrong
}

/// More than the largest machines have cores; the engine starts all of them and ends the process when it gets no more.
const MOST_THREADS: usize = 1024;

/// The names of settings that are 0.
fn of_zero(settings: impl IntoIterator<Item = (&'static str, bool)>) -> Vec<&'static str> {
    settings.into_iter().filter_map(|(name, zero)| zero.then_some(name)).collect()
}

/// Times that would be over before anything could come, and a pause that would be none. Every setting is named here and in the two
/// functions below, so that a new one does not compile before somebody has said what 0 means.
fn never(upstream: &Upstream) -> Vec<&'static str> {
    let Upstream {
        connect_timeout,
        read_timeout,
        write_timeout,
        response_header_timeout,
        dns_refresh,
        // 0 lifts the limit.
        request_timeout: _,
        // 0 keeps nothing.
        idle_timeout: _,
        zone: _,
        http: _,
        ca: _,
        client_certificate: _,
        preserve_host: _,
    } = upstream;
    of_zero([
        ("connect_timeout", connect_timeout.0.is_zero()),
        ("read_timeout", read_timeout.0.is_zero()),
        ("write_timeout", write_timeout.0.is_zero()),
        ("response_header_timeout", response_header_timeout.is_some_and(|time| time.0.is_zero())),
        ("dns_refresh", dns_refresh.0.is_zero()),
    ])
}

/// The same of one endpoint group.
fn never_overridden(endpoint: &EndpointOverride) -> Vec<&'static str> {
    let EndpointOverride {
        read_timeout,
        response_header_timeout,
        connect_timeout,
        write_timeout,
        // 0 lifts the limit.
        request_timeout: _,
        // 0 keeps nothing.
        idle_timeout: _,
        // These are judged where they are put to use.
        balance: _,
        eject: _,
        check: _,
        retry: _,
        circuit_breaker: _,
        capacity: _,
        canary: _,
        mirror: _,
        production: _,
        sandbox: _,
        discovery: _,
        basic: _,
        http: _,
        ca: _,
        client_certificate: _,
        server_name: _,
        preserve_host: _,
    } = endpoint;
    of_zero([
        ("read_timeout", read_timeout.is_some_and(|time| time.0.is_zero())),
        ("response_header_timeout", response_header_timeout.is_some_and(|time| time.0.is_zero())),
        ("connect_timeout", connect_timeout.is_some_and(|time| time.0.is_zero())),
        ("write_timeout", write_timeout.is_some_and(|time| time.0.is_zero())),
    ])
}

/// Limits that would refuse everything.
fn zeros(limits: &Limits) -> Vec<&'static str> {
    let Limits {
        connections,
        connections_per_client,
        handshake_time,
        header_time,
        header_bytes,
        header_fields,
        target_bytes,
        idle_time,
        write_time,
        requests_per_connection,
        h2_streams,
        h2_control_frames,
        // 0 allows requests without a body.
        body_bytes: _,
        // 0 asks for none.
        body_pace: _,
        // 0 leaves answers in the smallest pieces.
        answer_buffer: _,
        answer_buffers: _,
        // 0 refuses the answers that filters want to read whole, and no other.
        whole_answers: _,
        // 0 watches no memory.
        memory: _,
    } = limits;
    of_zero([
        ("connections", *connections == 0),
        ("connections_per_client", *connections_per_client == 0),
        ("handshake_time", handshake_time.0.is_zero()),
        ("header_time", header_time.0.is_zero()),
        ("header_bytes", header_bytes.0 == 0),
        ("header_fields", *header_fields == 0),
        ("target_bytes", target_bytes.0 == 0),
        ("idle_time", idle_time.0.is_zero()),
        ("write_time", write_time.0.is_zero()),
        ("requests_per_connection", *requests_per_connection == 0),
        ("h2_streams", *h2_streams == 0),
        ("h2_control_frames", *h2_control_frames == 0),
    ])
}
