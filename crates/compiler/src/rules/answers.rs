//! Answers by their statuses.

use std::collections::BTreeMap;

use tollgate_validation::rules::{AnswerRule, MediaRule};

use super::Context;
use super::bundle::{Bundle, Way};
use super::{media, reading};
use crate::input::spot::Spot;
use crate::structure::Version;

/// More statuses than there are; what follows is not read.
const MAX: usize = 600;

pub(super) fn read<'a>(context: &Context<'_, 'a>, operation: &Spot<'a>, bundle: &mut Bundle<'a>) -> Vec<AnswerRule> {
    let Some(answers) = operation.get("responses") else { return Vec::new() };
    let entries: Vec<_> = answers.entries().filter(|(status, _)| is_status(status)).take(MAX).collect();
    let mut rules = Vec::new();
    for (status, entry) in entries {
        let Ok(spot) = context.sources.follow(entry) else { continue };
        let content = match context.version {
            Version::V20 => old(context, operation, &spot, bundle),
            _ => media::content(context, &spot, Way::Answer, bundle),
        };
        let headers = reading(context, bundle, Way::Answer, |reader| reader.fields(&spot));
        let status = if status == "default" { status.to_owned() } else { status.to_ascii_uppercase() };
        rules.push(AnswerRule { status, headers, content, source: spot.written() });
    }
    rules
}

fn old<'a>(context: &Context<'_, 'a>, operation: &Spot<'a>, answer: &Spot<'a>, bundle: &mut Bundle<'a>) -> Vec<MediaRule> {
    let Some(schema) = answer.get("schema") else { return Vec::new() };
    let number = bundle.number(&schema, Way::Answer, Default::default(), context.version);
    let media =
        |range: String| MediaRule { range, schema: Some(number), item_schema: None, encoding: BTreeMap::new(), source: schema.written() };
    media::old::listed(context, operation, "produces").into_iter().map(media).collect()
}

/// `default`, a code, or a class of codes.
fn is_status(status: &str) -> bool {
    let bytes = status.as_bytes();
    let class = |rest: &[u8]| rest.eq_ignore_ascii_case(b"xx") || rest.iter().all(u8::is_ascii_digit);
    status == "default" || (bytes.len() == 3 && matches!(bytes[0], b'1'..=b'5') && class(&bytes[1..]))
}
