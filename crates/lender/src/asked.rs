//! Questions under way. What is not answered is given up, whatever becomes of the call.

use std::sync::Arc;

use tollgate_counters::{Grant, Heard, Moment, Question};

use crate::lender::Lender;

pub(crate) struct Asked {
    lender: Arc<Lender>,
    questions: Vec<Question>,
}

impl Asked {
    pub(crate) fn new(lender: Arc<Lender>, questions: Vec<Question>) -> Self {
        Self { lender, questions }
    }

    pub(crate) fn questions(&self) -> &[Question] {
        &self.questions
    }

    /// Hands the grants on, in the order of the questions.
    pub(crate) fn granted(mut self, sent: Moment, grants: &[Option<Grant>]) {
        for (question, grant) in std::mem::take(&mut self.questions).iter().zip(grants) {
            match grant {
                Some(grant) => {
                    if self.lender.borrower.granted(sent, question, *grant) == Heard::Unsound {
                        self.lender.observer.unsound();
                    }
                    self.lender.wake(question.key);
                }
                None => {
                    self.lender.observer.unsound();
                    self.lender.give_up(question);
                }
            }
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.questions.iter().for_each(|question| self.lender.give_up(question));
    }
}
