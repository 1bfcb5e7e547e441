//! Networks as they are written.

use std::net::{IpAddr, Ipv6Addr};

/// Addresses that begin alike. One of IPv4 is kept as the IPv6 network that stands for it, `::ffff:0:0/96` (RFC 4291 §2.5.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) first: u128,
    /// Bits that all have alike, of 128.
    pub(crate) prefix: u8,
}

/// `0.0.0.0/0`.
pub(crate) const ALL_OF_IPV4: Network = Network { first: 0xffff << 32, prefix: 96 };

/// What is wrong with a network: a sentence, and the way out.
pub(crate) type Wrong = (String, String);

impl Network {
    /// Reads `ADDRESS` or `ADDRESS/PREFIX`.
    ///
    /// # Errors
    /// What is wrong.
    pub(crate) fn parse(written: &str) -> Result<Self, Wrong> {
        let none = || (format!("{written:?} is no network"), "write `10.0.0.0/8`, `192.0.2.7` or `2001:db8::/32`".to_owned());
        let (address, prefix) = written.split_once('/').map_or((written, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| none())?;
        let most: u8 = if address.is_ipv4() { 32 } else { 128 };
        let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = match prefix {
            Some(prefix) => Some(prefix).filter(is_number).and_then(|prefix| prefix.parse().ok()).ok_or_else(none)?,
            None => most,
        };
        if prefix > most {
            let hint = format!("write a number of bits from 0 to {most} behind the slash");
            return Err((format!("{written:?} has more bits than such an address"), hint));
        }
        let network = Self { first: number(address), prefix: prefix + (128 - most) };
        let first = network.first & !network.below();
        if first != network.first {
            let meant = shown(first, address.is_ipv4());
            let hint = format!("write `{meant}/{prefix}` for the network, or `{address}` for the one address");
            return Err((format!("{written:?} has bits behind its prefix"), hint));
        }
        Ok(network)
    }

    /// Its last address.
    pub(crate) fn last(&self) -> u128 {
        self.first | self.below()
    }

    /// The bits in which its addresses differ.
    fn below(&self) -> u128 {
        u128::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0)
    }
}

/// An address as a number, in which one of IPv4 is the same however it is written.
pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn shown(number: u128, is_four: bool) -> IpAddr {
    let address = Ipv6Addr::from_bits(number);
    if is_four { IpAddr::V6(address).to_canonical() } else { IpAddr::V6(address) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_read_with_and_without_its_prefix() {
        let parsed = |text| Network::parse(text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
        assert_eq!(parsed("10.0.0.0/8"), parsed("::ffff:10.0.0.0/104"));
        assert_eq!(parsed("192.0.2.7"), parsed("192.0.2.7/32"));
        assert_eq!((parsed("0.0.0.0/0"), parsed("::/0").last()), (ALL_OF_IPV4, u128::MAX));
        assert_eq!(parsed("2001:db8::/32").last(), 0x2001_0db8_ffff_ffff_ffff_ffff_ffff_ffff);
        assert_eq!(parsed("2001:db8::1").last(), parsed("2001:db8::1").first);
    }

    #[test]
    fn what_is_no_network_is_refused_with_the_one_that_is_meant() {
        for wrong in [
            "",
            "10",
            "10.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "a.example",
            "10.0.0.0-10.0.0.9",
            "010.0.0.1",
            "::1%eth0",
            " ::1",
            "all",
        ] {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Network::parse("10.0.0.1/8").expect_err("it has bits").1.contains("`10.0.0.0/8`"));
        assert!(Network::parse("2001:db8::1/32").expect_err("it has bits").1.contains("`2001:db8::/32`"));
    }
}
