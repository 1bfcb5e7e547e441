//! Names, helps and buckets of the gateway's own series.

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, core::Collector,
};

/// Prefix of every series, the filters' included.
pub(super) const PREFIX: &str = "tollgate_";

/// Upper bounds in seconds: from a hit in memory to a minute.
const BUCKETS: [f64; 14] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Upper bounds in seconds for the gateway's own share.
const OWN_BUCKETS: [f64; 12] = [0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0];

/// Makes series and registers them. Names are constants, so what cannot be registered is a mistake in this file that every
/// test meets.
pub(super) struct Maker<'a>(pub &'a Registry);

impl Maker<'_> {
    fn register<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let collector = made.expect("names of series are constants and legal");
        self.0.register(Box::new(collector.clone())).expect("each series is registered once");
        collector
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::new(format!("{PREFIX}{name}"), help))
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.register(IntCounterVec::new(Opts::new(format!("{PREFIX}{name}"), help), labels))
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::new(format!("{PREFIX}{name}"), help))
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.register(IntGaugeVec::new(Opts::new(format!("{PREFIX}{name}"), help), labels))
    }

    pub(super) fn histograms(&self, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
        let options = HistogramOpts::new(format!("{PREFIX}{name}"), help).buckets(BUCKETS.to_vec());
        self.register(HistogramVec::new(options, labels))
    }

    pub(super) fn own_histogram(&self, name: &str, help: &str) -> Histogram {
        let options = HistogramOpts::new(format!("{PREFIX}{name}"), help).buckets(OWN_BUCKETS.to_vec());
        self.register(Histogram::with_opts(options))
    }
}

macro_rules! limits {
    ($($name:ident),* $(,)?) => {
        /// How often each limit of the configuration was met, under the limit's name.
        #[derive(Clone, Debug)]
        #[allow(missing_docs)]
        pub struct LimitCounters { $(pub $name: IntCounter),* }

        impl LimitCounters {
            /// Names of all limits.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            pub(super) fn of(vec: &IntCounterVec) -> Self {
                Self { $($name: vec.with_label_values(&[stringify!($name)])),* }
            }
        }
    };
}

limits! {
    connections, connections_per_client, handshake_time, header_time, header_bytes, header_fields, target_bytes, body_bytes,
    body_pace, idle_time, write_time, requests_per_connection, h2_streams, h2_control_frames, answer_buffer, answer_buffers,
    whole_answers, memory,
}
