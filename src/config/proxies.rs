//! Which addresses may say for whom they speak.

use std::net::IpAddr;

/// Networks whose `X-Forwarded-*` fields are believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<(IpAddr, u8)>);

impl TrustedProxies {
    /// Reads `address` or `address/prefix`.
    ///
    /// # Errors
    /// The indexes of those that are neither.
    pub fn parse(entries: &[String]) -> Result<Self, Vec<usize>> {
        let wrong: Vec<usize> = (0..entries.len()).filter(|index| network(&entries[*index]).is_none()).collect();
        if wrong.is_empty() { Ok(Self(entries.iter().filter_map(|entry| network(entry)).collect())) } else { Err(wrong) }
    }

    /// Whether an address is in one of the networks.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|(network, prefix)| within(address, *network, *prefix))
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn network(entry: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = match entry.split_once('/') {
        Some((address, prefix)) => (address.parse::<IpAddr>().ok()?, Some(prefix.parse::<u8>().ok()?)),
        None => (entry.parse::<IpAddr>().ok()?, None),
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.unwrap_or(most);
    (prefix <= most).then_some((address, prefix))
}

fn within(address: IpAddr, network: IpAddr, prefix: u8) -> bool {
    match (address.to_canonical(), network) {
        (IpAddr::V4(a), IpAddr::V4(n)) => {
            u32::from(a).checked_shr(32 - u32::from(prefix)) == u32::from(n).checked_shr(32 - u32::from(prefix))
        }
        (IpAddr::V6(a), IpAddr::V6(n)) => {
            u128::from(a).checked_shr(128 - u32::from(prefix)) == u128::from(n).checked_shr(128 - u32::from(prefix))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::TrustedProxies;

    fn trusts(entry: &str, address: &str) -> bool {
        TrustedProxies::parse(&[entry.to_owned()]).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_prefix_covers_its_network_and_nothing_else() {
        assert!(trusts("10.0.0.0/8", "10.255.1.2"));
        assert!(!trusts("10.0.0.0/8", "11.0.0.1"));
        assert!(trusts("0.0.0.0/0", "203.0.113.9"));
        assert!(trusts("2001:db8::/32", "2001:db8:1::1"));
        assert!(!trusts("2001:db8::/32", "2001:db9::1"));
        assert!(trusts("127.0.0.1", "::ffff:127.0.0.1"));
        assert!(!trusts("0.0.0.0/0", "::1"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for entry in ["10.0.0.0/33", "10.0.0", "example.org", "10.0.0.0/-1", ""] {
            assert!(TrustedProxies::parse(&[entry.to_owned()]).is_err(), "{entry}");
        }
    }
}
