//! Routes to the parts of a Plan.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tollgate_document::{Document, pointer};
use tollgate_filter_api::{Problem, Problems};
use tollgate_plan::{
    ANY_METHOD, Alternative, Api, Condition, Credential, Demand, EndpointGroup, EndpointUrl, Environment, Guards, Operation, Part, Plan,
    Security as PlanSecurity, Source, Strategy, Target, Transports,
};
use tollgate_url::Url;

use crate::{
    Match, Requirement, Route, Security, Upstream,
    hosts::{self, Group},
};

/// Where a list of routes stands, and what is known around it.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The file, by its lines.
    pub document: &'a Document,
    /// Its number in the Plan, or the SHA-256 of its bytes in hex when it is not there yet.
    pub known: Result<u32, &'a str>,
    /// Pointer to the list.
    pub pointer: &'a str,
    /// Names of endpoint groups that have URLs of their own, or get them while the gateway runs. `None`: that is not known yet.
    pub groups: Option<&'a BTreeSet<String>>,
    /// IDs of filters that answer by themselves.
    pub answering: &'a [&'a str],
    /// Why a route has to say who may call it, if it has to: silence could be meant for open or not.
    pub secured: Option<&'a str>,
}

/// Adds what routes come to: their APIs, after those that are there, and endpoint groups.
///
/// # Errors
/// Every route that could not do what it says, and nothing is added.
pub fn add(plan: &mut Plan, routes: &[Route], place: Place<'_>) -> Result<(), Problems> {
    if routes.is_empty() {
        return Ok(());
    }
    let document = place.known.unwrap_or_else(|_| u32::try_from(plan.documents.len()).unwrap_or(u32::MAX));
    let mut lowering = Lowering { place, document, plan, groups: HashMap::new(), endpoints: Vec::new(), problems: Problems::default() };
    let lowered: Vec<Lowered> = routes.iter().enumerate().map(|(index, route)| lowering.route(index, route)).collect();
    let apis: Vec<Api> = hosts::groups(routes).iter().map(|group| lowering.api(group, &lowered)).collect();
    let Lowering { endpoints, problems, .. } = lowering;
    if problems.has_errors() {
        return Err(problems.sorted());
    }
    if let Err(sha256) = place.known {
        plan.documents.push(tollgate_plan::Document { path: place.document.name().to_owned(), sha256: sha256.to_owned() });
    }
    plan.apis.extend(apis);
    plan.endpoints.extend(endpoints);
    Ok(())
}

/// The operations of one route.
struct Lowered(Vec<Operation>);

struct Lowering<'a> {
    place: Place<'a>,
    document: u32,
    plan: &'a Plan,
    /// Groups by what tells them apart, and their numbers.
    groups: HashMap<(String, Option<u64>), u32>,
    endpoints: Vec<EndpointGroup>,
    problems: Problems,
}

