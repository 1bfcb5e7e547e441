//! Which `Host` and `Origin` a request to the port may carry.
//!
//! A web page can make a browser call this port under a name of its own that resolves to it. Browsers send that name as
//! `Host`, so only names that nobody else can own are accepted: addresses, `localhost`, and nothing when HTTP/1.0 has none.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, Method, Uri, Version, header};

const FOREIGN: &str = "the Host field is not this port's: use its address, or localhost";

/// Decides by the port's own address.
#[derive(Clone, Copy, Debug)]
pub struct Hosts {
    address: SocketAddr,
}

impl Hosts {
    /// For a port that listens there.
    pub fn of(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Whether the request was meant for this port.
    ///
    /// # Errors
    /// Why not, a sentence for the one who asks.
    pub fn check(&self, method: &Method, version: Version, headers: &HeaderMap) -> Result<(), &'static str> {
        let mut hosts = headers.get_all(header::HOST).iter();
        match (hosts.next(), hosts.next()) {
            (None, _) if version < Version::HTTP_11 => {}
            (Some(host), None) if host.to_str().is_ok_and(|host| self.is_own(host)) => {}
            _ => return Err(FOREIGN),
        }
        if !matches!(*method, Method::GET | Method::HEAD) && headers.contains_key(header::ORIGIN) {
            return Err("a web page may not change anything here");
        }
        Ok(())
    }

    /// Whether a target in absolute form is this port's; its host counts more than the field (RFC 9112 §3.2.2).
    ///
    /// # Errors
    /// Why not, a sentence for the one who asks.
    pub fn check_target(&self, target: &Uri) -> Result<(), &'static str> {
        if target.authority().is_none_or(|authority| self.is_own(authority.as_str())) { Ok(()) } else { Err(FOREIGN) }
    }

    fn is_own(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => {
                if port.parse() != Ok(self.address.port()) {
                    return false;
                }
                name
            }
            _ => host,
        };
        if name.eq_ignore_ascii_case("localhost") {
            return true;
        }
        let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
        // On every address of the machine, each of them is the port's own; an address cannot be rebound.
        address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip == self.address.ip() || self.address.ip().is_unspecified())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(address: &str, host: Option<&str>) -> bool {
        let headers: HeaderMap = host.into_iter().map(|host| (header::HOST, host.parse().unwrap())).collect();
        Hosts::of(address.parse().unwrap()).check(&Method::GET, Version::HTTP_11, &headers).is_ok()
    }

    #[test]
    fn loopback_and_the_ports_own_address_are_accepted() {
        for host in ["127.0.0.1:9901", "localhost:9901", "LocalHost", "127.0.0.1", "[::1]:9901", "[::1]"] {
            assert!(check("127.0.0.1:9901", Some(host)), "{host}");
        }
        assert!(check("192.0.2.7:9901", Some("192.0.2.7:9901")));
        assert!(check("0.0.0.0:9901", Some("192.0.2.7:9901")));
    }

    #[test]
    fn p45_a_name_that_somebody_else_may_own_is_refused() {
        for host in ["evil.example", "evil.example:9901", "127.0.0.1.evil.example", "localhost.evil.example:9901", "", ":9901"] {
            assert!(!check("127.0.0.1:9901", Some(host)), "{host}");
            assert!(!check("0.0.0.0:9901", Some(host)), "{host}");
        }
        assert!(!check("127.0.0.1:9901", Some("192.0.2.7:9901")));
    }

    #[test]
    fn a_target_in_absolute_form_must_be_the_ports_own() {
        let hosts = Hosts::of("127.0.0.1:9901".parse().unwrap());
        for (target, own) in [
            ("/plan", true),
            ("http://127.0.0.1:9901/plan", true),
            ("http://localhost/plan", true),
            ("http://evil.example/plan", false),
            ("http://evil.example:9901/plan", false),
            ("http://localhost@evil.example/plan", false),
        ] {
            assert_eq!(hosts.check_target(&target.parse().unwrap()).is_ok(), own, "{target}");
        }
    }

    #[test]
    fn another_port_is_another_service() {
        assert!(!check("127.0.0.1:9901", Some("127.0.0.1:80")));
        assert!(!check("127.0.0.1:9901", Some("127.0.0.1:99010")));
    }

    #[test]
    fn two_hosts_or_none_are_refused_where_one_is_demanded() {
        let hosts = Hosts::of("127.0.0.1:9901".parse().unwrap());
        let mut headers = HeaderMap::new();
        assert!(hosts.check(&Method::GET, Version::HTTP_11, &headers).is_err());
        assert!(hosts.check(&Method::GET, Version::HTTP_10, &headers).is_ok());
        headers.append(header::HOST, "localhost".parse().unwrap());
        headers.append(header::HOST, "localhost".parse().unwrap());
        assert!(hosts.check(&Method::GET, Version::HTTP_11, &headers).is_err());
    }

    #[test]
    fn a_web_page_may_read_nothing_new_and_change_nothing() {
        let hosts = Hosts::of("127.0.0.1:9901".parse().unwrap());
        let headers: HeaderMap = [(header::HOST, "127.0.0.1:9901"), (header::ORIGIN, "https://evil.example")]
            .into_iter()
            .map(|(name, value)| (name, value.parse().unwrap()))
            .collect();
        assert!(hosts.check(&Method::POST, Version::HTTP_11, &headers).is_err());
        assert!(hosts.check(&Method::GET, Version::HTTP_11, &headers).is_ok());
    }
}
