//! What is said of an address, found in as many steps as a list of that length has binary digits.
//!
//! Of two networks either one holds the other or they share nothing. So all of them together cut the addresses into ranges, of which each
//! has one answer: that of the narrowest network around it.

use crate::network::Network;

/// Which network decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// None.
    Nothing,
    /// One of `allow`.
    Allowed,
    /// The one of `deny` with that index.
    Denied(usize),
}

/// Where ranges begin, and what is said of them. What comes before the first is not named.
#[derive(Debug, Default)]
pub(crate) struct Table {
    starts: Box<[u128]>,
    said: Box<[Said]>,
}

impl Table {
    /// Of networks and what is said of each. Of the same network the one that comes first counts.
    pub(crate) fn new(mut networks: Vec<(Network, Said)>) -> Self {
        // The wider one before those in it. The sort is stable.
        networks.sort_by_key(|(network, _)| (network.first, network.prefix));
        networks.dedup_by_key(|(network, _)| *network);
        let mut ranges: Vec<(u128, Said)> = Vec::with_capacity(2 * networks.len());
        let mut open: Vec<(Network, Said)> = Vec::new();
        for (network, said) in networks {
            close(&mut open, &mut ranges, Some(network.first));
            begin(&mut ranges, network.first, said);
            open.push((network, said));
        }
        close(&mut open, &mut ranges, None);
        let (starts, said): (Vec<_>, Vec<_>) = ranges.into_iter().unzip();
        Self { starts: starts.into(), said: said.into() }
    }

    /// What is said of an address.
    pub(crate) fn find(&self, address: u128) -> Said {
        let at = self.starts.partition_point(|start| *start <= address);
        at.checked_sub(1).and_then(|at| self.said.get(at)).copied().unwrap_or(Said::Nothing)
    }
}

/// Ends the networks that lie before an address; behind each goes on the one around it.
fn close(open: &mut Vec<(Network, Said)>, ranges: &mut Vec<(u128, Said)>, before: Option<u128>) {
    while let Some((network, _)) = open.last() {
        let last = network.last();
        if before.is_some_and(|before| last >= before) {
            return;
        }
        open.pop();
        let around = open.last().map_or(Said::Nothing, |(_, said)| *said);
        // Behind the last address there is none.
        if let Some(next) = last.checked_add(1) {
            begin(ranges, next, around);
        }
    }
}

/// Begins a range; one that was to begin at the same place has no address.
fn begin(ranges: &mut Vec<(u128, Said)>, at: u128, said: Said) {
    match ranges.last_mut() {
        Some((start, last)) if *start == at => *last = said,
        _ => ranges.push((at, said)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::number;

    /// The same, by looking at every network.
    fn slowly(networks: &[(Network, Said)], address: u128) -> Said {
        let around = networks.iter().filter(|(network, _)| (network.first..=network.last()).contains(&address));
        around.rev().max_by_key(|(network, _)| network.prefix).map_or(Said::Nothing, |(_, said)| *said)
    }

    /// Numbers that look like chance and are always the same.
    fn next(seed: &mut u64) -> u64 {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *seed
    }

    #[test]
    fn ten_thousand_networks_say_what_each_of_them_would_say() {
        let mut seed = 0x2545_F491_4F6C_DD1D;
        let networks: Vec<(Network, Said)> = (0..10_000)
            .map(|at| {
                let prefix = 100 + u8::try_from(next(&mut seed) % 29).expect("it is small");
                let below = u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
                // Within 10.0.0.0/12, so that many lie in each other.
                let address = number("10.0.0.0".parse().expect("it is one")) | u128::from(next(&mut seed) & 0xf_ffff);
                (Network { first: address & !below, prefix }, if at % 2 == 0 { Said::Denied(at) } else { Said::Allowed })
            })
            .collect();
        let table = Table::new(networks.clone());
        assert!(table.starts.is_sorted() && table.starts.len() <= 20_000);
        for _ in 0..300 {
            let address = number("10.0.0.0".parse().expect("it is one")) | u128::from(next(&mut seed) & 0x1f_ffff);
            assert_eq!(table.find(address), slowly(&networks, address), "{address:x}");
        }
        for (network, _) in networks.iter().take(100) {
            for address in [network.first, network.last(), network.first - 1, network.last() + 1] {
                assert_eq!(table.find(address), slowly(&networks, address), "{address:x}");
            }
        }
    }

    #[test]
    fn the_ends_of_all_addresses_are_ends_of_networks_too() {
        let parsed = |text| Network::parse(text).expect("it is one");
        let last = parsed("ffff::/16");
        let table = Table::new(vec![(parsed("::/0"), Said::Allowed), (last, Said::Denied(0)), (parsed("::"), Said::Denied(1))]);
        assert_eq!((table.find(0), table.find(1), table.find(u128::MAX)), (Said::Denied(1), Said::Allowed, Said::Denied(0)));
        assert_eq!(Table::default().find(0), Said::Nothing);
    }
}
