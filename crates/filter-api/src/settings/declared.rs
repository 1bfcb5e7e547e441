//! What definitions say to filters.

use std::{
    any::Any,
    sync::{Arc, OnceLock},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Problem, decode};

/// What a project says to a filter once, for all operations: policies, schemas, programs. Operations refer to it from their own
/// declarations. Cheap to clone.
#[derive(Clone, Default)]
pub struct Declared(Arc<Section>);

#[derive(Default)]
struct Section {
    content: Value,
    /// Decoded when the first filter asks; the rest share it.
    decoded: OnceLock<Result<Arc<dyn Any + Send + Sync>, Problem>>,
}

impl Declared {
    /// The section of one filter.
    pub fn new(content: Value) -> Self {
        Self(Arc::new(Section { content, decoded: OnceLock::new() }))
    }

    /// What the project says, decoded once for all who ask; the default when it says nothing. A filter asks for one type only.
    ///
    /// # Errors
    /// When the content does not fit the type.
    pub fn get<T: DeserializeOwned + Default + Send + Sync + 'static>(&self) -> Result<Arc<T>, Problem> {
        let decoded = self.0.decoded.get_or_init(|| {
            let content = if self.0.content.is_null() { Ok(T::default()) } else { decode::<T>(self.0.content.clone()) };
            content.map(|content| Arc::new(content) as Arc<dyn Any + Send + Sync>).map_err(Problem::of_declaration)
        });
        let another = || Problem::error("filter.declaration", "the project's declaration was read as another type before").of_declaration();
        decoded.clone()?.downcast().map_err(|_| another())
    }
}

/// What a definition asks of a caller: one alternative is enough, each lists what every one of its credentials must bring. Empty: no
/// scopes are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeAlternatives {
    /// The alternatives.
    #[serde(default)]
    pub alternatives: Vec<Vec<RequiredScopes>>,
}

impl ScopeAlternatives {
    /// `file:line` of the alternative to which a pointer leads: of the first of its credentials that needs scopes.
    pub fn source(&self, pointer: &str) -> Option<&str> {
        let index = pointer.strip_prefix("/alternatives/")?.split('/').next()?;
        let alternative = self.alternatives.get(crate::pointer::index(index)?)?;
        let asks = alternative.iter().find(|need| !need.scopes.is_empty()).or(alternative.first())?;
        Some(asks.source.as_str()).filter(|source| !source.is_empty())
    }
}

/// What one credential must bring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequiredScopes {
    /// ID of the filter that vouches for the caller.
    pub filter: String,
    /// Scopes that are needed.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// `file:line` that asked for them, for the log.
    #[serde(default)]
    pub source: String,
}

/// What a definition may say of a credential that stands in a header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredHeader {
    /// The header, when it is another than the settings say.
    #[serde(default)]
    pub header: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_project_says_is_decoded_once_and_of_the_type_that_was_asked_for_first() {
        let declared = Declared::new(json!({"header": "x-token"}));
        let first = declared.get::<DeclaredHeader>().unwrap();
        assert_eq!(first.header.as_deref(), Some("x-token"));
        assert!(Arc::ptr_eq(&first, &declared.clone().get::<DeclaredHeader>().unwrap()));
        assert_eq!(declared.get::<ScopeAlternatives>().unwrap_err().code, "filter.declaration");
        assert_eq!(*Declared::default().get::<DeclaredHeader>().unwrap(), DeclaredHeader::default());
    }

    #[test]
    fn a_pointer_to_an_alternative_leads_to_the_line_that_asks_for_scopes() {
        let needs = |filter: &str, scopes: &[&str], source: &str| json!({ "filter": filter, "scopes": scopes, "source": source });
        let one = json!([needs("mtls", &[], "a.yaml:3"), needs("jwt", &["read"], "a.yaml:4")]);
        let content = json!({ "alternatives": [one, [needs("mtls", &[], "a.yaml:5")], [needs("jwt", &["x"], "")]] });
        let alternatives: ScopeAlternatives = decode(content).unwrap();
        assert_eq!(alternatives.source("/alternatives/0"), Some("a.yaml:4"));
        assert_eq!(alternatives.source("/alternatives/1/0/scopes"), Some("a.yaml:5"));
        for nowhere in ["", "/alternatives", "/alternatives/2", "/alternatives/3", "/alternatives/x"] {
            assert_eq!(alternatives.source(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn a_section_that_does_not_fit_is_a_problem_of_the_declaration() {
        let problem = Declared::new(json!({"headers": 1})).get::<DeclaredHeader>().unwrap_err();
        assert!(problem.declared);
        assert_eq!((problem.code, problem.pointer.as_str()), ("decode.unknown_key", "/headers"));
    }
}
