//! A name whose DNS records are endpoints.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate_filter_api::Problem;

/// A name whose DNS records are endpoints. It is looked up again when its records' time to live is over.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DnsName {
    /// The name, whole.
    pub name: String,
    /// Which of its records count.
    #[serde(default, rename = "type")]
    pub records: Records,
    /// Encrypt or not. With `https` and `type: address`, the group needs a `server_name`.
    #[serde(default)]
    pub scheme: Scheme,
    /// Port. Absent: 80, or 443 with `https`. Not with `type: srv`, whose records have their own.
    #[serde(default)]
    pub port: Option<u16>,
    /// What the path of every endpoint begins with.
    #[serde(default)]
    pub path: String,
}

/// Records of DNS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Records {
    /// A and AAAA: each address is an endpoint.
    #[default]
    Address,
    /// SRV (RFC 2782): each target is an endpoint, with its port, priority and weight.
    Srv,
}

/// How an endpoint is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Without TLS.
    #[default]
    Http,
    /// With TLS.
    Https,
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl DnsName {
    /// The URL of an endpoint; an IPv6 address has its brackets.
    pub fn url(&self, host: &str, port: u16) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        format!("{scheme}://{host}:{port}{}", self.path)
    }

    /// The port of an endpoint whose record has none.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        })
    }

    /// Judges what can be judged before it is asked for.
    ///
    /// # Errors
    /// What is wrong, without its place.
    pub fn check(&self) -> Result<(), Problem> {
        let wrong = |message: &str| Err(Problem::error("discovery.dns", message));
        let bare = self.name.strip_suffix('.').unwrap_or(&self.name);
        let label = |label: &str| {
            (1..=63).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if bare.len() > 253 || !bare.split('.').all(label) {
            return wrong("expected `name` to be a DNS name in its ASCII form");
        }
        if self.records == Records::Srv && self.port.is_some() {
            return wrong("expected no `port` beside `type: srv`, whose records have their own");
        }
        if self.port == Some(0) {
            return wrong("expected `port` to be 1 to 65535, found 0");
        }
        if !(self.path.is_empty() || self.path.starts_with('/')) || self.path.contains(['?', '#']) {
            return wrong("expected `path` to begin with `/` and to have neither query nor fragment");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn name(more: Value) -> DnsName {
        let mut whole = json!({ "name": "pets.example" });
        whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn an_endpoint_is_the_record_and_what_was_written_around_it() {
        assert_eq!(name(json!({})).url("192.0.2.1", name(json!({})).port()), "http://192.0.2.1:80");
        let full = name(json!({ "scheme": "https", "path": "/base" }));
        assert_eq!(full.url("[::1]", full.port()), "https://[::1]:443/base");
    }

    #[test]
    fn what_can_be_no_name_is_refused() {
        for good in [json!({ "name": "_http._tcp.pets.example.", "type": "srv" }), json!({ "port": 8080, "path": "/a" })] {
            assert!(name(good.clone()).check().is_ok(), "{good}");
        }
        let long = "a.".repeat(127) + "aa";
        for bad in [
            json!({ "name": "" }),
            json!({ "name": "a..b" }),
            json!({ "name": "http://a" }),
            json!({ "name": "a".repeat(64) }),
            json!({ "name": long }),
            json!({ "name": "é.example" }),
            json!({ "type": "srv", "port": 1 }),
            json!({ "port": 0 }),
            json!({ "path": "a" }),
            json!({ "path": "/a?b" }),
        ] {
            assert!(name(bad.clone()).check().is_err(), "{bad}");
        }
    }
}
