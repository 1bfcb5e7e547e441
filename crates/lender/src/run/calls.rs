//! Calls of the script.

use std::sync::Arc;

use tollgate_counters::Question;

use super::events::Event;
use crate::{
    answer,
    asked::Asked,
    borrower::now,
    lender::Lender,
    script::{Scripts, TAGS, TOGETHER, Tag},
    wire::{
        failure::Lost,
        link::Link,
        open::{known, reply},
    },
};

/// As many at a time as a call may carry.
pub(super) fn chunks(mut questions: Vec<Question>) -> Vec<Vec<Question>> {
    let mut all = Vec::new();
    while questions.len() > TOGETHER {
        let rest = questions.split_off(TOGETHER);
        all.push(std::mem::replace(&mut questions, rest));
    }
    if !questions.is_empty() {
        all.push(questions);
    }
    all
}

/// One call. What is left of a window counts from a moment before anything of it was written.
pub(super) async fn call(link: Arc<Link>, scripts: Arc<Scripts>, gateways: u32, ticket: u64, tag: Tag, asked: Asked) -> Event {
    let sent = now();
    let command = scripts.lease(tag, gateways, asked.questions());
    let answered = known(&link, &scripts, &command, reply(asked.questions().len())).await;
    Event::Answered { ticket, tag, asked, sent, answered }
}

/// Tells what was seen of the quotas with these tags. Nothing is wanted, so the answers only have to be sound.
pub(super) async fn report(lender: &Lender, link: &Link, scripts: &Scripts, tags: &[Tag]) -> Result<(), Lost> {
    let mut groups = [const { Vec::new() }; TAGS];
    for question in lender.borrower.reports() {
        let tag = Tag::of(&question.quota);
        groups[tag.index()].push(question);
    }
    for tag in tags {
        for questions in chunks(std::mem::take(&mut groups[tag.index()])) {
            let command = scripts.lease(*tag, 1, &questions);
            answer::read(known(link, scripts, &command, reply(questions.len())).await?, &questions)?;
        }
    }
    Ok(())
}
