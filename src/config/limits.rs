//! What clients may spend.

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::{ByteSize, Interval};

/// What clients may spend. Each limit has a counter under its name in `tollgate_limits_total`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections at the same time, all listeners together. The system's limit of open files must be twice that; a lower one
    /// lowers this with a warning at start.
    pub connections: usize,
    /// Connections at the same time from one client: an address of IPv4, or the first 64 bits of one of IPv6.
    pub connections_per_client: usize,
    /// Time for a TLS handshake.
    pub handshake_time: Interval,
    /// Total time for a request header, from its first byte.
    pub header_time: Interval,
    /// Bytes of a request header, all fields together.
    pub header_bytes: ByteSize,
    /// Fields of a request header, crumbs of a cookie counted one by one.
    pub header_fields: usize,
    /// Bytes of the request target.
    pub target_bytes: ByteSize,
    /// Bytes of a request body; of a gRPC call, all messages of the client together.
    pub body_bytes: ByteSize,
    /// Least pace of a request body, bytes a second, after ten seconds of grace. A gRPC call over HTTP/2 needs none: it may be idle for as
    /// long as `upstream.read_timeout` lets its upstream be.
    pub body_pace: ByteSize,
    /// How long a connection may be idle between requests.
    pub idle_time: Interval,
    /// Longest standstill while an answer is written to a client.
    pub write_time: Interval,
    /// Requests on one connection: the last answer over HTTP/1.1 closes it; over HTTP/2 clients are asked to go to a new one.
    pub requests_per_connection: u32,
    /// HTTP/2 streams at the same time on one connection.
    pub h2_streams: u32,
    /// Control frames of HTTP/2, such as PING, SETTINGS, PRIORITY and RST_STREAM, that a client may send beyond those that go with its
    /// answers. A tenth of them comes back each second. A client that sends more is told `ENHANCE_YOUR_CALM`, and its connection ends.
    pub h2_control_frames: u32,
    /// Bytes of a piece of an answer, two of which wait for a client who takes nothing. An answer begins with pieces of 8 KiB, which grow
    /// while its client takes them.
    pub answer_buffer: ByteSize,
    /// Bytes that all answers together may take for larger pieces: three for each byte by which a piece has grown. When they are used up,
    /// large answers go in small pieces.
    pub answer_buffers: ByteSize,
    /// Bytes that all answers together may have which filters read whole, as their upstreams sent them. One that would need more is refused
    /// with 503.
    pub whole_answers: ByteSize,
    /// Bytes of memory the process may have. At 80 % of it, clients who take nothing of their answers are given a tenth of `write_time`;
    /// at 90 % new connections and streams are refused; at 95 % requests are answered 503. The same holds for open files. Absent: the
    /// memory limit of the container; without one, memory is not watched. Counted as `memory` are the requests that were turned away, for
    /// either.
    pub memory: Option<ByteSize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_client: 1_000,
            handshake_time: Interval::seconds(10),
            header_time: Interval::seconds(10),
            header_bytes: ByteSize(32 << 10),
            header_fields: 100,
            target_bytes: ByteSize(8 << 10),
            body_bytes: ByteSize(10 << 20),
            body_pace: ByteSize(240),
            idle_time: Interval::seconds(60),
            write_time: Interval::seconds(30),
            requests_per_connection: 10_000,
            h2_streams: 100,
            h2_control_frames: 10_000,
            answer_buffer: ByteSize(64 << 10),
            answer_buffers: ByteSize(4 << 20),
            whole_answers: ByteSize(64 << 20),
            memory: None,
        }
    }
}
