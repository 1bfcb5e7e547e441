//! Counts the open connections, and limits how many a listener and a client may have.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use super::pressure::Step;
use crate::proxy::{client::presence::Presence, running::gateway::Gateway};

/// The open connections.
pub struct Connections {
    /// The most connections that the process can hold, whatever the configuration says.
    most: usize,
    clients: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    all: usize,
    by_listener: Vec<usize>,
    by_client: HashMap<IpAddr, usize>,
    /// By the slot's number.
    present: HashMap<u64, Arc<Presence>>,
    slots: u64,
}

impl Counts {
    /// Counts a connection of a client that has fewer than so many.
    fn one_more(&mut self, client: IpAddr, most: usize) -> bool {
        let of_client = self.by_client.entry(client).or_default();
        let has_room = *of_client < most;
        *of_client += usize::from(has_room);
        has_room
    }
}

impl Connections {
    /// No connections yet. A reload does not change the number of listeners.
    pub fn new(most: usize, listeners: usize) -> Self {
        Self { most, clients: Mutex::new(Counts { by_listener: vec![0; listeners], ..Counts::default() }) }
    }

    /// How many connections are open.
    pub fn count(&self) -> usize {
        self.lock().all
    }

    /// Closes connections as soon as they are idle. One that has had no request yet is closed only if `all`.
    pub fn ask_to_leave(&self, all: bool) {
        self.lock().present.values().for_each(|presence| presence.ask_to_leave(all));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one open connection. Dropping it frees the place.
pub struct Slot {
    gateway: Arc<Gateway>,
    connections: Arc<Connections>,
    listener: usize,
    /// `None` until a proxy has said who it is.
    client: Option<IpAddr>,
    number: u64,
    /// Closes the connection.
    pub presence: Arc<Presence>,
}

impl Slot {
    /// A place for one more connection, or `None` at a limit, which is counted. Without an address, the limit of the client is judged
    /// [later](Self::belongs_to).
    pub fn take(gateway: &Arc<Gateway>, connections: &Arc<Connections>, listener: usize, address: Option<IpAddr>) -> Option<Self> {
        let snapshot = gateway.current();
        let (config, client) = (&snapshot.config().gateway, address.map(one_client));
        let telemetry = &gateway.kernel.telemetry;
        if gateway.kernel.pressure.step() >= Step::Refuse {
            telemetry.limits.memory.inc();
            return None;
        }
        let mut counts = connections.lock();
        if counts.all >= config.limits.connections.min(connections.most) {
            telemetry.limits.connections.inc();
            return None;
        }
        if config.listeners[listener].connections.is_some_and(|most| counts.by_listener[listener] >= most) {
            telemetry.limits.connections.inc();
            return None;
        }
        if client.is_some_and(|client| !counts.one_more(client, config.limits.connections_per_client)) {
            telemetry.limits.connections_per_client.inc();
            return None;
        }
        counts.by_listener[listener] += 1;
        counts.all += 1;
        let (number, presence) = (counts.slots, Arc::<Presence>::default());
        counts.slots += 1;
        counts.present.insert(number, presence.clone());
        telemetry.connections.inc();
        Some(Self { gateway: gateway.clone(), connections: connections.clone(), listener, client, number, presence })
    }

    /// Counts the connection as one of this client, which a proxy has named. False at the client's limit, which is counted.
    pub fn belongs_to(&mut self, address: IpAddr) -> bool {
        let most = self.gateway.current().config().gateway.limits.connections_per_client;
        let client = one_client(address);
        if !self.connections.lock().one_more(client, most) {
            self.gateway.kernel.telemetry.limits.connections_per_client.inc();
            return false;
        }
        self.client = Some(client);
        true
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.connections.lock();
        counts.all -= 1;
        counts.by_listener[self.listener] -= 1;
        counts.present.remove(&self.number);
        self.gateway.kernel.telemetry.connections.dec();
        let Some(client) = self.client else { return };
        if let Some(of_client) = counts.by_client.get_mut(&client) {
            *of_client -= 1;
            if *of_client == 0 {
                counts.by_client.remove(&client);
            }
        }
    }
}

/// The address that counts as one client. A client with an IPv6 address has the 2^64 addresses of its network (RFC 7421).
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
