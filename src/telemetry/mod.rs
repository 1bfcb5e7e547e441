//! What the gateway tells about itself: series for Prometheus, one access-log line a request, the process log.
//!
//! Labels are bounded by configuration: no path, address or name that a client chose becomes one. Series are resolved at
//! load; a request only counts. The access log never makes a request wait: when its disk is slower than the traffic, lines
//! are dropped and counted. None of it protects what a log or a scrape shows to those who can read it.

mod access_log;
mod line;
mod metrics;
mod operations;
mod process_log;
mod series;
mod statuses;

pub use access_log::AccessLog;
pub use line::{Line, timestamp};
pub use metrics::{Telemetry, UpstreamFailures};
pub use operations::{OperationMetrics, Operations};
pub use process_log::{CLIENTS, ProcessLog};
pub use prometheus::{Histogram, IntCounter, IntGauge};
pub use series::LimitCounters;
pub use statuses::{Counted, Statuses};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
