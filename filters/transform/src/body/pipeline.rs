//! The steps for the bodies of requests, or of answers.

use std::borrow::Cow;

use tollgate_changes::json::{Made, Remove, Slots};
use tollgate_filter_api::{Problem, pointer};
use tollgate_validation::{BodyLimits, decoded, json};

use super::{Notation, Wrong, edits::Edits};
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
    pub slots: Slots,
    /// What the first step reads.
    pub reads: Notation,
    limits: Limits,
}

/// Steps that are done together.
#[derive(Debug)]
enum Stage {
    Edits(Edits),
}

impl Pipeline {
    /// Reads the steps that are written at a place, and pointers to what is removed behind them.
    ///
    /// # Errors
    /// One that cannot be read.
    pub fn parse(steps: &[Step], place: &str, redact: Option<Remove>, limits: &Limits) -> Result<Self, Problem> {
        let mut slots = Slots::default();
        let mut stages: Vec<Stage> = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            let place = pointer::join(place, &at.to_string());
            edits(&mut stages).push(at, step, &place, &mut slots)?;
        }
        if let Some(remove) = redact {
            edits(&mut stages).remove(steps.len(), remove);
        }
        Ok(Self { stages, slots, reads: Notation::Json, limits: limits.clone() })
    }

    /// Whether nothing is done.
    pub fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Does all steps.
    ///
    /// # Errors
    /// Why there is no new body.
    pub fn run(&self, body: &[u8], coding: Option<&str>, made: &Made) -> Result<Vec<u8>, Wrong> {
        let plain = decoded(body, coding, &self.limits.decoded).map_err(Wrong::Malformed)?;
        json::parse(&plain, &self.limits.json).map_err(|why| Wrong::Malformed(why.words().into()))?;
        let mut body: Cow<'_, [u8]> = plain;
        for stage in &self.stages {
            body = Cow::Owned(match stage {
                Stage::Edits(edits) => edits.apply(text(&body)?, made, self.limits.bytes)?.into_bytes(),
            });
        }
        Ok(body.into_owned())
    }
}

fn edits(stages: &mut Vec<Stage>) -> &mut Edits {
    if stages.is_empty() {
        stages.push(Stage::Edits(Edits::default()));
    }
    let last = stages.len() - 1;
    let Stage::Edits(edits) = &mut stages[last];
    edits
}

fn text(bytes: &[u8]) -> Result<&str, Wrong> {
    std::str::from_utf8(bytes).map_err(|_| Wrong::Malformed(json::Malformed::Utf8.words().into()))
}
