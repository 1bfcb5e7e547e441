//! What the store says to a call, judged before anything of it counts.
//!
//! A store decides how much is granted, and could grant the whole limit to every gateway. More than that it cannot: each answer must fit the
//! question, the script and the answer before it, so that no gateway takes more than the limit in a window of the store.

use std::time::Duration;

use redis::Value;
use tollgate_counters::{Grant, MAX_LIMIT, Question};

use crate::script::{ANSWER, milliseconds};

/// Latest time that is believed: the year 2286, as in Redis' own limits on script numbers.
const LATEST_MS: u64 = 9_999_999_999_999;

/// What of an answer does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsound {
    #[error("an answer of another form than the script's")]
    Form,
    #[error("an answer that is too long")]
    Length,
    #[error("no number where the script puts one")]
    Number,
    #[error("a window that is not the one of its own time")]
    Window,
    #[error("more granted than was wanted")]
    Granted,
    #[error("a total that does not follow from the one before")]
    Total,
    #[error("a rest that is not what the limit leaves")]
    Rest,
    #[error("an impossible number of gateways")]
    Gateways,
    #[error("a clock that jumped")]
    Clock,
}

/// A sound answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The store's time, in ms since 1970.
    pub(crate) now: u64,
    /// When the store was empty last, by its own time.
    pub(crate) life: u64,
    /// In the order of the questions; `None` where something else lies in a quota's place.
    pub(crate) grants: Vec<Option<Grant>>,
}

/// Judges an answer to these questions.
pub(crate) fn read(value: Value, questions: &[Question]) -> Result<Answer, Unsound> {
    let Value::Array(values) = value else { return Err(Unsound::Form) };
    if values.len() != ANSWER.0 + ANSWER.1 * questions.len() {
        return Err(Unsound::Form);
    }
    let (head, rest) = values.split_at(ANSWER.0);
    let [now, life] = head else { return Err(Unsound::Form) };
    let (now, life) = (number(now)?, number(life)?);
    if now == 0 || now > LATEST_MS {
        return Err(Unsound::Number);
    }
    let grants = rest.chunks_exact(ANSWER.1).zip(questions).map(|(values, question)| grant(values, question, now));
    Ok(Answer { now, life, grants: grants.collect::<Result<_, _>>()? })
}

/// A number of gateways.
pub(crate) fn gateways(value: &Value, most: u32) -> Result<u32, Unsound> {
    let count = number(value).ok().and_then(|count| u32::try_from(count).ok());
    count.filter(|count| (1..=most).contains(count)).ok_or(Unsound::Gateways)
}

fn grant(values: &[Value], question: &Question, now: u64) -> Result<Option<Grant>, Unsound> {
    let [window, granted, total, rest] = values else { return Err(Unsound::Form) };
    if *window == Value::Int(-1) {
        return Ok(None);
    }
    let (window, granted, total, rest) = (number(window)?, number(granted)?, number(total)?, number(rest)?);
    let length = milliseconds(question.window);
    if window != now / length {
        return Err(Unsound::Window);
    }
    if granted > question.wanted {
        return Err(Unsound::Granted);
    }
    let before = if question.seen_in == window { question.seen } else { 0 };
    // Above the limit only where somebody was granted more, under a higher one.
    if total < before.saturating_add(granted) || total > MAX_LIMIT || (granted > 0 && total > question.limit) {
        return Err(Unsound::Total);
    }
    if rest != question.limit.saturating_sub(total) {
        return Err(Unsound::Rest);
    }
    let left = Duration::from_millis(length - now % length);
    Ok(Some(Grant { window, granted, total, rest, left }))
}

/// Redis writes numbers of scripts as integers, and what was formatted as text.
fn number(value: &Value) -> Result<u64, Unsound> {
    match value {
        Value::Int(number) => u64::try_from(*number).map_err(|_| Unsound::Number),
        Value::BulkString(text) if text.len() <= 16 && !text.is_empty() && text.iter().all(u8::is_ascii_digit) => {
            Ok(text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
        }
        _ => Err(Unsound::Number),
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
