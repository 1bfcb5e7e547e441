//! What of a definition traffic has used, held against the definition: what the admin port tells, and what the command line reads.
//!
//! It tells of no value, and of no name that only a client knows. What was not seen is said, and nothing follows from it: a year may pass
//! between two uses of an operation. [`overlay`] brings a definition up to what was seen, and takes nothing away.

mod compare;
mod overlay;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use compare::{Declared, Statuses, compare};
pub use overlay::{documents, overlay};

/// What traffic has used of what is served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Since when it is counted, as RFC 3339.
    pub since: String,
    /// The operations of the Plan, in its order.
    pub operations: Vec<Operation>,
}

/// What traffic has used of one operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// `info.title` of the API.
    pub api: String,
    /// `info.version` of the API.
    pub version: String,
    /// `operationId`, or method and template.
    pub operation: String,
    /// Method.
    pub method: String,
    /// Path template, with the base path.
    pub path: String,
    /// The definition.
    pub document: String,
    /// JSON Pointer to the operation in it.
    pub pointer: String,
    /// `file:line`.
    pub source: String,
    /// Requests, those that were refused included.
    pub requests: u64,
    /// How many of them the gateway answered itself, or nobody.
    pub not_answered_by_upstream: u64,
    /// Requests whose parameters were looked at; `null` when none was.
    pub judged: Option<u64>,
    /// The parameters that are declared.
    pub parameters: Vec<Parameter>,
    /// The request bodies that are declared.
    pub bodies: Vec<Body>,
    /// The answers that are declared.
    pub answers: Vec<Answer>,
    /// How often the upstream answered with each status that is not declared.
    pub undeclared: BTreeMap<u16, u64>,
    /// Answers with further statuses, which had no room.
    pub other_answers: u64,
    /// What sampled bodies had of their schemas.
    pub schemas: Vec<Schema>,
    /// What was found wrong.
    pub findings: Vec<Findings>,
    /// Findings beside those, which had no room.
    pub other_findings: u64,
    /// The last findings, the oldest first.
    pub last_findings: Vec<LastFinding>,
}

/// A parameter, and how many requests had it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Where it stands.
    #[serde(rename = "in")]
    pub place: String,
    /// Its name.
    pub name: String,
    /// So many of the requests that were judged.
    pub requests: u64,
    /// `file:line`.
    pub source: String,
}

/// A media type of request bodies, and how many requests had one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// The media type, as declared.
    pub media_type: String,
    /// So many of the requests that were judged.
    pub requests: u64,
    /// `file:line`.
    pub source: String,
}

/// A declared answer, and how many of the upstream's answers it covers. Each is covered by the most precise one that is declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// `200`, `2XX` or `default`.
    pub status: String,
    /// So many.
    pub answers: u64,
    /// `file:line`.
    pub source: String,
}

/// What sampled bodies had of a schema, since the configuration in force is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// `request` or `answer`.
    pub direction: String,
    /// `file:line`.
    pub source: String,
    /// So many bodies were looked at: the first, and about one in 64 of those that fit.
    pub bodies: u64,
    /// Members and branches that it has.
    pub places: usize,
    /// Those that none of the bodies had.
    pub never_seen: Vec<Place>,
    /// The schema has more than are told apart.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// A member or a branch of a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// JSON Pointer to it in a body; `*` is any item, and any member that the schema does not name.
    pub pointer: String,
    /// `oneOf/0`; nothing for a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// `file:line`.
    pub source: String,
}

/// How often something was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// `request` or `answer`.
    pub direction: String,
    /// In which part of the message.
    #[serde(rename = "in")]
    pub part: String,
    /// The parameter, when it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The keyword, or the rule of the gateway's own.
    pub rule: String,
    /// Messages were refused for it.
    pub refused: u64,
    /// Messages went on all the same.
    pub reported: u64,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFinding {
    /// When, as RFC 3339.
    pub time: String,
    /// The request; its line in the access log has the same.
    pub request_id: String,
    /// `request` or `answer`.
    pub direction: String,
    /// Whether the message was refused.
    pub refused: bool,
    /// In which part of the message.
    #[serde(rename = "in")]
    pub part: String,
    /// The parameter, when it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// JSON Pointer to the value; what only the client named is a `*`.
    pub pointer: String,
    /// The keyword, or the rule of the gateway's own.
    pub rule: String,
    /// What was expected.
    pub detail: String,
    /// `file:line` of the definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
