//! Why a request was refused: what was wrong with which part of it, and which line decides so.
//!
//! A [`Cause`] is made when a request is refused, and put into words when its log line is written. The operator reads it; the client never
//! does. What was sent is shown in few characters and escaped. Nothing here keeps a filter from handing over a secret to be shown: the
//! conformance test looks for that.

use std::{borrow::Cow, fmt, sync::Arc};

/// Most characters that are shown of what was sent.
const LONGEST: usize = 64;

macro_rules! kinds {
    ($($name:ident = $text:literal, $says:literal, $help:literal;)*) => {
        /// What was wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum CauseKind {
            $(#[doc = $help] $name,)*
        }

        impl CauseKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name in the log.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// What it means, for the manual.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$name => $help),* }
            }

            /// What is said of the part that it is about.
            const fn says(self) -> &'static str {
                match self { $(Self::$name => $says),* }
            }
        }
    };
}

kinds! {
    Missing = "missing", "is missing", "Something that is needed was not sent.";
    Ambiguous = "ambiguous", "has more than one reading", "Something stands more than once, or can be read in more than one way.";
    Malformed = "malformed", "is malformed", "Something has not the form that its standard demands.";
    NotAllowed = "not_allowed", "is not allowed", "A value is not among those that are accepted.";
    Insufficient = "insufficient", "is not enough", "The caller is known and may not do this.";
    Time = "time", "is not valid at this time", "Something has expired, or is not valid yet.";
    OverLimit = "over_limit", "is over its limit", "A size, a number or a time is larger than a limit.";
    Unverified = "unverified", "is not verified", "A signature, a digest, a password or a proof does not check out.";
    Unbound = "unbound", "does not belong to its sender", "A credential is bound to somebody else, or to nobody.";
    Revoked = "revoked", "was revoked", "A credential was taken back.";
    Replayed = "replayed", "was used before", "Something that is good once came twice.";
    Unmatched = "unmatched", "matches nothing here", "There is no API, resource, method or endpoint for the request.";
    Unavailable = "unavailable", "is not available", "Something that is needed to decide or to answer is away, or says nothing of use.";
    Internal = "internal", "failed", "The gateway itself failed.";
}

/// What decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A setting of the filter.
    Setting(Pointer),
    /// What the definition declares of the operation; the empty pointer is the demand itself.
    Declaration(Pointer),
    /// A setting in `gateway.yaml`, by JSON Pointer from its root.
    Gateway(&'static str),
    /// Nothing that can be configured: an RFC with its section, or a rule of the gateway's own.
    Fixed(&'static str),
}

/// A JSON Pointer (RFC 6901). A `*` in it stands for the index beside it, so that nothing is formatted for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointer {
    pattern: &'static str,
    index: Option<usize>,
}

impl Rule {
    /// A setting of the filter.
    pub const fn setting(pointer: &'static str) -> Self {
        Self::Setting(Pointer { pattern: pointer, index: None })
    }

    /// A setting of the filter in a list; `*` stands for the index.
    pub const fn nth_setting(pattern: &'static str, index: usize) -> Self {
        Self::Setting(Pointer { pattern, index: Some(index) })
    }

    /// What the definition declares; empty: that it demands the filter.
    pub const fn declaration(pointer: &'static str) -> Self {
        Self::Declaration(Pointer { pattern: pointer, index: None })
    }

    /// What the definition declares in a list; `*` stands for the index.
    pub const fn nth_declaration(pattern: &'static str, index: usize) -> Self {
        Self::Declaration(Pointer { pattern, index: Some(index) })
    }

    /// That the definition demands the filter.
    pub const fn demand() -> Self {
        Self::declaration("")
    }
}

impl Pointer {
    /// The pointer as text.
    pub fn text(&self) -> Cow<'static, str> {
        match self.index {
            None => Cow::Borrowed(self.pattern),
            Some(index) => Cow::Owned(self.pattern.replacen('*', &index.to_string(), 1)),
        }
    }
}

/// A value that was seen, or the one that was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Words of ours, or of the operator.
    Words(Cow<'static, str>),
    /// The same, made at load.
    Shared(Arc<str>),
    /// What was sent, cut; in quotes and escaped in the log.
    Sent(Box<str>),
    /// A number.
    Number(i64),
    /// So many bytes.
    Bytes(u64),
    /// So many seconds.
    Seconds(u64),
}

impl Shown {
    /// What somebody sent. Keeps its beginning only.
    pub fn sent(text: &str) -> Self {
        let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| at);
        Self::Sent(text[..end].into())
    }

    /// What somebody sent, when it is text.
    pub fn bytes_sent(bytes: &[u8]) -> Self {
        let end = bytes.len().min(4 * LONGEST);
        Self::sent(&String::from_utf8_lossy(&bytes[..end]))
    }
}

impl From<&'static str> for Shown {
    fn from(words: &'static str) -> Self {
        Self::Words(words.into())
    }
}

impl From<String> for Shown {
    fn from(words: String) -> Self {
        Self::Words(words.into())
    }
}

