//! The ways in which it ends a request.

use serde_json::Value;
use tollgate_filter_api::{Answer, Cause, CauseKind, Reason, Rule};
use tollgate_validation::{Finding, MOST};

use crate::config::Codes;

pub const REQUEST: Reason = Reason::refused(
    "validate.request",
    400,
    400,
    "The request is not what the definition says",
    "A parameter or the body is not what the definition of the operation says, or cannot be read. `errors` lists what is wrong; the log adds \
     the lines of the definition.",
);

pub const MEDIA_TYPE: Reason = Reason::refused(
    "validate.media_type",
    415,
    400,
    "The body has a media type, an encoding or a charset that is not accepted here",
    "`Content-Type` is none of those that the definition declares for the body of the operation, or its charset is not UTF-8, or \
     `Content-Encoding` is none that the gateway can read.",
);

pub const TOO_LARGE: Reason = Reason::refused(
    "validate.too_large",
    413,
    400,
    "The body is too large once it is decompressed",
    "`Content-Encoding` was taken off the body, which became larger than `limits.decompressed`, or more than `limits.ratio` times as large.",
);

pub const ANSWER: Reason = Reason::refused(
    "validate.response",
    502,
    500,
    "The upstream's answer is not what the definition says",
    "The answer was held back since its body, a field or its encoding is not what the definition says. The log says what and which line.",
);

pub const REQUEST_V30: Reason = Reason::refused(
    "validate.request_unprocessable",
    422,
    900_915,
    "Unprocessable entity",
    "The same as `validate.request`, where the codes of the reference product 3.0 are asked for.",
);

pub const ANSWER_V30: Reason = Reason::refused(
    "validate.response_unprocessable",
    500,
    900_916,
    "Unprocessable entity",
    "The same as `validate.response`, where the codes of the reference product 3.0 are asked for.",
);

pub const ALL: &[Reason] = &[REQUEST, MEDIA_TYPE, TOO_LARGE, ANSWER, REQUEST_V30, ANSWER_V30];

/// Rules about what a body is said to be, before anybody reads it.
const LABELS: [&str; 3] = ["content-type", "content-encoding", "charset"];

/// The refusal of a request.
pub fn request(findings: &[Finding], codes: Codes) -> Answer {
    let labelled = findings.iter().all(|finding| finding.pointer.is_empty() && LABELS.contains(&finding.rule.as_ref()));
    let is_large = findings.iter().any(|finding| finding.rule == "size");
    let reason = match codes {
        Codes::Wso2V30 => &REQUEST_V30,
        Codes::Current if labelled => &MEDIA_TYPE,
        Codes::Current if is_large => &TOO_LARGE,
        Codes::Current => &REQUEST,
    };
    let answer = reason.because(cause(findings, "request"));
    let told: Vec<Value> = findings.iter().take(MOST).map(Finding::told).collect();
    answer.detail(sentence(findings)).members(vec![("errors", Value::Array(told))])
}

/// The refusal of an answer. The client learns nothing of what is wrong with it.
pub fn answer(findings: &[Finding], codes: Codes) -> Answer {
    let reason = if codes == Codes::Wso2V30 { &ANSWER_V30 } else { &ANSWER };
    reason.because(cause(findings, "answer"))
}

/// The first finding decides what the log says in one word; the sentence has the others.
fn cause(findings: &[Finding], about: &'static str) -> Cause {
    let kind = findings.first().map_or(CauseKind::Malformed, kind);
    let lines: Vec<String> = findings.iter().take(8).map(in_log).collect();
    Cause::new(kind, about, Rule::declaration("")).detail(lines.join("; "))
}

fn kind(finding: &Finding) -> CauseKind {
    match finding.rule.as_ref() {
        "required" => CauseKind::Missing,
        "duplicate-name" | "repeated" => CauseKind::Ambiguous,
        "depth" | "values" | "string" | "number" | "size" | "parts" => CauseKind::OverLimit,
        "json" | "utf-8" | "xml" | "form" | "multipart" | "events" | "encoding" => CauseKind::Malformed,
        _ => CauseKind::NotAllowed,
    }
}

fn place(finding: &Finding) -> String {
    let mut place = finding.part.word().to_owned();
    if let Some(name) = &finding.name {
        place.push_str(&format!(" `{name}`"));
    }
    if !finding.pointer.is_empty() {
        place.push_str(&format!(" at {}", finding.pointer));
    }
    place
}

fn in_log(finding: &Finding) -> String {
    let line = finding.source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
    format!("{} {} [{}]{line}", place(finding), finding.says, finding.rule)
}

/// For the client.
fn sentence(findings: &[Finding]) -> String {
    let told: Vec<String> = findings.iter().take(4).map(|finding| format!("{} {}", place(finding), finding.says)).collect();
    let more = findings.len().saturating_sub(4);
    let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("{}{rest}", told.join(", "))
}
