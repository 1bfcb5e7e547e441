//! What a request must have besides host, path and method for a route to be meant.

use http::{HeaderMap, HeaderName, header};
use regex::Regex;
use tollgate_plan::{Condition, Part, Test};

use super::Reading;

/// What a request says that decides where it goes.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'r> {
    /// In normal form, perhaps with a port.
    pub host: &'r str,
    /// In normal form.
    pub path: &'r str,
    /// What the path says once decoded, where that is not its own text.
    pub reading: Option<&'r Reading>,
    /// As it was sent.
    pub query: Option<&'r str>,
    /// As it was sent.
    pub method: &'r str,
    /// Its fields.
    pub headers: &'r HeaderMap,
    /// Whether the listener has TLS.
    pub secure: bool,
}

/// Conditions, all of which must hold.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    ready: Vec<One>,
    written: Vec<Condition>,
}

#[derive(Debug)]
struct One {
    place: Place,
    test: Ready,
}

#[derive(Debug)]
enum Place {
    Header(HeaderName),
    Query(Box<str>),
    Cookie(Box<str>),
}

#[derive(Debug)]
enum Ready {
    Present(bool),
    Is(Box<str>),
    Matches(Regex),
}

impl Conditions {
    /// # Errors
    /// What can never hold, or is no regular expression.
    pub fn of(written: &[Condition]) -> Result<Self, String> {
        let ready = written.iter().map(One::of).collect::<Result<_, _>>()?;
        Ok(Self { ready, written: written.to_vec() })
    }

    pub fn len(&self) -> usize {
        self.ready.len()
    }

    /// Whether they are the same, in whatever order.
    pub fn are_those(&self, written: &[Condition]) -> bool {
        self.len() == written.len() && self.written.iter().all(|one| written.contains(one))
    }

    pub fn hold(&self, asked: &Asked<'_>) -> bool {
        self.ready.iter().all(|one| one.holds(asked))
    }
}

impl One {
    fn of(written: &Condition) -> Result<Self, String> {
        let name = written.name.as_str();
        let place = match written.part {
            Part::Header => Place::Header(name.parse().map_err(|_| format!("`{name}` is not the name of a header"))?),
            Part::Query => Place::Query(name.into()),
            Part::Cookie => Place::Cookie(name.into()),
        };
        let test = match &written.test {
            Test::Present(there) => Ready::Present(*there),
            Test::Is(text) => Ready::Is(text.as_str().into()),
            Test::Matches(expression) => Ready::Matches(whole(expression)?),
        };
        Ok(Self { place, test })
    }

    fn holds(&self, asked: &Asked<'_>) -> bool {
        match &self.place {
            Place::Header(name) => self.test.fits(asked.headers.get_all(name).iter().map(|value| value.as_bytes())),
            Place::Query(name) => self.of_query(asked.query.unwrap_or_default(), name),
            Place::Cookie(name) => {
                self.test.fits(cookies(asked.headers).filter(|(known, _)| *known == name.as_bytes()).map(|(_, value)| value))
            }
        }
    }

    fn of_query(&self, query: &str, name: &str) -> bool {
        let values = form_urlencoded::parse(query.as_bytes()).filter(|(known, _)| *known == *name).map(|(_, value)| value);
        match &self.test {
            Ready::Present(there) => (values.count() > 0) == *there,
            test => values.into_iter().any(|value| test.fits(std::iter::once(value.as_bytes()))),
        }
    }
}

impl Ready {
    fn fits<'v>(&self, mut values: impl Iterator<Item = &'v [u8]>) -> bool {
        match self {
            Self::Present(there) => values.next().is_some() == *there,
            Self::Is(text) => values.any(|value| value == text.as_bytes()),
            Self::Matches(expression) => values.any(|value| std::str::from_utf8(value).is_ok_and(|value| expression.is_match(value))),
        }
    }
}

/// Names and values of cookies (RFC 6265 §4.2.1).
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = headers.get_all(header::COOKIE).iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).filter_map(|pair| {
        let pair = pair.trim_ascii();
        let at = memchr::memchr(b'=', pair)?;
        Some((&pair[..at], &pair[at + 1..]))
    })
}

/// Most bytes of memory that one expression may take.
const LARGEST: usize = 1 << 20;

/// An expression that has to match the whole of a text.
///
/// # Errors
/// What is wrong with it.
pub(super) fn whole(expression: &str) -> Result<Regex, String> {
    // By itself first, so that what closes a group too many is not closed by ours.
    let judged = regex::RegexBuilder::new(expression).size_limit(LARGEST).build();
    let built = judged.and_then(|_| regex::RegexBuilder::new(&format!("^(?:{expression})$")).size_limit(LARGEST).build());
    built.map_err(|error| format!("`{expression}` is not a regular expression that can be used: {}", reason(&error)))
}

/// The last line of what the library says is the reason; those before it draw the place.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}
