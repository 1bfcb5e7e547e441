//! The same endpoint for the same key, whatever others come and go: a ketama ring.
//!
//! A place on the ring depends on an endpoint's URL alone, so all gateways have the same ring, in whatever order they learnt of the endpoints.
//! `pingora-ketama` puts socket addresses on the ring; an endpoint's stands for the digest of its URL.

use std::{
    collections::HashMap,
    net::{Ipv6Addr, SocketAddr},
};

use openssl::sha::sha256;
use pingora_ketama::{Bucket, Continuum};

/// Points of the ring for endpoints of the mean weight are 160 times this, where weights differ.
const MEAN: f64 = 4.0;
/// The most that a weight counts for on the ring.
const MOST: f64 = 64.0;
/// How far one looks on from a key's place. When half of the endpoints are ready, a billion keys find one within it.
const MOST_STEPS: usize = 32;

/// A ring of endpoints.
pub(super) struct Ring {
    ring: Continuum,
    places: HashMap<SocketAddr, u32>,
}

impl Ring {
    /// From the name and the weight of each endpoint; those of weight 0 are not on it.
    pub(super) fn of<'a>(endpoints: impl Iterator<Item = (&'a str, u32)>) -> Self {
        let mut all: Vec<(SocketAddr, u32, u32)> = Vec::new();
        for (place, (name, weight)) in (0..).zip(endpoints) {
            if weight > 0 {
                all.push((stand_in(name), weight, place));
            }
        }
        all.sort_unstable();
        all.dedup_by_key(|(address, ..)| *address);
        let even = all.iter().all(|(_, weight, _)| *weight == all[0].1);
        let mean = all.iter().map(|(_, weight, _)| f64::from(*weight)).sum::<f64>() / all.len().max(1) as f64;
        let units = |weight: u32| if even { 1 } else { (f64::from(weight) / mean * MEAN).round().clamp(1.0, MOST) as u32 };
        let buckets: Vec<_> = all.iter().map(|(address, weight, _)| Bucket::new(*address, units(*weight))).collect();
        Self { ring: Continuum::new(&buckets), places: all.into_iter().map(|(address, _, place)| (address, place)).collect() }
    }

    /// The first endpoint from a key's place on that is wanted; `None` too when hardly any is.
    pub(super) fn find(&self, key: u64, wanted: impl Fn(usize) -> bool) -> Option<usize> {
        if self.places.is_empty() {
            return None;
        }
        let mut at = self.ring.node_idx(&key.to_be_bytes());
        let mut on = || self.places.get(self.ring.get_addr(&mut at)?).map(|place| *place as usize);
        (0..MOST_STEPS).find_map(|_| on().filter(|place| wanted(*place)))
    }
}

fn stand_in(name: &str) -> SocketAddr {
    let digest = sha256(name.as_bytes());
    let mut address = [0; 16];
    address.copy_from_slice(&digest[..16]);
    SocketAddr::from((Ipv6Addr::from(address), 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("http://{number}.example")).collect()
    }

    fn ring(names: &[String]) -> Ring {
        Ring::of(names.iter().map(|name| (name.as_str(), 1)))
    }

    #[test]
    fn the_order_of_the_endpoints_does_not_matter() {
        let names = names(10);
        let mut other = names.clone();
        other.reverse();
        let (first, second) = (ring(&names), ring(&other));
        assert!((0..1000).all(|key| first.find(key, |_| true).unwrap() == 9 - second.find(key, |_| true).unwrap()));
    }

    #[test]
    fn when_one_of_ten_leaves_only_its_keys_move() {
        let names = names(10);
        let (before, after) = (ring(&names), ring(&names[..9]));
        for key in 0..10_000 {
            let was = before.find(key, |_| true).unwrap();
            assert!(was == 9 || after.find(key, |_| true) == Some(was));
            assert_eq!(before.find(key, |place| place != 9), after.find(key, |_| true));
        }
    }

    #[test]
    fn weights_count() {
        let names = names(3);
        let ring = Ring::of(names.iter().map(String::as_str).zip([0, 1, 3]));
        let of = |wanted| (0..40_000).filter(|key| ring.find(*key, |_| true) == Some(wanted)).count();
        assert_eq!(of(0), 0);
        assert!((26_000..34_000).contains(&of(2)), "{}", of(2));
    }

    #[test]
    fn a_ring_without_anybody_has_nobody() {
        assert_eq!(ring(&[]).find(1, |_| true), None);
        assert_eq!(ring(&names(3)).find(1, |_| false), None);
    }
}
