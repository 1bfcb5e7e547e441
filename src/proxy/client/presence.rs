//! Who is still connected when the gateway stops, and when they may be asked to leave.
//!
//! A connection that is closed while a request is on its way loses that request. So a stop leaves everyone some time: who has had an
//! answer is told `Connection: close` with the next one, and who has asked nothing yet may still ask. Whoever says nothing in that
//! time is asked to leave, and goes unless the system already holds bytes from them: on a busy machine a request may lie there for a
//! while. What is on the network at that moment is lost, as with every connection that is closed for idleness (RFC 9112 §9.5).

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

/// One connection's presence.
#[derive(Debug, Default)]
pub struct Presence {
    /// A request has begun to come.
    requested: AtomicBool,
    first: Notify,
    leave: AtomicBool,
    /// Whom to wake while nothing of a request has come.
    idle: Mutex<Option<Waker>>,
}

impl Presence {
    /// A request begins to come.
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

    /// Asks the connection to leave as soon as it is idle; one that has asked nothing yet only if `all`.
    pub fn ask_to_leave(&self, all: bool) {
        if (all || self.requested.load(Ordering::Acquire)) && !self.leave.swap(true, Ordering::AcqRel) {
            let waker = self.lock().take();
            waker.into_iter().for_each(Waker::wake);
        }
    }

    /// Whether an idle connection is to end now. When not, the task is woken once it is asked to leave.
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

/// Whether the system holds no byte from the other side.
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
