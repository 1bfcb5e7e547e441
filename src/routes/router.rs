//! Normal path and method to operation, by tables that are built once.
//!
//! Hosts come first: those that were written, then `*.name` for every name below it, the longest first, then APIs for every host.
//! What is compared is the path decoded once, so that all spellings of a segment lead to one operation. A path that other
//! readers understand as another operation's, under other rules, leads to none (see [`readings`]).
//!
//! The API is the one with the longest base path, compared by whole segments and case-sensitively. Within it, segment by
//! segment from the left: literals, then segments such as `{id}.json` with the longer literals first, then `{parameter}`,
//! then `/*`, which matches the rest and also nothing. A branch that leads nowhere is left for the next one. At the end a
//! template that has or lacks the trailing slash as the request does comes first, then the other. The method is compared last, so a
//! path never changes its meaning with the method.
//!
//! Routes have regular expressions, too, which come before a `/*` and after everything else, and conditions. One whose conditions do not
//! hold counts as if it were not there. A request that no route of its host matches is looked for among those of less certain hosts;
//! one below the base path of another API is that API's alone.
//!
//! Nothing is allocated while searching and every table node is visited at most once: what a request costs follows the
//! length of its path and hardly the number of operations.

use tollgate_filter_api::{Problem, Problems};
use tollgate_plan::{Plan, Source};

use super::{
    conditions::Asked,
    guards::Guards,
    readings::{self, Reading},
    spaces::{Hosts, Space},
    tree::{Methods, Resources},
};

/// Where a path and a method lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'r> {
    /// An operation.
    Operation {
        /// Its number, counted over the operations of all APIs in the order of the Plan.
        index: u32,
        /// Bytes of the path that are the base path; 0 for the root API.
        base_len: usize,
    },
    /// The path is known, the method is not.
    MethodNotAllowed {
        /// Value of `Allow`.
        allow: &'r str,
    },
    /// An API was found, and nothing in it.
    NoResource {
        /// Index into the Plan's APIs.
        api: u32,
    },
    /// An operation was found, and to readers that decode `%2F` or cut at `;` the path belongs to one with other rules, to one
    /// without this method, or to another API.
    Ambiguous {
        /// Index into the Plan's APIs.
        api: u32,
    },
    /// No API has this base path, or not on this transport.
    NoApi,
    /// No API is for this host.
    NoHost,
}

/// The tables.
#[derive(Debug)]
pub struct Router {
    hosts: Hosts,
    spaces: Vec<Space>,
    apis: Vec<Resources>,
    guards: Guards,
}

/// What a path leads to.
struct Found<'r> {
    api: u32,
    base_len: usize,
    methods: Option<&'r Methods>,
}

impl Router {
    /// Builds the tables for every operation of a Plan.
    ///
    /// # Errors
    /// A problem for each base path used twice, each template that no request can match, and each operation that differs
    /// from another only in parameter names or in spelling.
    pub fn build(plan: &Plan) -> Result<Self, Problems> {
        let mut router =
            Self { hosts: Hosts::default(), spaces: Vec::new(), apis: Vec::with_capacity(plan.apis.len()), guards: Guards::of(plan) };
        let mut problems = Problems::default();
        let mut index = 0;
        for (number, api) in (0..).zip(&plan.apis) {
            let hosts = api.hosts.iter().map(|host| Some(host.as_str()));
            for host in hosts.chain(api.hosts.is_empty().then_some(None)) {
                if let Err(message) = router.add_base(host, &api.base_path, number) {
                    problems.push(problem(plan, &api.source, message));
                }
            }
            let mut resources = Resources::new(api);
            for operation in &api.operations {
                if let Err(message) = resources.add(operation, index) {
                    problems.push(problem(plan, &operation.source, message));
                }
                index += 1;
            }
            resources.finish();
            router.apis.push(resources);
        }
        if problems.has_errors() { Err(problems) } else { Ok(router) }
    }

