//! The statuses that a definition declares answers for (OpenAPI 3.0 to 3.2, Responses Object).

/// Which answers are meant. What says more comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// One status.
    Code(u16),
    /// All whose first digit it is.
    Class(u16),
    /// All that no other means.
    Default,
}

impl Status {
    /// Reads `200`, `2XX` or `default`.
    pub fn read(text: &str) -> Self {
        match (text.parse::<u16>(), text.bytes().next()) {
            (Ok(code), _) => Self::Code(code),
            (Err(_), Some(first)) if first.is_ascii_digit() => Self::Class(u16::from(first - b'0')),
            _ => Self::Default,
        }
    }

    /// Whether it means answers of that status.
    pub fn has(self, code: u16) -> bool {
        match self {
            Self::Code(own) => own == code,
            Self::Class(first) => first == code / 100,
            Self::Default => true,
        }
    }

    /// As a filter names it to the chain; `None` for one that no final answer has.
    pub fn named(self) -> Option<u16> {
        match self {
            Self::Code(code) => Some(code).filter(|code| *code >= 200),
            Self::Class(first) => Some(first).filter(|first| *first >= 2),
            Self::Default => None,
        }
    }
}
