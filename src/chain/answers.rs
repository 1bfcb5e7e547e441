//! Answers that filters read whole.
//!
//! A filter has a say in an answer when it let the request pass and names the answer's status and media type. What it does not name
//! streams past it. An answer that such a filter would have to judge and cannot is refused, never let through.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use tollgate_filter_api::{Answer, AnswerHead, AnswerSet, AnswerUse, Body, Call, DynAnswer, Fault};

use super::{run::Run, steps::Chain};

/// Filters want to read an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    /// Most bytes that all of them accept.
    pub limit: usize,
}

impl Run {
    /// Whether a filter that let the request pass reads answers.
    pub fn reads_answers(&self, chain: &Chain) -> bool {
        chain.reads_answers && self.readers(chain).next().is_some()
    }

    /// Whether one of them reads every answer there is, so that another protocol would leave it without.
    pub fn reads_all_answers(&self, chain: &Chain) -> bool {
        self.readers(chain).any(|(_, read)| read.answers.covers_all())
    }

    /// Whether they read an answer with such a head.
    pub fn covers(&self, chain: &Chain, status: StatusCode, fields: &HeaderMap) -> Option<Covered> {
        let limits = self.readers(chain).filter(|(_, read)| covers(&read.answers, status, fields)).map(|(_, read)| read.limit);
        limits.min().map(|limit| Covered { limit })
    }

    /// Shows a whole answer to those that read it, in reverse order.
    ///
    /// # Errors
    /// The first filter's that could not decide.
    pub async fn answer(&mut self, chain: &Chain, head: &mut AnswerHead, body: &mut Body, call: &Call) -> Result<Option<Answer>, Fault> {
        for at in (0..self.ran.len()).rev() {
            let index = self.ran[at];
            let Some(read) = &chain.answers[index] else { continue };
            if !covers(&read.answers, status(head), head.fields()) {
                continue;
            }
            if body.len() > read.limit {
                return Err(Fault::new("chain.answer_bytes", "another filter made the answer longer than this one accepts"));
            }
            let (views, state) = (&mut self.views, self.states[index].as_mut());
            if let Some(answer) = chain.filters[index].on_answer(DynAnswer { head, body, call, views, state }).await? {
                self.ended_by(chain, index, &answer);
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    /// Whether a filter that let the request pass changes answers while they stream.
    pub fn rewrites_answers(&self, chain: &Chain) -> bool {
        chain.rewrites.iter().any(|(index, _)| self.ran.contains(index))
    }

    /// Whether one of them changes an answer with such a head.
    pub fn rewrites(&self, chain: &Chain, status: StatusCode, fields: &HeaderMap) -> bool {
        chain.rewrites.iter().any(|(index, answers)| self.ran.contains(index) && covers(answers, status, fields))
    }

    /// Whether a filter that let the request pass changes the request's body while it streams.
    pub fn rewrites_request(&self, chain: &Chain) -> bool {
        chain.rewrites_requests.iter().any(|index| self.ran.contains(index))
    }

    fn readers<'c>(&self, chain: &'c Chain) -> impl Iterator<Item = (usize, &'c AnswerUse)> {
        self.ran.iter().filter_map(|index| Some((*index, chain.answers[*index].as_ref()?)))
    }
}

fn status(head: &AnswerHead) -> StatusCode {
    StatusCode::from_u16(head.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// An answer with several media types is one of each of them.
pub(super) fn covers(answers: &AnswerSet, status: StatusCode, fields: &HeaderMap) -> bool {
    let mut types = fields.get_all(header::CONTENT_TYPE).iter().map(HeaderValue::to_str).peekable();
    if types.peek().is_none() { answers.covers(status, None) } else { types.any(|text| answers.covers(status, text.ok())) }
}
