//! What endpoints at one place share, as long as there is one.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// Values by key. Each lives as long as somebody holds it.
#[derive(Debug)]
pub struct Registry<K, V>(Mutex<HashMap<K, Weak<V>>>);

impl<K, V> Default for Registry<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V> Registry<K, V> {
    /// The value under the key, or a new one when nobody holds one.
    pub fn share(&self, key: K, make: impl FnOnce() -> V) -> Arc<V> {
        let mut values = self.lock();
        if let Some(value) = values.get(&key).and_then(Weak::upgrade) {
            return value;
        }
        let value = Arc::new(make());
        values.insert(key, Arc::downgrade(&value));
        value
    }

    /// Every value, without the keys of those that are gone.
    pub fn all(&self) -> Vec<Arc<V>> {
        let mut all = Vec::new();
        self.lock().retain(|_, value| value.upgrade().map(|value| all.push(value)).is_some());
        all
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Weak<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shared_while_it_is_held_and_made_anew_later() {
        let registry = Registry::default();
        let one = registry.share("a", || 1);
        assert!(Arc::ptr_eq(&one, &registry.share("a", || 2)));
        assert_eq!(*registry.share("b", || 3), 3);
        assert_eq!(registry.all().len(), 1, "nobody holds the other");
        drop(one);
        assert!(registry.all().is_empty() && registry.lock().is_empty());
        assert_eq!(*registry.share("a", || 4), 4);
    }
}
