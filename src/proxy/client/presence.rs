//! Closes idle connections when the gateway stops, without losing a request.
//!
//! Closing a connection while a request is on its way loses that request. So a stop first waits: a connection that is used gets
//! `Connection: close` with its next answer, and a new one may still send its first request. A connection that stays idle is closed
//! then, unless the system already holds bytes from its client: on a busy machine they may lie there for a while. A request that is
//! on the network at that moment is lost, as with every idle connection that is closed (RFC 9112 §9.5).

use std::{
    os::fd::RawFd,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Waker},
};

use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, recv},
};
use tokio::sync::Notify;

/// Whether one connection is idle, and whether it is to close.
#[derive(Debug, Default)]
pub struct Presence {
    /// The first request has begun.
    requested: AtomicBool,
    first: Notify,
    leave: AtomicBool,
    /// The task to wake while the connection is idle.
    idle: Mutex<Option<Waker>>,
}

impl Presence {
    /// The first byte of a request is here.
    pub fn request_begins(&self) {
        if !self.requested.load(Ordering::Relaxed) {
            self.requested.store(true, Ordering::Release);
            self.first.notify_one();
        }
    }

    /// Waits for the first request.
    pub async fn first_request(&self) {
        if !self.requested.load(Ordering::Acquire) {
            self.first.notified().await;
        }
    }

    /// Closes the connection as soon as it is idle. One that has had no request yet is closed only if `all`.
    pub fn ask_to_leave(&self, all: bool) {
        if (all || self.requested.load(Ordering::Acquire)) && !self.leave.swap(true, Ordering::AcqRel) {
            let waker = self.lock().take();
            waker.into_iter().for_each(Waker::wake);
        }
    }

    /// Whether an idle connection is to close now. If not, the task is woken when it is.
    pub fn leaves(&self, socket: RawFd, cx: &Context<'_>) -> bool {
        let mut idle = self.lock();
        if !idle.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *idle = Some(cx.waker().clone());
        }
        drop(idle);
        // Only now: who asks meanwhile finds whom to wake.
        self.leave.load(Ordering::Acquire) && is_silent(socket)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the system holds no byte from the client.
fn is_silent(socket: RawFd) -> bool {
    loop {
        match recv(socket, &mut [0; 1], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) {
            Ok(bytes) => return bytes == 0,
            Err(Errno::EINTR) => {}
            Err(_) => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        net::{TcpListener, TcpStream},
        os::fd::AsRawFd,
        sync::Arc,
    };

    use super::*;

    fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn who_is_asked_to_leave_is_woken_and_goes_unless_a_request_has_arrived() {
        let (mut client, server) = connected();
        let (presence, woken) = (Presence::default(), Arc::new(Woken::default()));
        let waker = woken.clone().into();
        let cx = Context::from_waker(&waker);
        presence.request_begins();
        assert!(!presence.leaves(server.as_raw_fd(), &cx));
        presence.ask_to_leave(false);
        assert!(woken.0.load(Ordering::SeqCst));
        assert!(presence.leaves(server.as_raw_fd(), &cx));
        client.write_all(b"GET").unwrap();
        assert!(!presence.leaves(server.as_raw_fd(), &cx));
        drop(client);
    }

    #[test]
    fn who_has_asked_nothing_yet_is_given_longer() {
        let (_client, server) = connected();
        let presence = Presence::default();
        let cx = Context::from_waker(Waker::noop());
        presence.ask_to_leave(false);
        assert!(!presence.leaves(server.as_raw_fd(), &cx));
        presence.ask_to_leave(true);
        assert!(presence.leaves(server.as_raw_fd(), &cx));
    }

    #[tokio::test]
    async fn the_first_request_is_waited_for_once() {
        let presence = Arc::new(Presence::default());
        let other = presence.clone();
        let waiting = tokio::spawn(async move { other.first_request().await });
        presence.request_begins();
        presence.request_begins();
        waiting.await.unwrap();
        presence.first_request().await;
    }
}
