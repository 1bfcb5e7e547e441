//! Looks up the fields of [`fields::FAMILIES`](crate::fields::FAMILIES) in one pass over a head.
//!
//! A client's fields of these families are removed before the first filter runs, so that what a filter writes in them stays. Those of
//! a trusted proxy pass, in their plain spelling. Fields that the configuration lists pass from anybody.

use http::{HeaderMap, HeaderName};

use crate::fields::{CERTIFICATES, FAMILIES, OWN, covers, is_plain};

/// How a field is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The gateway writes it anew; another spelling is refused.
    Own,
    /// May hold a certificate: always removed.
    Certificate,
    /// Passes from trusted proxies only.
    Proxy,
    /// The request's id: another spelling is refused.
    Id,
    /// Frames the message: another spelling is refused.
    Framing,
    /// May name another method than the request's.
    Method,
    /// Lists the gateways that the request has passed.
    Via,
}

/// Fields of no family that are looked up in the same pass: among others those in which frameworks read a method that the gateway has
/// not judged.
const OTHERS: [(&str, Kind); 7] = [
    ("x-request-id", Kind::Id),
    ("content-length", Kind::Framing),
    ("transfer-encoding", Kind::Framing),
    ("via", Kind::Via),
    ("x-http-method-override", Kind::Method),
    ("x-http-method", Kind::Method),
    ("x-method-override", Kind::Method),
];

/// Fields of interest, by the first letters of their names.
#[derive(Debug)]
pub struct Families {
    /// For each pair of letters the index of its list plus one, or 0. Most fields of a request need no more than this.
    index: [u16; PAIRS],
    lists: Vec<Vec<(Box<str>, Kind)>>,
    passing: Vec<HeaderName>,
}

const PAIRS: usize = 1 << 10;

impl Families {
    /// Lets the fields in `passing` pass, and removes `certificates` beside the usual ones.
    pub fn new(passing: Vec<HeaderName>, certificates: impl IntoIterator<Item = HeaderName>) -> Self {
        let mut families = Self { index: [0; PAIRS], lists: Vec::new(), passing };
        // Of several that cover a name, the first counts.
        OWN.iter().for_each(|name| families.add(name, Kind::Own));
        CERTIFICATES.iter().for_each(|name| families.add(name, Kind::Certificate));
        certificates.into_iter().for_each(|name| families.add(name.as_str(), Kind::Certificate));
        OTHERS.iter().for_each(|(name, kind)| families.add(name, *kind));
        FAMILIES.iter().flat_map(|(_, names)| *names).for_each(|name| families.add(name, Kind::Proxy));
        families
    }

    fn add(&mut self, name: &str, kind: Kind) {
        let at = &mut self.index[pair(name)];
        if *at == 0 {
            self.lists.push(Vec::new());
            // There are no more lists than pairs.
            *at = self.lists.len() as u16;
        }
        self.lists[usize::from(*at) - 1].push((name.into(), kind));
    }

    /// How a field is treated, if it needs treatment.
    #[inline]
    pub fn kind_of(&self, name: &str) -> Option<Kind> {
        match self.index[pair(name)] {
            0 => None,
            list => self.listed(usize::from(list) - 1, name),
        }
    }

    #[cold]
    fn listed(&self, list: usize, name: &str) -> Option<Kind> {
        let (_, kind) = self.lists[list].iter().find(|(family, _)| covers(family, name))?;
        let passes = *kind == Kind::Proxy && self.passing.iter().any(|passing| passing == name);
        (!passes).then_some(*kind)
    }

    /// Removes the fields that their sender may not write.
    pub fn strip(&self, headers: &mut HeaderMap, trusted: bool) {
        let goes = |name: &&HeaderName| match self.kind_of(name.as_str()) {
            Some(Kind::Own | Kind::Certificate) => true,
            // Another spelling was hardly written by the proxy, but by its client.
            Some(Kind::Proxy) => !trusted || !is_plain(name.as_str()),
            _ => false,
        };
        let gone: Vec<HeaderName> = headers.keys().filter(goes).cloned().collect();
        gone.iter().for_each(|name| drop(headers.remove(name)));
    }
}

/// The first letter and the next one that is not a dash, five bits each. Names that share a pair are compared.
fn pair(name: &str) -> usize {
    let name = name.as_bytes();
    let at = |index: usize| name.get(index).copied().unwrap_or_default();
    let second = if at(1).is_ascii_alphanumeric() { at(1) } else { at(2) };
    usize::from(at(0) & 31) << 5 | usize::from(second & 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn families(passing: &'static [&str], certificates: &'static [&str]) -> Families {
        let names = |list: &'static [&str]| list.iter().map(|name| HeaderName::from_static(name)).collect::<Vec<_>>();
        Families::new(names(passing), names(certificates))
    }

    /// Names of each family, the beginning of those with a `*` made longer.
    fn members() -> impl Iterator<Item = String> {
        FAMILIES.iter().flat_map(|(_, names)| *names).map(|name| name.replace('*', "-any"))
    }

    #[test]
    fn every_member_of_every_family_is_found_in_every_spelling() {
        let families = families(&[], &[]);
        for name in members() {
            for name in [name.clone(), name.replace('-', "_"), name.replacen('-', ".", 1)] {
                assert!(matches!(families.kind_of(&name), Some(Kind::Own | Kind::Certificate | Kind::Proxy)), "{name}");
            }
        }
    }

    #[test]
    fn ordinary_fields_are_nobodys_concern() {
        let families = families(&[], &[]);
        for name in ["accept", "content-type", "referer", "priority", "x-api-key", "x-user", "x", "xx", "forbidden", "v", "proxies"] {
            assert_eq!(families.kind_of(name), None, "{name}");
        }
    }

    #[test]
    fn from_a_stranger_nothing_of_a_family_stays_but_what_is_listed() {
        let families = families(&["x-forwarded-prefix", "x-envoy-retry-on"], &["x-tls"]);
        let mut headers = HeaderMap::new();
        let kept = ["x-forwarded-prefix", "x-envoy-retry-on", "x-request-id", "via", "accept"];
        for name in members().chain(kept.map(str::to_owned)).chain(["x_forwarded_prefix", "x_tls", "x-envoy"].map(str::to_owned)) {
            headers.append(HeaderName::try_from(name).unwrap(), "1".parse().unwrap());
        }
        families.strip(&mut headers, false);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "via", "x-envoy-retry-on", "x-forwarded-prefix", "x-request-id"]);
    }

    #[test]
    fn from_a_trusted_proxy_the_plain_spelling_stays_but_of_what_is_the_gateways_own() {
        let families = families(&[], &["x-tls"]);
        let mut headers = HeaderMap::new();
        for name in ["x-forwarded-user", "x_forwarded_user", "x-forwarded-port", "x-real-ip", "client-cert", "x-tls", "cf-ray"] {
            headers.append(HeaderName::from_static(name), "1".parse().unwrap());
        }
        families.strip(&mut headers, true);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["cf-ray", "x-forwarded-user"]);
    }
}
