//! One line of the access log: what is known of a request when it has ended.

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{
    Serialize, Serializer,
    ser::{Error, SerializeMap},
};
use tollgate_filter_api::{Cause, Method, OperationInfo, Principal, Reason, RequestId};

use crate::chain::Explanation;

/// A request that has ended. Holds no query string and no credential; of the caller only which filter vouched, the client
/// application's key and the digest of the certificate. What is not verified has names that say so.
#[derive(Clone, Debug)]
pub struct Line {
    /// When its head was read.
    pub time: SystemTime,
    /// The request's id.
    pub request_id: RequestId,
    /// The configuration that judged it.
    pub configuration: Option<Arc<str>>,
    /// Address of the client.
    pub client: IpAddr,
    /// Method.
    pub method: Method,
    /// Host, in normal form.
    pub host: Arc<str>,
    /// Path, in normal form.
    pub path: String,
    /// The operation it was routed to.
    pub operation: Option<Arc<OperationInfo>>,
    /// Status the client got; 0 when the connection broke before an answer. For a call of gRPC that was refused, the one that the
    /// refusal would have over plain HTTP.
    pub status: u16,
    /// The code by which a call of gRPC ended.
    pub grpc_status: Option<u8>,
    /// Why the gateway answered itself.
    pub reason: Option<&'static Reason>,
    /// Why it refused.
    pub cause: Option<Arc<Cause>>,
    /// Which alternatives failed how, and the line that asked.
    pub explanation: Option<Explanation>,
    /// A note for the operator.
    pub detail: Option<Cow<'static, str>>,
    /// Bytes of the request body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// From the head to the end of the answer.
    pub duration: Duration,
    /// Time spent with upstreams.
    pub upstream_duration: Option<Duration>,
    /// The last upstream that was tried.
    pub upstream: Option<SocketAddr>,
    /// How many upstreams were tried.
    pub attempts: u32,
    /// `HTTP/1.1` and so on.
    pub protocol: &'static str,
    /// TLS version of the client's connection.
    pub tls: Option<&'static str>,
    /// Who called.
    pub principal: Option<Principal>,
    /// The client application whose verified credential was refused.
    pub refused_client: Option<String>,
    /// The client application that a refused credential names which nobody verified.
    pub claimed_client: Option<String>,
    /// SHA-256 of the client's certificate, when one was verified.
    pub certificate: Option<[u8; 32]>,
    /// SHA-256 of the one that was not.
    pub untrusted_certificate: Option<[u8; 32]>,
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("ts", &timestamp(self.time))?;
        map.serialize_entry("request_id", &format_args!("{}", self.request_id))?;
        optional(&mut map, "configuration", self.configuration.as_deref())?;
        map.serialize_entry("client", &self.client)?;
        map.serialize_entry("method", self.method.as_str())?;
        map.serialize_entry("host", &*self.host)?;
        map.serialize_entry("path", &self.path)?;
        if let Some(operation) = &self.operation {
            map.serialize_entry("api", &operation.api)?;
            map.serialize_entry("version", &operation.version)?;
            map.serialize_entry("operation", &operation.id)?;
        }
        map.serialize_entry("status", &self.status)?;
        optional(&mut map, "grpc_status", self.grpc_status)?;
        optional(&mut map, "reason", self.reason.map(|reason| reason.id))?;
        optional(&mut map, "code", self.reason.map(|reason| reason.code).filter(|code| *code != 0))?;
        optional(&mut map, "cause", self.cause.as_ref().map(|cause| cause.kind().name()))?;
        optional(&mut map, "detail", self.in_words())?;
        if let Some(Explanation { asked_by, alternatives }) = &self.explanation {
            optional(&mut map, "asked_by", asked_by.as_deref())?;
            optional(&mut map, "alternatives", Some(alternatives).filter(|all| !all.is_empty()))?;
        }
        map.serialize_entry("bytes_in", &self.bytes_in)?;
        map.serialize_entry("bytes_out", &self.bytes_out)?;
        map.serialize_entry("duration_ms", &milliseconds(self.duration))?;
        optional(&mut map, "upstream_ms", self.upstream_duration.map(milliseconds))?;
        let own = self.duration.saturating_sub(self.upstream_duration.unwrap_or_default());
        map.serialize_entry("gateway_ms", &milliseconds(own))?;
        optional(&mut map, "upstream", self.upstream)?;
        map.serialize_entry("attempts", &self.attempts)?;
        map.serialize_entry("protocol", self.protocol)?;
        optional(&mut map, "tls", self.tls)?;
        let principal = self.principal.as_ref().filter(|principal| !principal.is_anonymous());
        optional(&mut map, "filter", principal.map(|principal| principal.filter))?;
        optional(&mut map, "client_id", principal.and_then(|principal| principal.client.as_ref()).or(self.refused_client.as_ref()))?;
        optional(&mut map, "claimed_client_id", self.claimed_client.as_deref())?;
        optional(&mut map, "certificate_sha256", self.certificate.map(HexDigest))?;
        optional(&mut map, "untrusted_certificate_sha256", self.untrusted_certificate.map(HexDigest))?;
        map.end()
    }
}

/// A digest in hexadecimal digits, without an allocation.
struct HexDigest([u8; 32]);

impl Serialize for HexDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = [0; 64];
        hex::encode_to_slice(self.0, &mut digits).map_err(S::Error::custom)?;
        serializer.serialize_str(std::str::from_utf8(&digits).map_err(S::Error::custom)?)
    }
}

impl Line {
    /// Why it was refused, and what else there is to say.
    fn in_words(&self) -> Option<Cow<'_, str>> {
        match (&self.cause, &self.detail) {
            (Some(cause), Some(detail)) => Some(format!("{cause}; {detail}").into()),
            (Some(cause), None) => Some(cause.to_string().into()),
            (None, detail) => detail.as_deref().map(Cow::Borrowed),
        }
    }
}

fn optional<M: SerializeMap>(map: &mut M, key: &str, value: Option<impl Serialize>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(key, &value))
}

/// Milliseconds, to the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// RFC 3339 in UTC, to the millisecond. Times before 1970 count as 1970.
pub fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", since.subsec_millis())
}

/// The Gregorian date so many days after 1 January 1970. Counts in eras of 400 years that begin in March, so that the leap
/// day is a year's last.
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}
