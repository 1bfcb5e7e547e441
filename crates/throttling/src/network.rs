//! Networks of addresses.

use std::net::IpAddr;

use tollgate_filter_api::Problem;

/// A network, or a single address.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// `address` or `address/prefix`.
    ///
    /// # Errors
    /// A problem at `place`.
    pub fn new(text: &str, place: &str) -> Result<Self, Problem> {
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
    pub fn single(self) -> Option<IpAddr> {
        let most = if self.address.is_ipv4() { 32 } else { 128 };
        (self.prefix == most).then_some(self.address)
    }

    /// Whether an address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
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
