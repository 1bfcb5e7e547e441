//! What requests say of the way they came.

use http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;
use tollgate_filter_api::Problem;

use crate::fields::{CERTIFICATES, FAMILIES, OWN, covers, is_plain};

/// What requests say of the way they came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Forwarding {
    /// Fields that reach upstreams although every client can write them, for instance `x-forwarded-prefix`. Without it they do from
    /// `trusted_proxies` only; `forwarding.md` lists them. In another spelling than the one here they are taken away.
    pub pass: Vec<String>,
    /// The gateway's name in `Via`. A request that already names it there has come in a circle and is answered with 508. Gateways
    /// that pass requests on to each other need different names; replicas may share one. Absent: each process makes its own up.
    pub pseudonym: Option<String>,
    /// How often a request may come back to the gateway before that is a circle.
    pub returns: u8,
}

/// Longest pseudonym.
const PSEUDONYM: usize = 64;

impl Forwarding {
    /// The fields that pass.
    ///
    /// # Errors
    /// Each one that cannot, with its index.
    pub fn passing(&self) -> Result<Vec<HeaderName>, Vec<(usize, Problem)>> {
        let (mut names, mut problems) = (Vec::new(), Vec::new());
        for (index, name) in self.pass.iter().enumerate() {
            match field(name) {
                Ok(name) => names.push(name),
                Err(problem) => problems.push((index, problem)),
            }
        }
        if problems.is_empty() { Ok(names) } else { Err(problems) }
    }

    /// What is wrong with the pseudonym.
    pub fn judge_pseudonym(&self) -> Option<Problem> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let name = self.pseudonym.as_ref()?;
        let good = !name.is_empty() && name.len() <= PSEUDONYM && name.bytes().all(legal);
        let problem = || Problem::error("config.pseudonym", format!("{name:?} is no pseudonym (RFC 9110 §7.6.3)"));
        (!good).then(|| problem().hint(format!("write a word of at most {PSEUDONYM} letters, digits, dashes and dots")))
    }
}

fn field(text: &str) -> Result<HeaderName, Problem> {
    let wrong = |message: String| Problem::error("config.pass", message);
    let name = HeaderName::from_bytes(text.as_bytes()).ok().filter(|name| is_plain(name.as_str()));
    let name = name.ok_or_else(|| wrong(format!("{text:?} is not the name of a field in letters, digits and dashes")))?;
    if OWN.contains(&name.as_str()) || CERTIFICATES.contains(&name.as_str()) {
        return Err(wrong(format!("`{name}` never passes: the gateway writes its own word in its place, or judges by it"))
            .hint("let the `headers` filter set what the upstream is to read"));
    }
    if !FAMILIES.iter().flat_map(|(_, names)| *names).any(|family| covers(family, name.as_str())) {
        return Err(wrong(format!("`{name}` is none of the fields that are taken away")).hint("leave it out: it passes already"));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_gateway_writes_itself_cannot_be_let_pass() {
        for name in OWN.iter().chain(&CERTIFICATES) {
            assert!(field(name).unwrap_err().message.contains("never passes"), "{name}");
        }
    }

    #[test]
    fn a_name_that_would_change_nothing_is_refused() {
        for name in ["x-api-key", "x-forwarded_prefix", "x forwarded", "", "x-ssl*"] {
            assert!(field(name).is_err(), "{name}");
        }
        assert_eq!(field("X-Forwarded-Prefix").unwrap(), "x-forwarded-prefix");
    }

    #[test]
    fn a_pseudonym_is_one_word() {
        let judge = |name: &str| Forwarding { pseudonym: Some(name.to_owned()), ..Forwarding::default() }.judge_pseudonym();
        assert!(judge("edge-1.example").is_none());
        for name in ["", "a b", "a,b", "a/b", "a(b)", "ü", &"a".repeat(65)] {
            assert!(judge(name).is_some(), "{name}");
        }
    }
}
