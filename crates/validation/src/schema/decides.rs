//! A reference that decides, and says nothing more.

use std::sync::{Arc, OnceLock, Weak};

use jsonschema::{Keyword, ValidationError, Validator};

use super::library::{Direction, Inner, Library};
use crate::{
    json::{Item, OurJson},
    rules::SchemaNumber,
};

/// One such reference. What it leads to is looked up when it is asked for first.
pub(super) struct Decides {
    library: Weak<Inner>,
    number: SchemaNumber,
    direction: Option<Direction>,
    target: OnceLock<Option<Arc<Validator<OurJson>>>>,
}

impl Decides {
    pub(super) fn new(library: Weak<Inner>, number: SchemaNumber, direction: Option<Direction>) -> Self {
        Self { library, number, direction, target: OnceLock::new() }
    }
}

impl<'i> Keyword<'i, OurJson> for Decides {
    fn validate(&self, item: Item<'i>) -> Result<(), ValidationError<'i>> {
        if self.is_valid(item) { Ok(()) } else { Err(ValidationError::custom("does not fit its schema")) }
    }

    fn is_valid(&self, item: Item<'i>) -> bool {
        let target = || Library::of(self.library.upgrade()?).validator(self.number, self.direction, false).ok();
        self.target.get_or_init(target).as_ref().is_some_and(|target| target.is_valid(item))
    }
}
