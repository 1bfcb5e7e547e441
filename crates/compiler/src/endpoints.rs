//! Endpoint groups: inline, by reference, or from the standard server fields.

use std::collections::{BTreeMap, HashMap};

use tollgate_document::{Shape, nearest};
use tollgate_filter_api::Problems;
use tollgate_plan::{EndpointGroup, EndpointUrl, Environment, Source, Strategy, UpstreamBasic};

use crate::demands::unknown_key;
use crate::guards;
use crate::input::sources::short;
use crate::input::spot::Spot;
use crate::model::Server;
use crate::paths::url;

/// The waiver for digest credentials towards an upstream, which nobody sends.
pub(crate) const UPSTREAM_DIGEST: &str = "upstream_digest";

/// The endpoints that one level of a definition declares.
#[derive(Debug)]
pub(crate) enum Endpoints {
    /// None.
    Nothing,
    /// They are wrong; the problem is reported already.
    Broken,
    /// A group.
    Group(u32),
}

/// All groups of a project, each once.
#[derive(Default)]
pub(crate) struct Groups {
    pub list: Vec<EndpointGroup>,
    known: HashMap<String, u32>,
    /// Places that ask for digest credentials.
    pub digest: Vec<Source>,
    /// What the Plan weighs so far.
    spent: usize,
}

/// A Plan that needs more memory than this, roughly and in bytes, repeats something without end.
const MAX_PLAN: usize = 128 << 20;
/// URLs of one endpoint.
const MAX_URLS: usize = 1000;

impl Groups {
    /// Counts bytes of the Plan; whether it may grow on.
    pub(crate) fn charge(&mut self, bytes: usize) -> bool {
        self.spent = self.spent.saturating_add(bytes);
        self.spent <= MAX_PLAN
    }

    pub(crate) fn add(&mut self, group: EndpointGroup) -> u32 {
        let key = identity(&group);
        self.charge(2 * key.len());
        let next = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        let index = *self.known.entry(key).or_insert(next);
        if index == next {
            self.list.push(group);
        }
        index
    }
}

/// Everything of a group except where it was written.
fn identity(group: &EndpointGroup) -> String {
    let urls: Vec<_> = group.urls.iter().map(|u| (&u.url, &u.etcd_key)).collect();
    let user = group.basic.as_ref().map(|b| &b.username);
    format!("{:?}", (&group.name, group.environment, group.strategy, urls, user, group.http2, &group.guards))
}

pub(crate) fn extension(environment: Environment) -> &'static str {
    match environment {
        Environment::Production => "x-wso2-production-endpoints",
        Environment::Sandbox => "x-wso2-sandbox-endpoints",
    }
}

/// The `x-wso2-endpoints` of a definition, by name.
pub(crate) struct NamedEndpoints<'a> {
    spots: BTreeMap<&'a str, Spot<'a>>,
    /// What was read already, right or wrong.
    resolved: HashMap<(&'a str, Environment), Option<u32>>,
}

impl<'a> NamedEndpoints<'a> {
    /// Reads the list; what is wrong with its form is reported.
    pub(crate) fn new(root: &Spot<'a>, problems: &mut Problems) -> Self {
        let mut named = Self { spots: BTreeMap::new(), resolved: HashMap::new() };
        let Some(list) = root.get("x-wso2-endpoints") else { return named };
        if !list.is(Shape::Array) {
            let problem = list.error("endpoint.form", "`x-wso2-endpoints` must be a list");
            problems.push(problem.hint("each item reads `- name: {urls: […]}`"));
        }
        for item in list.items() {
            if !item.is(Shape::Object) {
                problems.push(item.error("endpoint.form", "expected `name: {urls: […]}`"));
            }
            for (name, spot) in item.entries() {
                if let Some(first) = named.spots.get(name) {
                    let problem = spot.error("endpoint.duplicate", format!("the endpoint `{name}` is defined twice"));
                    problems.push(problem.hint(format!("it was first defined on line {}", first.node.line())));
                } else {
                    named.spots.insert(name, spot);
                }
            }
        }
        named
    }
}

/// A reader of endpoints for one definition.
pub(crate) struct Reader<'r, 'a> {
    pub named: &'r mut NamedEndpoints<'a>,
    pub groups: &'r mut Groups,
    /// The endpoints speak HTTP/2.
    pub http2: bool,
    pub problems: &'r mut Problems,
}

