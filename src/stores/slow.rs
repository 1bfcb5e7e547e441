//! Questions that take the processor for long.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Semaphore;
use tollgate_filter_api::Judgement;

/// Most questions that wait; a flood of them is refused rather than answered late.
const WAITING: usize = 64;

/// A few threads beside those that serve requests: half as many as there are cores.
pub struct Slow {
    free: Arc<Semaphore>,
    here: Arc<AtomicUsize>,
    most: usize,
}

impl Default for Slow {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).div_ceil(2);
        Self { free: Arc::new(Semaphore::new(threads)), here: Arc::default(), most: threads + WAITING }
    }
}

/// One question that is under way; the place is free again when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Slow {
    /// Answers when a thread is free; `None` at once when too many wait. Needs a tokio runtime. Who drops the future gives the
    /// question up as long as it has not begun.
    pub fn judge(&self, work: Box<dyn FnOnce() -> bool + Send>) -> Judgement {
        let place = Place(self.here.clone());
        if self.here.fetch_add(1, Ordering::Relaxed) >= self.most {
            drop(place);
            return Box::pin(std::future::ready(None));
        }
        let free = self.free.clone();
        Box::pin(async move {
            let permit = free.acquire_owned().await.ok()?;
            let work = move || {
                let answer = work();
                drop((permit, place));
                answer
            };
            tokio::task::spawn_blocking(work).await.ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn slow(most: usize) -> Slow {
        Slow { free: Arc::new(Semaphore::new(1)), here: Arc::default(), most }
    }

    #[tokio::test]
    async fn a_flood_is_refused_and_the_places_are_free_again_afterwards() {
        let slow = slow(2);
        let (release, held) = mpsc::channel::<()>();
        let first = slow.judge(Box::new(move || held.recv().is_ok()));
        let second = slow.judge(Box::new(|| true));
        assert_eq!(slow.judge(Box::new(|| true)).await, None);
        release.send(()).unwrap();
        assert_eq!((first.await, second.await), (Some(true), Some(true)));
        assert_eq!(slow.judge(Box::new(|| false)).await, Some(false));
        drop(slow.judge(Box::new(|| true)));
        assert_eq!(slow.here.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_question_that_panics_has_no_answer_and_keeps_no_place() {
        let slow = slow(1);
        assert_eq!(slow.judge(Box::new(|| panic!("on purpose"))).await, None);
        assert_eq!(slow.judge(Box::new(|| true)).await, Some(true));
    }
}
