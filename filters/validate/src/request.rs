//! Requests against what is declared of them.

use std::sync::Arc;

use tollgate_filter_api::{Call, RequestHead, below};
use tollgate_validation::{
    Bodies, BodyLimits, Broken, Direction, Finding, Library, Part, Which,
    parameters::{self, Parameters},
    rules::OperationRules,
};

use crate::{
    config::Unknown,
    message::{Judge, Label},
};

/// What is declared of requests.
#[derive(Debug)]
pub struct Requests {
    parameters: Parameters,
    unknown_query: Unknown,
    pub body: Option<Body>,
    limits: Arc<BodyLimits>,
}

/// What is declared of their bodies.
#[derive(Debug)]
pub struct Body {
    required: bool,
    source: String,
    pub judge: Judge,
    /// Some of it has a schema.
    pub is_judged: bool,
}

impl Requests {
    pub fn compile(
        rules: &OperationRules,
        template: &str,
        library: &Library,
        (direction, unknown_query): (Option<Direction>, Unknown),
        limits: &Arc<BodyLimits>,
    ) -> Result<Self, Broken> {
        let mut parameters = Parameters::compile(&rules.parameters, template, library, direction)?;
        parameters.know(rules.known_query.iter().map(String::as_str));
        let body = match &rules.body {
            Some(rule) => {
                let bodies = Bodies::compile(&rule.content, library, direction)?;
                let is_judged = rule.content.iter().any(|media| media.schema.is_some() || media.item_schema.is_some());
                let judge = Judge { bodies: Arc::new(bodies), limits: limits.clone() };
                Some(Body { required: rule.required, source: rule.source.clone(), judge, is_judged })
            }
            None => None,
        };
        Ok(Self { parameters, unknown_query, body, limits: limits.clone() })
    }

    /// What is wrong with the parameters. `true` when names of the query that nobody declared are the last finding.
    pub fn judge_head(&self, req: &RequestHead, call: &Call, findings: &mut Vec<Finding>, present: &mut dyn FnMut(usize)) -> bool {
        let path = below(req.path(), &call.operation.base_path);
        let count_unknown = self.unknown_query != Unknown::Ignore;
        let request = parameters::Request { head: req, path, limits: &self.limits.json, count_unknown };
        let unknown = self.parameters.judge(&request, findings, present);
        if unknown == 0 || !count_unknown {
            return false;
        }
        findings.push(parameters::unknown_query(unknown));
        true
    }

    /// Which body it is, when one is declared; what is wrong with what is said of it.
    pub fn which(&self, label: &Label, has_body: bool, findings: &mut Vec<Finding>) -> Option<(&Body, Which)> {
        let body = self.body.as_ref()?;
        if !has_body {
            body.missing(findings);
            return None;
        }
        match label.which(&body.judge.bodies) {
            Some(which) => Some((body, which)),
            None => {
                findings.push(body.judge.bodies.undeclared(Part::Body).by(body.source.clone()));
                None
            }
        }
    }
}

impl Body {
    /// There is none.
    pub fn missing(&self, findings: &mut Vec<Finding>) {
        if self.required {
            findings.push(Finding::new(Part::Body, "required", "is missing").by(self.source.clone()));
        }
    }
}
