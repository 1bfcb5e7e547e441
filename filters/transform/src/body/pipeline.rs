//! The steps for the bodies of requests, or of answers.

use std::{borrow::Cow, time::Duration};

use http::{HeaderMap, HeaderValue};
use tollgate_changes::{
    facts::{Seen, TooLong, known},
    json::{Made, Remove, Slots},
};
use tollgate_filter_api::{Problem, pointer};
use tollgate_validation::{BodyLimits, decoded, json};

use super::{
    Known, Notation, Wrong,
    conversion::{Conversion, Declared},
    edits::Edits,
    jq::Jq,
    template::Template,
};
use crate::config::{self, Step};

/// What a body may have at most.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes, before and after.
    pub bytes: usize,
    /// Of JSON.
    pub json: json::Limits,
    /// Time of a program in jq.
    pub jq: Duration,
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
    /// That of the answer, or 0.
    status: u16,
}

impl Values {
    /// The same for an answer of that status.
    #[must_use]
    pub fn answering(mut self, status: u16) -> Self {
        self.status = status;
        self.known.insert("status".to_owned(), status.into());
        self
    }
}

/// Steps that are done together.
#[derive(Debug)]
enum Stage {
    Edits(Edits),
    Jq(usize, Box<Jq>),
    Template(usize, Box<Template>),
    Conversion(usize, Conversion),
}

impl Pipeline {
    /// Reads the steps that are written at a place, and pointers to what is removed behind them, while it is JSON.
    ///
    /// # Errors
    /// One that cannot be read.
    pub fn parse(steps: &[Step], place: &str, redact: Option<Remove>, declared: &Declared<'_>, limits: &Limits) -> Result<Self, Problem> {
        let (stages, reads) = (Vec::new(), Some(Notation::Json));
        let pipeline = Self { stages, slots: Slots::default(), reads, writes: None, limits: limits.clone() };
        let mut reader = Reader { pipeline, declared, redact, now: None };
        for (at, step) in steps.iter().enumerate() {
            let place = pointer::join(place, &at.to_string());
            reader.push(at, step, &place)?;
        }
        if let Some(remove) = reader.redact.take() {
            reader.edits(place)?.remove(steps.len(), remove);
        }
        Ok(reader.pipeline)
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
        Ok(Values { made: self.slots.render(seen)?, known, status: 0 })
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
                Stage::Jq(at, jq) => jq.run(*at, &body)?,
                Stage::Template(at, template) => template.render(*at, &body, &values.known, &self.limits)?,
                Stage::Conversion(at, conversion) => conversion.run(*at, &body, values.status)?,
            });
        }
        Ok(body.into_owned())
    }
}

/// A pipeline in the making.
struct Reader<'r> {
    pipeline: Pipeline,
    declared: &'r Declared<'r>,
    redact: Option<Remove>,
    /// What the steps so far write; `None` at the beginning.
    now: Option<Option<Notation>>,
}

impl Reader<'_> {
    fn push(&mut self, at: usize, step: &Step, place: &str) -> Result<(), Problem> {
        if step.count() != 1 {
            let problem = Problem::setting(place, "a step does exactly one thing");
            return Err(problem
                .hint("write one of `patch`, `merge`, `remove`, `jq`, `template`, `to_xml` and `to_json`, and another step for the next"));
        }
        if let Some(written) = &step.jq {
            let jq = Jq::parse(written, &pointer::join(place, "jq"), &self.pipeline.limits)?;
            self.reads(Some(Notation::Json), place)?;
            self.pipeline.stages.push(Stage::Jq(at, Box::new(jq)));
            return Ok(());
        }
        if let Some(written) = &step.template {
            let template = Template::parse(written, &pointer::join(place, "template"))?;
            let (writes, media_type) = (template.notation, template.media_type.clone());
            return self.stage(Stage::Template(at, Box::new(template)), None, (writes, media_type), place);
        }
        if let Some(written) = &step.to_xml {
            if let Some(remove) = self.redact.take() {
                self.edits(place)?.remove(at, remove);
            }
            return self.convert(at, Notation::Json, Notation::Xml, written, &pointer::join(place, "to_xml"));
        }
        if let Some(written) = &step.to_json {
            return self.convert(at, Notation::Xml, Notation::Json, written, &pointer::join(place, "to_json"));
        }
        let mut slots = std::mem::take(&mut self.pipeline.slots);
        let pushed = self.edits(place)?.push(at, step, place, &mut slots);
        self.pipeline.slots = slots;
        pushed
    }

    fn convert(&mut self, at: usize, from: Notation, to: Notation, written: &config::Conversion, place: &str) -> Result<(), Problem> {
        let conversion = Conversion::parse(to, written, place, self.declared, &self.pipeline.limits)?;
        self.stage(Stage::Conversion(at, conversion), Some(from), (Some(to), to.media_type()), place)
    }

    /// Adds a stage that reads one notation, or whatever there is, and writes another.
    fn stage(
        &mut self,
        stage: Stage,
        reads: Option<Notation>,
        (writes, media_type): (Option<Notation>, HeaderValue),
        place: &str,
    ) -> Result<(), Problem> {
        self.reads(reads, place)?;
        self.now = Some(writes);
        self.pipeline.writes = Some(media_type);
        self.pipeline.stages.push(stage);
        Ok(())
    }

    /// Whether the next step finds what it reads.
    fn reads(&mut self, reads: Option<Notation>, place: &str) -> Result<(), Problem> {
        match self.now {
            None => {
                self.pipeline.reads = reads;
                self.now = Some(reads);
                Ok(())
            }
            Some(now) if reads.is_none() || now == reads => Ok(()),
            Some(_) => {
                let reads = if reads == Some(Notation::Xml) { "XML" } else { "JSON" };
                let problem = Problem::setting(place, format!("the step reads {reads}, which the one before it does not write"));
                Err(problem.hint("change the order of the steps, or put a conversion between them"))
            }
        }
    }

    /// The edits of the document as it is at the end.
    fn edits(&mut self, place: &str) -> Result<&mut Edits, Problem> {
        self.reads(Some(Notation::Json), place)?;
        let stages = &mut self.pipeline.stages;
        if !matches!(stages.last(), Some(Stage::Edits(_))) {
            stages.push(Stage::Edits(Edits::default()));
        }
        match stages.last_mut() {
            Some(Stage::Edits(edits)) => Ok(edits),
            _ => Err(Problem::setting(place, "there is nothing to change")),
        }
    }
}

fn text(bytes: &[u8]) -> Result<&str, Wrong> {
    std::str::from_utf8(bytes).map_err(|_| Wrong::Malformed(json::Malformed::Utf8.words().into()))
}
