//! `oneOf` and `anyOf` that say only that no branch fits, or too many do.

use std::sync::{OnceLock, Weak};

use jsonschema::{Keyword, ValidationError, Validator, paths::Location};

use super::library::{Direction, Inner, Library, text_of};
use crate::{
    json::{Item, OurJson},
    rules::URI,
};

/// The branches of one such keyword, each compiled when it is asked for first.
pub(super) struct Branches {
    library: Weak<Inner>,
    /// Where the keyword stands in the document of all schemas.
    path: String,
    exactly_one: bool,
    direction: Option<Direction>,
    cells: Vec<OnceLock<Option<Validator<OurJson>>>>,
}

impl Branches {
    pub(super) fn new(library: Weak<Inner>, path: &Location, branches: usize, exactly_one: bool, direction: Option<Direction>) -> Self {
        let cells = (0..branches).map(|_| OnceLock::new()).collect();
        Self { library, path: text_of(path), exactly_one, direction, cells }
    }

    fn branch(&self, index: usize) -> Option<&Validator<OurJson>> {
        let cell = self.cells.get(index)?;
        let made = cell.get_or_init(|| {
            let library = Library::of(self.library.upgrade()?);
            library.build(&format!("{URI}#{}/{index}", encoded(&self.path)), self.direction, true).ok()
        });
        made.as_ref()
    }

    /// How many fit, as far as it matters.
    fn fitting(&self, item: Item<'_>) -> usize {
        let enough = if self.exactly_one { 2 } else { 1 };
        let fitting = (0..self.cells.len()).filter(|index| self.branch(*index).is_some_and(|branch| branch.is_valid(item)));
        fitting.take(enough).count()
    }
}

impl<'i> Keyword<'i, OurJson> for Branches {
    fn validate(&self, item: Item<'i>) -> Result<(), ValidationError<'i>> {
        match self.fitting(item) {
            1 => Ok(()),
            0 => Err(ValidationError::custom("fits none of the alternatives")),
            _ => Err(ValidationError::custom("fits more than one of the alternatives")),
        }
    }

    fn is_valid(&self, item: Item<'i>) -> bool {
        self.fitting(item) == 1
    }
}

/// As the fragment of a URI (RFC 3986 §3.5).
fn encoded(pointer: &str) -> String {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte);
    let mut encoded = String::with_capacity(pointer.len());
    for byte in pointer.bytes() {
        if legal(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
