//! Where and what to mirror, and what of it can be judged before a connection is made.

use std::{path::PathBuf, time::Duration};

use tollgate_filter_api::{Problem, Secret};
use tollgate_outbound::tls::{self, ClientCertificate, Files};

use crate::{endpoint::Endpoint, keys::Keys};

/// How often a watch is asked how far it is.
const HEARTBEAT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(600));
/// How often everything is listed again.
const RELIST: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(7 * 24 * 3600));
/// Most bytes of a key or a prefix.
const LONGEST_KEY: usize = 1024;
/// Most members.
const MEMBERS: usize = 64;

/// Where and what to mirror.
#[derive(Clone, Debug)]
pub struct Settings {
    /// URLs of the members, `http://HOST[:PORT]` or `https://HOST[:PORT]`, port 2379. After a failure the next one is tried. Without TLS the password
    /// and all keys can be read, and forged, on the way.
    pub endpoints: Vec<String>,
    /// User name; without one nothing is said about who reads.
    pub username: Option<String>,
    /// Password.
    pub password: Option<Secret>,
    /// PEM file of the authorities that the members' certificates must end in; without it those of the machine.
    pub ca: Option<PathBuf>,
    /// What to present when a member asks for a certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// What is mirrored.
    pub keys: Vec<Keys>,
    /// How often everything is listed again and compared, 1 s to 7 days.
    pub relist: Duration,
    /// How often the watch is asked how far it is, 0.1 s to 10 min. A connection on which nothing was heard for three times this
    /// long is given up.
    pub heartbeat: Duration,
    /// Longest wait before the next attempt to connect, less up to half of it at random.
    pub longest_wait: Duration,
}

impl Settings {
    /// Settings without credentials and TLS files: everything is listed every 10 min, with a heartbeat of 5 s and waits of 10 s at
    /// most.
    pub fn new(endpoints: Vec<String>, keys: Vec<Keys>) -> Self {
        Self {
            endpoints,
            username: None,
            password: None,
            ca: None,
            client_certificate: None,
            keys,
            relist: Duration::from_secs(600),
            heartbeat: Duration::from_secs(5),
            longest_wait: Duration::from_secs(10),
        }
    }

    /// What TLS needs.
    pub(crate) fn files(&self) -> Files {
        Files { ca: self.ca.clone(), client_certificate: self.client_certificate.clone() }
    }
}

/// Judges what can be judged before connecting: the URLs, the names, the times, and that the files can be read.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(settings: &Settings) -> Result<(), Problem> {
    let endpoints = settings.endpoints.iter().map(|url| Endpoint::parse(url)).collect::<Result<Vec<_>, _>>()?;
    if endpoints.is_empty() || endpoints.len() > MEMBERS {
        return Err(Problem::error("etcd.endpoints", format!("expected 1 to {MEMBERS} URLs, found {}", endpoints.len())));
    }
    if settings.keys.is_empty() {
        return Err(Problem::error("etcd.prefix", "expected a key or a prefix, found none"));
    }
    if let Some(keys) = settings.keys.iter().find(|keys| !(1..=LONGEST_KEY).contains(&keys.beginning().len())) {
        let message = format!("expected a key or a prefix of 1 to {LONGEST_KEY} bytes, found one of {}", keys.beginning().len());
        return Err(Problem::error("etcd.prefix", message));
    }
    match (&settings.username, &settings.password) {
        (None, Some(_)) => return Err(Problem::error("etcd.username", "expected a username beside the password, found none")),
        (Some(_), None) => return Err(Problem::error("etcd.password", "expected a password beside the username, found none")),
        (Some(name), _) if name.is_empty() => return Err(Problem::error("etcd.username", "expected a username, found an empty text")),
        _ => {}
    }
    within("etcd.heartbeat", settings.heartbeat, HEARTBEAT)?;
    within("etcd.relist", settings.relist, RELIST)?;
    if endpoints.iter().any(|endpoint| endpoint.secure) {
        return tls::check(&settings.files());
    }
    if settings.ca.is_some() || settings.client_certificate.is_some() {
        let message = "expected URLs that begin with https:// beside TLS files, found only http://";
        return Err(Problem::error("etcd.endpoints", message));
    }
    Ok(())
}

fn within(code: &'static str, time: Duration, (least, most): (Duration, Duration)) -> Result<(), Problem> {
    if time < least || time > most {
        return Err(Problem::error(code, format!("expected a time from {least:?} to {most:?}, found {time:?}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(change: impl FnOnce(&mut Settings)) -> &'static str {
        let mut settings = Settings::new(vec!["http://etcd".into()], vec![Keys::Prefix("/revoked/".into())]);
        change(&mut settings);
        check(&settings).map_or_else(|problem| problem.code, |()| "fine")
    }

    #[test]
    fn what_is_wrong_is_found_before_a_connection_is_made() {
        assert_eq!(code(|_| ()), "fine");
        assert_eq!(code(|s| s.endpoints.clear()), "etcd.endpoints");
        assert_eq!(code(|s| s.endpoints.push("etcd".into())), "etcd.endpoints");
        assert_eq!(code(|s| s.keys.clear()), "etcd.prefix");
        assert_eq!(code(|s| s.keys.push(Keys::One(String::new()))), "etcd.prefix");
        assert_eq!(code(|s| s.password = Some(Secret::new("x"))), "etcd.username");
        assert_eq!(code(|s| s.username = Some("x".into())), "etcd.password");
        assert_eq!(code(|s| (s.username, s.password) = (Some(String::new()), Some(Secret::new("x")))), "etcd.username");
        assert_eq!(code(|s| s.heartbeat = Duration::ZERO), "etcd.heartbeat");
        assert_eq!(code(|s| s.relist = Duration::from_millis(1)), "etcd.relist");
        assert_eq!(code(|s| s.ca = Some("/ca.pem".into())), "etcd.endpoints");
    }

    #[test]
    fn a_ca_file_that_cannot_be_read_is_found_before_a_connection_is_made() {
        let missing = std::env::temp_dir().join("tollgate-etcd-no-such-file.pem");
        assert_eq!(code(|s| (s.endpoints[0], s.ca) = ("https://etcd".into(), Some(missing))), "tls.ca");
    }

    #[test]
    fn a_password_is_never_printed() {
        let mut settings = Settings::new(vec!["http://etcd".into()], vec![Keys::Prefix("/".into())]);
        settings.password = Some(Secret::new("hunter2"));
        assert!(!format!("{settings:?} {}", check(&settings).unwrap_err()).contains("hunter2"));
    }
}