impl Lowering<'_> {
    fn source(&self, pointer: &str) -> Source {
        Source { document: self.document, line: self.place.document.line(pointer), pointer: pointer.to_owned() }
    }

    fn refuse(&mut self, pointer: &str, code: &'static str, message: impl Into<String>, hint: &str) {
        self.problems.push(self.place.document.locate(Problem::error(code, message).hint(hint), pointer));
    }

    fn api(&self, group: &Group, lowered: &[Lowered]) -> Api {
        let first = group.routes.first().copied().unwrap_or_default();
        Api {
            title: group.hosts.first().cloned().unwrap_or_else(|| "routes".to_owned()),
            version: String::new(),
            base_path: "/".to_owned(),
            hosts: group.hosts.clone(),
            routes: true,
            transports: Transports { http: true, https: true },
            auth_header: None,
            whole_path: true,
            owner: None,
            operations: group.routes.iter().flat_map(|&index| lowered[index].0.clone()).collect(),
            source: self.source(&format!("{}/{first}", self.place.pointer)),
        }
    }

    fn route(&mut self, index: usize, route: &Route) -> Lowered {
        let at = format!("{}/{index}", self.place.pointer);
        self.check(&at, route);
        let template = route.path.clone().unwrap_or_else(|| "/*".to_owned());
        let target = Target::Endpoints { production: self.upstream(&at, route), sandbox: None };
        let operation = |method: String, id: String| Operation {
            id,
            method,
            template: template.clone(),
            conditions: conditions(route),
            body_bytes: route.body_bytes.map(|size| size.0),
            target: target.clone(),
            security: self.security(&at, route),
            demands: self.demands(&at, route),
            declarations: Vec::new(),
            source: self.source(&at),
        };
        let id = route.name.clone().unwrap_or_else(|| template.clone());
        let mut methods: BTreeSet<String> = route.methods.iter().cloned().collect();
        if methods.contains("GET") {
            methods.insert("HEAD".to_owned());
        }
        Lowered(match methods.len() {
            0 => vec![operation(ANY_METHOD.to_owned(), id)],
            _ => methods.into_iter().map(|method| operation(method.clone(), format!("{id} {method}"))).collect(),
        })
    }

    fn check(&mut self, at: &str, route: &Route) {
        if let (None, Some(why)) = (&route.security, self.place.secured) {
            let hint = "write `security: [jwt]`, with the filter that checks, or `security: open` for everybody";
            self.refuse(at, "route.security", format!("{why}, and this route does not say who may call it"), hint);
        }
        if let Some(path) = &route.path
            && !path.starts_with(['/', '~'])
        {
            let hint = "write `/a` for one path, `/a/*` for what is below it, or `~ EXPRESSION`";
            self.refuse(&format!("{at}/path"), "route.path", format!("the path `{path}` does not begin with `/` or `~`"), hint);
        }
        for (index, method) in route.methods.iter().enumerate() {
            let known = http::Method::from_bytes(method.as_bytes())
                .is_ok_and(|parsed| parsed != http::Method::CONNECT && parsed != http::Method::TRACE);
            if !known || method.bytes().any(|byte| byte.is_ascii_lowercase()) {
                let message = format!("`{method}` is not a method that can be passed on");
                self.refuse(&format!("{at}/methods/{index}"), "route.method", message, "write it in capital letters, such as `GET`");
            }
        }
    }

    /// The number of the route's group.
    fn upstream(&mut self, at: &str, route: &Route) -> Option<u32> {
        let at = format!("{at}/upstream");
        match &route.upstream {
            Some(Upstream::Urls(urls)) => {
                let bad = urls.iter().enumerate().find_map(|(index, url)| Some((index, Url::parse_http(url).err()?)));
                if let Some((index, error)) = bad {
                    let message = format!("the URL `{}` {error}", tollgate_url::redacted(&urls[index]));
                    self.refuse(&at, "route.upstream", message, "write `http://127.0.0.1:3000` or `https://api.example`");
                    return None;
                }
                Some(self.group(&urls.join(" "), urls, route, &at))
            }
            Some(Upstream::Named(name)) if self.place.groups.is_none_or(|groups| groups.contains(name)) => {
                if route.read_timeout.is_some() {
                    let hint = "set it in the entry of `endpoints`, which other routes share";
                    self.refuse(&at, "route.upstream", "`read_timeout` stands beside the name of an entry of `endpoints`", hint);
                }
                Some(self.group(name, &[], route, &at))
            }
            Some(Upstream::Named(name)) => {
                let hint = "write a URL, or an entry with `urls` under `endpoints`";
                self.refuse(&at, "route.upstream", format!("`{name}` is no URL, and no entry of `endpoints` with `urls`"), hint);
                None
            }
            None if route.filters.keys().any(|filter| self.place.answering.contains(&filter.as_str())) => None,
            None => {
                let hint = "write `upstream: URL`, or let a filter answer, such as `filters: { respond: { status: 404 } }`";
                self.refuse(&at, "route.upstream", "nothing answers requests of this route", hint);
                None
            }
        }
    }

    fn group(&mut self, name: &str, urls: &[String], route: &Route, at: &str) -> u32 {
        let timeout = route.read_timeout.map(|time| u64::try_from(time.0.as_millis()).unwrap_or(u64::MAX));
        let key = (name.to_owned(), timeout);
        if let Some(&known) = self.groups.get(&key) {
            return known;
        }
        let number = self.plan.endpoints.len() + self.endpoints.len();
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let name = match timeout {
            // Two groups of the same URLs and other settings are told apart by the first route that has them.
            Some(_) => route.name.clone().unwrap_or_else(|| format!("{name} {}", self.place.document.line(at))),
            None => name.to_owned(),
        };
        let source = self.source(at);
        self.endpoints.push(EndpointGroup {
            name,
            environment: Environment::Production,
            strategy: if urls.len() == 1 { Strategy::Single } else { Strategy::LoadBalance },
            urls: urls.iter().map(|url| EndpointUrl { url: url.clone(), etcd_key: None, source: source.clone() }).collect(),
            basic: None,
            http2: false,
            guards: timeout.map(|timeout| Guards { timeout: Some(timeout), source: source.clone(), ..Guards::default() }),
            source,
        });
        self.groups.insert(key, number);
        number
    }

    fn security(&self, at: &str, route: &Route) -> PlanSecurity {
        let pointer = format!("{at}/security");
        let alternatives = match &route.security {
            None | Some(Security::Open) => Vec::new(),
            Some(Security::AnyOf(all)) => all.iter().map(|one| self.alternative(one, &pointer)).collect(),
        };
        PlanSecurity { alternatives, waived: Vec::new(), source: self.source(&pointer) }
    }

    fn alternative(&self, requirement: &Requirement, pointer: &str) -> Alternative {
        let credential = |(filter, scopes): (&String, &Vec<String>)| Credential {
            filter: filter.clone(),
            scheme: String::new(),
            scopes: scopes.clone(),
            declared: BTreeMap::new(),
            source: self.source(pointer),
        };
        Alternative { credentials: requirement.0.iter().map(credential).collect() }
    }

    fn demands(&self, at: &str, route: &Route) -> Vec<Demand> {
        let demand = |(filter, settings): (&String, &serde_json::Value)| Demand {
            filter: filter.clone(),
            settings: settings.clone(),
            source: self.source(&pointer::join(&format!("{at}/filters"), filter)),
        };
        route.filters.iter().map(demand).collect()
    }
}

fn conditions(route: &Route) -> Vec<Condition> {
    let of = |part: Part, all: &BTreeMap<String, Match>| -> Vec<Condition> {
        all.iter().map(|(name, test)| Condition { part, name: name.clone(), test: test.0.clone() }).collect()
    };
    [of(Part::Header, &route.headers), of(Part::Query, &route.query), of(Part::Cookie, &route.cookies)].concat()
}
