//! A reference that decides, and says nothing more.
//!
//! While a value is judged, what was decided of each part of it is remembered ([`remembering`]): there may be many ways to it.

use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{Arc, OnceLock, Weak},
};

use jsonschema::{Keyword, ValidationError, Validator};

use super::library::{Direction, Inner, Library};
use crate::{
    json::{Item, OurJson},
    rules::SchemaNumber,
};

thread_local! {
    /// Of the value that this thread judges: by the reference's target and the part of the value.
    static KNOWN: RefCell<Option<HashMap<(usize, usize), bool>>> = const { RefCell::new(None) };
}

/// Remembers what is decided until `judge` is over. The value must not move meanwhile.
pub(super) fn remembering<T>(judge: impl FnOnce() -> T) -> T {
    let outer = KNOWN.replace(Some(HashMap::new()));
    let judged = judge();
    KNOWN.set(outer);
    judged
}

/// One such reference. What it leads to is looked up when it is asked for first.
pub(super) struct Decides {
    library: Weak<Inner>,
    number: SchemaNumber,
    direction: Option<Direction>,
    explains: bool,
    target: OnceLock<Option<Arc<Validator<OurJson>>>>,
}

impl Decides {
    pub(super) fn new(library: Weak<Inner>, number: SchemaNumber, direction: Option<Direction>, explains: bool) -> Self {
        Self { library, number, direction, explains, target: OnceLock::new() }
    }

    /// Itself cut where it leads back: all targets together are no larger than the schemas.
    fn target(&self) -> Option<&Arc<Validator<OurJson>>> {
        let target = || Library::of(self.library.upgrade()?).validator(self.number, self.direction, self.explains).ok();
        self.target.get_or_init(target).as_ref()
    }
}

impl<'i> Keyword<'i, OurJson> for Decides {
    fn validate(&self, item: Item<'i>) -> Result<(), ValidationError<'i>> {
        if self.is_valid(item) { Ok(()) } else { Err(ValidationError::custom("does not fit its schema")) }
    }

    fn is_valid(&self, item: Item<'i>) -> bool {
        let Some(target) = self.target() else { return false };
        let Some(address) = item.address() else { return target.is_valid(item) };
        let key = (Arc::as_ptr(target).addr(), address);
        if let Some(known) = KNOWN.with_borrow(|known| known.as_ref()?.get(&key).copied()) {
            return known;
        }
        let valid = target.is_valid(item);
        KNOWN.with_borrow_mut(|known| known.as_mut().map(|known| known.insert(key, valid)));
        valid
    }
}
