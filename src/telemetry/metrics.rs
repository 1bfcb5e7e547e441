//! The series of the process: they outlive every reload.

use std::{
    collections::HashMap,
    panic,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder};
use tollgate_filter_api::{MetricDoc, Metrics, Reason};
use tollgate_plan::Plan;

use crate::chain::Waived;

use super::{
    LimitCounters, Operations,
    series::{Maker, PREFIX},
    statuses::Kept,
};

/// Label of a refusal whose reason was not announced at start; no client can add one.
const OTHER: &str = "other";

/// Every series, and the handles through which they are written.
#[derive(Debug)]
pub struct Telemetry {
    /// Connections open now.
    pub connections: IntGauge,
    /// Steps taken because memory is short, 0 to 3.
    pub memory_pressure: IntGauge,
    /// The same for open files.
    pub files_pressure: IntGauge,
    /// Requests whose time in the gateway itself, upstream time taken off, was so long.
    pub gateway_duration: Histogram,
    /// How often each limit was met.
    pub limits: LimitCounters,
    /// Exchanges with upstreams that failed.
    pub upstream_failures: UpstreamFailures,
    /// Access-log lines that were dropped because the writer was behind.
    pub access_log_dropped: IntCounter,
    /// Panics: each is a bug that ended one request.
    pub panics: IntCounter,
    pub(super) requests: IntCounterVec,
    pub(super) request_duration: HistogramVec,
    pub(super) upstream_duration: HistogramVec,
    /// Exact statuses, by operation.
    pub(super) statuses: Kept,
    registry: Registry,
    refusals: HashMap<&'static str, IntCounter>,
    refused_otherwise: IntCounter,
    connections_total: IntCounterVec,
    reloads_ok: IntCounter,
    reloads_failed: IntCounter,
    generation: IntGauge,
    artifact: IntGaugeVec,
    configuration: IntGaugeVec,
    waived: IntGaugeVec,
    opened: IntGaugeVec,
    /// Two reloads must not interleave what they say is running.
    running: Mutex<()>,
}

/// Exchanges that failed, by what failed.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct UpstreamFailures {
    pub resolve: IntCounter,
    pub connect: IntCounter,
    pub tls: IntCounter,
    pub timeout: IntCounter,
    pub broken: IntCounter,
    pub status: IntCounter,
}

impl UpstreamFailures {
    fn of(vec: &IntCounterVec) -> Self {
        let kind = |kind: &str| vec.with_label_values(&[kind]);
        Self {
            resolve: kind("resolve"),
            connect: kind("connect"),
            tls: kind("tls"),
            timeout: kind("timeout"),
            broken: kind("broken"),
            status: kind("status"),
        }
    }
}

