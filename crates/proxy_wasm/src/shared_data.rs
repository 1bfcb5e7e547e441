//! What the instances of a module tell each other: values with a number that changes with each write.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::abi::Status;

/// Most keys.
const MOST_KEYS: usize = 1024;
/// Most bytes of keys and values.
const MOST_BYTES: usize = 1 << 20;

/// One store, for all instances of a program.
#[derive(Debug, Default)]
pub struct SharedData(Mutex<Store>);

/// A value and its number.
type Numbered = (Box<[u8]>, u32);

#[derive(Debug, Default)]
struct Store {
    values: HashMap<Box<[u8]>, Numbered>,
    bytes: usize,
    next: u32,
}

impl SharedData {
    fn lock(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies a value out; its number.
    pub fn get(&self, key: &[u8], out: &mut Vec<u8>) -> Option<u32> {
        let store = self.lock();
        let (value, number) = store.values.get(key)?;
        out.extend_from_slice(value);
        Some(*number)
    }

    /// Writes a value, when nobody has written since the caller read that number; 0: whatever stands there.
    ///
    /// # Errors
    /// `CasMismatch`, or `Internal` when there is no room.
    pub fn set(&self, key: &[u8], value: &[u8], number: u32) -> Result<(), Status> {
        let store = &mut *self.lock();
        let keys = store.values.len();
        let found = store.values.entry(key.into());
        let (had, is_new) = match &found {
            Entry::Occupied(found) => (found.key().len() + found.get().0.len(), false),
            Entry::Vacant(_) => (0, true),
        };
        let current = if let Entry::Occupied(found) = &found { found.get().1 } else { 0 };
        if number != 0 && number != current {
            return Err(Status::CasMismatch);
        }
        let has = key.len() + value.len();
        if store.bytes - had + has > MOST_BYTES || is_new && keys >= MOST_KEYS {
            return Err(Status::Internal);
        }
        store.bytes = store.bytes - had + has;
        // Never 0, which means none.
        store.next = store.next.wrapping_add(1).max(1);
        let written = (value.into(), store.next);
        match found {
            Entry::Occupied(mut found) => drop(found.insert(written)),
            Entry::Vacant(vacant) => drop(vacant.insert(written)),
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn get(data: &SharedData, key: &[u8]) -> Option<(Vec<u8>, u32)> {
        let mut out = Vec::new();
        data.get(key, &mut out).map(|number| (out, number))
    }

    #[test]
    fn a_write_by_an_old_number_changes_nothing() {
        let data = SharedData::default();
        assert_eq!(get(&data, b"k"), None);
        assert_eq!(data.set(b"k", b"1", 7), Err(Status::CasMismatch));
        data.set(b"k", b"1", 0).unwrap();
        let (value, number) = get(&data, b"k").unwrap();
        assert_eq!(value, b"1");
        data.set(b"k", b"2", number).unwrap();
        assert_eq!(data.set(b"k", b"3", number), Err(Status::CasMismatch));
        assert_eq!(get(&data, b"k").unwrap().0, b"2");
    }

    #[test]
    fn keys_and_bytes_are_bounded_and_what_is_replaced_gives_its_room_back() {
        let data = SharedData::default();
        let large = vec![0; MOST_BYTES - 1];
        data.set(b"k", &large, 0).unwrap();
        data.set(b"k", &large, 0).unwrap();
        assert_eq!(data.set(b"l", b"", 0), Err(Status::Internal));
        data.set(b"k", b"", 0).unwrap();
        (0..MOST_KEYS - 1).for_each(|n| data.set(&n.to_le_bytes(), b"", 0).unwrap());
        assert_eq!(data.set(b"one more", b"", 0), Err(Status::Internal));
    }
}
