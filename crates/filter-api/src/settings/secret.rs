//! Values that must not be printed.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;

/// A password, key or token. Neither `Debug` nor `Serialize` shows it; comparison takes the same time wherever the
/// difference is.
#[derive(Clone, Default)]
pub struct Secret(String);

impl Secret {
    /// Takes a value into custody.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, to be handed to cryptography or an upstream, never to a formatter.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares without leaking the place of the first difference; the length is not hidden.
    pub fn matches(&self, other: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(other).into()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.0.as_bytes())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Reads `${env:NAME}` or `${file:PATH}`, without the line end a file may have. Nothing is no secret: whoever forgot to fill it in
/// would be guarded by it.
fn resolve(text: &str) -> Result<String, String> {
    let secret = referred(text)?;
    if secret.is_empty() { Err(format!("{} is empty", text.trim_matches(['$', '{', '}']))) } else { Ok(secret) }
}

fn referred(text: &str) -> Result<String, String> {
    let reference = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).and_then(|inner| inner.split_once(':'));
    match reference {
        Some(("env", name)) => std::env::var(name).map_err(|error| match error {
            std::env::VarError::NotPresent => format!("the environment variable {name} is not set"),
            std::env::VarError::NotUnicode(_) => format!("the environment variable {name} is not UTF-8"),
        }),
        Some(("file", path)) => std::fs::read_to_string(path)
            .map(|content| content.trim_end_matches(['\r', '\n']).to_owned())
            .map_err(|error| format!("cannot read {path}: {error}")),
        _ => Err("a secret is given by reference: ${env:NAME} or ${file:/path}".to_owned()),
    }
}

impl<'de> Deserialize<'de> for Secret {
    /// Resolves the reference; a literal value is refused, so that no configuration file holds a secret.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        resolve(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(***)");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
    }

    #[test]
    fn a_literal_secret_is_refused_without_repeating_it() {
        let error = serde_json::from_str::<Secret>("\"hunter2\"").unwrap_err().to_string();
        assert!(error.contains("by reference") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_reference_is_resolved() {
        let home: Secret = serde_json::from_str("\"${env:PATH}\"").unwrap();
        assert!(home.matches(std::env::var("PATH").unwrap().as_bytes()));
    }

    #[test]
    fn what_is_missing_or_empty_is_named_and_no_secret() {
        let empty = std::env::temp_dir().join(format!("tollgate-empty-{}", std::process::id()));
        std::fs::write(&empty, "\n").unwrap();
        for (reference, said) in [
            (format!("${{file:{}}}", empty.display()), "is empty"),
            ("${env:TOLLGATE_NOT_SET}".to_owned(), "the environment variable TOLLGATE_NOT_SET is not set"),
            ("${file:/does/not/exist}".to_owned(), "cannot read /does/not/exist"),
        ] {
            let error = serde_json::from_value::<Secret>(reference.clone().into()).unwrap_err().to_string();
            assert!(error.contains(said), "{reference}: {error}");
        }
        std::fs::remove_file(empty).unwrap();
    }

    #[test]
    fn comparison_is_exact() {
        let secret = Secret::new("hunter2");
        assert!(secret.matches(b"hunter2"));
        assert!(!secret.matches(b"hunter3"));
        assert!(!secret.matches(b"hunter"));
    }
}
