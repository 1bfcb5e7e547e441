//! Whole bodies and the verdicts on them.

mod coding;
mod form;
mod hostile;
mod items;
mod media;
mod multipart;
mod plain;
mod xml;

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::rules::{Encoding, Schemas, WrittenSchema};

/// Schemas by number.
pub fn library(schemas: &[Value]) -> Library {
    let written = |schema: &Value| WrittenSchema { schema: schema.clone(), file: "api.yaml".to_owned() };
    Library::from(Schemas { schemas: schemas.iter().map(written).collect() })
}

pub fn rule(range: &str, schema: Option<u32>) -> MediaRule {
    MediaRule { range: range.to_owned(), schema, item_schema: None, encoding: BTreeMap::new(), source: "api.yaml:7".to_owned() }
}

pub fn encoded(mut rule: MediaRule, encoding: &[(&str, Encoding)]) -> MediaRule {
    rule.encoding = encoding.iter().map(|(name, encoding)| ((*name).to_owned(), encoding.clone())).collect();
    rule
}

/// What is declared, and a way to ask about one body.
pub struct Judge {
    pub bodies: Bodies,
    pub limits: BodyLimits,
}

impl Judge {
    pub fn of(rules: &[MediaRule], schemas: &[Value]) -> Self {
        let bodies = Bodies::compile(rules, &library(schemas), Some(Direction::Request)).unwrap();
        Self { bodies, limits: BodyLimits::default() }
    }

    /// One media type with one schema.
    pub fn one(range: &str, schema: Value) -> Self {
        Self::of(&[rule(range, Some(0))], &[schema])
    }

    pub fn findings(&self, content_type: &str, encoding: Option<&str>, bytes: &[u8]) -> Vec<Finding> {
        let Some(which) = self.bodies.which(Some(content_type)) else { return vec![self.bodies.undeclared(Part::Body)] };
        self.bodies.judge(which, Some(content_type), encoding, bytes, &self.limits, Part::Body, &|_, _| {})
    }

    /// Rules and pointers, sorted.
    #[track_caller]
    pub fn told(&self, content_type: &str, bytes: impl AsRef<[u8]>) -> Vec<String> {
        let found = self.findings(content_type, None, bytes.as_ref());
        assert!(found.len() <= crate::MOST);
        let mut told: Vec<_> = found.iter().map(|finding| format!("{} {}", finding.rule, finding.pointer).trim_end().to_owned()).collect();
        told.sort();
        told
    }
}
