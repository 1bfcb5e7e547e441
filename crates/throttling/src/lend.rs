//! The way to the store of quotas that several gateways share.

use std::{future::Future, pin::Pin, time::Duration};

use tollgate_counters::{Key, Question};

/// Asks the store for slices of shared quotas, and hands them to the counters.
pub trait Lend: Send + Sync {
    /// Asks a question, soon. Never waits.
    fn ask(&self, question: Question);

    /// How long a request waits at most.
    fn patience(&self) -> Duration;

    /// Ends when the questions of these keys are answered or given up, or after `patience`. What happens counts from this call, not from the
    /// first poll. Somebody else may have asked, and have been answered before: look once more before waiting.
    fn answered(&self, keys: &[Key], patience: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}
