//! Drives a future without a runtime.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

/// Often enough for any filter that ends; one that does not is stuck on something no test made ready.
const PATIENCE: usize = 1000;

/// What the future came to, and whether it was ready at once; `None` when it never was.
pub(crate) fn drive<F: Future + ?Sized>(mut future: Pin<Box<F>>) -> Option<(F::Output, bool)> {
    let mut cx = Context::from_waker(Waker::noop());
    for attempt in 0..PATIENCE {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some((output, attempt == 0));
        }
    }
    None
}
