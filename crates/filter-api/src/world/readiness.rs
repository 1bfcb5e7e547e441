//! What must be at hand before traffic may come, and what is still missing.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Instant,
};

/// Something that traffic needs and that comes from elsewhere, such as an issuer's keys.
pub trait Awaited: Send + Sync {
    /// What is missing, as `/readyz` says it; `None` when nothing is. Asked every now and then while something is missing, so it is the
    /// place to look, or to ask the source, again. Does not wait.
    fn missing(&self, now: Instant) -> Option<String>;
    /// Whether some of it is there, so that some traffic can be served.
    fn is_partly_there(&self) -> bool;
}

/// All that is awaited. Holds nothing alive: what nobody uses any more is not waited for.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Mutex<Vec<Weak<dyn Awaited>>>>);

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readiness")
    }
}

impl Readiness {
    /// Waits for a thing from now on. A second time changes nothing.
    pub fn wait_for<T: Awaited + 'static>(&self, thing: &Arc<T>) {
        let thing: Arc<dyn Awaited> = thing.clone();
        let weak = Arc::downgrade(&thing);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.strong_count() > 0 && !known.ptr_eq(&weak));
        all.push(weak);
    }

    /// What is missing.
    pub fn missing(&self, now: Instant) -> Vec<String> {
        self.all().iter().filter_map(|thing| thing.missing(now)).collect()
    }

    /// Whether some of what is awaited is there; true when nothing is awaited.
    pub fn is_partly_there(&self) -> bool {
        let all = self.all();
        all.is_empty() || all.iter().any(|thing| thing.is_partly_there())
    }

    fn all(&self) -> Vec<Arc<dyn Awaited>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter_map(Weak::upgrade).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    struct Thing(&'static str, AtomicBool);

    impl Awaited for Thing {
        fn missing(&self, _: Instant) -> Option<String> {
            (!self.is_partly_there()).then(|| self.0.to_owned())
        }

        fn is_partly_there(&self) -> bool {
            self.1.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn what_nobody_uses_any_more_is_not_waited_for_and_nothing_is_waited_for_twice() {
        let (readiness, now) = (Readiness::default(), Instant::now());
        assert!(readiness.is_partly_there());
        let [one, other] = ["one", "other"].map(|name| Arc::new(Thing(name, AtomicBool::new(false))));
        for thing in [&one, &other, &one] {
            readiness.wait_for(thing);
        }
        assert_eq!(readiness.missing(now), ["other", "one"]);
        assert!(!readiness.is_partly_there());
        other.1.store(true, Ordering::Relaxed);
        assert_eq!((readiness.missing(now), readiness.is_partly_there()), (vec!["one".to_owned()], true));
        drop((one, other));
        assert!(readiness.missing(now).is_empty() && readiness.is_partly_there());
    }
}
