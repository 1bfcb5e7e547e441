//! Counts, held against what is declared.

use std::{collections::BTreeMap, time::SystemTime};

use super::{Answer, Body, Findings, LastFinding, Operation, Parameter, Place, Schema};
use crate::{
    ledger::{Counted, Found, Sampled, Used},
    rules::{AnswerRule, OperationRules},
};

/// An operation as it is served, and what is said of it.
#[derive(Clone, Debug, Default)]
pub struct Declared<'a> {
    /// `info.title` of the API.
    pub api: &'a str,
    /// `info.version` of the API.
    pub version: &'a str,
    /// `operationId`, or method and template.
    pub id: &'a str,
    /// Method.
    pub method: &'a str,
    /// Path template, with the base path.
    pub path: String,
    /// The definition.
    pub document: &'a str,
    /// JSON Pointer to the operation in it.
    pub pointer: &'a str,
    /// Its line.
    pub line: u32,
    /// What is said of its messages.
    pub rules: OperationRules,
    /// Nothing is said of its answers, since its definition has another way to say it: it is a service of gRPC.
    pub has_no_statuses: bool,
}

/// How requests ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statuses {
    /// Answers of the upstream, by status.
    pub answers: BTreeMap<u16, u64>,
    /// Those that had no room.
    pub other: u64,
    /// Requests that the gateway answered itself, or nobody.
    pub own: u64,
}

/// What traffic has used of an operation. `used` is nothing when no request of it was judged; `written` makes a time readable.
pub fn compare(declared: &Declared<'_>, statuses: &Statuses, used: Option<&Used>, written: &dyn Fn(SystemTime) -> String) -> Operation {
    let (answers, undeclared) = answers(&declared.rules.answers, &statuses.answers);
    let undeclared = if declared.has_no_statuses { BTreeMap::new() } else { undeclared };
    let upstream: u64 = statuses.answers.values().sum::<u64>() + statuses.other;
    let used_or_not = used.cloned().unwrap_or_default();
    Operation {
        api: declared.api.to_owned(),
        version: declared.version.to_owned(),
        operation: declared.id.to_owned(),
        method: declared.method.to_owned(),
        path: declared.path.clone(),
        document: declared.document.to_owned(),
        pointer: declared.pointer.to_owned(),
        source: format!("{}:{}", declared.document, declared.line),
        requests: upstream + statuses.own,
        not_answered_by_upstream: statuses.own,
        judged: used.map(|used| used.requests),
        parameters: parameters(&declared.rules, &used_or_not),
        bodies: bodies(&declared.rules, &used_or_not),
        answers,
        undeclared,
        other_answers: statuses.other,
        schemas: used_or_not.samples.into_iter().map(schema).collect(),
        findings: used_or_not.findings.into_iter().map(findings).collect(),
        other_findings: used_or_not.other_findings,
        last_findings: used_or_not.last.into_iter().map(|found| last(found, written)).collect(),
    }
}

fn parameters(rules: &OperationRules, used: &Used) -> Vec<Parameter> {
    let count = |place, name: &str| used.parameters.get(&(place, name.to_owned())).copied().unwrap_or(0);
    let one = |rule: &crate::rules::ParameterRule| Parameter {
        place: rule.place.word().to_owned(),
        name: rule.name.clone(),
        requests: count(rule.place.word(), &rule.name),
        source: rule.source.clone(),
    };
    rules.parameters.iter().map(one).collect()
}

fn bodies(rules: &OperationRules, used: &Used) -> Vec<Body> {
    let content = rules.body.iter().flat_map(|body| &body.content);
    let one = |rule: &crate::rules::MediaRule| Body {
        media_type: rule.range.clone(),
        requests: used.media.get(&rule.range).copied().unwrap_or(0),
        source: rule.source.clone(),
    };
    content.map(one).collect()
}

/// The declared answers with what each of them covers, and the rest.
fn answers(rules: &[AnswerRule], counted: &BTreeMap<u16, u64>) -> (Vec<Answer>, BTreeMap<u16, u64>) {
    let answer = |rule: &AnswerRule| Answer { status: rule.status.clone(), answers: 0, source: rule.source.clone() };
    let mut answers: Vec<Answer> = rules.iter().map(answer).collect();
    let mut rest = BTreeMap::new();
    for (status, count) in counted {
        let names = [status.to_string(), format!("{}XX", status / 100), "default".to_owned()];
        match names.iter().find_map(|name| answers.iter().position(|answer| answer.status.eq_ignore_ascii_case(name))) {
            Some(index) => answers[index].answers += count,
            None => _ = rest.insert(*status, *count),
        }
    }
    (answers, rest)
}

fn schema(sampled: Sampled) -> Schema {
    let place = |place: crate::ledger::Place| Place {
        pointer: place.pointer,
        branch: place.branch.map(|(keyword, index)| format!("{keyword}/{index}")),
        source: place.source,
    };
    Schema {
        direction: sampled.direction.to_owned(),
        source: sampled.source,
        bodies: sampled.bodies,
        places: sampled.places,
        never_seen: sampled.unseen.into_iter().map(place).collect(),
        cut: sampled.is_cut,
    }
}

fn findings(counted: Counted) -> Findings {
    Findings {
        direction: counted.direction.to_owned(),
        part: counted.part.word().to_owned(),
        name: counted.name.map(|name| name.into_owned()),
        rule: counted.rule.into_owned(),
        refused: counted.refused,
        reported: counted.reported,
    }
}

fn last(found: Found, written: &dyn Fn(SystemTime) -> String) -> LastFinding {
    LastFinding {
        time: written(found.at),
        request_id: found.request_id.to_string(),
        direction: found.direction.to_owned(),
        refused: found.refused,
        part: found.finding.part.word().to_owned(),
        name: found.finding.name.map(|name| name.into_owned()),
        pointer: found.finding.pointer,
        rule: found.finding.rule.into_owned(),
        detail: found.finding.says.into_owned(),
        source: found.finding.source,
    }
}
