//! How long a group's upstreams may take.

use std::time::Duration;

use tollgate_filter_api::Interval;
use tollgate_plan::Guards;

use super::{
    build::Inputs,
    said::{Origin, Said, Settings},
};
use crate::config::EndpointOverride;

/// What the head of an answer may take beyond the longest silence, where nothing is said of it: an upstream that says nothing at all
/// is then reported as silent.
const BEYOND_SILENCE: Duration = Duration::from_secs(2);

/// Time limits of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For TCP and TLS together.
    pub connect: Duration,
    /// Longest silence while an answer is awaited or read.
    pub read: Duration,
    /// Longest standstill while the request is written.
    pub write: Duration,
    /// From the request to the head of the final answer.
    pub response_header: Duration,
    /// From the first attempt to the end of the answer.
    pub request: Option<Duration>,
    /// How long an unused connection is kept.
    pub idle: Duration,
}

/// The time limits of a group, and who said that the head of an answer must come sooner than the longest silence.
pub fn timeouts<'a>(inputs: &Inputs<'a>, settings: &Settings<'a>, guards: Option<&Guards>) -> (Timeouts, Option<Origin<'a>>) {
    let defaults = &inputs.gateway.upstream;
    let of = |member: &str, get: fn(&'a EndpointOverride) -> Option<Interval>| settings.entry(member, get).map(|said| said.value);
    let declared = guards.and_then(|guards| guards.timeout).map(|millis| Interval(Duration::from_millis(millis)));
    let read = of("read_timeout", |entry| entry.read_timeout).or(declared).unwrap_or(defaults.read_timeout).0;
    let general = |value: Option<Interval>| Some(Said { value: value?, by: Origin::Setting("/upstream/response_header_timeout".into()) });
    let header = settings
        .entry("response_header_timeout", |entry| entry.response_header_timeout)
        .or_else(|| general(defaults.response_header_timeout));
    let request = settings.entry("request_timeout", |entry| entry.request_timeout).map(|said| said.value).or(defaults.request_timeout);
    let timeouts = Timeouts {
        connect: of("connect_timeout", |entry| entry.connect_timeout).unwrap_or(defaults.connect_timeout).0,
        read,
        write: of("write_timeout", |entry| entry.write_timeout).unwrap_or(defaults.write_timeout).0,
        response_header: header.as_ref().map_or(read.saturating_add(BEYOND_SILENCE), |said| said.value.0),
        request: request.map(|limit| limit.0).filter(|limit| !limit.is_zero()),
        idle: of("idle_timeout", |entry| entry.idle_timeout).unwrap_or(defaults.idle_timeout).0,
    };
    (timeouts, header.filter(|said| said.value.0 < read).map(|said| said.by))
}
