//! Conditions under which a limit applies.

use serde_json::Value;
use tollgate_filter_api::{HeaderName, Problem};
use tollgate_throttling::Network;

use crate::{
    config,
    limits::{params, part::Seen},
};

/// Something that holds of a request, or does not.
#[derive(Debug)]
pub(crate) struct Condition {
    what: What,
    /// Values, one of which it has; empty: any.
    is: Vec<Box<str>>,
    not: bool,
}

#[derive(Debug)]
enum What {
    Client(Vec<Network>),
    Header(HeaderName),
    Query(Box<str>),
    Claim(Box<str>),
}

impl Condition {
    /// What is written.
    ///
    /// # Errors
    /// A problem at a pointer below `place`.
    pub(crate) fn new(written: &config::Condition, place: &str) -> Result<Self, Problem> {
        let text = |text: &String| Box::<str>::from(text.as_str());
        let what = match (&written.client[..], &written.header, &written.query, &written.claim) {
            ([], Some(name), None, None) => What::Header(header(name, place)?),
            ([], None, Some(name), None) => What::Query(text(name)),
            ([], None, None, Some(name)) => What::Claim(text(name)),
            (networks @ [_, ..], None, None, None) if written.is.is_empty() => {
                let read = networks.iter().enumerate().map(|(at, one)| Network::new(one, &format!("{place}/client/{at}")));
                What::Client(read.collect::<Result<_, _>>()?)
            }
            ([_, ..], None, None, None) => return Err(Problem::setting(format!("{place}/is"), "`client` says by itself which it may be")),
            _ => return Err(Problem::setting(place, "a condition has one of `client`, `header`, `query` and `claim`")),
        };
        Ok(Self { what, is: written.is.iter().map(text).collect(), not: written.not })
    }

    /// Whether it holds of a request.
    pub(crate) fn holds(&self, seen: Seen<'_>) -> bool {
        let holds = match &self.what {
            What::Client(networks) => networks.iter().any(|network| network.contains(seen.call.client)),
            What::Header(name) => seen.req.get_all(name).any(|value| self.has(value.as_bytes())),
            What::Query(name) => params::query(seen.req.query(), name).any(|value| self.has(&value)),
            What::Claim(name) => seen.credentials.first.claims.get(&**name).is_some_and(|value| self.has_claim(value)),
        };
        holds != self.not
    }

    fn has(&self, value: &[u8]) -> bool {
        self.is.is_empty() || self.is.iter().any(|one| one.as_bytes() == value)
    }

    /// Of a list one element is enough.
    fn has_claim(&self, value: &Value) -> bool {
        match value {
            Value::Null => false,
            Value::Array(values) => values.iter().any(|value| self.has_claim(value)),
            Value::String(text) => self.has(text.as_bytes()),
            other => self.is.is_empty() || self.has(other.to_string().as_bytes()),
        }
    }
}

fn header(name: &str, place: &str) -> Result<HeaderName, Problem> {
    HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Problem::setting(format!("{place}/header"), format!("{name:?} is no name of a header")))
}
