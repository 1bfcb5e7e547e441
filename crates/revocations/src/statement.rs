//! What somebody says was revoked, read strictly.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tollgate_filter_api::Token;

use crate::entry::{ALWAYS, Entry, Input, Kind, NEVER, Seed};

/// Longest name of a token, client or subject, in bytes.
const LONGEST_NAME: usize = 16 << 10;

/// How long an entry outlives the end that was stated: filters allow clocks to differ, and keep verified tokens for a while.
const OUTLIVE: u32 = 600;

/// Numbers from here on are milliseconds since 1970; as seconds they would be the year 5138.
const MILLISECONDS: u64 = 100_000_000_000;

/// Numbers below this are a length of time; as seconds since 1970 they would be before 2001.
const DURATION: u64 = 1_000_000_000;

/// What was said cannot be understood, or is too much.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Bad(pub(crate) String);

impl Bad {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// Names something.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum What {
    TokenId(String),
    Signature(String),
    /// `jti`, signature or opaque token: the reference's messages do not say which.
    Any(String),
    Client(String),
    Subject(String),
}

/// One thing that was revoked.
#[derive(Clone, PartialEq, Eq)]
pub struct Statement {
    what: What,
    before: u32,
    expires: u32,
}

impl std::fmt::Debug for Statement {
    /// Without the name, which may be a credential.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Statement").field("before", &self.before).field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// A point or a length of time, as a number or as digits in a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::of(&value).map_err(serde::de::Error::custom)
    }
}

impl Number {
    pub(crate) fn of(value: &Value) -> Result<Self, Bad> {
        let number = match value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        };
        number.map(Self).ok_or_else(|| Bad::new("expected a time: a whole number of seconds or milliseconds, not negative"))
    }

    /// The same, or no end at all for what is negative: so long-lived that the arithmetic of its publisher broke.
    pub(crate) fn or_never(value: &Value) -> Result<Self, Bad> {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let negative = text.strip_prefix('-').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
        if negative { Ok(Self(u64::MAX)) } else { Self::of(value) }
    }

    pub(crate) fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// A length of so many seconds at least; a point in time stays what it is.
    pub(crate) fn at_least(self, least: u64) -> Self {
        if self.0 < DURATION { Self(self.0.max(least)) } else { self }
    }

    /// Seconds since 1970 of what looks like a point in time.
    fn point(self) -> u32 {
        let seconds = if self.0 >= MILLISECONDS { self.0 / 1000 } else { self.0 };
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }

    /// When it ends: a point in time, or so many seconds from now. A length in milliseconds reads as a longer one in seconds,
    /// which costs memory and refuses nothing that is still alive.
    pub(crate) fn end(self, now: u32) -> u32 {
        if self.0 < DURATION { now.saturating_add(u32::try_from(self.0).unwrap_or(u32::MAX)) } else { self.point() }
    }
}

/// What `POST /revocations` takes, and the values of etcd: one of the five names, and when.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instruction {
    jti: Option<String>,
    token: Option<String>,
    signature: Option<String>,
    client: Option<String>,
    subject: Option<String>,
    kind: Option<String>,
    value: Option<String>,
    before: Option<Number>,
    expires: Option<Number>,
    ttl: Option<Number>,
}

impl Instruction {
    /// Reads one, or a list of at most `most`.
    ///
    /// # Errors
    /// When one of them cannot be understood; its place is named, its value is not repeated.
    pub fn read(json: &[u8], most: usize, now: u32) -> Result<Vec<Statement>, Bad> {
        let trimmed = json.trim_ascii_start();
        let all: Vec<Self> = if trimmed.first() == Some(&b'[') {
            serde_json::from_slice(trimmed).map_err(|error| not_json(&error))?
        } else {
            vec![serde_json::from_slice(trimmed).map_err(|error| not_json(&error))?]
        };
        if all.is_empty() || all.len() > most {
            return Err(Bad::new(format!("expected 1 to {most} revocations, found {}", all.len())));
        }
        let one = |(at, one): (usize, Self)| one.statement(None, now).map_err(|Bad(why)| Bad(format!("revocation {}: {why}", at + 1)));
        all.into_iter().enumerate().map(one).collect()
    }

    /// `fallback` names a token where the instruction names nothing.
    pub(crate) fn statement(self, fallback: Option<&str>, now: u32) -> Result<Statement, Bad> {
        let (before, ends) = (self.before, [self.expires, self.ttl]);
        let what = self.what(fallback)?;
        let before = match (&what, before) {
            (What::Client(_), None) => ALWAYS,
            (What::Client(_) | What::Subject(_), Some(before)) => before.point().min(ALWAYS - 1),
            (What::Subject(_), None) => return Err(Bad::new("a subject is revoked `before` a time: say which")),
            (_, None) => 0,
            (_, Some(_)) => return Err(Bad::new("`before` goes with `client` or `subject`")),
        };
        Ok(Statement::new(what, before, latest(ends, now)))
    }

