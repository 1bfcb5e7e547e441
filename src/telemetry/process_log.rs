//! The process log: one line a message on standard error.
//!
//! What the gateway itself says is written whole. What its libraries say is capped, and so is what it says of single clients: a
//! hostile one must not be able to flood the log. Nothing here rotates or ships a log.

use std::{
    fmt::Write as _,
    io::Write as _,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::line::timestamp;

/// Messages of libraries that are written in one [`WINDOW`].
const BURST: u32 = 20;

/// How long a [`BURST`] must do.
const WINDOW: Duration = Duration::from_secs(10);

/// Beginnings of the targets that are ours.
const OURS: [&str; 2] = ["tollgate", "filter_"];

/// The target of what is said of single clients.
pub const CLIENTS: &str = "clients";

/// Longest message, in bytes.
const LONGEST: usize = 4096;

/// Writes to standard error.
#[derive(Debug)]
pub struct ProcessLog {
    level: LevelFilter,
    libraries: Mutex<Budget>,
    clients: Mutex<Budget>,
}

/// What may still be said in this window.
#[derive(Debug)]
struct Budget {
    since: Instant,
    said: u32,
    swallowed: u64,
}

impl Budget {
    fn new(now: Instant) -> Self {
        Self { since: now, said: 0, swallowed: 0 }
    }

    /// Whether one more may be written, and how many were swallowed in the window that ended with it.
    fn take(&mut self, now: Instant) -> (bool, u64) {
        let mut swallowed = 0;
        if now.duration_since(self.since) >= WINDOW {
            swallowed = self.swallowed;
            *self = Self::new(now);
        }
        if self.said < BURST {
            self.said += 1;
            (true, swallowed)
        } else {
            self.swallowed += 1;
            (false, swallowed)
        }
    }
}

impl ProcessLog {
    /// Becomes the logger of the process, with the level that `TOLLGATE_LOG` names, or `info`. Does nothing when there is a
    /// logger already.
    pub fn install() {
        let level = std::env::var("TOLLGATE_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::Info);
        static LOG: OnceLock<ProcessLog> = OnceLock::new();
        if log::set_logger(LOG.get_or_init(|| Self::new(level))).is_ok() {
            log::set_max_level(level);
        }
    }

    fn new(level: LevelFilter) -> Self {
        let budget = || Mutex::new(Budget::new(Instant::now()));
        Self { level, libraries: budget(), clients: budget() }
    }

    /// The text to write for a message; empty when it is swallowed.
    fn text(&self, record: &Record<'_>, time: SystemTime, now: Instant) -> String {
        let ours = OURS.iter().any(|start| record.target().starts_with(start));
        let (budget, whose) = if record.target() == CLIENTS { (&self.clients, "about clients") } else { (&self.libraries, "of libraries") };
        let mut text = String::new();
        if !ours {
            let mut budget = budget.lock().unwrap_or_else(PoisonError::into_inner);
            let (allowed, swallowed) = budget.take(now);
            if swallowed > 0 {
                line(&mut text, time, Level::Warn, module_path!(), &format!("{swallowed} messages {whose} were left out"));
            }
            if !allowed {
                return text;
            }
        }
        // A library's error is mostly a client's; an operator is not woken for it.
        let level = if ours { record.level() } else { record.level().max(Level::Warn) };
        line(&mut text, time, level, record.target(), &record.args().to_string());
        text
    }
}

/// One line: control characters are escaped, and it ends somewhere.
fn line(text: &mut String, time: SystemTime, level: Level, target: &str, message: &str) {
    let _ = write!(text, "{} {level:<5} {target} ", timestamp(time));
    let end = text.len() + LONGEST;
    for c in message.chars() {
        if text.len() >= end {
            text.push('…');
            break;
        }
        if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text.push('\n');
}

impl Log for ProcessLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.level
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = self.text(record, SystemTime::now(), Instant::now());
        // Where standard error is closed there is nobody to tell.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(log: &ProcessLog, target: &str, level: Level, message: &str, now: Instant) -> String {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        log.text(&Record::builder().target(target).level(level).args(format_args!("{message}")).build(), time, now)
    }

    #[test]
    fn a_message_is_one_line_with_time_level_and_target() {
        let log = ProcessLog::new(LevelFilter::Info);
        let text = say(&log, "tollgate::proxy", Level::Error, "it\r\nbroke \u{1b}[31m", Instant::now());
        assert_eq!(text, "2023-11-14T22:13:20.123Z ERROR tollgate::proxy it\\r\\nbroke \\u{1b}[31m\n");
    }

    #[test]
    fn a_librarys_error_is_a_warning() {
        let log = ProcessLog::new(LevelFilter::Info);
        assert!(say(&log, "h2::proto", Level::Error, "reset", Instant::now()).contains("WARN  h2::proto reset"));
    }

    #[test]
    fn libraries_cannot_flood_the_log() {
        let log = ProcessLog::new(LevelFilter::Info);
        let start = Instant::now();
        let written = (0..10_000).filter(|_| !say(&log, "h2", Level::Error, "reset", start).is_empty()).count();
        assert_eq!(written, BURST as usize);
        assert!(!say(&log, "tollgate", Level::Warn, "ours", start).is_empty());
        let later = say(&log, "h2", Level::Error, "reset", start + WINDOW);
        assert!(later.contains("9980 messages of libraries were left out\n"), "{later}");
    }

    #[test]
    fn clients_that_are_talked_of_leave_libraries_their_say_and_flood_nothing() {
        let log = ProcessLog::new(LevelFilter::Info);
        let start = Instant::now();
        let written = (0..100).filter(|_| !say(&log, CLIENTS, Level::Warn, "refused", start).is_empty()).count();
        assert_eq!(written, BURST as usize);
        assert!(!say(&log, "h2", Level::Warn, "reset", start).is_empty());
        assert!(say(&log, CLIENTS, Level::Warn, "refused", start + WINDOW).contains("80 messages about clients were left out\n"));
    }

    #[test]
    fn a_message_without_end_is_cut() {
        let log = ProcessLog::new(LevelFilter::Info);
        let text = say(&log, "tollgate", Level::Info, &"x".repeat(1 << 20), Instant::now());
        assert!(text.len() < LONGEST + 100);
    }

    #[test]
    fn a_level_below_the_set_one_is_not_enabled() {
        let log = ProcessLog::new(LevelFilter::Info);
        assert!(!log.enabled(&Metadata::builder().level(Level::Debug).build()));
        assert!(log.enabled(&Metadata::builder().level(Level::Info).build()));
    }
}
