//! One timer for a connection rather than one for each wait: it is set when something is first waited for and looked at again when it
//! goes off, as most deadlines have moved on by then.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Waker},
};

use tokio::time::{Instant, Sleep};

/// A timer for deadlines that move. Whom it wakes is kept, so that it need not be told each time.
#[derive(Debug)]
pub struct Timer {
    sleep: Pin<Box<Sleep>>,
    waker: Waker,
}

impl Timer {
    /// Sees to it that the task is woken at the deadline or before. Whether that is over.
    pub fn is_over(timer: &mut Option<Self>, deadline: Instant, cx: &mut Context<'_>) -> bool {
        let timer = timer.get_or_insert_with(|| {
            let mut sleep = Box::pin(tokio::time::sleep_until(deadline));
            // Registers; a deadline that is over already is found below.
            let _ = sleep.as_mut().poll(cx);
            Self { sleep, waker: cx.waker().clone() }
        });
        let off = timer.sleep.is_elapsed();
        if off && Instant::now() >= deadline {
            return true;
        }
        if off || deadline < timer.sleep.deadline() || !timer.waker.will_wake(cx.waker()) {
            if off || deadline < timer.sleep.deadline() {
                timer.sleep.as_mut().reset(deadline);
            }
            timer.waker.clone_from(cx.waker());
            return timer.sleep.as_mut().poll(cx).is_ready() && Instant::now() >= deadline;
        }
        false
    }
}
