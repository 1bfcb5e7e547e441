use serde_json::{Value, json};
use tollgate_filter_api::{HeaderName, HeaderValue, RequestHead};

use super::*;
use crate::{
    Library,
    rules::{Form, ParameterRule, Place, Schemas, Style, WrittenSchema},
};

mod fields;
mod hostile;
mod query;
mod styles;
mod types;

fn library(schemas: &[Value]) -> Library {
    let written = |schema: &Value| WrittenSchema { schema: schema.clone(), file: "api.yaml".to_owned() };
    Library::from(Schemas { schemas: schemas.iter().map(written).collect() })
}

/// A parameter `n` whose schema is the first.
fn rule(place: Place, style: Style) -> ParameterRule {
    ParameterRule {
        place,
        name: "n".to_owned(),
        required: false,
        allow_empty: false,
        form: Form::Style(style),
        schema: Some(0),
        source: "api.yaml:7".to_owned(),
    }
}

fn named(name: &str, rule: ParameterRule) -> ParameterRule {
    ParameterRule { name: name.to_owned(), ..rule }
}

/// What was found in a request.
#[derive(Debug)]
struct Found {
    findings: Vec<Finding>,
    present: Vec<usize>,
    unknown: usize,
}

impl Found {
    fn rules(&self) -> Vec<&str> {
        self.findings.iter().map(|finding| &*finding.rule).collect()
    }
}

fn judge(parameters: &Parameters, head: &RequestHead) -> Found {
    let (limits, mut findings, mut present) = (Limits::default(), Vec::new(), Vec::new());
    let request = Request { head, path: head.path(), limits: &limits, count_unknown: true };
    let unknown = parameters.judge(&request, &mut findings, &mut |number| present.push(number));
    Found { findings, present, unknown }
}

fn compiled(rules: &[ParameterRule], template: &str, schemas: &[Value]) -> Parameters {
    Parameters::compile(rules, template, &library(schemas), None).unwrap()
}

/// A request with that text in a place: a segment of the path, a query, fields with line breaks between them, or a `Cookie`.
fn request(place: Place, text: &str) -> RequestHead {
    match place {
        Place::Path => RequestHead::build("GET", &format!("/{text}")).unwrap(),
        Place::Query | Place::Querystring => RequestHead::build("GET", &format!("/x?{text}")).unwrap(),
        Place::Header | Place::Cookie => {
            let name = HeaderName::from_static(if place == Place::Cookie { "cookie" } else { "n" });
            let mut head = RequestHead::build("GET", "/x").unwrap();
            text.split('\n').for_each(|line| head.append(name.clone(), HeaderValue::from_bytes(line.as_bytes()).unwrap()));
            head
        }
    }
}

fn template(place: Place) -> &'static str {
    if place == Place::Path { "/{n}" } else { "/x" }
}

fn judged(rule: &ParameterRule, schema: &Value, text: &str) -> Found {
    let parameters = compiled(std::slice::from_ref(rule), template(rule.place), std::slice::from_ref(schema));
    judge(&parameters, &request(rule.place, text))
}

/// The text is read as that value: a schema that asks for it is satisfied, and one that forbids it is not.
#[track_caller]
fn reads(rule: &ParameterRule, shape: &Value, text: &str, value: &Value) {
    let found = judged(rule, &json!({"allOf": [shape, {"const": value}]}), text);
    assert_eq!((found.rules(), found.present.clone()), (vec![], vec![0]), "{rule:?} {text}");
    let found = judged(rule, &json!({"allOf": [shape, {"not": {"const": value}}]}), text);
    assert_eq!(found.rules(), ["not"], "{rule:?} {text}");
}

/// The text is refused by that rule.
#[track_caller]
fn refuses(rule: &ParameterRule, shape: &Value, text: &str, by: &str) {
    let found = judged(rule, shape, text);
    assert_eq!(found.rules(), [by], "{rule:?} {text}: {found:?}");
    assert_eq!(found.findings[0].name.as_deref(), Some("n"));
    assert!(found.findings[0].source.is_some());
}
