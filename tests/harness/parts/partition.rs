//! A TCP proxy that can stop to carry anything, without closing anything: a network that is gone.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    thread,
    time::Duration,
};

const CARRYING: u8 = 0;
const CUT: u8 = 1;
const OVER: u8 = 2;

/// How often a thread looks whether the network is there.
const LOOK: Duration = Duration::from_millis(10);

/// A way to a port that can be cut.
pub struct Partition {
    /// Where to connect.
    pub port: u16,
    state: Arc<AtomicU8>,
}

impl Partition {
    /// A way to this port of the loopback.
    pub fn before(target: u16) -> Self {
        let listener = crate::ports::listener();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(AtomicU8::new(CARRYING));
        let seen = state.clone();
        thread::spawn(move || accept(&listener, target, &seen));
        Self { port, state }
    }

    /// From now on nothing gets through.
    pub fn cut(&self) {
        self.state.store(CUT, Ordering::SeqCst);
    }

    /// Everything gets through again, also what waited.
    pub fn heal(&self) {
        self.state.store(CARRYING, Ordering::SeqCst);
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        self.state.store(OVER, Ordering::SeqCst);
    }
}

/// Waits until the network is there; false when it will never be.
fn carries(state: &AtomicU8) -> bool {
    while state.load(Ordering::SeqCst) == CUT {
        thread::sleep(LOOK);
    }
    state.load(Ordering::SeqCst) == CARRYING
}

fn accept(listener: &TcpListener, target: u16, state: &Arc<AtomicU8>) {
    listener.set_nonblocking(true).unwrap();
    while carries(state) {
        match listener.accept() {
            Ok((client, _)) => {
                client.set_nonblocking(false).unwrap();
                // A refusal of the target is one of ours.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", target)) {
                    for (from, to) in [(&client, &server), (&server, &client)] {
                        let (from, to, state) = (from.try_clone().unwrap(), to.try_clone().unwrap(), state.clone());
                        thread::spawn(move || copy(from, to, &state));
                    }
                }
            }
            Err(_) => thread::sleep(LOOK),
        }
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, state: &AtomicU8) {
    let _ = (from.set_read_timeout(Some(LOOK)), from.set_nodelay(true), to.set_nodelay(true));
    let mut piece = [0; 16 << 10];
    while carries(state) {
        match from.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => {
                if !carries(state) || to.write_all(&piece[..count]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
