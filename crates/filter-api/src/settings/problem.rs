//! What is wrong with an input: the place, what was found, what would be right.

use std::fmt;

use serde::Serialize;

/// Code of what is wrong with a filter's settings, as long as nobody has said which filter's.
pub(crate) const SETTINGS: &str = "filter.settings";

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is built or started.
    Error,
    /// It is built, but probably not what was meant.
    Warning,
}

/// One thing that is wrong with a configuration or a definition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Problem {
    /// File, relative to the project or as given on the command line; empty when no file is to blame.
    pub file: String,
    /// Line from 1; 0 when the file as a whole is meant.
    pub line: u32,
    /// JSON Pointer (RFC 6901) within the file.
    pub pointer: String,
    /// Error or warning.
    pub severity: Severity,
    /// Stable identifier, such as `endpoint.missing`.
    pub code: &'static str,
    /// What was found and what was expected, one sentence without a full stop.
    pub message: String,
    /// The way out, one sentence; empty when the message says it.
    pub hint: String,
    /// The pointer is relative to what a definition declares, not to settings.
    #[serde(skip)]
    pub declared: bool,
}

impl Problem {
    /// An error that belongs to no file yet.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            file: String::new(),
            line: 0,
            pointer: String::new(),
            severity: Severity::Error,
            code,
            message: message.into(),
            hint: String::new(),
            declared: false,
        }
    }

    /// A warning that belongs to no file yet.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// An error in the settings that a filter is built from, at a pointer relative to them. Whoever builds the filter puts the
    /// filter's own code in place of this one: `ID.settings`.
    pub fn setting(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), ..Self::error(SETTINGS, message) }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, file: impl Into<String>, line: u32, pointer: impl Into<String>) -> Self {
        self.file = file.into();
        self.line = line;
        self.pointer = pointer.into();
        self
    }

    /// Says that a filter's declaration is wrong, and not its settings.
    #[must_use]
    pub fn of_declaration(mut self) -> Self {
        self.declared = true;
        self
    }

    /// Says the way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// Text of a file as a terminal and a log may have it: on one line, and without what moves the cursor, colours, or turns the
/// direction of writing.
struct Plain<'t>(&'t str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turns =
            |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}');
        let mut rest = self.0;
        while let Some(at) = rest.find(|c: char| c.is_control() || turns(c)) {
            f.write_str(&rest[..at])?;
            let Some(hidden) = rest[at..].chars().next() else { break };
            write!(f, "{}", hidden.escape_default())?;
            rest = &rest[at + hidden.len_utf8()..];
        }
        f.write_str(rest)
    }
}

impl fmt::Display for Problem {
    /// `file:line: error[code]: message (at /pointer)` and, on its own line, the hint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}", Plain(&self.file))?;
            if self.line > 0 {
                write!(f, ":{}", self.line)?;
            }
            f.write_str(": ")?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}[{}]: {}", self.code, Plain(&self.message))?;
        if !self.pointer.is_empty() {
            write!(f, " (at {})", Plain(&self.pointer))?;
        }
        if !self.hint.is_empty() {
            write!(f, "\n  hint: {}", Plain(&self.hint))?;
        }
        Ok(())
    }
}

/// Problems, all of them, in the order of file and line once [sorted](Problems::sorted).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|p| p.severity == Severity::Error)
    }

    /// Sorted by file, line and pointer, without duplicates.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.0.sort();
        self.0.dedup();
        self
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::Problem;

    #[test]
    fn what_a_file_says_stays_on_one_line_and_moves_no_cursor() {
        let problem = Problem::error("a.b", "found `x\n0 errors\u{1b}[2K`").at("a\rb.yaml", 3, "/\u{202e}key").hint("not \u{85}");
        let said = problem.to_string();
        assert_eq!(said, "a\\rb.yaml:3: error[a.b]: found `x\\n0 errors\\u{1b}[2K` (at /\\u{202e}key)\n  hint: not \\u{85}");
    }

    #[test]
    fn other_scripts_are_shown_as_they_are() {
        assert_eq!(Problem::error("a.b", "“Größe” \u{1f44d} קח").to_string(), "error[a.b]: “Größe” \u{1f44d} קח");
    }
}
