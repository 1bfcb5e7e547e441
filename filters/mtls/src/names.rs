//! Subject alternative names against those that are allowed.

use tollgate_filter_api::{Certificate, Problem};

use crate::config::Names;

impl Names {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether one name of the certificate is allowed.
    pub(crate) fn allow(&self, certificate: &Certificate) -> bool {
        certificate.dns_names.iter().any(|name| self.dns.iter().any(|rule| dns(rule, name)))
            || certificate.uri_names.iter().any(|name| self.uri.contains(name))
            || certificate.email_names.iter().any(|name| self.email.contains(name))
            || certificate.ip_names.iter().any(|name| self.ip.contains(name))
    }

    /// Refuses patterns that do not mean what they look like.
    pub(crate) fn check(&self) -> Result<(), Problem> {
        for (index, rule) in self.dns.iter().enumerate() {
            let rest = rule.strip_prefix("*.").unwrap_or(rule);
            if rest.contains('*') || rest.is_empty() {
                let problem = Problem::setting(format!("/names/dns/{index}"), format!("{rule:?} is no DNS name"));
                return Err(problem.hint("a `*` stands for the whole first label: `*.example.com`"));
            }
        }
        Ok(())
    }
}

/// A certificate for a wildcard is nobody in particular, so no rule covers it; nor does one what is no host name, such as a label with a
/// NUL, at which some readers stop.
fn dns(rule: &str, name: &str) -> bool {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        return false;
    }
    match rule.strip_prefix("*.") {
        None => rule.eq_ignore_ascii_case(name),
        Some(rest) => name.split_once('.').is_some_and(|(label, of)| !label.is_empty() && of.eq_ignore_ascii_case(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::dns;

    #[test]
    fn a_pattern_covers_one_label_and_nothing_else() {
        let cases = [
            ("shop.example", "SHOP.example", true),
            ("shop.example", "shop.example.evil", false),
            ("*.example", "shop.EXAMPLE", true),
            ("*.example", "a.shop.example", false),
            ("*.example", "example", false),
            ("*.example", ".example", false),
            ("*.example", "*.example", false),
            ("*.example", "shopexample", false),
            ("shop.example", "shop.example\0.evil", false),
            ("*.example", "shop\0.example", false),
            ("*.example", "evil.test\0.example", false),
            ("*.example", "shop .example", false),
            ("*.example", "shop\r\n.example", false),
            ("*.example", "sh\u{f6}p.example", false),
            ("*.example", "a_b-1.example", true),
        ];
        for (rule, name, covered) in cases {
            assert_eq!(dns(rule, name), covered, "{rule} {name:?}");
        }
    }
}
