//! What a command says, and how it ends.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use serde_json::{Value, json};
use tollgate_filter_api::{Problem, Problems, Severity};

use super::Format;

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(super) enum Failure {
    /// Something is wrong with the input.
    Problems(Problems),
    /// It found what is wrong, and has said so.
    Found,
    /// The command could not run.
    Cannot(String),
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Problems(problems)
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Problems(problem.into())
    }
}

impl Failure {
    /// An operation on a file or socket failed.
    pub(super) fn io(what: impl std::fmt::Display, error: &io::Error) -> Self {
        Self::Cannot(format!("{what}: {error}"))
    }
}

/// Says why, and with which code to end.
pub(super) fn fail(failure: &Failure, format: Format) -> ExitCode {
    match failure {
        Failure::Problems(problems) => {
            print_problems(problems);
            if format == Format::Json {
                let _ = print_json(&summary(problems));
            }
            // What could not even be read was not judged.
            let unread = problems.0.iter().any(|problem| problem.code.ends_with(".unreadable"));
            ExitCode::from(if unread { 2 } else { 1 })
        }
        Failure::Found => ExitCode::from(1),
        Failure::Cannot(message) => {
            complain(&format!("tollgate: {message}"));
            ExitCode::from(2)
        }
    }
}

/// Writes to standard error; when that is closed there is nobody left to tell.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Every problem, and how many there are. Nothing when there is none.
pub(super) fn print_problems(problems: &Problems) {
    if problems.0.is_empty() {
        return;
    }
    complain(&format!("{problems}\n{}", count(problems)));
}

fn numbers(problems: &Problems) -> (usize, usize) {
    let errors = problems.0.iter().filter(|problem| problem.severity == Severity::Error).count();
    (errors, problems.0.len() - errors)
}

/// `2 errors, 1 warning`.
fn count(problems: &Problems) -> String {
    let (errors, warnings) = numbers(problems);
    let many = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    format!("{}, {}", many(errors, "error"), many(warnings, "warning"))
}

/// The problems as data.
pub(super) fn summary(problems: &Problems) -> Value {
    let (errors, warnings) = numbers(problems);
    json!({ "problems": problems, "errors": errors, "warnings": warnings })
}

/// Writes one line, or several, of data.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{}", text.trim_end_matches('\n')) {
        // Whoever reads has seen enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Failure::io("cannot write to standard output", &error)),
    }
}

/// Writes data as JSON.
pub(super) fn print_json(value: &Value) -> Result<(), Failure> {
    print(&format!("{value:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_warnings_are_counted_apart() {
        let mut problems = Problems::default();
        problems.push(Problem::error("a.b", "one"));
        problems.push(Problem::warning("a.c", "two"));
        problems.push(Problem::warning("a.d", "three"));
        assert_eq!(count(&problems), "1 error, 2 warnings");
        assert_eq!(summary(&problems)["errors"], 1);
    }
}
