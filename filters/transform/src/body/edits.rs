//! Changes to one JSON document, one after the other.

use tollgate_changes::json::{Doc, Failed, Made, Merge, Patch, Remove, Slots};
use tollgate_filter_api::{Problem, pointer};

use super::Wrong;
use crate::config::Step;

/// Steps that follow each other and change the same document.
#[derive(Debug, Default)]
pub struct Edits(Vec<(usize, Edit)>);

#[derive(Debug)]
enum Edit {
    Patch(Patch),
    Merge(Merge),
    Remove(Remove),
}

impl Edits {
    /// Adds a step; `at` is its number, `place` where it is written.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn push(&mut self, at: usize, step: &Step, place: &str, slots: &mut Slots) -> Result<(), Problem> {
        let edit = match step {
            Step { patch: Some(written), .. } => Edit::Patch(Patch::parse(written, &pointer::join(place, "patch"), slots)?),
            Step { merge: Some(written), .. } => Edit::Merge(Merge::parse(written, &pointer::join(place, "merge"), slots)?),
            Step { remove: Some(written), .. } => Edit::Remove(Remove::parse(written, &pointer::join(place, "remove"))?),
            _ => return Err(Problem::setting(place, "the step is none")),
        };
        self.0.push((at, edit));
        Ok(())
    }

    /// Adds a removal that no step stands for.
    pub fn remove(&mut self, at: usize, remove: Remove) {
        self.0.push((at, Edit::Remove(remove)));
    }

    /// The document of that text, changed.
    ///
    /// # Errors
    /// A patch that is not possible, or more than `most` bytes.
    pub fn apply(&self, text: &str, made: &Made, most: usize) -> Result<String, Wrong> {
        let mut doc = Doc::new(text);
        for (at, edit) in &self.0 {
            match edit {
                Edit::Patch(patch) => patch.apply(&mut doc, made, most).map_err(|why| failed(*at, why))?,
                Edit::Merge(merge) => merge.apply(&mut doc, made),
                Edit::Remove(remove) => remove.apply(&mut doc),
            }
        }
        doc.write(most).map_err(|why| failed(0, why))
    }
}

/// Steps are counted from 1.
fn failed(at: usize, why: Failed) -> Wrong {
    match why {
        Failed::TooLong => Wrong::TooLong,
        Failed::Missing | Failed::Test => Wrong::Unfit(at + 1, why.to_string()),
    }
}
