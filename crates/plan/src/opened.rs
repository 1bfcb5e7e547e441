//! Operations that are open to everybody because what they demanded was waived, and how they are named in a sentence.

use crate::{Api, Operation, Plan, Security, Source};

/// Operations that a sentence names; the rest is counted.
const NAMED: usize = 10;

impl Security {
    /// Whether nothing is demanded any more because it was waived. Where anonymous callers were let in before, nothing was opened.
    pub fn is_opened(&self) -> bool {
        self.alternatives.is_empty() && !self.waived.is_empty()
    }
}

impl Plan {
    /// `file:line` of what was written.
    pub fn written(&self, source: &Source) -> String {
        let document = self.documents.get(source.document as usize);
        format!("{}:{}", document.map_or("", |document| document.path.as_str()), source.line)
    }

    /// Method, path and place of some operations: `GET /v1/a (a.yaml:7), POST /v1/b (a.yaml:9) and 3 more`.
    pub fn list<'a>(&self, operations: impl IntoIterator<Item = (&'a Api, &'a Operation)>) -> String {
        let mut operations = operations.into_iter();
        let name = |(api, operation): (&Api, &Operation)| {
            format!("{} {} ({})", operation.method, api.path(operation), self.written(&operation.source))
        };
        let mut text = operations.by_ref().take(NAMED).map(name).collect::<Vec<_>>().join(", ");
        let more = operations.count();
        if more > 0 {
            text.push_str(&format!(" and {more} more"));
        }
        text
    }
}

impl Api {
    /// An operation's path as clients write it, with its parameters.
    pub fn path(&self, operation: &Operation) -> String {
        format!("{}{}", self.base_path.trim_end_matches('/'), operation.template)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{Alternative, Credential, Document, Target, Transports};

    fn operation(line: u32) -> Operation {
        Operation {
            id: format!("o{line}"),
            method: "GET".to_owned(),
            template: "/a".to_owned(),
            target: Target::Options { allow: Vec::new() },
            security: Security { alternatives: Vec::new(), waived: Vec::new(), source: Source::default() },
            conditions: Vec::new(),
            body_bytes: None,
            demands: Vec::new(),
            declarations: Vec::new(),
            source: Source { document: 0, line, pointer: String::new() },
        }
    }

    #[test]
    fn a_sentence_names_some_operations_and_counts_the_rest() {
        let document = Document { path: "a.yaml".to_owned(), sha256: String::new() };
        let plan = Plan { documents: vec![document], ..Plan::default() };
        let api = Api {
            title: "A".to_owned(),
            version: "1".to_owned(),
            base_path: "/".to_owned(),
            transports: Transports { http: true, https: true },
            auth_header: None,
            hosts: Vec::new(),
            routes: false,
            whole_path: false,
            owner: None,
            operations: (1..=13).map(operation).collect(),
            source: Source::default(),
        };
        let named = |count: usize| plan.list(api.operations.iter().take(count).map(|operation| (&api, operation)));
        assert_eq!(named(2), "GET /a (a.yaml:1), GET /a (a.yaml:2)");
        assert!(named(10).ends_with("GET /a (a.yaml:10)"));
        assert!(named(13).ends_with("GET /a (a.yaml:10) and 3 more"));
    }

    #[test]
    fn only_what_nobody_checks_any_more_is_opened() {
        let credential = Credential {
            filter: "jwt".to_owned(),
            scheme: String::new(),
            scopes: Vec::new(),
            declared: BTreeMap::new(),
            source: Source::default(),
        };
        let is_opened = |alternatives: &[&[&Credential]], waived: &[&str]| {
            let alternative = |all: &&[&Credential]| Alternative { credentials: all.iter().map(|one| (*one).clone()).collect() };
            let alternatives = alternatives.iter().map(alternative).collect();
            Security { alternatives, waived: waived.iter().map(|id| (*id).to_owned()).collect(), source: Source::default() }.is_opened()
        };
        assert!(is_opened(&[], &["api_key"]));
        assert!(!is_opened(&[], &[]));
        assert!(!is_opened(&[&[&credential]], &["api_key"]));
        assert!(!is_opened(&[&[]], &["api_key"]));
    }
}
