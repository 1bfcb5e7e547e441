//! What reads a body in the notations whose values depend on the schema.
//!
//! For a media type it is made at load. A range may have any notation, and few bodies have most of them: there it is made when the first
//! body of a notation comes.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use super::{
    Unfit,
    form::Members,
    media::{Notation, Range},
    xml::Plan,
};
use crate::{
    rules::{Encoding, MediaRule, SchemaNumber},
    schema::{Library, Shape},
};

/// Readers, each made or not.
#[derive(Debug)]
pub(super) struct Readers {
    library: Library,
    schema: Option<SchemaNumber>,
    encoding: BTreeMap<String, Encoding>,
    form: OnceLock<Option<Members>>,
    parts: OnceLock<Option<Members>>,
    xml: OnceLock<Option<Arc<Plan>>>,
}

impl Readers {
    /// # Errors
    /// What is said of a form or of a document that cannot be followed.
    pub(super) fn compile(rule: &MediaRule, range: &Range, library: &Library) -> Result<Self, String> {
        let (form, parts, xml) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        let readers = Self { library: library.clone(), schema: rule.schema, encoding: rule.encoding.clone(), form, parts, xml };
        // Whoever says of a range how members are written means forms.
        let is_meant = |notation| range.notation().map_or(!rule.encoding.is_empty(), |of_all| of_all == notation);
        if is_meant(Notation::Form) {
            _ = readers.form.set(Some(readers.members(true)?));
        }
        if is_meant(Notation::FormData) || is_meant(Notation::Mixed) {
            _ = readers.parts.set(Some(readers.members(false)?));
        }
        if range.notation() == Some(Notation::Xml) {
            _ = readers.xml.set(Some(readers.plan()?));
        }
        Ok(readers)
    }

    /// Of the pairs of a form.
    ///
    /// # Errors
    /// When there can be none for this schema.
    pub(super) fn form(&self) -> Result<&Members, Unfit> {
        self.form.get_or_init(|| self.members(true).ok()).as_ref().ok_or_else(unreadable)
    }

    /// Of the named parts of a multipart body.
    ///
    /// # Errors
    /// As [`Readers::form`].
    pub(super) fn parts(&self) -> Result<&Members, Unfit> {
        self.parts.get_or_init(|| self.members(false).ok()).as_ref().ok_or_else(unreadable)
    }

    /// Of an XML document.
    ///
    /// # Errors
    /// As [`Readers::form`].
    pub(super) fn xml(&self) -> Result<&Plan, Unfit> {
        self.xml.get_or_init(|| self.plan().ok()).as_deref().ok_or_else(unreadable)
    }

    fn members(&self, is_form: bool) -> Result<Members, String> {
        Members::compile(Shape::of(&self.library, self.schema), &self.encoding, is_form)
    }

    /// A plan has all of a schema in it, and many operations have the same one.
    fn plan(&self) -> Result<Arc<Plan>, String> {
        let make = || Plan::compile(Shape::of(&self.library, self.schema));
        self.schema.map_or_else(|| make().map(Arc::new), |number| self.library.kept(number, make))
    }
}

fn unreadable() -> Unfit {
    Unfit::new("content-type", "is in a notation in which the definition cannot be followed")
}
