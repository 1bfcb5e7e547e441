//! The body of a request or an answer against what is declared of it.

use std::sync::Arc;

use tollgate_filter_api::essence;
use tollgate_validation::{
    Broken, Direction, Finding, Library, Part, Schema,
    json::{self, parse},
    rules::MediaRule,
};

/// The bodies that are declared.
#[derive(Debug)]
pub struct Bodies {
    media: Vec<(String, Option<Arc<Schema>>)>,
}

impl Bodies {
    pub fn compile(rules: &[MediaRule], library: &Library, direction: Option<Direction>) -> Result<Self, Broken> {
        let compile = |rule: &MediaRule| {
            let schema = rule.schema.map(|number| library.schema(number, direction)).transpose()?;
            Ok((rule.range.to_ascii_lowercase(), schema))
        };
        Ok(Self { media: rules.iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// The schema of a body; `None` when there is none for it.
    pub fn schema(&self, content_type: Option<&str>) -> Option<&Arc<Schema>> {
        let kind = essence(content_type?)?;
        self.media.iter().find(|(range, _)| range.eq_ignore_ascii_case(kind))?.1.as_ref()
    }

    pub fn has_schema(&self) -> bool {
        self.media.iter().any(|(_, schema)| schema.is_some())
    }

    /// Media types of bodies that have a schema.
    pub fn judged(&self) -> impl Iterator<Item = String> + '_ {
        self.media.iter().filter(|(_, schema)| schema.is_some()).map(|(range, _)| range.clone())
    }

    pub fn judge(schema: &Schema, bytes: &[u8], limits: &json::Limits) -> Vec<Finding> {
        match parse(bytes, limits) {
            Ok(tree) if schema.is_valid(&tree) => Vec::new(),
            Ok(tree) => schema.findings(&tree, Part::Body),
            Err(why) => vec![Finding::new(Part::Body, "json", why.words())],
        }
    }
}
