//! Views: what a decision depends on and what changes while requests run, such as a revocation list or an issuer's keys.
//!
//! A filter keeps a [`View`] and looks into it through the request that it decides, with [`Views::ask`]. So whoever decides can note what was
//! asked and answered, and can decide the same request again, later and elsewhere, by these answers alone. A question changes nothing.
//! What changes a view is told apart: [`Views::take`], for what only one of two requests may have, and [`Views::effect`] happen only
//! where a request is served.
//!
//! A cache of what could be worked out again is no view, nor is a counter for the operator. What this does not enforce: that a filter
//! keeps no other handle to something that changes. The test kit decides every case a second time by its notes, in a world that has none
//! of it, and fails a filter that then decides otherwise.

use std::{borrow::Cow, fmt, future::Future};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::Fault;

/// A handle to something that changes. It is looked into by [`Views`] alone.
#[derive(Clone)]
pub struct View<T> {
    name: &'static str,
    inner: T,
}

impl<T> View<T> {
    /// The view of that name; two that would answer a question differently have different names, or their questions say which is asked.
    pub const fn new(name: &'static str, inner: T) -> Self {
        Self { name, inner }
    }
}

impl<T> fmt::Debug for View<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View({})", self.name)
    }
}

/// What a view was asked, and what it answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The view's name.
    pub view: Cow<'static, str>,
    /// The question, in words that give no credential away.
    pub question: String,
    /// The answer.
    pub answer: Value,
}

/// The views of one request, as it may see them.
#[derive(Debug, Default)]
pub struct Views(Option<Box<Trace>>);

#[derive(Debug)]
struct Trace {
    by: By,
    notes: Vec<Note>,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The views, for a request that is served.
    Serving,
    /// The views, for a request that is only judged.
    Judging,
    /// Notes.
    Notes,
}

impl Views {
    /// For a request that is served: the views answer, and nothing is noted.
    pub const fn serving() -> Self {
        Self(None)
    }

    /// For a request that is served and noted.
    pub fn noting() -> Self {
        Self::traced(By::Serving, Vec::new())
    }

    /// For a request that is judged and goes nowhere: the views answer, everything is noted, and nothing changes.
    pub fn judging() -> Self {
        Self::traced(By::Judging, Vec::new())
    }

    /// For a request that was decided before: these notes answer, each once, and no view is looked into.
    pub fn answering(notes: Vec<Note>) -> Self {
        Self::traced(By::Notes, notes)
    }

    fn traced(by: By, notes: Vec<Note>) -> Self {
        Self(Some(Box::new(Trace { by, notes })))
    }

    /// What was noted; of notes that answered, those that nobody asked for.
    pub fn into_notes(self) -> Vec<Note> {
        self.0.map(|trace| trace.notes).unwrap_or_default()
    }

    fn by(&self) -> By {
        self.0.as_ref().map_or(By::Serving, |trace| trace.by)
    }

    /// Asks a view.
    ///
    /// # Errors
    /// When notes answer, and none does.
    pub fn ask<T, A: Serialize + DeserializeOwned>(
        &mut self,
        view: &View<T>,
        question: &str,
        ask: impl FnOnce(&T) -> A,
    ) -> Result<A, Fault> {
        match &mut self.0 {
            None => Ok(ask(&view.inner)),
            Some(trace) if trace.by == By::Notes => trace.answer(view.name, question),
            Some(trace) => {
                let answer = ask(&view.inner);
                trace.note(view.name, question, &answer)?;
                Ok(answer)
            }
        }
    }

    /// Asks a view that may have to wait for its answer. What is noted may be something simpler, from which the answer can be read again.
    ///
    /// # Errors
    /// When notes answer, and none does.
    pub async fn await_answer<'v, T, A, N, F>(
        &mut self,
        view: &'v View<T>,
        question: &str,
        ask: impl FnOnce(&'v T) -> F + Send,
        note: impl FnOnce(&A) -> N + Send,
        read: impl FnOnce(N) -> A + Send,
    ) -> Result<A, Fault>
    where
        T: Sync,
        A: Send + Sync,
        N: Serialize + DeserializeOwned,
        F: Future<Output = A> + Send,
    {
        let Some(trace) = &mut self.0 else { return Ok(ask(&view.inner).await) };
        if trace.by == By::Notes {
            return trace.answer(view.name, question).map(read);
        }
        let answer = ask(&view.inner).await;
        trace.note(view.name, question, &note(&answer))?;
        Ok(answer)
    }

