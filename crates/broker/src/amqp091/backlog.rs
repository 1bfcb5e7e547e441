//! Whether what a queue held when we came was heard.
//!
//! The queue is asked how many messages wait in it. None: then all were handed to our channel before the answer was, though the answer
//! may overtake them there. The channel answers a second question behind them. Only a consumer that is alone can conclude so.

/// What is known of the messages that wait.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    pending: bool,
    /// The last count was none, and another answer is to follow what was on its way then.
    none_waits: bool,
    /// How many messages are to be heard before it is worth while to ask again.
    ahead: u32,
    drained: bool,
}

impl Backlog {
    /// A count was asked for.
    pub fn ask(&mut self) {
        self.pending = true;
    }

    /// Whether a count is on its way.
    pub fn is_pending(&self) -> bool {
        self.pending
    }

    /// A message was heard. Whether a count should be asked for now.
    pub fn received(&mut self) -> bool {
        self.ahead = self.ahead.saturating_sub(1);
        self.is_due()
    }

    /// Whether a count should be asked for now.
    pub fn is_due(&self) -> bool {
        self.ahead == 0 && self.wants_count()
    }

    /// Whether a count would tell something.
    pub fn wants_count(&self) -> bool {
        !self.pending && !self.drained
    }

    /// So many waited. Whether everything that the queue held was heard by now; that is said once.
    pub fn answered(&mut self, waiting: u32) -> bool {
        self.pending = false;
        if std::mem::replace(&mut self.none_waits, waiting == 0) && !self.drained {
            self.drained = true;
            return true;
        }
        self.ahead = waiting;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_is_heard_with_the_answer_behind_a_count_of_none() {
        let mut backlog = Backlog::default();
        backlog.ask();
        assert!(!backlog.answered(2));
        assert!(!backlog.is_due(), "two messages first");
        assert!(!backlog.received());
        assert!(backlog.received());
        backlog.ask();
        assert!(!backlog.received(), "one that was on its way; an answer is too");
        assert!(!backlog.answered(0));
        assert!(backlog.is_due());
        backlog.ask();
        assert!(backlog.answered(7), "those came since");
        assert!(!backlog.is_due() && !backlog.wants_count() && !backlog.received());
    }

    #[test]
    fn messages_that_vanish_are_not_waited_for() {
        let mut backlog = Backlog::default();
        backlog.ask();
        assert!(!backlog.answered(9));
        assert!(backlog.wants_count(), "at the next heartbeat");
        backlog.ask();
        assert!(!backlog.answered(0));
        backlog.ask();
        assert!(backlog.answered(0));
    }
}
