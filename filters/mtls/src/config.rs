//! What is written in YAML.

use std::{net::IpAddr, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the `mtls` filter.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which certificates are accepted of those that the listener trusts. Empty: all of them.
    pub allow: Rules,
    /// APIs that accept other certificates than `allow` says. An API that is listed accepts these and no others.
    pub apis: Vec<ApiRules>,
    /// The protection space named in `WWW-Authenticate`.
    pub realm: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { allow: Rules::default(), apis: Vec::new(), realm: "api".to_owned() }
    }
}

/// Certificates that one API accepts.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiRules {
    /// Title of the API.
    pub name: String,
    /// Version of the API; `*` for every version.
    #[serde(default = "every")]
    pub version: String,
    /// Which certificates it accepts. At least one rule.
    pub allow: Rules,
}

/// What a certificate must be like. Of each rule that is written, one entry must fit.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Subjects, in the form of RFC 4514 and equal to the last character: `CN=shop,O=Example,C=DE`.
    pub subjects: Vec<String>,
    /// Issuers, in the same form: who signed the certificate itself, not the root.
    pub issuers: Vec<String>,
    /// Subject alternative names.
    pub names: Names,
    /// SHA-256 of certificates, 64 hex digits, with or without colons.
    pub fingerprints: Vec<String>,
    /// Files with certificates in PEM, each of which is accepted itself. Counted together with `fingerprints` as one rule.
    pub certificates: Vec<PathBuf>,
}

/// Subject alternative names, one of which must be in the certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Names {
    /// DNS names, without regard to case. `*.example.com` stands for one label before the rest.
    pub dns: Vec<String>,
    /// URIs, equal byte for byte, such as `spiffe://example.com/shop`.
    pub uri: Vec<String>,
    /// Mail addresses, equal byte for byte.
    pub email: Vec<String>,
    /// Addresses.
    #[schemars(with = "Vec<String>")]
    pub ip: Vec<IpAddr>,
}

fn every() -> String {
    "*".to_owned()
}
