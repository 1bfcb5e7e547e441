//! `endpoints.GROUP.discovery`: where a group's endpoints come from while the gateway runs.

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::{Problem, pointer};

use super::DnsName;
use crate::config::EndpointOverride;

/// Most bytes of a key of etcd.
const LONGEST_KEY: usize = 1024;

/// Where the endpoints of both sides of a group come from while the gateway runs. Until they are known, those of `production` and `sandbox` or
/// else of the definition serve.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Discovered {
    /// For production.
    pub production: Option<Discovery>,
    /// For the sandbox.
    pub sandbox: Option<Discovery>,
}

/// Where endpoints come from while the gateway runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Discovery {
    /// Keys of the etcd in `stores.discovery`. With `/` at the end: every key that begins with this is an endpoint. Else: the value of this
    /// key is an endpoint, or a JSON array of endpoints. They are in the order of their keys, so that it is the same in every gateway.
    pub etcd: Option<String>,
    /// A name that is looked up. While there is no answer, the last good one counts.
    pub dns: Option<DnsName>,
    /// Take an empty group for what is meant: requests for it get `upstream.connect` until there is an endpoint again. Else the endpoints that
    /// went last serve on, with a line in the log and `tollgate_discovery_held`.
    pub allow_empty: bool,
}

/// Somebody who says what endpoints there are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// Where that is said.
    pub place: Place,
    /// What serves when nothing is said there.
    pub absence: Absence,
}

/// Where it is said what endpoints there are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A key of etcd.
    Key(String),
    /// Every key of etcd that begins with this.
    Prefix(String),
    /// Records of DNS.
    Name(DnsName),
}

/// What serves when a place that had endpoints has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Absence {
    /// What would serve without the place.
    Default,
    /// What it had last.
    Keep,
    /// Nothing.
    Empty,
}

impl Discovery {
    /// What is meant.
    ///
    /// # Errors
    /// What is wrong, without its place.
    pub fn source(&self) -> Result<Source, Problem> {
        let Self { etcd, dns, allow_empty } = self;
        let place = match (etcd, dns) {
            (Some(etcd), None) if etcd.ends_with('/') => Place::Prefix(etcd.clone()),
            (Some(etcd), None) => Place::Key(etcd.clone()),
            (None, Some(dns)) => Place::Name(dns.clone()),
            _ => {
                let problem = Problem::error("discovery.source", "expected either `etcd` or `dns`, and one of them");
                return Err(problem.hint("write `etcd: /services/pets/` or `dns: { name: pets.example }`"));
            }
        };
        place.check()?;
        Ok(Source { place, absence: if *allow_empty { Absence::Empty } else { Absence::Keep } })
    }
}

impl EndpointOverride {
    /// Where the entry of that name speaks of keys of etcd, as pointers.
    pub fn etcd_places(&self, name: &str) -> Vec<String> {
        let Some(Discovered { production, sandbox }) = &self.discovery else { return Vec::new() };
        let sides = [("production", production), ("sandbox", sandbox)].into_iter();
        let place = pointer::join("/endpoints", name);
        let of_etcd = sides.filter(|(_, side)| side.as_ref().is_some_and(|side| side.etcd.is_some()));
        of_etcd.map(|(side, _)| format!("{place}/discovery/{side}/etcd")).collect()
    }
}

impl Source {
    /// What `etcd(KEY, URL)` of a definition means.
    ///
    /// # Errors
    /// When it can be no key.
    pub fn of_key(key: &str) -> Result<Self, Problem> {
        let place = Place::Key(key.to_owned());
        place.check()?;
        Ok(Self { place, absence: Absence::Default })
    }
}

impl Place {
    fn check(&self) -> Result<(), Problem> {
        let text = match self {
            Self::Key(text) | Self::Prefix(text) => text,
            Self::Name(name) => return name.check(),
        };
        if (1..=LONGEST_KEY).contains(&text.len()) {
            return Ok(());
        }
        Err(Problem::error("discovery.key", format!("expected a key of 1 to {LONGEST_KEY} bytes, found one of {}", text.len())))
    }
}