impl<'a> Reader<'_, 'a> {
    /// The endpoints that an extension at `level` names; `name` is what an inline group is called.
    pub(crate) fn at(&mut self, level: &Spot<'a>, environment: Environment, name: &str) -> Endpoints {
        let Some(spot) = level.get(extension(environment)) else { return Endpoints::Nothing };
        match spot.node.as_str() {
            Some(reference) => self.by_reference(reference, &spot, environment),
            None => self.object(&spot, environment, name).map_or(Endpoints::Broken, |group| Endpoints::Group(self.groups.add(group))),
        }
    }

    /// The first server that is an absolute http URL.
    pub(crate) fn of_servers(&mut self, servers: &[Server<'a>], name: &str) -> Endpoints {
        let Some(server) = servers.iter().find(|s| url::is_absolute_http(&s.url)) else { return Endpoints::Nothing };
        if let Some(problem) = url::endpoint_problem(&server.url) {
            self.problems.push(server.spot.place(problem));
            return Endpoints::Broken;
        }
        Endpoints::Group(self.single(&server.url, server.spot.source(), name))
    }

    /// A production group of one URL that was checked already.
    pub(crate) fn single(&mut self, url: &str, source: Source, name: &str) -> u32 {
        self.groups.add(EndpointGroup {
            name: name.to_owned(),
            environment: Environment::Production,
            strategy: Strategy::Single,
            urls: vec![EndpointUrl { url: url.to_owned(), etcd_key: None, source: source.clone() }],
            basic: None,
            http2: self.http2,
            guards: None,
            source,
        })
    }

    /// Judges every named endpoint, used or not.
    pub(crate) fn check_named(&mut self) {
        let names: Vec<&'a str> = self.named.spots.keys().copied().collect();
        for name in names {
            let spot = self.named.spots[name].clone();
            self.object(&spot, Environment::Production, name);
        }
    }

    fn by_reference(&mut self, reference: &str, spot: &Spot<'a>, environment: Environment) -> Endpoints {
        let Some(name) = reference.strip_prefix("#/x-wso2-endpoints/") else {
            let message = format!("`{}` is not a reference to an endpoint", short(reference));
            let problem = spot.error("endpoint.reference", message);
            self.problems.push(problem.hint("write `#/x-wso2-endpoints/NAME`, or an object with `urls`"));
            return Endpoints::Broken;
        };
        let Some((name, target)) = self.named.spots.get_key_value(name).map(|(name, spot)| (*name, spot.clone())) else {
            let hint = match nearest(name, self.named.spots.keys().copied()) {
                Some(near) => format!("did you mean `#/x-wso2-endpoints/{near}`?"),
                None => "define it under `x-wso2-endpoints`".to_owned(),
            };
            let message = format!("the endpoint `{}` is not defined", short(name));
            self.problems.push(spot.error("endpoint.unknown", message).hint(hint));
            return Endpoints::Broken;
        };
        let resolved = match self.named.resolved.get(&(name, environment)) {
            Some(resolved) => *resolved,
            None => {
                let resolved = self.object(&target, environment, name).map(|group| self.groups.add(group));
                self.named.resolved.insert((name, environment), resolved);
                resolved
            }
        };
        resolved.map_or(Endpoints::Broken, Endpoints::Group)
    }

    fn object(&mut self, spot: &Spot<'a>, environment: Environment, name: &str) -> Option<EndpointGroup> {
        const KNOWN: [&str; 4] = ["urls", "type", "securityConfig", "advanceEndpointConfig"];
        let Some(urls) = spot.get("urls").filter(|urls| urls.is(Shape::Array) && !urls.node.is_empty()) else {
            let problem = spot.error("endpoint.form", "an endpoint needs `urls`, a list with at least one URL");
            self.problems.push(problem.hint("write `urls: [https://backend:8443/base]`"));
            return None;
        };
        if urls.node.len() > MAX_URLS {
            self.problems.push(urls.error("endpoint.form", format!("an endpoint has at most {MAX_URLS} URLs")));
            return None;
        }
        self.unknown_keys(spot, &KNOWN);
        let read: Vec<Option<EndpointUrl>> = urls.items().map(|item| self.url(&item)).collect();
        let urls: Vec<EndpointUrl> = read.into_iter().collect::<Option<_>>()?;
        let (strategy, urls) = self.strategy(spot, urls)?;
        let basic = match spot.get("securityConfig") {
            Some(security) => self.basic(&security)?,
            None => None,
        };
        let guards = match spot.get("advanceEndpointConfig") {
            Some(advanced) => Some(guards::read(&advanced, self.problems)?),
            None => None,
        };
        let (name, http2) = (name.to_owned(), self.http2);
        Some(EndpointGroup { name, environment, strategy, urls, basic, http2, guards, source: spot.source() })
    }

    fn unknown_keys(&mut self, spot: &Spot<'a>, known: &[&str]) {
        for (key, value) in spot.entries().filter(|(key, _)| !known.contains(key)) {
            self.problems.push(unknown_key(key, &value, "endpoint.unknown_key", known));
        }
    }

    /// A URL, or `etcd(key, default URL)`.
    fn url(&mut self, spot: &Spot<'a>) -> Option<EndpointUrl> {
        let text = spot.node.text().unwrap_or_default();
        let text = text.trim();
        let (etcd_key, address) = match text.strip_prefix("etcd(") {
            None => (None, text),
            Some(rest) => {
                let parts = rest.strip_suffix(')').and_then(|inner| inner.split_once(','));
                let Some((key, url)) = parts.map(|(k, u)| (k.trim(), u.trim())).filter(|(k, _)| !k.is_empty()) else {
                    let message = format!("`{}` is not of the form `etcd(key, url)`", short(text));
                    self.problems.push(spot.error("endpoint.etcd", message));
                    return None;
                };
                (Some(key.to_owned()), url)
            }
        };
        if let Some(problem) = url::endpoint_problem(address) {
            self.problems.push(spot.place(problem));
            return None;
        }
        Some(EndpointUrl { url: address.to_owned(), etcd_key, source: spot.source() })
    }

    fn strategy(&mut self, spot: &Spot<'a>, mut urls: Vec<EndpointUrl>) -> Option<(Strategy, Vec<EndpointUrl>)> {
        let kind = spot.get("type");
        let several = urls.len() > 1;
        let strategy = match kind.as_ref().and_then(|k| k.node.text()).as_deref() {
            None | Some("load_balance") if several => Strategy::LoadBalance,
            Some("failover") if several => Strategy::Failover,
            None | Some("load_balance" | "failover" | "http" | "address") => Strategy::Single,
            Some(other) => {
                let types = ["http", "load_balance", "failover", "address"];
                let hint = nearest(other, types).map(|near| format!("did you mean `{near}`?"));
                let message = format!("the type `{}` is not one of {}", short(other), types.join(", "));
                let place = kind.as_ref().unwrap_or(spot);
                self.problems.push(place.error("endpoint.type", message).hint(hint.unwrap_or_default()));
                return None;
            }
        };
        if several && strategy == Strategy::Single {
            let message = "only the first URL is used with this type";
            let problem = spot.warning("endpoint.type", message);
            self.problems.push(problem.hint("write `type: load_balance` or `type: failover`"));
            urls.truncate(1);
        }
        Some((strategy, urls))
    }

    /// `Some(None)` when nothing is to be presented, `None` when it is wrong.
    fn basic(&mut self, spot: &Spot<'a>) -> Option<Option<UpstreamBasic>> {
        if let Some(password) = spot.get("password") {
            let message = "a password in a definition is ignored";
            let problem = password.warning("endpoint.password", message);
            self.problems.push(problem.hint("remove it here and give it to the gateway by reference"));
        }
        self.unknown_keys(spot, &["type", "username", "password"]);
        match spot.text("type").map(|t| t.to_ascii_lowercase()).as_deref() {
            Some("basic") => {}
            Some("digest") => {
                self.groups.digest.push(spot.source());
                return Some(None);
            }
            _ => {
                let message = "`securityConfig` needs `type: basic` (or `digest`)";
                self.problems.push(spot.error("endpoint.security", message));
                return None;
            }
        }
        match spot.text("username").filter(|name| !name.is_empty() && !name.contains(':')) {
            Some(username) => Some(Some(UpstreamBasic { username, source: spot.source() })),
            None => {
                let message = "`securityConfig` needs a `username` without a colon";
                self.problems.push(spot.error("endpoint.security", message));
                None
            }
        }
    }
}
