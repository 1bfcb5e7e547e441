//! Counters and gauges that guests define, under a name of ours and with theirs as the label.

use std::sync::{Mutex, PoisonError};

use tollgate_filter_api::{Counter, Gauge, Metrics};

use crate::abi::Status;

/// Most metrics of a program.
const MOST: usize = 64;
/// Most bytes of a name.
const LONGEST: usize = 128;

const COUNTERS: &str = "wasm_guest_counter_total";
const GAUGES: &str = "wasm_guest_gauge";
const SUMS: &str = "wasm_guest_histogram_sum";
const COUNTS: &str = "wasm_guest_histogram_count";

/// The metrics of a program.
#[derive(Default)]
pub struct Meters {
    metrics: Metrics,
    /// Before each name.
    prefix: String,
    defined: Mutex<Vec<(String, Meter)>>,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Meters({})", self.prefix)
    }
}

/// One metric. An instance keeps those that it defined.
#[derive(Clone, Debug)]
pub enum Meter {
    Counter(Counter),
    Gauge(Gauge),
    /// Sum and count.
    Histogram(Counter, Counter),
}

impl Meters {
    pub fn new(metrics: Metrics, module: &str) -> Self {
        Self { metrics, prefix: format!("{module}."), defined: Mutex::default() }
    }

    /// The metric of that name; the same one for all instances. `None` when the kind is not known, the name is no name, or there are too many.
    pub fn define(&self, kind: u32, name: &[u8]) -> Option<Meter> {
        let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty() && name.len() <= LONGEST)?;
        if !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let mut defined = self.defined.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, meter)) = defined.iter().find(|(known, _)| known == name) {
            return Some(meter.clone());
        }
        if defined.len() >= MOST {
            return None;
        }
        let label = format!("{}{name}", self.prefix);
        let counter = |series| self.metrics.counter(series, Some(("metric", &label)));
        let meter = match kind {
            0 => Meter::Counter(counter(COUNTERS)),
            1 => Meter::Gauge(self.metrics.gauge(GAUGES, Some(("metric", &label)))),
            2 => Meter::Histogram(counter(SUMS), counter(COUNTS)),
            _ => return None,
        };
        defined.push((name.to_owned(), meter.clone()));
        Some(meter)
    }
}

impl Meter {
    /// Adds to it.
    pub fn increment(&self, by: i64) -> Result<(), Status> {
        match self {
            Self::Counter(counter) => counter.add(u64::try_from(by).map_err(|_| Status::BadArgument)?),
            Self::Gauge(gauge) => gauge.add(by),
            Self::Histogram(..) => return Err(Status::BadArgument),
        }
        Ok(())
    }

    /// A gauge is this now; a counter grows by it, as Envoy has it; a histogram has one more.
    pub fn record(&self, value: u64) {
        match self {
            Self::Counter(counter) => counter.add(value),
            Self::Gauge(gauge) => gauge.set(i64::try_from(value).unwrap_or(i64::MAX)),
            Self::Histogram(sum, count) => {
                sum.add(value);
                count.inc();
            }
        }
    }

    pub fn get(&self) -> Result<u64, Status> {
        match self {
            Self::Counter(counter) => Ok(counter.get()),
            Self::Gauge(gauge) => Ok(u64::try_from(gauge.get()).unwrap_or_default()),
            Self::Histogram(..) => Err(Status::BadArgument),
        }
    }
}
