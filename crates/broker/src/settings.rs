//! Where and how to subscribe, and what of it can be judged before a connection is made.

use std::{path::PathBuf, time::Duration};

use tollgate_filter_api::{Problem, Secret};
use tollgate_outbound::tls::{self, ClientCertificate, Files};
use tollgate_url::redacted;

use crate::endpoint::{Endpoint, Protocol};

/// Shortest heartbeat: AMQP 0-9-1 counts in seconds.
const SHORTEST: Duration = Duration::from_secs(1);
/// Longest heartbeat.
const LONGEST: Duration = Duration::from_secs(600);

/// Where and how to subscribe.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `SCHEME://HOST[:PORT][/VHOST]`. The scheme says the protocol: `stomp` and `stomp+tls` (STOMP 1.2; ports 61613 and
    /// 61614), `amqp10` and `amqp10+tls` (AMQP 1.0), `amqp` and `amqps` (AMQP 0-9-1; ports 5672 and 5671). Without TLS the password and all messages can be
    /// read, and messages forged, on the way.
    pub url: String,
    /// User name; without one the broker is asked to let anybody in.
    pub username: Option<String>,
    /// Password. RabbitMQ reads a backslash over STOMP as the beginning of an escape, which STOMP 1.2 forbids in CONNECT:
    /// such a password works there over AMQP only.
    pub password: Option<Secret>,
    /// What to listen to. STOMP: the destination, `NAME` is short for `/topic/NAME`. AMQP 1.0: the address as the
    /// broker spells it, such as `/topic/NAME` (RabbitMQ) or `topic://NAME` (ActiveMQ). AMQP 0-9-1: the binding key on
    /// `amq.topic`, `/topic/NAME` is the same as `NAME`, or `/exchange/EXCHANGE/KEY`.
    pub topic: String,
    /// Name of a durable subscription, for which the broker keeps messages while nobody listens. No two subscribers may
    /// have the same one: each gateway has its own.
    /// RabbitMQ keeps none over AMQP 1.0: there `topic` must be a queue, `/amq/queue/NAME`.
    pub subscription: Option<String>,
    /// PEM file of the authorities that the broker's certificate must end in; without it those of the machine.
    pub ca: Option<PathBuf>,
    /// What to present when the broker asks for a certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// How often both sides say at least something, 1 s to 10 min. A connection on which nothing was heard for twice this
    /// time is given up.
    pub heartbeat: Duration,
}

impl Settings {
    /// Settings without credentials, TLS files or durable subscription, with a heartbeat of 10 s.
    pub fn new(url: impl Into<String>, topic: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            username: None,
            password: None,
            topic: topic.into(),
            subscription: None,
            ca: None,
            client_certificate: None,
            heartbeat: Duration::from_secs(10),
        }
    }

    /// What TLS needs.
    pub(crate) fn files(&self) -> Files {
        Files { ca: self.ca.clone(), client_certificate: self.client_certificate.clone() }
    }
}

/// Judges what can be judged before connecting: the URL, the names, the times, and that the files can be read.
///
/// # Errors
/// The first thing that is wrong.
pub fn check(settings: &Settings) -> Result<(), Problem> {
    let endpoint = Endpoint::parse(&settings.url)?;
    text("broker.topic", "topic", &settings.topic)?;
    if let Some(name) = &settings.subscription {
        text("broker.subscription", "subscription", name)?;
    }
    if let Some(name) = &settings.username {
        text("broker.username", "username", name)?;
    }
    if settings.password.is_some() && settings.username.is_none() {
        return Err(Problem::error("broker.username", "expected a username beside the password, found none"));
    }
    if let Some(password) = &settings.password {
        text("broker.password", "password", password.expose()).map_err(|problem| Problem { message: hidden(), ..problem })?;
    }
    if settings.heartbeat < SHORTEST || settings.heartbeat > LONGEST {
        let message = format!("expected a heartbeat from 1 s to 10 min, found {:?}", settings.heartbeat);
        return Err(Problem::error("broker.heartbeat", message));
    }
    if endpoint.protocol == Protocol::Amqp091 {
        crate::amqp091::binding::Binding::parse(&settings.topic)?;
    }
    if endpoint.secure {
        return tls::check(&settings.files());
    }
    if settings.ca.is_some() || settings.client_certificate.is_some() {
        return Err(Problem::error(
            "broker.tls",
            format!("expected a URL that means TLS beside TLS files, found `{}`", redacted(&settings.url)),
        )
        .hint("write stomp+tls://, amqp10+tls:// or amqps://"));
    }
    Ok(())
}

fn hidden() -> String {
    "expected a password of 1 to 255 bytes without control characters".to_owned()
}

/// Every protocol has room for 255 bytes of any name, and none for a line end.
fn text(code: &'static str, field: &str, value: &str) -> Result<(), Problem> {
    if value.is_empty() || value.len() > 255 || value.chars().any(char::is_control) {
        let found: String = value.chars().take(40).collect();
        return Err(Problem::error(code, format!("expected a {field} of 1 to 255 bytes without control characters, found {found:?}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(change: impl FnOnce(&mut Settings)) -> &'static str {
        let mut settings = Settings::new("stomp://broker", "revoked");
        change(&mut settings);
        check(&settings).map_or_else(|problem| problem.code, |()| "fine")
    }

    #[test]
    fn what_is_wrong_is_found_before_a_connection_is_made() {
        assert_eq!(code(|_| ()), "fine");
        assert_eq!(code(|s| s.url = "mqtt://broker".into()), "broker.url");
        assert_eq!(code(|s| s.topic = String::new()), "broker.topic");
        assert_eq!(code(|s| s.topic = "a\nreceipt:x".into()), "broker.topic");
        assert_eq!(code(|s| s.subscription = Some("x".repeat(256))), "broker.subscription");
        assert_eq!(code(|s| s.password = Some(Secret::new("x"))), "broker.username");
        assert_eq!(code(|s| s.heartbeat = Duration::from_millis(10)), "broker.heartbeat");
        assert_eq!(code(|s| s.ca = Some("/ca.pem".into())), "broker.tls");
        assert_eq!(code(|s| (s.url, s.topic) = ("amqp://broker".into(), "/exchange/only".into())), "broker.topic");
    }

    #[test]
    fn a_ca_file_that_cannot_be_read_is_found_before_a_connection_is_made() {
        let missing = std::env::temp_dir().join("tollgate-broker-no-such-file.pem");
        assert_eq!(code(|s| (s.url, s.ca) = ("stomp+tls://broker".into(), Some(missing))), "tls.ca");
    }

    #[test]
    fn a_password_is_never_repeated() {
        let mut settings = Settings::new("stomp://broker", "revoked");
        (settings.username, settings.password) = (Some("u".into()), Some(Secret::new("hunter2\n")));
        let problem = check(&settings).unwrap_err();
        assert_eq!(problem.code, "broker.password");
        assert!(!problem.to_string().contains("hunter2"));
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
