//! Series of the operations of one Plan. A series comes into being with its first request, so thousands of operations that
//! nobody calls cost nothing at a scrape.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use prometheus::{Histogram, IntCounter};
use tollgate_plan::Plan;

use super::{Statuses, Telemetry};

/// Values of the label `code`; the first is for connections that broke before an answer.
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// Handles for the operations of one Plan.
#[derive(Debug)]
pub struct Operations {
    operations: Vec<OperationMetrics>,
    /// One for each API: requests that met none of its operations.
    apis: Vec<OperationMetrics>,
    nowhere: OperationMetrics,
}

/// The series of one operation.
pub struct OperationMetrics {
    api: Arc<Api>,
    id: String,
    codes: [OnceLock<IntCounter>; CLASSES.len()],
    statuses: Arc<Statuses>,
}

/// What the operations of an API share.
struct Api {
    telemetry: Arc<Telemetry>,
    /// Title and version: the label.
    label: String,
    total: OnceLock<Histogram>,
    upstream: OnceLock<Histogram>,
}

impl fmt::Debug for OperationMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OperationMetrics({} {})", self.api.label, self.id)
    }
}

impl Operations {
    pub(super) fn new(telemetry: Arc<Telemetry>, plan: &Plan) -> Self {
        let api = |label: String| Arc::new(Api { telemetry: telemetry.clone(), label, total: OnceLock::new(), upstream: OnceLock::new() });
        let each = plan.apis.iter().flat_map(|api| api.operations.iter().map(move |operation| (api, operation)));
        let mut statuses = telemetry.statuses.of(each).into_iter();
        let mut operations = Vec::new();
        let mut apis = Vec::new();
        for entry in &plan.apis {
            let shared = api(format!("{}:{}", entry.title, entry.version));
            let counted = entry.operations.iter().zip(&mut statuses);
            operations.extend(counted.map(|(operation, statuses)| OperationMetrics::new(&shared, &operation.id, statuses)));
            apis.push(OperationMetrics::new(&shared, "", Arc::default()));
        }
        Self { operations, apis, nowhere: OperationMetrics::new(&api(String::new()), "", Arc::default()) }
    }

    /// The operation of that flat number, counted over the APIs in the order of the Plan.
    ///
    /// # Panics
    /// When the Plan has no such operation.
    pub fn operation(&self, index: u32) -> &OperationMetrics {
        &self.operations[index as usize]
    }

    /// Requests that met an API but none of its operations.
    ///
    /// # Panics
    /// When the Plan has no such API.
    pub fn api(&self, index: u32) -> &OperationMetrics {
        &self.apis[index as usize]
    }

    /// Requests that met no API.
    pub fn nowhere(&self) -> &OperationMetrics {
        &self.nowhere
    }
}

impl OperationMetrics {
    fn new(api: &Arc<Api>, id: &str, statuses: Arc<Statuses>) -> Self {
        Self { api: api.clone(), id: id.to_owned(), codes: Default::default(), statuses }
    }

    /// The exact statuses of answers, which outlive a reload as series do.
    pub fn statuses(&self) -> &Statuses {
        &self.statuses
    }

    /// Counts a request that ended: its status (0 when the connection broke before an answer), its whole time, and the time
    /// it spent with upstreams, when it got that far.
    pub fn ended(&self, status: u16, total: Duration, upstream: Option<Duration>) {
        let class = usize::from(status / 100);
        let class = if class < CLASSES.len() { class } else { 0 };
        self.code(class).inc();
        let api = &*self.api;
        let telemetry = &*api.telemetry;
        api.total.get_or_init(|| telemetry.request_duration.with_label_values(&[&api.label])).observe(total.as_secs_f64());
        if let Some(upstream) = upstream {
            let histogram = api.upstream.get_or_init(|| telemetry.upstream_duration.with_label_values(&[&api.label]));
            histogram.observe(upstream.as_secs_f64());
        }
        telemetry.gateway_duration.observe(total.saturating_sub(upstream.unwrap_or_default()).as_secs_f64());
    }

    fn code(&self, class: usize) -> &IntCounter {
        let requests = &self.api.telemetry.requests;
        self.codes[class].get_or_init(|| requests.with_label_values(&[self.api.label.as_str(), self.id.as_str(), CLASSES[class]]))
    }
}
