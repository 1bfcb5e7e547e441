//! Where a credential stands in a request, and how it is taken out. What is beside it stays as it was sent, byte for byte.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue, header::COOKIE};

use crate::{IllegalHeader, RequestHead};

/// A place for a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A header.
    Header(HeaderName),
    /// A parameter of the query.
    Query(String),
    /// A cookie.
    Cookie(String),
}

impl Carrier {
    /// Everything that stands there, in order.
    pub fn values<'r>(&self, req: &'r RequestHead) -> Vec<Cow<'r, [u8]>> {
        match self {
            Self::Header(name) => req.get_all(name).map(|value| value.as_bytes().trim_ascii().into()).collect(),
            Self::Query(name) => parameters(req).filter_map(|pair| parameter(pair, name)).collect(),
            Self::Cookie(name) => {
                let crumbs = req.get_all(&COOKIE).flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
                crumbs.filter_map(|crumb| cookie(crumb, name)).map(Cow::from).collect()
            }
        }
    }

    /// Takes it out.
    ///
    /// # Errors
    /// When what is left cannot be sent.
    pub fn strip(&self, req: &mut RequestHead) -> Result<(), IllegalHeader> {
        match self {
            Self::Header(name) => req.remove(name),
            _ if self.values(req).is_empty() => {}
            Self::Query(name) => {
                let rest: Vec<&str> = parameters(req).filter(|pair| parameter(pair, name).is_none()).collect();
                let rest = (!rest.is_empty()).then(|| rest.join("&"));
                req.set_query(rest.as_deref())?;
            }
            Self::Cookie(name) => {
                let fields = req.get_all(&COOKIE).filter_map(|field| without(field, name).transpose());
                let fields = fields.collect::<Result<Vec<_>, _>>()?;
                req.remove(&COOKIE);
                fields.into_iter().for_each(|field| req.append(COOKIE, field));
            }
        }
        Ok(())
    }
}

fn parameters(req: &RequestHead) -> impl Iterator<Item = &str> {
    req.query().unwrap_or_default().split('&')
}

fn parameter<'a>(pair: &'a str, wanted: &str) -> Option<Cow<'a, [u8]>> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (decoded(name) == wanted.as_bytes()).then(|| decoded(value))
}

/// The bytes of a percent-encoded text; a broken escape stands for itself.
fn decoded(text: &str) -> Cow<'_, [u8]> {
    percent_encoding::percent_decode_str(text).into()
}

fn cookie<'a>(crumb: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let at = crumb.iter().position(|byte| *byte == b'=')?;
    (crumb[..at].trim_ascii() == wanted.as_bytes()).then(|| crumb[at + 1..].trim_ascii())
}

/// A field of cookies without that one; `None` when nothing is left.
fn without(field: &HeaderValue, name: &str) -> Result<Option<HeaderValue>, IllegalHeader> {
    let crumbs: Vec<&[u8]> = field.as_bytes().split(|byte| *byte == b';').filter(|crumb| cookie(crumb, name).is_none()).collect();
    let rest = crumbs.join(&b';');
    match rest.trim_ascii() {
        [] => Ok(None),
        rest => HeaderValue::from_bytes(rest).map(Some).map_err(|_| IllegalHeader),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, cookies: &[&str]) -> RequestHead {
        let mut req = RequestHead::build("GET", target).unwrap();
        req.append(HeaderName::from_static("k"), HeaderValue::from_static(" one "));
        req.append(HeaderName::from_static("k"), HeaderValue::from_static("two"));
        cookies.iter().for_each(|field| req.append(COOKIE, HeaderValue::from_str(field).unwrap()));
        req
    }

    fn seen(carrier: &Carrier, req: &RequestHead) -> Vec<String> {
        carrier.values(req).iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect()
    }

    fn cookies(req: &RequestHead) -> Vec<&str> {
        req.get_all(&COOKIE).map(|field| field.to_str().unwrap()).collect()
    }

    #[test]
    fn everything_in_the_place_is_seen_and_goes() {
        let mut req = request("/a?x=%2f&k=1&%6B=2&&k", &["k=1; b=k", "k =2", "c=3;kk=4"]);
        for (carrier, values) in [
            (Carrier::Header(HeaderName::from_static("k")), vec!["one", "two"]),
            (Carrier::Query("k".into()), vec!["1", "2", ""]),
            (Carrier::Cookie("k".into()), vec!["1", "2"]),
        ] {
            assert_eq!(seen(&carrier, &req), values);
            carrier.strip(&mut req).unwrap();
            assert_eq!(seen(&carrier, &req), Vec::<String>::new());
        }
        assert_eq!((req.query(), cookies(&req)), (Some("x=%2f&"), vec!["b=k", "c=3;kk=4"]));
    }

    #[test]
    fn where_nothing_stands_nothing_changes() {
        let mut req = request("/a?&x=%zz&", &[" b=1 ;", "c=2"]);
        Carrier::Query("k".into()).strip(&mut req).unwrap();
        Carrier::Cookie("k".into()).strip(&mut req).unwrap();
        assert_eq!((req.query(), cookies(&req)), (Some("&x=%zz&"), vec![" b=1 ;", "c=2"]));
    }
}
