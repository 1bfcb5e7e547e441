//! As the reference product converts, by its libraries `xmlutils` and `jsonutils`.
//!
//! Where its answer is no document, or would lose an element, there is an error instead. Two things differ: numbers keep their digits, and
//! text that is interrupted by a `CDATA` section is one text.

mod read;
mod tags;
mod write;

pub(crate) use read::read;
pub(crate) use write::write;
