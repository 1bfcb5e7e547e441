//! The steps for the bodies of requests, or of answers.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};
use tollgate_changes::{
    facts::{Seen, TooLong, known},
    json::{Made, Remove, Slots},
};
use tollgate_filter_api::{Problem, pointer};
use tollgate_validation::{BodyLimits, decoded, json};

use super::{Known, Notation, Wrong, edits::Edits, template::Template};
use crate::config::Step;

/// What a body may have at most.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes, before and after.
    pub bytes: usize,
    /// Of JSON.
    pub json: json::Limits,
    /// Of what is compressed.
    pub decoded: BodyLimits,
}

/// All steps.
#[derive(Debug)]
pub struct Pipeline {
    stages: Vec<Stage>,
    /// Values in them that are made for each request.
    slots: Slots,
    /// What the first step reads; `None`: whatever there is, and nothing as well.
    pub reads: Option<Notation>,
    /// `Content-Type` of what comes out, if that is another one.
    pub writes: Option<HeaderValue>,
    limits: Limits,
}

/// What the steps need of one request besides its body.
#[derive(Clone, Debug, Default)]
pub struct Values {
    made: Made,
    known: Known,
}

impl Values {
    /// Says something more to templates.
    pub fn tell(&mut self, name: &str, value: impl Into<serde_json::Value>) {
        self.known.insert(name.to_owned(), value.into());
    }
}

/// Steps that are done together.
#[derive(Debug)]
enum Stage {
    Edits(Edits),
    Template(usize, Box<Template>),
}

impl Pipeline {
    /// Reads the steps that are written at a place, and pointers to what is removed behind them.
    ///
    /// # Errors
    /// One that cannot be read.
    pub fn parse(steps: &[Step], place: &str, redact: Option<Remove>, limits: &Limits) -> Result<Self, Problem> {
        let mut pipeline =
            Self { stages: Vec::new(), slots: Slots::default(), reads: Some(Notation::Json), writes: None, limits: limits.clone() };
        for (at, step) in steps.iter().enumerate() {
            let place = pointer::join(place, &at.to_string());
            pipeline.push(at, step, &place)?;
        }
        if let Some(remove) = redact {
            pipeline.edits(place)?.remove(steps.len(), remove);
        }
        Ok(pipeline)
    }

    fn push(&mut self, at: usize, step: &Step, place: &str) -> Result<(), Problem> {
        if step.count() != 1 {
            let problem = Problem::setting(place, "a step does exactly one thing");
            return Err(problem.hint("write one of `patch`, `merge`, `remove` and `template`, and another step for the next"));
        }
        let Some(written) = &step.template else {
            let mut slots = std::mem::take(&mut self.slots);
            let pushed = self.edits(place)?.push(at, step, place, &mut slots);
            self.slots = slots;
            return pushed;
        };
        let template = Template::parse(written, &pointer::join(place, "template"))?;
        if self.stages.is_empty() {
            self.reads = None;
        }
        self.writes = Some(template.media_type.clone());
        self.stages.push(Stage::Template(at, Box::new(template)));
        Ok(())
    }

    /// The edits of the document as it is at the end.
    fn edits(&mut self, place: &str) -> Result<&mut Edits, Problem> {
        if let Some(Stage::Template(_, template)) = self.stages.last()
            && template.notation != Some(Notation::Json)
        {
            let problem = Problem::setting(place, "the template before it does not write JSON");
            return Err(problem.hint("change the body before the template writes another one"));
        }
        if !matches!(self.stages.last(), Some(Stage::Edits(_))) {
            self.stages.push(Stage::Edits(Edits::default()));
        }
        match self.stages.last_mut() {
            Some(Stage::Edits(edits)) => Ok(edits),
            _ => Err(Problem::setting(place, "there is nothing to change")),
        }
    }

    /// Whether nothing is done.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Whether a body of that head is one for the first step.
    pub fn reads(&self, fields: &HeaderMap) -> bool {
        self.reads.is_none_or(|notation| notation.is_of(fields))
    }

    /// Whether the steps need something of the caller or his request.
    pub fn needs_request(&self) -> bool {
        self.slots.needs_request() || self.has_template()
    }

    /// What the steps need of one request.
    ///
    /// # Errors
    /// A value is too long.
    pub fn values(&self, seen: &Seen<'_>) -> Result<Values, TooLong> {
        let known = if self.has_template() { known(seen) } else { Known::default() };
        Ok(Values { made: self.slots.render(seen)?, known })
    }

    fn has_template(&self) -> bool {
        self.stages.iter().any(|stage| matches!(stage, Stage::Template(..)))
    }

    /// Does all steps.
    ///
    /// # Errors
    /// Why there is no new body.
    pub fn run(&self, body: &[u8], coding: Option<&str>, values: &Values) -> Result<Vec<u8>, Wrong> {
        let mut body = decoded(body, coding, &self.limits.decoded).map_err(Wrong::Malformed)?;
        if self.reads == Some(Notation::Json) {
            json::parse(&body, &self.limits.json).map_err(|why| Wrong::Malformed(why.words().into()))?;
        }
        for stage in &self.stages {
            body = Cow::Owned(match stage {
                Stage::Edits(edits) => edits.apply(text(&body)?, &values.made, self.limits.bytes)?.into_bytes(),
                Stage::Template(at, template) => template.render(*at, &body, &values.known, &self.limits)?,
            });
        }
        Ok(body.into_owned())
    }
}

fn text(bytes: &[u8]) -> Result<&str, Wrong> {
    std::str::from_utf8(bytes).map_err(|_| Wrong::Malformed(json::Malformed::Utf8.words().into()))
}
