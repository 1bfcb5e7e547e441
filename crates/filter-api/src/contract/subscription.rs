//! The claim `subscribedAPIs` of the reference product's tokens and keys.

use serde_json::{Map, Value};

use crate::{OperationInfo, Principal};

/// The APIs to which a caller has subscribed, as its verified credential lists them.
#[derive(Clone, Copy, Debug)]
pub struct Subscriptions<'a>(&'a Value);

impl Principal {
    /// The APIs to which the caller has subscribed; `None` when its credential says nothing of subscriptions.
    pub fn subscriptions(&self) -> Option<Subscriptions<'_>> {
        self.claims.get("subscribedAPIs").map(Subscriptions)
    }
}

impl<'a> Subscriptions<'a> {
    /// The first entry for the API of an operation: one with its name, and with its version or `*`. A claim that is no list has none.
    pub fn to(self, operation: &OperationInfo) -> Option<&'a Map<String, Value>> {
        let text = |entry: &'a Map<String, Value>, key| entry.get(key).and_then(Value::as_str);
        let fits = |entry: &&'a Map<String, Value>| {
            let version = text(entry, "version");
            text(entry, "name") == Some(&operation.api) && (version == Some(&operation.version) || version == Some("*"))
        };
        self.0.as_array()?.iter().filter_map(Value::as_object).find(fits)
    }
}
