//! Records of DNS that are endpoints, looked up again when their time to live is over.
//!
//! The last good answer is kept while there is no other, and when there is one without records. Answers are not authenticated: whoever can
//! forge them says where requests go, and TLS towards the upstream is what protects.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig},
    lookup::Lookup,
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::rr::{RData, RecordType},
};
use tollgate_filter_api::{Counter, LogLimiter, Metrics};
use tollgate_outbound::Backoff;

use super::{
    directory::{By, Directory, Key},
    entry::Entry,
};
use crate::{
    config::{DnsName, Records},
    stores::jittered,
};

/// Longest look-up.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Least and most time between two look-ups of a name with records.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));
/// Most time between two look-ups of a name without any.
const AGAIN_WITHOUT: Duration = Duration::from_secs(30);
/// Largest weight of an endpoint.
const MOST_WEIGHT: u32 = 1000;

/// What came of a look-up.
#[derive(Debug)]
enum Answer {
    /// Endpoints, and how long they count.
    Endpoints(Vec<Entry>, Duration),
    /// There are no records, and that counts so long.
    None(Duration),
}

/// Keeps what is known of a name up to date.
pub(super) struct Tended {
    name: Arc<DnsName>,
    servers: Vec<SocketAddr>,
    directory: Arc<Directory>,
    failed: Counter,
    complaints: LogLimiter,
}

impl Tended {
    pub(super) fn new(name: Arc<DnsName>, servers: Vec<SocketAddr>, directory: Arc<Directory>, metrics: &Metrics) -> Self {
        let failed = metrics.counter("discovery_dns_failures_total", Some(("name", &name.name)));
        Self { name, servers, directory, failed, complaints: LogLimiter::default() }
    }

