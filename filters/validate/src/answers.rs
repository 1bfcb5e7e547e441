//! Answers against what is declared of them.

use std::sync::Arc;

use tollgate_filter_api::{AnswerSet, AnswerUse, ResponseHead, is_endless};
use tollgate_validation::{
    Bodies, BodyLimits, Broken, Direction, Finding, Library, Part, Status, parameters::Parameters, rules::AnswerRule,
};

use crate::message::{Judge, Label};

/// The answers that are declared.
#[derive(Debug)]
pub struct Answers {
    /// The most precise status first.
    declared: Vec<Declared>,
}

/// One answer.
#[derive(Debug)]
pub struct Declared {
    status: Status,
    fields: Parameters,
    pub judge: Judge,
    /// Media types whose bodies are judged.
    judged: Vec<String>,
    /// It has a body, as far as is declared.
    pub has_content: bool,
}

impl Answers {
    pub fn compile(
        rules: &[AnswerRule],
        library: &Library,
        direction: Option<Direction>,
        limits: &Arc<BodyLimits>,
    ) -> Result<Self, Broken> {
        let compile = |rule: &AnswerRule| {
            let bodies = Bodies::compile(&rule.content, library, direction)?;
            let fields = Parameters::compile(&rule.headers, "", library, direction)?;
            let has_schema = |media: &&tollgate_validation::rules::MediaRule| media.schema.is_some() || media.item_schema.is_some();
            let judged = rule.content.iter().filter(has_schema).filter_map(|media| essence(&media.range));
            let (status, has_content, judged) = (Status::read(&rule.status), !rule.content.is_empty(), judged.collect());
            Ok(Declared { status, fields, judge: Judge { bodies: Arc::new(bodies), limits: limits.clone() }, judged, has_content })
        };
        let mut declared: Vec<Declared> = rules.iter().map(compile).collect::<Result<_, _>>()?;
        declared.sort_by_key(|one| one.status);
        Ok(Self { declared })
    }

    /// What is declared of an answer with this status.
    pub fn of(&self, status: u16) -> Option<&Declared> {
        self.declared.iter().find(|one| one.status.has(status))
    }

    /// Those that have to be held until they were judged. What goes on without an end is not among them.
    pub fn held(&self, limit: usize) -> Option<AnswerUse> {
        // An interim answer has no body, and no status would mean every one.
        let is_final = |one: &&Declared| one.status == Status::Default || one.status.named().is_some();
        let judged: Vec<&Declared> = self.declared.iter().filter(|one| !one.judged.is_empty()).filter(is_final).collect();
        let mut media_types: Vec<String> = judged.iter().flat_map(|one| one.judged.clone()).filter(|one| !is_endless(one)).collect();
        media_types.sort();
        media_types.dedup();
        let is_default = judged.iter().any(|one| one.status == Status::Default);
        let statuses = if is_default { Vec::new() } else { judged.iter().filter_map(|one| one.status.named()).collect() };
        (!media_types.is_empty()).then_some(AnswerUse { limit, answers: AnswerSet { statuses, media_types } })
    }
}

impl Declared {
    /// What is wrong with the fields.
    pub fn judge_fields(&self, head: &ResponseHead, findings: &mut Vec<Finding>) {
        self.fields.judge_answer(head, &self.judge.limits.json, findings, &mut |_| {});
    }

    /// Whether its media type is declared. A body that is missing is the definition's word against the upstream's: nothing is sent that could
    /// be wrong.
    pub fn judge_type(&self, label: &Label, has_body: bool, findings: &mut Vec<Finding>) {
        if self.has_content && (has_body || label.says_type()) && label.which(&self.judge.bodies).is_none() {
            findings.push(self.judge.bodies.undeclared(Part::Body));
        }
    }
}

/// Type and subtype, as the chain compares them.
fn essence(range: &str) -> Option<String> {
    let essence = range.split(';').next()?.trim().to_ascii_lowercase();
    (!essence.is_empty()).then_some(essence)
}