impl Telemetry {
    /// Registers every series. `reasons` are all the ways in which a request may be refused.
    pub fn new<'a>(reasons: impl IntoIterator<Item = &'a Reason>) -> Self {
        let registry = Registry::new();
        let make = Maker(&registry);
        let refusals = make.counters("refusals_total", "Requests the gateway answered itself, by reason", &["reason"]);
        let limits = make.counters("limits_total", "How often a limit was met", &["limit"]);
        let reloads = make.counters("reloads_total", "Reloads, by result", &["result"]);
        let failures = make.counters("upstream_failures_total", "Exchanges with an upstream that failed, by what failed", &["kind"]);
        let pressure = make.gauges("pressure", "Steps taken because a resource is short: 1 hurry, 2 refuse, 3 unavailable", &["resource"]);
        fixed(&make);
        Self {
            connections: make.gauge("connections", "Client connections open now"),
            memory_pressure: pressure.with_label_values(&["memory"]),
            files_pressure: pressure.with_label_values(&["files"]),
            gateway_duration: make.own_histogram("gateway_duration_seconds", "Time a request spent in the gateway itself"),
            limits: LimitCounters::of(&limits),
            upstream_failures: UpstreamFailures::of(&failures),
            access_log_dropped: make.counter("access_log_dropped_total", "Access-log lines dropped because the writer was behind"),
            panics: make.counter("panics_total", "Panics; each is a bug that ended one request"),
            requests: make.counters("requests_total", "Requests, by operation and class of status", &["api", "operation", "code"]),
            request_duration: make.histograms("request_duration_seconds", "Time from a request's head to the end of its answer", &["api"]),
            upstream_duration: make.histograms("upstream_duration_seconds", "Time a request spent with upstreams", &["api"]),
            statuses: Kept::default(),
            refusals: reasons.into_iter().map(|reason| (reason.id, refusals.with_label_values(&[reason.id]))).collect(),
            refused_otherwise: refusals.with_label_values(&[OTHER]),
            connections_total: make.counters("connections_total", "Client connections accepted", &["listener"]),
            reloads_ok: reloads.with_label_values(&["ok"]),
            reloads_failed: reloads.with_label_values(&["failed"]),
            generation: make.gauge("config_generation", "Counts the configurations that were put to use"),
            artifact: make.gauges("artifact_info", "Digest of what is served", &["digest"]),
            configuration: make.gauges("configuration_info", "Identity of artifact and environment together", &["id"]),
            waived: make.gauges("waived_info", "Demands that nobody enforces because they were waived by name", &["demand"]),
            opened: make.gauges("waived_open_operations", "Operations that are open to everybody because that was waived", &["demand"]),
            running: Mutex::new(()),
            registry,
        }
    }

    /// The counter of accepted connections of a listener, named by its address.
    pub fn listener(&self, address: &str) -> IntCounter {
        self.connections_total.with_label_values(&[address])
    }

    /// Counts a request that the gateway answered itself.
    pub fn refused(&self, reason: &str) {
        self.refusals.get(reason).unwrap_or(&self.refused_otherwise).inc();
    }

    /// Handles for the operations of a Plan. Those that an earlier Plan had too go on counting.
    pub fn operations(self: &Arc<Self>, plan: &Plan) -> Operations {
        Operations::new(self.clone(), plan)
    }

    /// Says what is served from now on, and counts a reload when it is not the first generation.
    pub fn running(&self, generation: u64, digest: &str, id: &str, waived: &[Waived]) {
        let _one_at_a_time = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.artifact.reset();
        self.artifact.with_label_values(&[digest]).set(1);
        self.configuration.reset();
        self.configuration.with_label_values(&[id]).set(1);
        self.waived.reset();
        self.opened.reset();
        for Waived { filter, opened, .. } in waived {
            self.waived.with_label_values(&[filter]).set(1);
            self.opened.with_label_values(&[filter]).set(i64::try_from(*opened).unwrap_or(i64::MAX));
        }
        if generation > 1 {
            self.reloads_ok.inc();
        }
        self.generation.set(i64::try_from(generation).unwrap_or(i64::MAX));
    }

    /// Counts a reload that kept the old configuration.
    pub fn reload_failed(&self) {
        self.reloads_failed.inc();
    }

    /// Counts panics from now on, beside whatever is done about them already.
    pub fn count_panics(&self) {
        let panics = self.panics.clone();
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            panics.inc();
            before(info);
        }));
    }

    /// Everything in the text format of Prometheus. `shared` are the series of filters and stores, under the gateway's prefix; `docs`
    /// says what they are.
    pub fn render<'a>(&self, shared: &Metrics, docs: impl Iterator<Item = &'a MetricDoc> + Clone) -> String {
        let mut text = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default();
        let mut last = "";
        shared.read(|name, label, value, counts_up| {
            if name != last {
                let help = docs.clone().find(|doc| doc.name == name).map_or("", |doc| doc.help);
                let kind = if counts_up { "counter" } else { "gauge" };
                text.push_str(&format!("# HELP {PREFIX}{name} {}\n# TYPE {PREFIX}{name} {kind}\n", escape(help, false)));
                last = name;
            }
            let label = label.map(|(key, value)| format!("{{{key}=\"{}\"}}", escape(value, true))).unwrap_or_default();
            text.push_str(&format!("{PREFIX}{name}{label} {value}\n"));
        });
        text
    }
}

/// Series that are true for the whole life of the process.
fn fixed(make: &Maker<'_>) {
    make.gauges("build_info", "Version of the gateway", &["version"]).with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    make.gauge("start_time_seconds", "When the process started, in seconds since 1970").set(i64::try_from(started).unwrap_or(i64::MAX));
}

/// Escapes as the text format asks.
fn escape(text: &str, quoted: bool) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\n', "\\n");
    if quoted { escaped.replace('"', "\\\"") } else { escaped }
}