    /// For ever.
    pub(super) async fn run(&self) {
        let mut backoff = Backoff::between(AGAIN.0, AGAIN_WITHOUT);
        let mut resolver = None;
        loop {
            let wait = match self.ask(&mut resolver).await {
                Ok(Answer::Endpoints(entries, valid)) => {
                    self.directory.put(self.key(), entries.into(), By::Dns);
                    backoff = Backoff::between(AGAIN.0, AGAIN_WITHOUT);
                    jittered(valid.min(AGAIN.1)).max(AGAIN.0)
                }
                Ok(Answer::None(valid)) => {
                    self.directory.delete(&self.key());
                    self.complain("it has no records");
                    valid.clamp(AGAIN.0, AGAIN_WITHOUT)
                }
                Err(cause) => {
                    // The machine may have got other name servers.
                    resolver = None;
                    self.failed.inc();
                    self.complain(&cause);
                    backoff.wait()
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    fn key(&self) -> Key {
        Key::Dns(self.name.clone())
    }

    fn complain(&self, cause: &str) {
        if self.complaints.allow(Instant::now()).is_some() {
            log::warn!("{}: {cause}; what is known of it stays", self.key());
        }
    }

    async fn ask(&self, resolver: &mut Option<TokioResolver>) -> Result<Answer, String> {
        let resolver = match resolver {
            Some(resolver) => resolver,
            none => none.insert(build(&self.servers).map_err(|error| format!("name servers are not known: {error}"))?),
        };
        let asked = async {
            match self.name.records {
                Records::Address => addresses(&self.name, resolver).await,
                Records::Srv => services(&self.name, resolver).await,
            }
        };
        let answer = tokio::time::timeout(TIMEOUT, asked).await.map_err(|_| format!("no answer within {TIMEOUT:?}"))??;
        match &answer {
            Answer::Endpoints(entries, _) if entries.iter().any(|entry| entry.check().is_err()) => {
                Err("a record of it can be no endpoint".to_owned())
            }
            _ => Ok(answer),
        }
    }
}

/// Asks these name servers, or else the machine's.
fn build(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let provider = TokioRuntimeProvider::default();
    let mut builder = if servers.is_empty() {
        Resolver::builder(provider)?
    } else {
        let servers = servers.iter().map(|server| server_at(*server)).collect();
        Resolver::builder_with_config(ResolverConfig::from_parts(None, Vec::new(), servers), provider)
    };
    let options = builder.options_mut();
    // What is asked here has run out.
    options.cache_size = 0;
    // Its names have no time to live.
    options.use_hosts_file = ResolveHosts::Never;
    options.timeout = Duration::from_secs(2);
    options.attempts = 1;
    builder.build()
}

fn server_at(server: SocketAddr) -> NameServerConfig {
    let connection = |mut connection: ConnectionConfig| {
        connection.port = server.port();
        connection
    };
    let mut config = NameServerConfig::udp_and_tcp(server.ip());
    config.connections = config.connections.into_iter().map(connection).collect();
    config
}

/// The records of one type, if there are any, and how long that counts.
async fn records(name: &DnsName, resolver: &TokioResolver, kind: RecordType) -> Result<(Option<Lookup>, Duration), String> {
    // Whole, so that nothing is put behind it.
    let whole = format!("{}.", name.name.trim_end_matches('.'));
    match resolver.lookup(whole, kind).await {
        Ok(found) => {
            let valid = found.valid_until().saturating_duration_since(Instant::now());
            Ok((Some(found), valid))
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => Ok((None, Duration::from_secs(none.negative_ttl.unwrap_or_default().into()))),
        Err(error) => Err(error.to_string()),
    }
}

/// Both kinds must be answered: half of the addresses are not all of them.
async fn addresses(name: &DnsName, resolver: &TokioResolver) -> Result<Answer, String> {
    let (four, six) = tokio::join!(records(name, resolver, RecordType::A), records(name, resolver, RecordType::AAAA));
    let ((four, valid_four), (six, valid_six)) = (four?, six?);
    let found = four.iter().chain(&six).flat_map(|lookup| lookup.answers()).filter_map(|record| match &record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    });
    let addresses: BTreeSet<_> = found.collect();
    let valid = match (&four, &six) {
        (Some(_), None) => valid_four,
        (None, Some(_)) => valid_six,
        _ => valid_four.min(valid_six),
    };
    if addresses.is_empty() {
        return Ok(Answer::None(valid));
    }
    let entry = |address: IpAddr| {
        let host = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        Entry { url: name.url(&host, name.port()), weight: 1, zone: None, priority: 0 }
    };
    Ok(Answer::Endpoints(addresses.into_iter().map(entry).collect(), valid))
}

async fn services(name: &DnsName, resolver: &TokioResolver) -> Result<Answer, String> {
    let (found, valid) = records(name, resolver, RecordType::SRV).await?;
    let services = found.iter().flat_map(Lookup::answers).filter_map(|record| match &record.data {
        // The root stands for no service at all.
        RData::SRV(service) if !service.target.is_root() => {
            let target = service.target.to_ascii().trim_end_matches('.').to_ascii_lowercase();
            Some((service.priority, target, service.port, service.weight))
        }
        _ => None,
    });
    let services: BTreeSet<_> = services.collect();
    if services.is_empty() {
        return Ok(Answer::None(valid));
    }
    Ok(Answer::Endpoints(entries(name, &services), valid))
}

/// SRV records as endpoints: priorities by their order alone, weights in proportion (RFC 2782).
fn entries(name: &DnsName, services: &BTreeSet<(u16, String, u16, u16)>) -> Vec<Entry> {
    let priorities: BTreeSet<_> = services.iter().map(|(priority, ..)| *priority).collect();
    let most = services.iter().map(|(.., weight)| *weight).max().unwrap_or_default();
    let least = services.iter().map(|(.., weight)| *weight).min().unwrap_or_default();
    let entry = |(priority, target, port, weight): &(u16, String, u16, u16)| Entry {
        url: name.url(target, *port),
        // One of 0 among others has a very small chance, and not none.
        weight: if most == least { 1 } else { (u32::from(*weight) * MOST_WEIGHT / u32::from(most)).max(1) },
        zone: None,
        priority: u8::try_from(priorities.range(..priority).count()).unwrap_or(u8::MAX),
    };
    services.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_endpoints_by_the_order_of_their_priorities_and_the_proportion_of_their_weights() {
        let name: DnsName = serde_json::from_value(serde_json::json!({ "name": "_http._tcp.pets.example", "type": "srv" })).unwrap();
        let found = |services: &[(u16, &str, u16, u16)]| {
            let services = services.iter().map(|(priority, target, port, weight)| (*priority, (*target).to_owned(), *port, *weight));
            let entries = entries(&name, &services.collect());
            entries.into_iter().map(|entry| (entry.url, entry.weight, entry.priority)).collect::<Vec<_>>()
        };
        let url = |url: &str| url.to_owned();
        assert_eq!(found(&[(10, "b", 2, 0), (10, "a", 1, 0)]), [(url("http://a:1"), 1, 0), (url("http://b:2"), 1, 0)]);
        let weighted = found(&[(10, "a", 1, 0), (10, "b", 1, 30000), (20, "c", 1, 60000)]);
        assert_eq!(weighted, [(url("http://a:1"), 1, 0), (url("http://b:1"), 500, 0), (url("http://c:1"), 1000, 1)]);
    }
}
