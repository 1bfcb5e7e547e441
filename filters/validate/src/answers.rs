//! Answers against what is declared of them.

use tollgate_filter_api::AnswerUse;
use tollgate_validation::{Broken, Direction, Library, rules::AnswerRule};

use crate::body::Bodies;

/// The answers that are declared.
#[derive(Debug)]
pub struct Answers {
    declared: Vec<Declared>,
}

/// One answer.
#[derive(Debug)]
pub struct Declared {
    status: Status,
    pub bodies: Bodies,
}

/// Which answers are meant; the most precise one that is declared counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Code(u16),
    /// The first digit.
    Class(u16),
    Default,
}

impl Status {
    fn read(text: &str) -> Self {
        match (text.parse::<u16>(), text.bytes().next()) {
            (Ok(code), _) => Self::Code(code),
            (Err(_), Some(first)) if first.is_ascii_digit() => Self::Class(u16::from(first - b'0')),
            _ => Self::Default,
        }
    }

    fn has(self, code: u16) -> bool {
        match self {
            Self::Code(own) => own == code,
            Self::Class(first) => first == code / 100,
            Self::Default => true,
        }
    }
}

impl Answers {
    pub fn compile(rules: &[AnswerRule], library: &Library, direction: Option<Direction>) -> Result<Self, Broken> {
        let compile = |rule: &AnswerRule| {
            let bodies = Bodies::compile(&rule.content, library, direction)?;
            Ok(Declared { status: Status::read(&rule.status), bodies })
        };
        let mut declared: Vec<Declared> = rules.iter().map(compile).collect::<Result<_, _>>()?;
        declared.sort_by_key(|one| one.status);
        Ok(Self { declared })
    }

    /// What is declared of an answer with this status.
    pub fn of(&self, status: u16) -> Option<&Declared> {
        self.declared.iter().find(|one| one.status.has(status))
    }

    /// Those that have to be held until they were judged.
    pub fn held(&self, limit: usize) -> Option<AnswerUse> {
        let judged = || self.declared.iter().filter(|one| one.bodies.has_schema());
        let mut media_types: Vec<String> = judged().flat_map(|one| one.bodies.judged()).collect();
        media_types.sort();
        media_types.dedup();
        let statuses = judged().map(|one| match one.status {
            Status::Code(code) => Some(code).filter(|code| *code >= 200),
            Status::Class(first) => Some(first).filter(|first| *first >= 2),
            Status::Default => None,
        });
        let is_default = judged().any(|one| one.status == Status::Default);
        let statuses = if is_default { Vec::new() } else { statuses.flatten().collect() };
        (!media_types.is_empty()).then_some(AnswerUse { limit, statuses, media_types })
    }
}
