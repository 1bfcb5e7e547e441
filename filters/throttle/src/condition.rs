//! Conditions under which a limit applies.

use std::net::IpAddr;

use serde_json::Value;
use tollgate_filter_api::{HeaderName, Problem};

use crate::{config, params, part::Seen};

/// Something that holds of a request, or does not.
#[derive(Debug)]
pub(crate) struct Condition {
    what: What,
    /// Values, one of which it has; empty: any.
    is: Vec<Box<str>>,
    not: bool,
}

#[derive(Debug)]
enum What {
    Client(Vec<Network>),
    Header(HeaderName),
    Query(Box<str>),
    Claim(Box<str>),
}

/// A network, or a single address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Condition {
    /// What is written.
    ///
    /// # Errors
    /// A problem at a pointer below `place`.
    pub(crate) fn new(written: &config::Condition, place: &str) -> Result<Self, Problem> {
        let text = |text: &String| Box::<str>::from(text.as_str());
        let what = match (&written.client[..], &written.header, &written.query, &written.claim) {
            ([], Some(name), None, None) => What::Header(header(name, place)?),
            ([], None, Some(name), None) => What::Query(text(name)),
            ([], None, None, Some(name)) => What::Claim(text(name)),
            (networks @ [_, ..], None, None, None) if written.is.is_empty() => {
                let read = networks.iter().enumerate().map(|(at, one)| Network::new(one, &format!("{place}/client/{at}")));
                What::Client(read.collect::<Result<_, _>>()?)
            }
            ([_, ..], None, None, None) => return Err(Problem::setting(format!("{place}/is"), "`client` says by itself which it may be")),
            _ => return Err(Problem::setting(place, "a condition has one of `client`, `header`, `query` and `claim`")),
        };
        Ok(Self { what, is: written.is.iter().map(text).collect(), not: written.not })
    }

    /// Whether it holds of a request.
    pub(crate) fn holds(&self, seen: Seen<'_>) -> bool {
        let holds = match &self.what {
            What::Client(networks) => networks.iter().any(|network| network.contains(seen.call.client)),
            What::Header(name) => seen.req.get_all(name).any(|value| self.has(value.as_bytes())),
            What::Query(name) => params::query(seen.req.query(), name).any(|value| self.has(&value)),
            What::Claim(name) => seen.credentials.first.claims.get(&**name).is_some_and(|value| self.has_claim(value)),
        };
        holds != self.not
    }

    fn has(&self, value: &[u8]) -> bool {
        self.is.is_empty() || self.is.iter().any(|one| one.as_bytes() == value)
    }

    /// Of a list one element is enough.
    fn has_claim(&self, value: &Value) -> bool {
        match value {
            Value::Null => false,
            Value::Array(values) => values.iter().any(|value| self.has_claim(value)),
            Value::String(text) => self.has(text.as_bytes()),
            other => self.is.is_empty() || self.has(other.to_string().as_bytes()),
        }
    }
}

fn header(name: &str, place: &str) -> Result<HeaderName, Problem> {
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Problem::setting(format!("{place}/header"), format!("{name:?} is no name of a header")))
}

impl Network {
    /// `address` or `address/prefix`.
    ///
    /// # Errors
    /// A problem at `place`.
    pub(crate) fn new(text: &str, place: &str) -> Result<Self, Problem> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let network = address.parse::<IpAddr>().ok().and_then(|address| {
            let most = if address.is_ipv4() { 32 } else { 128 };
            let prefix = prefix.map_or(Some(most), |prefix| prefix.parse().ok()).filter(|prefix| *prefix <= most)?;
            // Clients with an address of IPv4 have it in that form alone.
            match (address, address.to_canonical()) {
                (IpAddr::V6(_), canonical @ IpAddr::V4(_)) if prefix >= 96 => Some(Self { address: canonical, prefix: prefix - 96 }),
                _ => Some(Self { address, prefix }),
            }
        });
        network.ok_or_else(|| Problem::setting(place, format!("expected an address or a network such as 10.0.0.0/8, found {text:?}")))
    }

    /// The address, when it has one alone.
    pub(crate) fn single(self) -> Option<IpAddr> {
        let most = if self.address.is_ipv4() { 32 } else { 128 };
        (self.prefix == most).then_some(self.address)
    }

    /// Whether an address is in it.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        match (address.to_canonical(), self.address) {
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                let difference = u32::from(one) ^ u32::from(other);
                difference.leading_zeros() >= u32::from(self.prefix)
            }
            (IpAddr::V6(one), IpAddr::V6(other)) => {
                let difference = u128::from(one) ^ u128::from(other);
                difference.leading_zeros() >= u32::from(self.prefix)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn a_network_has_the_addresses_of_its_prefix_and_no_others() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.3", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("::ffff:192.0.2.0/120", "192.0.2.9", true),
            ("::ffff:192.0.2.0/120", "192.0.3.9", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db9::1", true),
        ] {
            assert_eq!(Network::new(network, "").unwrap().contains(address.parse().unwrap()), expected, "{network} {address}");
        }
        for text in ["10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "example.com", "", "::/129"] {
            assert!(Network::new(text, "").is_err(), "{text}");
        }
    }
}
