//! Who is connected, and who may be.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use super::pressure::Step;
use crate::proxy::{client::presence::Presence, running::gateway::Gateway};

/// Who is connected.
pub struct Census {
    /// Most connections that the process can carry, whatever the configuration says.
    most: usize,
    clients: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    all: usize,
    by_listener: Vec<usize>,
    by_client: HashMap<IpAddr, usize>,
    /// By the number of the seat.
    present: HashMap<u64, Arc<Presence>>,
    seats: u64,
}

impl Census {
    /// Nobody yet, on so many listeners: a reload changes none of them.
    pub fn new(most: usize, listeners: usize) -> Self {
        Self { most, clients: Mutex::new(Counts { by_listener: vec![0; listeners], ..Counts::default() }) }
    }

    /// How many connections are open.
    pub fn count(&self) -> usize {
        self.lock().all
    }

    /// Asks connections to leave as soon as they are idle; those that have asked nothing yet only if `all`.
    pub fn ask_to_leave(&self, all: bool) {
        self.lock().present.values().for_each(|presence| presence.ask_to_leave(all));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place in the census; leaves it when dropped.
pub struct Seat {
    gateway: Arc<Gateway>,
    census: Arc<Census>,
    listener: usize,
    client: IpAddr,
    number: u64,
    /// What tells the connection to leave.
    pub presence: Arc<Presence>,
}

impl Seat {
    /// A place for one more; none when there are enough of them.
    pub fn take(gateway: &Arc<Gateway>, census: &Arc<Census>, listener: usize, address: IpAddr) -> Option<Self> {
        let snapshot = gateway.current();
        let (config, client) = (&snapshot.config.gateway, one_client(address));
        let telemetry = &gateway.kernel.telemetry;
        if gateway.kernel.pressure.step() >= Step::Refuse {
            telemetry.limits.memory.inc();
            return None;
        }
        let mut counts = census.lock();
        if counts.all >= config.limits.connections.min(census.most) {
            telemetry.limits.connections.inc();
            return None;
        }
        if config.listeners[listener].connections.is_some_and(|most| counts.by_listener[listener] >= most) {
            telemetry.limits.connections.inc();
            return None;
        }
        let of_client = counts.by_client.entry(client).or_default();
        if *of_client >= config.limits.connections_per_client {
            telemetry.limits.connections_per_client.inc();
            return None;
        }
        *of_client += 1;
        counts.by_listener[listener] += 1;
        counts.all += 1;
        let (number, presence) = (counts.seats, Arc::<Presence>::default());
        counts.seats += 1;
        counts.present.insert(number, presence.clone());
        telemetry.connections.inc();
        Some(Self { gateway: gateway.clone(), census: census.clone(), listener, client, number, presence })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.census.lock();
        counts.all -= 1;
        counts.by_listener[self.listener] -= 1;
        counts.present.remove(&self.number);
        self.gateway.kernel.telemetry.connections.dec();
        if let Some(of_client) = counts.by_client.get_mut(&self.client) {
            *of_client -= 1;
            if *of_client == 0 {
                counts.by_client.remove(&self.client);
            }
        }
    }
}

/// What counts as one client: of IPv6, whoever has an address has the other 2^64 of its network as well (RFC 7421).
fn one_client(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_client_and_an_address_of_ipv4_is_one() {
        let [one, same, other] =
            ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"].map(|text| one_client(text.parse().unwrap()));
        assert!(one == same && one != other);
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|text| one_client(text.parse().unwrap()));
        assert_ne!(one, other);
    }
}
