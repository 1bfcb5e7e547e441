//! Takes the values of parameters out of a message, and judges them.
//!
//! All that the definition says is worked out at load ([`Parameters::compile`]): where each parameter stands, whose each name is, and what
//! types its texts may have. A request then costs a search for each name that it has, and one value for each parameter that has a schema.
//!
//! A text is taken apart before its escapes are decoded, so that `a%2Cb` is one item, and it is decoded once. Where a schema leaves open
//! what a text is, it is read as the narrowest type that fits, then as a string. It protects against parameters that two readers
//! understand differently: one that is repeated though it is no list, broken escapes, bytes that are not UTF-8, objects with a name twice.
//! It does not protect against an upstream that takes queries apart in another way than OpenAPI says: at `;`, with `%2C` as a comma, or with
//! `n[]` for a list whose name is `n`.

mod build;
mod compile;
mod fields;
mod named;
mod path;
mod query;
mod read;
mod text;
mod typed;
mod wanted;
mod wrong;

use std::borrow::Cow;

use tollgate_filter_api::{HeaderName, RequestHead, ResponseHead};

use crate::{
    finding::{Finding, MOST, Part},
    json::Limits,
};

static COOKIE: HeaderName = HeaderName::from_static("cookie");

/// The parameters of an operation, or the fields of an answer.
#[derive(Debug, Default)]
pub struct Parameters {
    path: path::Segments,
    query: query::Query,
    fields: Vec<fields::Field>,
    cookies: named::Named,
}

/// A request, as far as parameters are concerned.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// Its head.
    pub head: &'r RequestHead,
    /// The path below the base path of the API, in normal form; see [`below`](tollgate_filter_api::below).
    pub path: &'r str,
    /// What a value may have at most.
    pub limits: &'r Limits,
    /// Whether names of the query that nobody declared are counted even when nothing in the query is declared.
    pub count_unknown: bool,
}

/// What is being judged.
struct Judging<'j> {
    limits: &'j Limits,
    findings: &'j mut Vec<Finding>,
    present: &'j mut dyn FnMut(usize),
}

impl Judging<'_> {
    fn push(&mut self, finding: Finding) {
        if self.findings.len() < MOST {
            self.findings.push(finding);
        }
    }
}

/// A raw text that belongs to a parameter.
#[derive(Clone, Debug)]
struct Taken<'r> {
    /// Its place among those of its kind.
    parameter: usize,
    /// Of the member; `None` when the text has the parameter's own name.
    name: Option<Cow<'r, str>>,
    raw: &'r [u8],
}

impl Parameters {
    /// Whether nothing is declared.
    pub fn is_empty(&self) -> bool {
        self.path.is_empty() && self.query.is_empty() && self.fields.is_empty() && self.cookies.is_empty()
    }

    /// Judges the parameters of a request. `present` is called with the place among the rules of each one that is there. Says how many
    /// pairs of the query nobody declared.
    pub fn judge(&self, request: &Request<'_>, findings: &mut Vec<Finding>, present: &mut dyn FnMut(usize)) -> usize {
        let judging = &mut Judging { limits: request.limits, findings, present };
        self.path.judge(request.path, judging);
        let query = request.head.query().unwrap_or_default();
        let unknown = self.query.judge(query.as_bytes(), request.count_unknown, judging);
        for field in &self.fields {
            field.judge(request.head.get_all(&field.name), judging);
        }
        if !self.cookies.is_empty() {
            fields::cookies(&self.cookies, request.head.get_all(&COOKIE), judging);
        }
        unknown
    }

    /// Judges the fields of an answer. `present` as in [`judge`](Self::judge).
    pub fn judge_answer(&self, head: &ResponseHead, limits: &Limits, findings: &mut Vec<Finding>, present: &mut dyn FnMut(usize)) {
        let judging = &mut Judging { limits, findings, present };
        for field in &self.fields {
            field.judge(head.get_all(&field.name), judging);
        }
    }

    /// Names in the query that no parameter has and that are known all the same, such as that of an API key.
    pub fn know<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        if let query::Query::Named(named) = &mut self.query {
            names.into_iter().for_each(|name| named.declare(name, None));
        }
    }
}

/// The finding about pairs of the query that nobody declared.
pub fn unknown_query(pairs: usize) -> Finding {
    let what = if pairs == 1 { "1 parameter".to_owned() } else { format!("{pairs} parameters") };
    Finding::new(Part::Query, "unknown_query", format!("has {what} that the definition does not have"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