    /// What an earlier request was answered, when that still holds. Where notes answer, nothing is remembered.
    pub fn recall<T, A: Serialize>(&mut self, view: &View<T>, question: &str, recall: impl FnOnce(&T) -> Option<A>) -> Option<A> {
        let Some(trace) = &mut self.0 else { return recall(&view.inner) };
        let answer = Some(&view.inner).filter(|_| trace.by != By::Notes).and_then(recall)?;
        trace.note(view.name, question, &answer).ok()?;
        Some(answer)
    }

    /// Asks for what only one of two requests may have. Where the request is served, the view is told so, and takes it in the same moment;
    /// elsewhere it only looks.
    ///
    /// # Errors
    /// When notes answer, and none does.
    pub fn take<T, A: Serialize + DeserializeOwned>(
        &mut self,
        view: &View<T>,
        question: &str,
        ask: impl FnOnce(&T, bool) -> A,
    ) -> Result<A, Fault> {
        let takes = self.by() == By::Serving;
        self.ask(view, question, |view| ask(view, takes))
    }

    /// Changes a view, where the request is served.
    pub fn effect<T>(&self, view: &View<T>, change: impl FnOnce(&T)) {
        if self.by() == By::Serving {
            change(&view.inner);
        }
    }
}

impl Trace {
    fn note(&mut self, view: &'static str, question: &str, answer: &impl Serialize) -> Result<(), Fault> {
        let unfit = |error| fault(view, question, &format!("gave an answer that cannot be noted: {error}"));
        let answer = serde_json::to_value(answer).map_err(unfit)?;
        self.notes.push(Note { view: view.into(), question: question.to_owned(), answer });
        Ok(())
    }

    fn answer<A: DeserializeOwned>(&mut self, view: &'static str, question: &str) -> Result<A, Fault> {
        let at = self.notes.iter().position(|note| note.view == view && note.question == question);
        let at = at.ok_or_else(|| fault(view, question, "was not asked when the request was noted"))?;
        let answer = serde_json::from_value(self.notes.remove(at).answer);
        answer.map_err(|error| fault(view, question, &format!("was noted with an answer that it does not give: {error}")))
    }
}

fn fault(view: &str, question: &str, why: &str) -> Fault {
    Fault::new("chain.view", format!("the view `{view}`, about {question}, {why}"))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn one(views: &mut Views, left: &View<Cell<u32>>) -> Result<bool, Fault> {
        views.take(left, "one more", |left, takes| {
            let is_left = left.get() > 0;
            left.set(left.get() - u32::from(is_left && takes));
            is_left
        })
    }

    #[test]
    fn what_was_noted_is_answered_again_and_only_a_served_request_takes_anything() {
        let left = View::new("left", Cell::new(1));
        let mut judging = Views::judging();
        assert!(one(&mut judging, &left).unwrap() && one(&mut judging, &left).unwrap(), "who only judges takes nothing");
        let mut noting = Views::noting();
        assert_eq!([one(&mut noting, &left), one(&mut noting, &left)].map(Result::unwrap), [true, false]);
        let notes = noting.into_notes();
        let written = serde_json::to_string(&notes).unwrap();
        let mut again = Views::answering(serde_json::from_str(&written).unwrap());
        left.inner.set(7);
        assert_eq!([one(&mut again, &left), one(&mut again, &left)].map(Result::unwrap), [true, false]);
        assert!(one(&mut again, &left).unwrap_err().to_string().contains("`left`, about one more, was not asked"));
        assert!(one(&mut Views::serving(), &left).unwrap());
        assert_eq!(left.inner.get(), 6, "notes do not change anything");
    }

    #[test]
    fn an_effect_happens_where_a_request_is_served() {
        let seen = View::new("seen", Cell::new(0));
        for (views, happens) in [(Views::serving(), 1), (Views::noting(), 1), (Views::judging(), 0), (Views::answering(Vec::new()), 0)] {
            seen.inner.set(0);
            views.effect(&seen, |seen| seen.set(1));
            assert_eq!(seen.inner.get(), happens, "{views:?}");
        }
    }
}