impl From<Arc<str>> for Shown {
    fn from(words: Arc<str>) -> Self {
        Self::Shared(words)
    }
}

impl From<i64> for Shown {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Shown {
    fn from(number: usize) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    kind: CauseKind,
    about: &'static str,
    rule: Rule,
    detail: Option<Cow<'static, str>>,
    seen: Option<Shown>,
    wanted: Option<Shown>,
}

impl Cause {
    /// What is wrong with which part of the request, in the field's words (``claim `aud` ``, ``field `Host` ``), and what decides so.
    pub const fn new(kind: CauseKind, about: &'static str, rule: Rule) -> Self {
        Self { kind, about, rule, detail: None, seen: None, wanted: None }
    }

    /// What was found. Never a credential, a signature, a cookie, a value of a query or a body, nor a part of one.
    #[must_use]
    pub fn seen(mut self, seen: impl Into<Shown>) -> Self {
        self.seen = Some(seen.into());
        self
    }

    /// What would have been accepted. Never a secret of the settings.
    #[must_use]
    pub fn wanted(mut self, wanted: impl Into<Shown>) -> Self {
        self.wanted = Some(wanted.into());
        self
    }

    /// What else there is to say, such as the words of a parser or of another party. Holds for it what holds for [`Cause::seen`].
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// What was wrong.
    pub fn kind(&self) -> CauseKind {
        self.kind
    }

    /// What decided.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// What was sent, as far as it is shown.
    pub fn shown(&self) -> Option<&str> {
        match self.seen.as_ref()? {
            Shown::Sent(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => f.write_str(words),
            Self::Shared(words) => f.write_str(words),
            Self::Sent(text) => write!(f, "{text:?}"),
            Self::Number(number) => number.fmt(f),
            Self::Bytes(bytes) => write!(f, "{bytes} bytes"),
            Self::Seconds(seconds) => write!(f, "{seconds} s"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(pointer) => write!(f, "setting {}", pointer.text()),
            Self::Declaration(pointer) if pointer.pattern.is_empty() => f.write_str("the definition demands it"),
            Self::Declaration(pointer) => write!(f, "declaration {}", pointer.text()),
            Self::Gateway(pointer) => write!(f, "gateway setting {pointer}"),
            Self::Fixed(rule) => f.write_str(rule),
        }
    }
}

/// One sentence without a full stop: ``claim `aud` is not allowed; seen "shop", wanted one of "bank" (setting /issuers/0/audiences)``.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.about, self.kind.says())?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        match (&self.seen, &self.wanted) {
            (Some(seen), Some(wanted)) => write!(f, "; seen {seen}, wanted {wanted}")?,
            (Some(seen), None) => write!(f, "; seen {seen}")?,
            (None, Some(wanted)) => write!(f, "; wanted {wanted}")?,
            (None, None) => {}
        }
        write!(f, " ({})", self.rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_one_sentence_with_all_that_is_known() {
        let cause = Cause::new(CauseKind::NotAllowed, "claim `aud`", Rule::nth_setting("/issuers/*/audiences", 2));
        assert_eq!(cause.to_string(), "claim `aud` is not allowed (setting /issuers/2/audiences)");
        let cause = cause.detail("the token names one").seen(Shown::sent("shop")).wanted("one of \"bank\"");
        let expected =
            "claim `aud` is not allowed: the token names one; seen \"shop\", wanted one of \"bank\" (setting /issuers/2/audiences)";
        assert_eq!(cause.to_string(), expected);
        let size = Cause::new(CauseKind::OverLimit, "header", Rule::Gateway("/limits/header_bytes"));
        let size = size.seen(Shown::Bytes(40_000)).wanted(Shown::Bytes(32_768));
        assert_eq!(
            size.to_string(),
            "header is over its limit; seen 40000 bytes, wanted 32768 bytes (gateway setting /limits/header_bytes)"
        );
        let demand = Cause::new(CauseKind::Missing, "token", Rule::demand());
        assert_eq!(demand.to_string(), "token is missing (the definition demands it)");
    }

    #[test]
    fn what_was_sent_is_cut_and_escaped() {
        let cause = Cause::new(CauseKind::Malformed, "field `Host`", Rule::Fixed("RFC 9110 §7.2"));
        let text = cause.seen(Shown::sent(&format!("a\n\u{1b}[31m\u{202e}\"{}", "é".repeat(1000)))).to_string();
        assert!(text.contains(r#"seen "a\n\u{1b}[31m\u{202e}\"éé"#), "{text}");
        assert!(text.chars().count() < 160, "{text}");
        assert_eq!(Shown::bytes_sent(&[b'a', 0xff]), Shown::Sent("a\u{fffd}".into()));
    }

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let mut names: Vec<&str> = CauseKind::ALL.iter().map(|kind| kind.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CauseKind::ALL.len());
        assert!(CauseKind::ALL.iter().all(|kind| kind.help().ends_with('.')));
    }
}
