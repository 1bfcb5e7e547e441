//! Listening sockets. They are kept in the engine's table, so that QUIT can hand them to the next process.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    path::Path,
    sync::{Mutex, OnceLock, PoisonError},
};

use pingora::server::ListenFds;

/// The sockets of listeners and of the admin port, until their services take them.
#[derive(Default)]
pub struct Sockets {
    bound: Mutex<Vec<(SocketAddr, std::net::TcpListener)>>,
    table: OnceLock<ListenFds>,
}

impl Sockets {
    /// Opens all sockets, before anything else of the process runs.
    ///
    /// # Errors
    /// The first address that cannot be bound.
    pub fn open(addresses: impl IntoIterator<Item = SocketAddr>) -> io::Result<Self> {
        let open = |address: SocketAddr| {
            let socket = std::net::TcpListener::bind(address);
            socket.map(|socket| (address, socket)).map_err(|error| cannot_listen(address, &error))
        };
        Ok(Self { bound: Mutex::new(addresses.into_iter().map(open).collect::<io::Result<_>>()?), table: OnceLock::new() })
    }

    /// The socket of an address: handed over by the previous process, opened at start, or new. It is put in the engine's table for the
    /// next process.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn take(&self, address: SocketAddr, fds: Option<&ListenFds>) -> io::Result<std::net::TcpListener> {
        if let Some(fds) = fds {
            let _ = self.table.set(fds.clone());
        }
        let name = address.to_string();
        // Port 0 names no socket: two such listeners would share one.
        let table = fds.filter(|_| address.port() != 0);
        let known = table.and_then(|fds| fds.lock().get(&name).copied());
        let listener = match (known, self.opened(address)) {
            (Some(fd), _) => adopt(fd)?,
            (None, Some(opened)) => opened,
            (None, None) => std::net::TcpListener::bind(address).map_err(|error| cannot_listen(address, &error))?,
        };
        listener.set_nonblocking(true)?;
        if let (Some(table), None) = (table, known) {
            table.lock().add(name, listener.as_raw_fd());
        }
        Ok(listener)
    }

    fn opened(&self, address: SocketAddr) -> Option<std::net::TcpListener> {
        let mut bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        let index = bound.iter().position(|(of, _)| *of == address)?;
        Some(bound.swap_remove(index).1)
    }

    /// Hands all sockets to the process that waits at `path`. Blocks for some seconds.
    ///
    /// # Errors
    /// When no process takes them.
    pub fn hand_over(&self, path: &Path) -> io::Result<()> {
        let fds = self.table.get().ok_or_else(|| io::Error::other("the listeners are not open yet"))?;
        fds.lock().send_to_sock(path.to_string_lossy().as_ref()).map(drop).map_err(io::Error::other)
    }
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
}

#[allow(unsafe_code)]
fn adopt(fd: i32) -> io::Result<std::net::TcpListener> {
    // SAFETY: the descriptor came over the hand-over socket into the engine's table, which nobody else takes descriptors from
    // and which never closes them; each name is taken once in a process, so nothing else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok(std::net::TcpListener::from(socket))
}
