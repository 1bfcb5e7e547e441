//! Whoever is told the parts of a value.

use std::borrow::Cow;

use super::Malformed;

/// Takes the parts of a value, from the outside to the inside and from the first to the last: [`super::Builder`], or a writer of another
/// notation. It enforces limits, and refuses a name that stands twice in an object.
pub trait Sink<'a> {
    /// `null`.
    ///
    /// # Errors
    /// A limit.
    fn null(&mut self) -> Result<(), Malformed>;

    /// `true` or `false`.
    ///
    /// # Errors
    /// A limit.
    fn bool(&mut self, value: bool) -> Result<(), Malformed>;

    /// A number whose text has the grammar of JSON, as it was written.
    ///
    /// # Errors
    /// A limit, or a number that the sink cannot hold.
    fn number(&mut self, text: Cow<'a, str>) -> Result<(), Malformed>;

    /// A string.
    ///
    /// # Errors
    /// A limit.
    fn string(&mut self, text: Cow<'a, str>) -> Result<(), Malformed>;

    /// The name of the value that comes next, in an object.
    ///
    /// # Errors
    /// A limit.
    fn name(&mut self, name: Cow<'a, str>) -> Result<(), Malformed>;

    /// Begins an array, or an object.
    ///
    /// # Errors
    /// A limit.
    fn begin(&mut self, is_object: bool) -> Result<(), Malformed>;

    /// Ends what was begun last.
    ///
    /// # Errors
    /// A name that stands twice in an object.
    fn end(&mut self) -> Result<(), Malformed>;

    /// Whether what was begun last is an object; `None` when nothing is open.
    fn in_object(&self) -> Option<bool>;
}
