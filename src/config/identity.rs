//! What a configuration is called, wherever it runs.
//!
//! The same artifact, the same `gateway.yaml` and the same product give the same identity on every machine. Secrets count as the references
//! that are written for them, not as what those hold. Files that are named (keys, certificates) count by their names: what they hold may
//! change while a configuration is in force.

use std::{fmt, sync::Arc};

use openssl::sha::Sha256;
use serde_json::Value;
use tollgate_filter_api::Kind;

use super::Config;

/// SHA-256 over artifact, `gateway.yaml` and catalogue, its first 128 bits in hex. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationId(Arc<str>);

impl ConfigurationId {
    /// The identity of what an artifact, by its digest, and an environment come to with a catalogue.
    pub fn new(artifact: &str, config: &Config, kinds: &[Kind]) -> Self {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            // With its length, so that no two parts can be taken for other two.
            hash.update(&(text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        };
        part(artifact);
        part(&canonical(&config.written()));
        part(env!("CARGO_PKG_VERSION"));
        kinds.iter().for_each(|kind| part(kind.id));
        Self(hex::encode(&hash.finish()[..16]).into())
    }

    /// In hex.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In hex, to be kept.
    pub fn text(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl fmt::Display for ConfigurationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// JSON without regard to the order of keys.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(key, _)| *key);
            let member = |(key, value): (&String, &Value)| format!("{}:{}", Value::from(key.as_str()), canonical(value));
            format!("{{{}}}", members.into_iter().map(member).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn id(artifact: &str, yaml: &str) -> ConfigurationId {
        ConfigurationId::new(artifact, &Config::parse("gateway.yaml", yaml.as_bytes(), Path::new(""), &[]).unwrap(), &[])
    }

    #[test]
    fn what_means_the_same_has_the_same_identity() {
        let one = id("aa", "listeners: [{ address: '127.0.0.1:1' }]\nadmin: { address: '127.0.0.1:2' }\n");
        let other = id("aa", "# Said otherwise.\nadmin:\n  address: 127.0.0.1:2\nlisteners:\n  - { address: \"127.0.0.1:1\" }\n");
        assert_eq!(one, other);
        assert_eq!(one.as_str().len(), 32);
    }

    #[test]
    fn each_part_makes_another_identity() {
        let listeners = "listeners: [{ address: '127.0.0.1:1' }]\n";
        let all = [id("aa", listeners), id("ab", listeners), id("aa", &listeners.replace(":1'", ":2'"))];
        assert!(all[0] != all[1] && all[0] != all[2] && all[1] != all[2], "{all:?}");
        let config = Config::parse("gateway.yaml", listeners.as_bytes(), Path::new(""), &[]).unwrap();
        assert_ne!(ConfigurationId::new("aa", &config, tollgate_filters::FILTERS), all[0]);
    }
}
