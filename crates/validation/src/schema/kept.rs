//! What others make of a schema, once for all who ask for it.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::rules::SchemaNumber;

/// By the schema, and by what was made of it.
#[derive(Default)]
pub(super) struct Kept(Mutex<HashMap<(SchemaNumber, TypeId), Arc<dyn Any + Send + Sync>>>);

impl Kept {
    /// What was made of that schema; made now, if it was not.
    ///
    /// # Errors
    /// Those of `make`.
    pub(super) fn get<T: Any + Send + Sync, E>(&self, number: SchemaNumber, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (number, TypeId::of::<T>());
        if let Some(found) = kept.get(&key).and_then(|found| found.clone().downcast().ok()) {
            return Ok(found);
        }
        let made = Arc::new(make()?);
        kept.insert(key, made.clone());
        Ok(made)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_of_a_schema_is_made_once_for_each_kind_and_not_at_all_when_it_fails() {
        let kept = Kept::default();
        assert_eq!(kept.get::<u8, _>(1, || Err("no")), Err("no"));
        let made = kept.get::<u8, ()>(1, || Ok(7)).unwrap();
        assert!(Arc::ptr_eq(&made, &kept.get::<u8, ()>(1, || Err(())).unwrap()));
        assert_eq!((*kept.get::<u16, ()>(1, || Ok(8)).unwrap(), *kept.get::<u8, ()>(2, || Ok(9)).unwrap()), (8, 9));
    }
}
