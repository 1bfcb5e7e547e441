//! A task that is to run as long as somebody wants it.

use std::{future::Future, time::Duration};

use tokio::task::JoinHandle;

/// How long a task that failed waits before it is started again.
pub(super) const REST: Duration = Duration::from_secs(1);

/// Ends a task with the one who waits for it.
struct Owned<T>(JoinHandle<T>);

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs what `make` makes to its end, and anew after a panic, which `failed` is told.
pub(in crate::stores) async fn supervise<F>(mut make: impl FnMut() -> F, mut failed: impl FnMut(&str)) -> F::Output
where
    F: Future<Output: Send> + Send + 'static,
{
    loop {
        let mut task = Owned(tokio::spawn(make()));
        match (&mut task.0).await {
            Ok(output) => return output,
            Err(error) => failed(&error.to_string()),
        }
        tokio::time::sleep(REST).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_started_again_and_the_failure_is_told() {
        let starts = Arc::new(AtomicUsize::new(0));
        let mut failures = Vec::new();
        let make = || {
            let number = starts.fetch_add(1, Ordering::SeqCst);
            async move {
                assert!(number > 1, "not yet");
                number
            }
        };
        assert_eq!(supervise(make, |failure| failures.push(failure.to_owned())).await, 2);
        assert_eq!(failures.len(), 2);
        assert!(failures[0].contains("panicked"), "{failures:?}");
    }

    #[tokio::test]
    async fn a_task_ends_with_the_one_who_waits_for_it() {
        let held = Arc::new(());
        let inner = held.clone();
        let make = || {
            let inner = inner.clone();
            async move {
                let _inner = inner;
                std::future::pending::<()>().await;
            }
        };
        let waiting = tokio::time::timeout(Duration::from_millis(20), supervise(make, |_| ())).await;
        assert!(waiting.is_err());
        let ended = async {
            while Arc::strong_count(&held) > 2 {
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(10), ended).await.is_ok());
    }
}
