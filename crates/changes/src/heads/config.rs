//! What is written in YAML.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// Changes to one head. A header may stand in one of them only, so their order does not matter.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Changes {
    /// Header to value; replaces what is there. Values are text with facts such as `${principal.subject}` in it. When
    /// a fact is not known the header is removed.
    pub set: BTreeMap<String, String>,
    /// Header to value; keeps what is there. When a fact is not known nothing is added.
    pub add: BTreeMap<String, String>,
    /// Headers that are removed.
    pub remove: Vec<String>,
    /// Old name to new name. All values move, and take the place of those that the new name had; nothing happens when
    /// the old name is not there.
    pub rename: BTreeMap<String, String>,
}

impl Changes {
    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty() && self.rename.is_empty()
    }
}
