//! Hosts that clients may be sent to.

use std::collections::BTreeSet;

use tollgate_filter_api::Problem;

/// The hosts of the settings.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    any: bool,
    names: BTreeSet<Box<str>>,
    /// Names of which every one below is meant.
    parents: BTreeSet<Box<str>>,
}

impl Hosts {
    /// Reads them.
    ///
    /// # Errors
    /// The first that is no host.
    pub(crate) fn parse(written: &[String]) -> Result<Self, Problem> {
        let mut hosts = Self::default();
        for (at, host) in written.iter().enumerate() {
            let (parent, name) = host.strip_prefix("*.").map_or((false, host.as_str()), |name| (true, name));
            if host == "*" {
                hosts.any = true;
            } else if !is_host(name) || parent && name.starts_with('[') {
                return Err(Problem::setting(format!("/hosts/{at}"), format!("{host:?} is no host")).hint(
                    "write a name without scheme and port, such as `shop.example`; `*.shop.example` for those below it; `*` for any",
                ));
            } else {
                let list = if parent { &mut hosts.parents } else { &mut hosts.names };
                list.insert(name.to_ascii_lowercase().into());
            }
        }
        Ok(hosts)
    }

    /// Whether clients may be sent to it. It is in lower case.
    pub(crate) fn have(&self, host: &str) -> bool {
        let mut above = host;
        self.any
            || self.names.contains(host)
            || std::iter::from_fn(|| {
                above = above.split_once('.')?.1;
                Some(above)
            })
            .any(|parent| self.parents.contains(parent))
    }
}

fn is_host(text: &str) -> bool {
    let address = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => text.split('.').all(is_label) && text.len() <= 253,
    }
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_listed_by_its_name_or_by_one_above_it() {
        let hosts = Hosts::parse(&["Shop.example".into(), "*.eu.shop.example".into(), "[::1]".into()]).expect("they are hosts");
        for (host, listed) in [
            ("shop.example", true),
            ("a.eu.shop.example", true),
            ("b.a.eu.shop.example", true),
            ("[::1]", true),
            ("eu.shop.example", false),
            ("www.shop.example", false),
            ("shop.example.evil", false),
            ("evilshop.example", false),
            ("aeu.shop.example", false),
            ("", false),
        ] {
            assert_eq!(hosts.have(host), listed, "{host}");
        }
        assert!(Hosts::parse(&["*".into()]).expect("it is any").have("a"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for wrong in ["", "*.", "a b", "https://a", "a:80", "a/", "*a", "a.*", "u@a", "*.[::1]", "[a]", "ä.example"] {
            assert_eq!(Hosts::parse(&["ok".into(), wrong.into()]).expect_err(wrong).pointer, "/hosts/1", "{wrong}");
        }
    }
}
