//! Which of the trusted certificates an API accepts.

use tollgate_filter_api::{Certificate, Env, Fault, Location, OperationInfo, Problem, Rule, View, Views};

use crate::{
    config::{Config, Names, Rules},
    pinned::Pinned,
};

/// The rules, in general and for single APIs.
pub(crate) struct Allowed {
    general: Compiled,
    apis: Vec<(String, String, Compiled)>,
}

struct Compiled {
    subjects: Vec<String>,
    issuers: Vec<String>,
    names: Names,
    fingerprints: Vec<[u8; 32]>,
    files: Vec<File>,
}

/// Certificates in a file.
struct File {
    name: String,
    pinned: View<Pinned>,
}

impl Allowed {
    pub(crate) fn new(config: &Config, env: &Env) -> Result<Self, Problem> {
        let general = compile(&config.allow, "/allow", env)?;
        let mut apis = Vec::new();
        for (index, api) in config.apis.iter().enumerate() {
            let place = format!("/apis/{index}/allow");
            let compiled = compile(&api.allow, &place, env)?;
            if compiled.is_empty() {
                let problem = Problem::setting(place, format!("no rule says which certificates the API {:?} accepts", api.name));
                return Err(problem.hint("list subjects, issuers, names, fingerprints or certificates"));
            }
            apis.push((api.name.clone(), api.version.clone(), compiled));
        }
        Ok(Self { general, apis })
    }

    /// Whether the API of an operation accepts a certificate.
    pub(crate) fn allows(&self, operation: &OperationInfo, certificate: &Certificate, views: &mut Views) -> Result<bool, Fault> {
        let mut own = self.own(operation).map(|(_, rules)| rules).peekable();
        if own.peek().is_none() {
            return self.general.allows(certificate, views);
        }
        for rules in own {
            if rules.allows(certificate, views)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The setting that says so; the first, when there are several for the API.
    pub(crate) fn rule(&self, operation: &OperationInfo) -> Rule {
        self.own(operation).next().map_or(Rule::setting("/allow"), |(place, _)| Rule::nth_setting("/apis/*/allow", place))
    }

    /// The rules for the API of an operation, with their places among the settings.
    fn own(&self, operation: &OperationInfo) -> impl Iterator<Item = (usize, &Compiled)> {
        let is_own = |name: &str, version: &str| name == operation.api && (version == "*" || version == operation.version);
        let places = self.apis.iter().enumerate();
        places.filter(move |(_, (name, version, _))| is_own(name, version)).map(|(place, (_, _, rules))| (place, rules))
    }
}

fn compile(rules: &Rules, place: &str, env: &Env) -> Result<Compiled, Problem> {
    rules.names.check().map_err(|problem| {
        let pointer = format!("{place}{}", problem.pointer);
        problem.at("", 0, pointer)
    })?;
    let mut fingerprints = Vec::new();
    for (index, text) in rules.fingerprints.iter().enumerate() {
        fingerprints.push(
            fingerprint(text)
                .ok_or_else(|| Problem::setting(format!("{place}/fingerprints/{index}"), "a fingerprint is SHA-256: 64 hex digits"))?,
        );
    }
    let mut files = Vec::new();
    for (index, path) in rules.certificates.iter().enumerate() {
        let pinned = Pinned::new(Location::File(path.clone()), env);
        let pinned = pinned.map_err(|problem| problem.at("", 0, format!("{place}/certificates/{index}")))?;
        files.push(File { name: path.display().to_string(), pinned: View::new("mtls.certificates", pinned) });
    }
    Ok(Compiled { subjects: rules.subjects.clone(), issuers: rules.issuers.clone(), names: rules.names.clone(), fingerprints, files })
}

impl Compiled {
    fn is_empty(&self) -> bool {
        let pins = self.fingerprints.is_empty() && self.files.is_empty();
        pins && self.subjects.is_empty() && self.issuers.is_empty() && self.names.is_empty()
    }

    fn allows(&self, certificate: &Certificate, views: &mut Views) -> Result<bool, Fault> {
        let is_named = (self.subjects.is_empty() || self.subjects.contains(&certificate.subject))
            && (self.issuers.is_empty() || self.issuers.contains(&certificate.issuer))
            && (self.names.is_empty() || self.names.allow(certificate));
        Ok(is_named && self.pins(&certificate.sha256, views)?)
    }

    /// Whether no certificate is pinned, or this one.
    fn pins(&self, sha256: &[u8; 32], views: &mut Views) -> Result<bool, Fault> {
        if self.fingerprints.contains(sha256) || (self.fingerprints.is_empty() && self.files.is_empty()) {
            return Ok(true);
        }
        for file in &self.files {
            if views.ask(&file.pinned, &file.name, |pinned| pinned.contains(sha256))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// 32 bytes as hex digits, with colons between bytes or without.
fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(0)? << 4 | digit(1)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn a_fingerprint_is_32_bytes_in_hex_with_or_without_colons() {
        let plain = "00ff".repeat(16);
        let colons = ["00:FF"; 16].join(":");
        assert_eq!(fingerprint(&plain), fingerprint(&colons));
        assert_eq!(fingerprint(&plain).map(|bytes| bytes[1]), Some(0xff));
        for wrong in ["", "00ff", &"0g".repeat(32), &"+1".repeat(32), &"00".repeat(33)] {
            assert_eq!(fingerprint(wrong), None, "{wrong}");
        }
    }
}
