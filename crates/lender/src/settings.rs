//! Where the store is, and what of it can be judged before a connection is made.

use std::{path::PathBuf, time::Duration};

use tollgate_filter_api::{Problem, Secret};
use tollgate_outbound::tls::{self, ClientCertificate, Files};

use crate::wire::endpoint::Endpoint;

/// How long a question may take.
const TIMEOUT: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// So much of it a question waits for others, and for timers.
const GATHERING: Duration = Duration::from_millis(5);
/// Most URLs.
const URLS: usize = 64;
/// Longest prefix of keys.
const PREFIX: usize = 64;
/// Most gateways that share a store.
pub(crate) const NODES: u32 = 10_000;

/// How the store is made up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One server, and one URL.
    Single,
    /// A cluster; the URLs are some of its nodes, from which the others are learnt. Only masters are asked.
    Cluster,
    /// A master that sentinels watch; the URLs are theirs.
    Sentinel {
        /// The master's name, as the sentinels know it.
        master: String,
        /// What the sentinels, not the master, want to hear first.
        password: Option<Secret>,
    },
}

/// Where the store is, and how it is asked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `redis://HOST[:PORT]`, or `rediss://HOST[:PORT]` with TLS. Without TLS the password and all quotas can be read, and forged, on the
    /// way.
    pub urls: Vec<String>,
    /// What the URLs lead to.
    pub mode: Mode,
    /// User name (Redis 6 and later); without one the password is the default user's.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// PEM file of the authorities that the servers' certificates must end in; without it those of the machine.
    pub ca: Option<PathBuf>,
    /// What to present when a server asks for a certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// How long a question may take until it is given up, 10 ms to 1 s: the longest that a request waits for the store. A call has 5 ms less.
    pub timeout: Duration,
    /// What every key in the store begins with. Gateways that share quotas share it.
    pub prefix: String,
    /// So many gateways share the store at least, up to 10,000. The store tells how many there are. Until it was reached once nobody knows, unless
    /// it is said here, and no gateway has a share.
    pub gateways: u32,
}

impl Settings {
    /// One server, without credentials and TLS files; a question may take 50 ms.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            urls: vec![url.into()],
            mode: Mode::Single,
            username: None,
            password: None,
            ca: None,
            client_certificate: None,
            timeout: Duration::from_millis(50),
            prefix: "tollgate".to_owned(),
            gateways: 0,
        }
    }

    /// How long a call may take.
    pub(crate) fn call(&self) -> Duration {
        self.timeout.saturating_sub(GATHERING)
    }

    /// What TLS needs.
    pub(crate) fn files(&self) -> Files {
        Files { ca: self.ca.clone(), client_certificate: self.client_certificate.clone() }
    }

    /// The URLs, taken apart.
    pub(crate) fn endpoints(&self) -> Result<Vec<Endpoint>, Problem> {
        let parse = if matches!(self.mode, Mode::Sentinel { .. }) { Endpoint::of_sentinel } else { Endpoint::of_redis };
        self.urls.iter().map(|url| parse(url)).collect()
    }
}

/// Judges what can be judged before connecting: the URLs, the names, the time limit, and that the files can be read.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(settings: &Settings) -> Result<(), Problem> {
    let endpoints = settings.endpoints()?;
    let most = if settings.mode == Mode::Single { 1 } else { URLS };
    if endpoints.is_empty() || endpoints.len() > most {
        let message = format!("expected 1 to {most} URLs, found {}", endpoints.len());
        return Err(Problem::error("counters.urls", message).hint("several servers are a cluster, or sentinels"));
    }
    names(settings)?;
    if settings.timeout < TIMEOUT.0 || settings.timeout > TIMEOUT.1 {
        let message = format!("expected a time from {:?} to {:?}, found {:?}", TIMEOUT.0, TIMEOUT.1, settings.timeout);
        return Err(Problem::error("counters.timeout", message));
    }
    if settings.gateways > NODES {
        return Err(Problem::error("counters.gateways", format!("expected 0 to {NODES}, found {}", settings.gateways)));
    }
    encryption(settings, &endpoints)
}

