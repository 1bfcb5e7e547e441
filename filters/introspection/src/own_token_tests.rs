#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    future::poll_fn,
    pin::pin,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
};

use tollgate_filter_api::RemoteFuture;
use tollgate_filter_testkit::{FakeClock, START};

use super::*;

/// Counts requests; answers once `go` is set.
#[derive(Default)]
struct Slow {
    asked: AtomicUsize,
    go: Arc<AtomicBool>,
}

impl Remote for Slow {
    fn call(&self, _: RemoteRequest) -> RemoteFuture {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let go = self.go.clone();
        let answer = || RemoteResponse::of_type(200, "application/json", r#"{"access_token":"own","token_type":"Bearer"}"#);
        Box::pin(poll_fn(move |_| if go.load(Ordering::Relaxed) { Poll::Ready(Ok(answer())) } else { Poll::Pending }))
    }
}

fn own(remote: &Arc<Slow>) -> Arc<OwnToken> {
    let request = RemoteRequest { method: http::Method::POST, target: None, headers: Vec::new(), body: "".into() };
    Arc::new(OwnToken::new(remote.clone(), request, String::new(), Arc::new(FakeClock::new(START))))
}

fn poll<T>(future: impl Future<Output = T> + Unpin) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn many_questions_wait_for_one_token_and_go_on_when_the_first_of_them_goes_away() {
    let remote = Arc::<Slow>::default();
    let own = own(&remote);
    let mut waiting: Vec<_> = (0..5).map(|_| Box::pin(own.get())).collect();
    assert!(waiting.iter_mut().all(|question| poll(question).is_pending()));
    drop(waiting.remove(0));
    remote.go.store(true, Ordering::Relaxed);
    assert!(waiting.iter_mut().all(|question| poll(question) == Poll::Ready(Ok(HeaderValue::from_static("Bearer own")))));
    assert!(poll(Box::pin(own.get())).is_ready());
    assert_eq!(remote.asked.load(Ordering::Relaxed), 1);
}

#[test]
fn a_request_that_nobody_waits_for_any_more_is_given_up() {
    let remote = Arc::<Slow>::default();
    let own = own(&remote);
    assert!(poll(Box::pin(own.get())).is_pending());
    remote.go.store(true, Ordering::Relaxed);
    assert!(poll(Box::pin(own.get())).is_ready());
    assert_eq!(remote.asked.load(Ordering::Relaxed), 2);
}
