//! The outside world behind the traits of `filter-api`: the clock, documents from files and URLs, servers to ask, DNS,
//! sources that say what was revoked.
//!
//! Documents and names are fetched in the background and read as a snapshot: a request waits for none of it, except for the
//! first look-up of a name and for a refresh that a filter asks for itself. It does wait for a server that a filter asks. What a source says last stays until it says
//! something else; how old that is can be read from each document and from the metrics. What is fetched over `https` is as
//! good as the certificates that are trusted; what is fetched over `http` can be forged by whoever sits on the way.

mod breaker;
pub mod discovery;
mod dns;
mod document;
mod documents;
mod file;
mod http;
mod http1;
mod http2;
pub mod inputs;
pub mod quotas;
mod remote;
mod slow;
mod tended;
pub mod traffic_manager;
mod trust;

#[cfg(test)]
mod test_server;

use std::time::{Instant, SystemTime};

use tollgate_filter_api::MetricDoc;

pub use dns::{DnsError, Name, Resolver};
pub use documents::{Documents, FreshTrust};
pub use http::{Client, FetchError, Fetched, parse_url};
pub use trust::ServerTrust;

/// The series written here.
pub const METRICS: &[MetricDoc] = &[
    MetricDoc { name: "document_fetches_total", help: "Fetches of a document, whatever came of them." },
    MetricDoc { name: "document_fetch_failures_total", help: "Fetches of a document that failed; the last good content is kept." },
    MetricDoc {
        name: "document_confirmed_timestamp_seconds",
        help: "When the source last confirmed the document, in seconds since 1970; 0 before the first time.",
    },
    MetricDoc { name: "remote_calls_total", help: "Questions to a server that requests wait for, whatever came of them." },
    MetricDoc {
        name: "remote_failures_total",
        help: "Such questions without an answer in time, or answered with a status of 500 and above.",
    },
    MetricDoc { name: "remote_open", help: "1 while such a server is left alone, or tried with one question, after failures in a row." },
    MetricDoc { name: "dns_failures_total", help: "Look-ups of a name that failed; the last answer is kept." },
];

/// The machine's time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl tollgate_filter_api::Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// Up to a fifth less than `time`, so that things that began together do not stay together.
fn jittered(time: std::time::Duration) -> std::time::Duration {
    use std::hash::{BuildHasher, RandomState};
    let random = u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or(0);
    time - time.mul_f64(0.2 * f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn jitter_takes_away_at_most_a_fifth_and_differs() {
        let whole = Duration::from_secs(100);
        let all: std::collections::BTreeSet<_> = (0..50).map(|_| jittered(whole)).collect();
        assert!(all.iter().all(|time| *time <= whole && *time >= Duration::from_secs(80)));
        assert!(all.len() > 10);
    }
}