    fn what(self, fallback: Option<&str>) -> Result<What, Bad> {
        let typed = match (self.kind.as_deref(), self.value) {
            (Some(kind), Some(value)) => Some(by_kind(kind, value)?),
            (None, None) => None,
            _ => return Err(Bad::new("`kind` and `value` go together")),
        };
        let named = [
            self.jti.map(What::TokenId),
            self.token.as_deref().map(whole),
            self.signature.as_deref().map(signature),
            self.client.map(What::Client),
            self.subject.map(What::Subject),
            typed,
        ];
        let mut named = named.into_iter().flatten();
        let what = match (named.next(), named.next(), fallback) {
            (Some(what), None, _) => what,
            (None, None, Some(name)) => any(name.to_owned()),
            _ => return Err(Bad::new("expected one of `jti`, `token`, `signature`, `client` and `subject`")),
        };
        what.check()?;
        Ok(what)
    }
}

/// The message of serde may repeat a value, so only the place is told.
fn not_json(error: &serde_json::Error) -> Bad {
    let class = match error.classify() {
        serde_json::error::Category::Data => "a field that does not exist, or a value of another type",
        _ => "no JSON",
    };
    Bad::new(format!("{class} at line {} column {}", error.line(), error.column()))
}

fn by_kind(kind: &str, value: String) -> Result<What, Bad> {
    Ok(match kind {
        "jti" => What::TokenId(value),
        "token" => whole(&value),
        "signature" => signature(&value),
        "client" => What::Client(value),
        "subject" => What::Subject(value),
        _ => return Err(Bad::new("expected as `kind` jti, token, signature, client or subject")),
    })
}

/// The latest end that was stated.
fn latest(ends: [Option<Number>; 2], now: u32) -> u32 {
    ends.into_iter().flatten().map(|end| end.end(now)).max().map_or(NEVER, |end| end.saturating_add(OUTLIVE))
}

fn signature(text: &str) -> What {
    What::Signature(text.trim_end_matches('=').to_owned())
}

/// How a token, or a signature, is known on the list: a JWT by its signature, anything else by itself, without padding.
pub(crate) fn known_by(token: &str) -> &str {
    Token::signature_part(token).unwrap_or(token).trim_end_matches('=')
}

/// A token as it is sent.
fn whole(token: &str) -> What {
    signature(known_by(token))
}

/// What may be a `jti`, a signature, or a token as it is sent.
fn any(name: String) -> What {
    match Token::signature_part(&name) {
        Some(part) => signature(part),
        None => What::Any(name),
    }
}

impl What {
    fn check(&self) -> Result<(), Bad> {
        let (Self::TokenId(name) | Self::Signature(name) | Self::Any(name) | Self::Client(name) | Self::Subject(name)) = self;
        if name.is_empty() || name.len() > LONGEST_NAME || name.contains('\0') {
            return Err(Bad::new(format!("expected a name of 1 to {LONGEST_NAME} bytes")));
        }
        Ok(())
    }
}

impl Statement {
    fn new(what: What, before: u32, expires: u32) -> Self {
        Self { what, before, expires }
    }

    /// Whether it is of a client or a subject, and not of one token.
    pub(crate) fn is_of_a_name(&self) -> bool {
        matches!(self.what, What::Client(_) | What::Subject(_))
    }

    /// Whether it names what this key is, neither a part of it nor more than one thing.
    pub(crate) fn is_plainly(&self, key: &[u8]) -> bool {
        matches!(&self.what, What::Any(name) if name.as_bytes() == key && !name.ends_with('='))
    }

    /// What it names, whatever it says of it.
    pub(crate) fn what(&self) -> &What {
        &self.what
    }

    /// What the reference's messages say: a token by `jti`, signature, or as it is sent.
    pub(crate) fn token(name: &str, ends: [Option<Number>; 2], now: u32) -> Result<Self, Bad> {
        let what = any(name.to_owned());
        what.check()?;
        Ok(Self::new(what, 0, latest(ends, now)))
    }

    pub(crate) fn entries(&self, seed: Seed, input: Input) -> impl Iterator<Item = Entry> + use<> {
        let (expires, before) = (self.expires, self.before);
        let entry = move |kind: Kind, kinds: u8, name: &str| Entry::new(seed.digest(kind, name), kinds, input, expires, before);
        let (first, second) = match &self.what {
            What::TokenId(name) => (entry(Kind::TokenId, Kind::TokenId as u8, name), None),
            What::Signature(name) => (entry(Kind::Signature, Kind::Signature as u8, name), None),
            What::Client(name) => (entry(Kind::Client, Kind::Client as u8, name), None),
            What::Subject(name) => (entry(Kind::Subject, Kind::Subject as u8, name), None),
            What::Any(name) => match name.trim_end_matches('=') {
                bare if bare.len() == name.len() => (entry(Kind::TokenId, Kind::TokenId as u8 | Kind::Signature as u8, name), None),
                bare => (entry(Kind::TokenId, Kind::TokenId as u8, name), Some(entry(Kind::Signature, Kind::Signature as u8, bare))),
            },
        };
        std::iter::once(first).chain(second)
    }
}

#[cfg(test)]
#[path = "tests/statement.rs"]
mod tests;
