//! What was said last of a thing, when messages may come in another order than they were published in.

use crate::bounds::REMEMBERED;

/// When something was said, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// When its publisher said it, by the publisher's clock, if it said when.
    pub published: Option<u64>,
    /// When it was heard, by ours.
    pub heard: u64,
}

/// Whether a thing is there, and since when that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub is_there: bool,
    pub said: Said,
}

impl Told {
    /// Whether something else, said then, is newer. What takes a thing back must be newer than what put it there; of the same age, it
    /// stays there.
    pub(crate) fn is_overruled(self, is_there: bool, said: Said) -> bool {
        match (self.said.published, said.published) {
            (Some(old), Some(new)) => new > old || (new == old && is_there),
            _ => true,
        }
    }

    /// Whether a list that was asked for then knows better.
    pub(crate) fn is_older_than(self, asked: u64) -> bool {
        self.said.heard < asked
    }

    /// Whether it need not be remembered any more.
    pub(crate) fn is_over(self, now: u64) -> bool {
        !self.is_there && now >= self.said.heard.saturating_add(REMEMBERED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_message_does_not_overrule_a_newer_one_and_adding_wins_a_tie() {
        let told = |is_there, published| Told { is_there, said: Said { published, heard: 7 } };
        for (old, is_there, new, expected) in [
            (told(true, Some(5)), false, Some(4), false),
            (told(true, Some(5)), false, Some(5), false),
            (told(true, Some(5)), false, Some(6), true),
            (told(false, Some(5)), true, Some(4), false),
            (told(false, Some(5)), true, Some(5), true),
            (told(true, None), false, Some(1), true),
            (told(true, Some(5)), false, None, true),
        ] {
            assert_eq!(old.is_overruled(is_there, Said { published: new, heard: 8 }), expected, "{old:?} {is_there} {new:?}");
        }
    }
}
