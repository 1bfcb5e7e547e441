//! Cookies of answers: for which domain and for which paths they are (RFC 6265 §4.1).

use http::{HeaderValue, header};
use tollgate_filter_api::{Problem, ResponseHead};

use crate::{
    config::Back,
    paths::{Prefixed, first},
};

/// What is made of domains and paths.
#[derive(Debug)]
pub(crate) struct Cookies {
    domains: Vec<(Box<str>, Option<Box<str>>)>,
    paths: Vec<Prefixed>,
}

impl Cookies {
    /// Judges what is written.
    ///
    /// # Errors
    /// What is no domain or no path.
    pub(crate) fn parse(back: &Back) -> Result<Self, Problem> {
        let domain = |written: &str, place: String| -> Result<Box<str>, Problem> {
            let domain = written.strip_prefix('.').unwrap_or(written);
            let is_domain = !domain.is_empty() && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
            if is_domain {
                return Ok(domain.to_ascii_lowercase().into());
            }
            Err(Problem::setting(place, format!("{written:?} is no domain")).hint("write a name without scheme and port: `shop.example`"))
        };
        let mut domains = Vec::new();
        for (at, pair) in back.cookie_domains.iter().enumerate() {
            let place = |key: &str| format!("/back/cookie_domains/{at}/{key}");
            let to = pair.to.as_ref().map(|to| domain(to, place("to"))).transpose()?;
            domains.push((domain(&pair.from, place("from"))?, to));
        }
        Ok(Self { domains, paths: Prefixed::list(&back.cookie_paths, "/back/cookie_paths")? })
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.domains.is_empty() && self.paths.is_empty()
    }

    /// Changes a head.
    pub(crate) fn apply(&self, head: &mut ResponseHead) {
        let changed: Vec<Option<HeaderValue>> = head.get_all(&header::SET_COOKIE).map(|value| self.changed(value)).collect();
        if changed.iter().all(Option::is_none) {
            return;
        }
        let before: Vec<HeaderValue> = head.get_all(&header::SET_COOKIE).cloned().collect();
        head.remove(&header::SET_COOKIE);
        for (before, changed) in before.into_iter().zip(changed) {
            head.append(header::SET_COOKIE, changed.unwrap_or(before));
        }
    }

    /// What becomes of a cookie; `None` when it stays. Name and value stay byte for byte.
    fn changed(&self, cookie: &HeaderValue) -> Option<HeaderValue> {
        let bytes = cookie.as_bytes();
        let mut parts = bytes.split(|byte| *byte == b';');
        let mut written = parts.next()?.to_vec();
        let mut any = false;
        for part in parts {
            match self.attribute(part) {
                Attribute::Kept => {
                    written.push(b';');
                    written.extend_from_slice(part);
                    continue;
                }
                Attribute::Gone => {}
                Attribute::Now(text) => {
                    written.extend_from_slice(b"; ");
                    written.extend_from_slice(text.as_bytes());
                }
            }
            any = true;
        }
        HeaderValue::from_maybe_shared(written).ok().filter(|_| any)
    }

    fn attribute(&self, part: &[u8]) -> Attribute {
        let Some((name, value)) = str::from_utf8(part).ok().and_then(|part| part.split_once('=')) else { return Attribute::Kept };
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("domain") {
            let value = value.strip_prefix('.').unwrap_or(value);
            return match self.domains.iter().find(|(from, _)| value.eq_ignore_ascii_case(from)) {
                Some((_, Some(to))) => Attribute::Now(format!("Domain={to}")),
                Some((_, None)) => Attribute::Gone,
                None => Attribute::Kept,
            };
        }
        let path = if name.eq_ignore_ascii_case("path") { first(&self.paths, value) } else { None };
        path.map_or(Attribute::Kept, |path| Attribute::Now(format!("Path={path}")))
    }
}

/// What becomes of a part of a cookie.
enum Attribute {
    Kept,
    Gone,
    Now(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Domain, Prefix};

    #[test]
    fn domain_and_path_change_and_all_else_stays_byte_for_byte() {
        let domain = |from: &str, to: Option<&str>| Domain { from: from.into(), to: to.map(str::to_owned) };
        let cookie_domains = vec![domain("app.internal", Some(".shop.example")), domain("lone.internal", None)];
        let cookie_paths = vec![Prefix { from: "/app".into(), to: "/shop".into() }];
        let cookies = Cookies::parse(&Back { cookie_domains, cookie_paths, ..Back::default() }).expect("it is legal");
        for (cookie, becomes) in [
            (&b"a=b; Domain=.APP.internal; Path=/app/x;HttpOnly"[..], Some(&b"a=b; Domain=shop.example; Path=/shop/x;HttpOnly"[..])),
            (b"a=\xff; domain = app.internal", Some(b"a=\xff; Domain=shop.example")),
            (b"a=b; Domain=lone.internal; Secure", Some(b"a=b; Secure")),
            (b"a=Domain=app.internal; Path=/apple", None),
            (b"path=/app; Domain=other.example", None),
            (b"a=b; Domain=evil.app.internal", None),
            (b"a=b; Path", None),
            (b"", None),
        ] {
            let value = HeaderValue::from_bytes(cookie).expect("it is legal");
            assert_eq!(cookies.changed(&value).as_ref().map(HeaderValue::as_bytes), becomes, "{value:?}");
        }
    }
}