fn names(settings: &Settings) -> Result<(), Problem> {
    match (&settings.username, &settings.password) {
        (Some(_), None) => return Err(Problem::error("counters.password", "expected a password beside the username, found none")),
        (Some(name), _) if name.is_empty() => return Err(Problem::error("counters.username", "expected a username, found an empty text")),
        _ => {}
    }
    let prefix = &settings.prefix;
    // Braces would make another hash tag.
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'/');
    if prefix.is_empty() || prefix.len() > PREFIX || !prefix.bytes().all(legal) {
        let message = format!("expected a prefix of 1 to {PREFIX} letters, digits or any of `-_.:/`, found `{}`", prefix.escape_debug());
        return Err(Problem::error("counters.prefix", message));
    }
    match &settings.mode {
        Mode::Sentinel { master, .. } if master.is_empty() => {
            Err(Problem::error("counters.master", "expected the name of a master, found an empty text"))
        }
        _ => Ok(()),
    }
}

fn encryption(settings: &Settings, endpoints: &[Endpoint]) -> Result<(), Problem> {
    let secure = endpoints.iter().filter(|endpoint| endpoint.secure).count();
    if secure != 0 && secure != endpoints.len() {
        let message = "expected URLs that all begin with redis:// or all with rediss://, found both";
        return Err(Problem::error("counters.urls", message));
    }
    if secure != 0 {
        return tls::check(&settings.files());
    }
    if settings.ca.is_some() || settings.client_certificate.is_some() {
        let message = "expected URLs that begin with rediss:// beside TLS files, found redis://";
        return Err(Problem::error("counters.urls", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(change: impl FnOnce(&mut Settings)) -> &'static str {
        let mut settings = Settings::new("redis://store");
        change(&mut settings);
        check(&settings).map_or_else(|problem| problem.code, |()| "fine")
    }

    fn sentinel(master: &str) -> Mode {
        Mode::Sentinel { master: master.into(), password: None }
    }

    #[test]
    fn what_is_wrong_is_found_before_a_connection_is_made() {
        assert_eq!(code(|_| ()), "fine");
        assert_eq!(code(|s| s.password = Some(Secret::new("x"))), "fine", "the default user's");
        assert_eq!(code(|s| s.urls.clear()), "counters.urls");
        assert_eq!(code(|s| s.urls.push("redis://other".into())), "counters.urls");
        assert_eq!(code(|s| (s.urls, s.mode) = (vec!["redis://a".into(), "redis://b".into()], Mode::Cluster)), "fine");
        assert_eq!(code(|s| (s.urls, s.mode) = (vec!["redis://a".into(), "rediss://b".into()], Mode::Cluster)), "counters.urls");
        assert_eq!(code(|s| s.urls[0] = "redis://store/1".into()), "counters.urls");
        assert_eq!(code(|s| s.mode = sentinel("main")), "fine");
        assert_eq!(code(|s| s.mode = sentinel("")), "counters.master");
        assert_eq!(code(|s| s.username = Some("x".into())), "counters.password");
        assert_eq!(code(|s| (s.username, s.password) = (Some(String::new()), Some(Secret::new("x")))), "counters.username");
        assert_eq!(code(|s| s.timeout = Duration::ZERO), "counters.timeout");
        assert_eq!(code(|s| s.timeout = Duration::from_secs(2)), "counters.timeout");
        assert_eq!(code(|s| s.prefix.clear()), "counters.prefix");
        assert_eq!(code(|s| s.prefix = "a{b}".into()), "counters.prefix");
        assert_eq!(code(|s| s.gateways = NODES + 1), "counters.gateways");
        assert_eq!(code(|s| s.ca = Some("/ca.pem".into())), "counters.urls");
    }

    #[test]
    fn a_ca_file_that_cannot_be_read_is_found_before_a_connection_is_made() {
        let missing = std::env::temp_dir().join("tollgate-lender-no-such-file.pem");
        assert_eq!(code(|s| (s.urls[0], s.ca) = ("rediss://store".into(), Some(missing))), "tls.ca");
    }

    #[test]
    fn a_password_is_never_printed() {
        let mut settings = Settings::new("redis://store");
        settings.password = Some(Secret::new("hunter2"));
        settings.timeout = Duration::ZERO;
        settings.mode = Mode::Sentinel { master: "main".into(), password: Some(Secret::new("hunter2")) };
        assert!(!format!("{settings:?} {}", check(&settings).unwrap_err()).contains("hunter2"));
    }
}
