//! Ports that the system chose, each given to one test only: a port that one test let go must not become another's server.

use std::{collections::BTreeSet, net::TcpListener, sync::Mutex};

static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A listener on a port of its own.
pub fn listener() -> TcpListener {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        if GIVEN.lock().unwrap().insert(listener.local_addr().unwrap().port()) {
            return listener;
        }
    }
}

/// A port on which nobody listens, for a process to listen on, or for nobody.
pub fn free_port() -> u16 {
    listener().local_addr().unwrap().port()
}