    /// Finds the operation for what is asked.
    pub fn find(&self, asked: &Asked<'_>) -> Route<'_> {
        let Asked { path, reading, .. } = *asked;
        let read = reading.map_or(path, Reading::as_str);
        let Some(Found { api, base_len, methods }) = self.locate(asked, read) else {
            return if self.hosts.spaces(asked.host).next().is_some() { Route::NoApi } else { Route::NoHost };
        };
        let Some(methods) = methods else { return Route::NoResource { api } };
        match methods.operation(asked) {
            None => Route::MethodNotAllowed { allow: &methods.allow },
            Some(index) if reading.is_none() => Route::Operation { index, base_len },
            Some(index) => {
                let base_len = length_of(path, slashes(&read[..base_len]));
                let ambiguous = self.is_ambiguous(asked, base_len, api, methods);
                if ambiguous { Route::Ambiguous { api } } else { Route::Operation { index, base_len } }
            }
        }
    }

    /// What a path that was read leads to, among the APIs of the most certain host that have something to say of it.
    fn locate(&self, asked: &Asked<'_>, read: &str) -> Option<Found<'_>> {
        let mut missed = None;
        for space in self.hosts.spaces(asked.host) {
            let Some((api, base_len)) = self.spaces[space].find(read) else { continue };
            let resources = &self.apis[api as usize];
            if !(if asked.secure { resources.transports.https } else { resources.transports.http }) {
                continue;
            }
            let methods = resources.find(&read[base_len..], asked);
            if methods.is_some() || !resources.are_routes {
                return Some(Found { api, base_len, methods });
            }
            missed = missed.or(Some(Found { api, base_len, methods }));
        }
        missed
    }

    /// Whether a path that leads to an operation of an API is something else to another reader: a path of another API, or, to
    /// one of what the upstream gets, which is below the base path whatever that says, an operation with other rules.
    fn is_ambiguous(&self, asked: &Asked<'_>, base_len: usize, api: u32, own: &Methods) -> bool {
        let is_elsewhere = |read: String| self.locate(asked, &read).is_some_and(|found| found.api != api);
        let is_harmless = |read: String| self.is_harmless(asked, api, &read, own);
        readings::others(asked.path).any(|read| read.is_ok_and(is_elsewhere))
            || !readings::others(&asked.path[base_len..]).all(|read| read.is_ok_and(is_harmless))
    }

    /// Whether what is read is an operation with the same rules. What is nobody's is harmless unless it lies below a path that
    /// has other rules and is not one that the operation itself lies below.
    fn is_harmless(&self, asked: &Asked<'_>, api: u32, read: &str, own: &Methods) -> bool {
        let resources = &self.apis[api as usize];
        let same = |other: &Methods| own.operation(asked).zip(other.operation(asked)).is_some_and(|(a, b)| self.guards.are_same(a, b));
        match resources.find(read, asked) {
            Some(other) => same(other),
            None => resources.above(read, asked).is_none_or(|other| resources.is_below(own, other) || same(other)),
        }
    }

    fn add_base(&mut self, host: Option<&str>, path: &str, api: u32) -> Result<(), String> {
        let space = self.hosts.of(host, &mut self.spaces)?;
        match self.spaces[space].add(path, api)? {
            Ok(()) => Ok(()),
            Err(other) => {
                let of_host = host.map(|host| format!(" of host `{host}`")).unwrap_or_default();
                let and = if self.apis.get(other as usize).is_some_and(|api| api.are_routes) { ", one of which is for routes" } else { "" };
                Err(format!("two APIs have the base path `{path}`{of_host}{and}"))
            }
        }
    }
}

fn slashes(text: &str) -> usize {
    memchr::memchr_iter(b'/', text.as_bytes()).count()
}

/// Bytes of the first segments of a path, each with the slash before it.
fn length_of(path: &str, segments: usize) -> usize {
    memchr::memchr_iter(b'/', path.as_bytes()).nth(segments).unwrap_or(path.len())
}

fn problem(plan: &Plan, source: &Source, message: String) -> Problem {
    let file = plan.documents.get(source.document as usize).map_or("", |document| &document.path);
    Problem::error("route.conflict", message).at(file, source.line, &source.pointer)
}
